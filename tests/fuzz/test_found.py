"""What fuzzing found, as small cases that stay."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.fuzz.case import JOB, Case, call, play, rows_of
from tests.fuzz.make import SCHEMA, TEMPLATE


def _job(file: str, source: str = "", format_: str = "csv", columns: str = "") -> bytes:
    source = '  delimiter: ","\n' + source if format_ == "csv" else source
    words = {"schema": "Plain", "action": "update or add", "keys": "[a]", "ignore": "true"}
    return TEMPLATE.format(file=f'"{file}"', format=format_, source=source, columns=columns, **words).encode()


def _case(name: str, data: bytes, source: str = "") -> Case:
    format_ = name.rpartition(".")[2]
    out = "rejects.csv" if format_ == "csv" else "rejects.ndjson"
    files = {JOB: _job(name, source, format_), "schema.py": SCHEMA, name: data}
    return Case(files, (), "accepted.csv", out)


@pytest.mark.parametrize("bracket", ["[", "{", "a: ["])
def test_a_job_file_of_open_brackets_is_refused_at_once(tmp_path: Path, bracket: str):
    """The YAML reader took minutes over some thousands of them."""
    started_s = time.monotonic()
    case = _case("dump.csv", b"a,b,c\n")
    assert play(Case(case.files | {JOB: (bracket * 20_000).encode()}), tmp_path) == []
    assert call("validate", str(tmp_path / JOB))[0].exit_code == 3
    assert time.monotonic() - started_s < 5


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("dump.csv", b"a,b,c\n,x,y\n1,2\n" + b"x" * 70 + b"\n1,2,3\n"),
        ("dump.ndjson", b'{"b":"x"}\nnonsense\n{"a":"' + b"x" * 70 + b'"}\n{"a":"1"}\n'),
    ],
)
def test_a_short_limit_does_not_hold_for_the_rejects_file(tmp_path: Path, name: str, data: bytes):
    """Its records are longer than the dump's by our own columns: what was only rejected became malformed."""
    assert play(_case(name, data, "  max_record_bytes: 60"), tmp_path) == []


@pytest.mark.parametrize("name", ["dump.csv", "dump.ndjson"])
def test_a_record_with_nul_stays_what_it_is_in_the_rejects_file(tmp_path: Path, name: str):
    """NUL stood there as it was, so that the row was malformed once more, with its own row as raw text."""
    assert play(_case(name, b"a,b,c\n1,\0,3\n4\n"), tmp_path) == []
    (nul, *_) = rows_of(tmp_path / f"rejects.{name.rpartition('.')[2]}")[-2:]
    assert nul["_raw"] == "1,\\x00,3"
    assert nul["_code"] == ("nul" if name == "dump.csv" else "not_json")


@pytest.mark.parametrize("name", ["dump.csv", "dump.json", "dump.ndjson"])
def test_an_encoding_that_gives_half_a_surrogate_pair_sets_its_record_aside(tmp_path: Path, name: str):
    """The text of such a record could not be put into a frame: exit 1."""
    data = {"csv": b"a,b,c\n1,+2D0-,3\n", "json": b'[+AHs-"a":"+2D0-"+AH0-]', "ndjson": b'+AHs-"a":"+2D0-"+AH0-\n'}
    assert play(_case(name, data[name.rpartition(".")[2]], "  encoding: utf-7"), tmp_path) == []
    (row,) = rows_of(tmp_path / ("rejects.csv" if name == "dump.csv" else "rejects.ndjson"))
    assert row["_code"] == "not_decodable"
    assert "\\xed\\xa0\\xbd" in row["_raw"]


def test_a_rejects_file_is_known_by_a_first_row_with_a_huge_number(tmp_path: Path):
    """Numbers of more than 4,300 digits kept it from being known for one."""
    data = b'[{"a":' + b"9" * 5000 + b"}]"
    assert play(_case("dump.json", data), tmp_path) == []
    assert len(rows_of(tmp_path / "again.ndjson")) == 1


@pytest.mark.parametrize(
    ("depth", "code"), [(90, "key_blank"), (110, "too_deep"), (500, "too_deep"), (900, "too_deep")]
)
def test_what_can_be_read_deep_down_can_be_written(tmp_path: Path, depth: int, code: str):
    """An object that was nested almost too deeply to be read could not be written to the rejects file: exit 1."""
    data = b'{"b":"1","deep":' + b'{"x":' * depth + b"1" + b"}" * depth + b"}\n"
    files = {JOB: _job("dump.ndjson", "", "ndjson", "ignore: [deep]"), "schema.py": SCHEMA, "dump.ndjson": data}
    assert play(Case(files, (), "accepted.csv", "rejects.ndjson"), tmp_path) == []
    assert [row["_code"] for row in rows_of(tmp_path / "rejects.ndjson")] == [code]


@pytest.mark.parametrize("name", ["dump.csv", "dump.json", "dump.ndjson"])
def test_a_job_that_knows_a_column_of_ours_is_refused(tmp_path: Path, name: str):
    """Two columns of one name were exit 1 in JSON, and a column missing that was there in CSV."""
    format_ = name.rpartition(".")[2]
    data = {"csv": b"a,c,_line\n1,2,3\n", "json": b'[{"a":"1","_line":"2"}]', "ndjson": b'{"a":"1","_line":"2"}\n'}
    job = _job(name, "", format_, "columns: {_line: b}")
    assert play(Case({JOB: job, "schema.py": SCHEMA, name: data[format_]}), tmp_path) == []
    ended, _ = call("validate", str(tmp_path / JOB))
    assert (ended.exit_code, ended.document["errors"][0]["where"]) == (3, "columns")


def test_paths_that_are_no_utf8_are_refused(tmp_path: Path):
    """The name of a dump, the folder of the job, the state folder: the ledger and the staged files take no such path."""
    case = _case("*.csv", b"a,b,c\n1,2,3\n")
    for name, data in case.files.items():
        if name != "*.csv":
            (tmp_path / name).write_bytes(data)
    odd = os.fsdecode(b"\xff")
    try:
        (tmp_path / f"{odd}.csv").write_bytes(case.files["*.csv"])
        (tmp_path / odd).mkdir()
    except OSError:
        pytest.skip("this file system takes no such names")
    ended, found = call("validate", str(tmp_path / JOB))
    assert (ended.exit_code, found) == (4, [])
    (tmp_path / odd / JOB).write_bytes(case.files[JOB])
    ended, found = call("validate", str(tmp_path / odd / JOB))
    assert (ended.exit_code, found) == (3, [])
    for words in (("validate", str(tmp_path / JOB)), ("runs",), ("status",), ("resume",)):
        ended, found = call(*words, "--state-dir", str(tmp_path / odd))
        assert (ended.exit_code, found) == (3, [])
    ended, found = call("validate", str(tmp_path / JOB), "--accepted", str(tmp_path / odd / "a.csv"))
    assert (ended.exit_code, found) == (2, [])
