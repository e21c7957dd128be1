"""Some seconds of fuzzing with every run of the tests; `make fuzz` goes on for minutes."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.sandbox import Sandbox
from tests.fuzz import json_of
from tests.fuzz.api import Asker
from tests.fuzz.case import JOB, Case, play
from tests.fuzz.make import SCHEMA, TEMPLATE, case_of
from tests.fuzz.sent import STRUCTURE, send
from tests.support.api_caller import STRUCTURE as SANDBOX

pytestmark = pytest.mark.usefixtures("sockets")


@pytest.mark.parametrize("first", range(0, 90, 15))
def test_hostile_input_ends_in_a_documented_way(tmp_path: Path, first: int):
    """Damaged dumps, jobs, settings, archives and rejects files: no traceback, sums that add up, nothing lost."""
    for seed in range(first, first + 15):
        folder = tmp_path / str(seed)
        folder.mkdir()
        assert (seed, play(case_of(seed), folder)) == (seed, [])


def test_hostile_values_arrive_unchanged_or_not_at_all(tmp_path: Path):
    """By imports and per profile, in every version of the API; nothing hazardous is asked for."""
    with Sandbox(structure=STRUCTURE) as sandbox:
        for seed in range(8):
            folder = tmp_path / str(seed)
            folder.mkdir()
            assert send(seed, sandbox, folder) == []


def test_hostile_requests_are_answered() -> None:
    """No 500, no misshapen error, no long work, whatever is asked of the sandbox."""
    with Sandbox(structure=SANDBOX) as sandbox:
        asker = Asker(sandbox)
        assert [one for seed in range(3) for one in asker.play(seed)] == []
        assert {200, 201, 204, 400} <= set(asker.statuses)


_BYTES = st.one_of(
    st.binary(max_size=200),
    st.lists(st.sampled_from([b"a", b"1", b",", b'"', b"\n", b"\r\n", b"\0", b"\xff", b"\xc3\xa9"]), max_size=40).map(
        b"".join
    ),
    st.lists(st.sampled_from([*json_of.SCALARS, *"{}[],:", '"a"', "\n"]), max_size=20).map(
        lambda texts: "".join(texts).encode()
    ),
)


@settings(max_examples=60, derandomize=True)
@given(
    data=_BYTES,
    header=st.sampled_from([b"", b"a,b,c\n", b'{"a":"1"}\n', b"["]),
    format_=st.sampled_from(["csv", "json", "ndjson"]),
)
def test_any_bytes_end_in_a_documented_way(data: bytes, header: bytes, format_: str):
    """Whatever stands in a dump."""
    words = {"schema": "Plain", "action": "update or add", "keys": "[a]", "ignore": "true", "columns": ""}
    job = TEMPLATE.format(file="dump", format=format_, source='  delimiter: ","' if format_ == "csv" else "", **words)
    files = {JOB: job.encode(), "schema.py": SCHEMA, "dump": header + data}
    out = "rejects.csv" if format_ == "csv" else "rejects.ndjson"
    with tempfile.TemporaryDirectory() as folder:
        assert play(Case(files, (), "accepted.csv", out), Path(folder)) == []
