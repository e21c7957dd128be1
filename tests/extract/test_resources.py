"""Hostile shapes cost linear time and flat memory: open quotes, tiny members, long keys, long lists, wide files."""

from __future__ import annotations

import contextlib
import json
import time
import zlib
from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.extract.csv.reader import CsvReader
from pipeline.extract.reading import LEAST_BLOCK_BYTES, Found, Task, gathered
from pipeline.model.columns import Expected
from pipeline.model.files import SourceFile
from tests.extract.reading import blocks_of, extract, source

AB = Expected(("a", "b"))


def _seconds(path: Path, expected: Expected, **words: object) -> float:
    started_s = time.perf_counter()
    with contextlib.suppress(InputError):
        extract(path, expected, **words)
    return time.perf_counter() - started_s


@pytest.mark.parametrize("block", [1 << 10, 1 << 16])
def test_a_record_that_stays_open_is_walked_once(block: int):
    """However many blocks it comes in: the automaton resumes where the last block ended."""
    data = b'a,b\n1,"x\n' + b"22,yyyyyyyyyyyyyyyyyyyyyyyyyyyyy\n" * 60_000
    file = SourceFile(Path("x.csv"), "x.csv", 0, len(data), 0)
    task = Task(file, source(max_record_bytes="1 GiB"), AB)
    reader = CsvReader(task, Found())
    batches = list(reader.read(blocks_of(data, block)))
    assert sum(batch.frame.height for batch in batches) == 60_000
    assert reader._scanner.counts()["visited"] <= 4 * len(data)


def test_members_of_an_archive_come_in_blocks_of_some_length(tmp_path: Path):
    """10,000 members of a hundred bytes are a dozen blocks to the readers."""
    assert [len(block) for block in gathered(iter([b"x" * 100] * 2000))] == [65_600, 65_600, 65_600, 3200]
    assert LEAST_BLOCK_BYTES <= 65_600
    text = json.dumps({"a": "x" * 1_000_000, "b": "1"}).encode() + b"\n"
    members = (zlib.compressobj(1, wbits=31) for _ in range(0, len(text), 100))
    packed = [one.compress(text[at * 100 : at * 100 + 100]) + one.flush() for at, one in enumerate(members)]
    (tmp_path / "x.ndjson.gz").write_bytes(b"".join(packed))
    batches, _ = extract(tmp_path / "x.ndjson.gz", AB, max_record_bytes="8 MiB")
    assert [batch.frame.height for batch in batches] == [1]


@pytest.mark.parametrize("shape", ["dots", "prefix"])
def test_a_long_key_is_looked_up_in_linear_time(tmp_path: Path, shape: str):
    """A key of 400,000 dots, and 50,000 keys below one of 400,000 characters: far less than a second each."""
    inner = {f"{number}": 1 for number in range(50_000)}
    obj = {".".join("x" * 400_000): 1} if shape == "dots" else {"x" * 400_000: inner}
    path = tmp_path / "x.ndjson"
    path.write_text(json.dumps(obj) + "\n")
    assert _seconds(path, Expected(("a",), (), frozenset({"i.g", "skip"})), max_record_bytes="8 MiB") < 5


@pytest.mark.parametrize("track", [False, True])
def test_a_list_of_very_many_elements_is_spread_over_batches(tmp_path: Path, track: bool):
    """Rows of one object take as much memory as a batch may, not as much as the object has; each row is there once."""
    columns = tuple(f"c{number}" for number in range(300))
    obj = {**dict.fromkeys(columns, "value of twelve"), "L": [{}] * 15_000 + [{"x": "1"}]}
    path = tmp_path / "x.ndjson"
    path.write_text(json.dumps(obj) + "\n")
    batches, extraction = extract(
        path, Expected((*columns, "L.x"), track_absent=track), lists=frozenset({"L"}), max_record_bytes="8 MiB"
    )
    heights = [batch.frame.height for batch in batches]
    assert len(heights) > 1
    assert max(heights) * 16 * len(columns) <= 48 << 20
    assert [row for batch in batches for row in batch.frame["_element"]] == list(range(1, 15_002))
    assert batches[-1].frame["L.x"].to_list()[-2:] == [None, "1"]
    assert extraction.facts[0].records == 15_001
    if track:
        assert [batch.absent["L.x"].sum() for batch in batches if batch.absent is not None] == [
            *heights[:-1],
            heights[-1] - 1,
        ]
    origin = batches[0].origin
    assert origin is not None
    assert origin.all_lists == {0: frozenset({"L"})}
