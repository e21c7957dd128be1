"""The pieces of a large file hold, batch for batch, what the whole file has; a file is cut between two records only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from pipeline.errors import InputError
from pipeline.extract import Extraction, Piece, Refused, find_files
from pipeline.model.columns import Expected
from tests.extract.reading import source

COLUMNS = ("a", "b", "c")
LINE = "1,2,3\n"
# Quotes that open and never close, texts over lines, both line ends, repeated headers, damage of every kind.
CSV = (
    *[LINE] * 8, *['"q\nq",2,3\n', '5,"u",6\r\n'] * 2, '"', '""', ",", "\n", "\r\n", "\n\n", "x", "\r", "a,b,c\n", "\\", "\0",
    "é", "\ufeffa,b,c\n", "1,2\n",
)  # fmt: skip
NDJSON = (
    '{"a":"1"}\n', '{"a":"1","b":2}\n', "\n", "\r\n", '{"a":\n', "[]\n", " \n", '{"a":"' + "z" * 90 + '"}\n', "x", "\r", "\n\n",
    '{"c":null}\r\n',
)  # fmt: skip


def _compare(path: Path, **words: Any) -> list[Piece]:
    """Read a file whole and in pieces, and compare; returns the pieces."""
    is_csv = path.suffix == ".csv"
    expected = Expected(COLUMNS) if is_csv else Expected((), COLUMNS)
    files = find_files([path.name], path.parent)

    def extraction() -> Extraction:
        return Extraction(files, source(**words), expected, batch_rows=7, piece_bytes=120)

    whole = extraction()
    batches = list(whole)
    cutting = extraction().cutting(files[0])
    pieces = list(cutting)
    if not pieces:
        return []
    found, records = [], 0
    for piece in pieces:
        part = extraction()
        found += list(part.read(files[0], piece))
        records += part.records
        assert part.problems == ()
    assert len(found) == len(batches)
    for one, other in zip(found, batches, strict=True):
        assert_frame_equal(one.frame, other.frame)
        assert_frame_equal(one.malformed, other.malformed)
    assert cutting.facts is not None
    assert (replace(cutting.facts, records=records),) == whole.facts
    return pieces


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parts=st.lists(st.sampled_from(CSV), min_size=20, max_size=150),
    header=st.sampled_from(["a,b,c\n", "a,b,c\r\n", "a,b,c\r", None]),
    most=st.sampled_from([40, 200, 1 << 20]),
    escape=st.sampled_from([None, "\\"]),
    bad=st.booleans(),
)
def test_the_pieces_of_any_csv_are_the_whole(
    tmp_path: Path, parts: list[str], header: str | None, most: int, escape: str | None, bad: bool
) -> None:
    """Whatever stands in it, numbers of lines and records included."""
    text = (header or "") + "".join(parts)
    path = tmp_path / "x.csv"
    path.write_bytes(text.encode("latin-1" if bad else "utf-8", "replace"))
    words: dict[str, Any] = {"max_record_bytes": most, "escape": escape}
    try:
        _compare(path, **words, **({} if header else {"header": list(COLUMNS)}))
    except (InputError, Refused):
        assert header is None  # the first record may look like another header


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(st.sampled_from(NDJSON), min_size=5, max_size=80), most=st.sampled_from([60, 1000]))
def test_the_pieces_of_any_ndjson_are_the_whole(tmp_path: Path, parts: list[str], most: int) -> None:
    path = tmp_path / "x.ndjson"
    path.write_bytes("".join(parts).encode())
    _compare(path, format="ndjson", max_record_bytes=most)


def test_a_quoted_text_is_not_cut(tmp_path: Path) -> None:
    """A text of many lines that look like records lies in one piece, wherever the cut would fall."""
    text = '"' + "x\n" * 200 + '"'
    path = tmp_path / "x.csv"
    path.write_text("a,b,c\n" + LINE * 30 + f"1,{text},3\n" + LINE * 60)
    pieces = _compare(path)
    inside = path.read_bytes().index(b'"x\n')
    assert len(pieces) > 2
    assert not any(inside < piece.start.offset < inside + len(text) for piece in pieces)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("x.csv", b"\xef\xbb\xbfa,b,c\n" + LINE.encode() * 100, {}),
        ("x.csv", b"a,b,c\r" + b"1,2,3\r" * 100, {}),
        ("x.csv", b"a,b,c\n" + LINE.encode() * 100, {"encoding": "cp1252"}),
        ("x.json", b"[" + b",".join([b'{"a":1}'] * 100) + b"]", {"format": "json"}),
        ("x.csv", b"a,b,c\n" + LINE.encode() * 10, {}),
    ],
    ids=["byte order mark", "bare CR", "another encoding", "JSON array", "short"],
)
def test_what_is_not_cut_is_read_whole(tmp_path: Path, name: str, data: bytes, words: dict[str, Any]) -> None:
    """Where a place between records would not be certain, or an array would have to be taken apart."""
    path = tmp_path / name
    path.write_bytes(data)
    assert _compare(path, **words) == []


def test_a_file_that_changes_behind_the_cut_is_refused(tmp_path: Path) -> None:
    """A piece is read later than it was cut; the file must still be the one that was found."""
    path = tmp_path / "x.csv"
    path.write_text("a,b,c\n" + LINE * 100)
    files = find_files([path.name], path.parent)
    extraction = Extraction(files, source(), Expected(COLUMNS), batch_rows=7, piece_bytes=120)
    first, *_ = extraction.cutting(files[0])
    path.write_text("a,b,c\n" + LINE * 99 + "7,8,9\n")
    list(extraction.read(files[0], first))
    (problem,) = extraction.problems
    assert problem.what == "changed while it was read"
