"""Flat objects are read in bulk by C: the same as Python's decoder and the laying out in rows would give, or not at all."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.extract.json.dump import read_json, read_ndjson
from pipeline.extract.json.nested import Layout, lay_out
from pipeline.extract.json.text import Decoder
from pipeline.extract.reading import Found, Task
from pipeline.extract.refusal import Refused
from pipeline.model.columns import Expected
from pipeline.model.files import SourceFile
from tests.extract.reading import blocks_of, compiled, extract, malformed_of, rows_of, source

_json = pytest.importorskip("pipeline.extract.json._json")

COLUMNS = ("a", "b", "é", "o.x")
IGNORED = frozenset({"skip"})
MOST = 1 << 20


def _rows(*, need_all: bool = False, most: int = MOST) -> _json.Rows:
    return _json.Rows(
        columns=tuple(name.encode() for name in COLUMNS),
        ignored=tuple(name.encode() for name in IGNORED),
        escaped=tuple(json.dumps(name)[1:-1].encode() for name in (*COLUMNS, *IGNORED)),
        need_all=need_all,
        max_record_bytes=most,
    )


def _python(text: bytes, *, need_all: bool) -> dict[str, str | None] | None:
    """Read a line as Python does: its row where it is one plain row, else None."""
    decoder = Decoder()
    try:
        decoded = text.decode()
        value, end = decoder.value(decoded.strip(" \t\r\n"))
    except (ValueError, RecursionError):
        return None
    stripped = decoded.strip(" \t\r\n")
    if end != len(stripped) or decoder.fault(value, stripped):
        return None
    laid = lay_out(value, Layout.of(Expected(COLUMNS, ignored=IGNORED, track_absent=need_all), frozenset()))
    if laid.unknown or laid.unfit or laid.double or (need_all and laid.rows[0].absent):
        return None
    return {name: laid.rows[0].values.get(name) for name in COLUMNS}


def _native(text: bytes, *, need_all: bool) -> dict[str, str | None] | None:
    """Read a line in C: its row, or None where it is left to Python."""
    rows = _rows(need_all=need_all)
    event, at, line, record, *_ = rows.lines(text, 0, 1, 0, 10, MOST)
    assert (event, at, line, record) in ((_json.END, len(text), 2, 1), (_json.ODD, 0, 1, 0))
    table, raw, ends = rows.take()
    frame = pl.DataFrame(table)
    if event == _json.ODD:
        assert (frame.height, raw, ends) == (0, b"", b"")
        return None
    assert json.loads(raw) == json.loads(text)
    assert frame.rows()[0][len(COLUMNS) :] == (1, 1, 0)
    return dict(zip(COLUMNS, frame.rows()[0], strict=False))


_PIECES = (
    *('"a"', '"b"', '"é"', '"o.x"', '"skip"', '"c"', '"\\u0061"', '""'),
    *('"x"', '"x\\"y"', '"\\\\"', '"\\/\\b\\f\\n\\r\\t"'),
    *('"\\u00e9\\u20AC"', '"\\ud83d\\ude00"', '"\\ud83d"', '"\\ude00"'),
    *('"\\ud83dx"', '"\\u0000"', '"\\u12"', '"\\x"', '"\\'),
    *('"longer than twelve bytes"', '"exactly12345"', '"exactly123456"'),
    *('"é\\u00e9 longer than that"', '"\t"', '"\x7f"', '"\\u2028"'),
    *("1", "-0", "1.10", "1e5", "1E+05", "-1.5e-7", "01", "1.", ".5", "+1"),
    *("--1", "1e", "9" * 40, "-", "0x1", "NaN", "-Infinity"),
    *("true", "false", "null", "nul", "True", "tru", "{", "}", "[", "]"),
    *("[]", "{}", ",", ":", " ", "\t", "\r", "x", "😀", "'a'"),
)  # fmt: skip
_VALUES = st.sampled_from(_PIECES[:-1])
_KEYS = st.sampled_from(('"a"', '"b"', '"é"', '"o.x"', '"skip"', '"a"', '"b"', '"c"', '"\\u0061"'))
_BLANKS = st.sampled_from(("", "", "", " ", "\t ", "\r"))
_PAIRS = st.tuples(_BLANKS, _KEYS, _BLANKS, _BLANKS, _VALUES, _BLANKS).map(
    lambda p: f"{p[0]}{p[1]}{p[2]}:{p[3]}{p[4]}{p[5]}"
)
_OBJECTS = st.lists(_PAIRS, max_size=5).map(lambda pairs: "{" + ",".join(pairs) + "}")
_TEXTS = st.one_of(_OBJECTS, _OBJECTS, st.lists(st.sampled_from(_PIECES), max_size=12).map("".join))


@settings(max_examples=1500, derandomize=True)
@given(text=_TEXTS, before=_BLANKS, behind=_BLANKS, need_all=st.booleans())
def test_a_line_is_read_as_python_reads_it_or_left_alone(text: str, before: str, behind: str, need_all: bool):
    """C gives Python's row, and leaves alone what Python would set aside or refuse; plain rows are not left alone."""
    line = (before + text + behind).encode()
    if line in (b"", b"\r"):
        return
    native, python = _native(line, need_all=need_all), _python(line, need_all=need_all)
    if native is not None:
        assert native == python
    elif python is not None:
        # What Python can read and C leaves to it: keys with escapes, and what is empty but no null.
        assert "\\u0061" in text or "[]" in text or "{}" in text


@settings(max_examples=300, derandomize=True)
@given(
    values=st.lists(
        st.fixed_dictionaries(
            {}, optional={name: st.none() | st.text(st.characters(exclude_categories=["Cs"])) for name in COLUMNS}
        ),
        min_size=1,
        max_size=5,
    ),
    ascii_=st.booleans(),
    array=st.booleans(),
    indent=st.none() | st.integers(0, 2),
)
def test_all_texts_come_through(values: list[dict[str, str | None]], ascii_: bool, array: bool, indent: int | None):
    """Whatever stands in them; only NUL is left to Python, which sets it aside."""
    rows = _rows()
    if array:
        data = json.dumps(values, ensure_ascii=ascii_, indent=indent).encode()
        event, at, *_ = rows.elements(data, 1, 1, 0, 10, MOST)
        whole = (event, at) == (_json.LAST, len(data))
    else:
        data = "".join(json.dumps(one, ensure_ascii=ascii_) + "\r\n" for one in values).encode()
        event, at, *_ = rows.lines(data, 0, 1, 0, 10, MOST)
        whole = (event, at) == (_json.END, len(data))
    nul = any("\0" in text for one in values for text in one.values() if text)
    assert whole != nul
    if whole:
        table, raw, ends = rows.take()
        assert [dict(zip(COLUMNS, row, strict=False)) for row in pl.DataFrame(table).rows()] == [
            {name: one.get(name) for name in COLUMNS} for one in values
        ]
        assert raw.count(b"\n") == raw.count(b"\r") == 0
        until = [0, *memoryview(ends).cast("Q")]
        assert [json.loads(raw[a:b]) for a, b in itertools.pairwise(until)] == values


_ELEMENTS = st.one_of(
    _OBJECTS,
    st.sampled_from(
        (
            *(
                '{"a":"1"}',
                '{"a":"1","b":null}',
                '{"a":{"x":1}}',
                '{"o":{"x":"1"}}',
                '{"a":[]}',
                "null",
                "3",
                '"x"',
                "[1]",
            ),
            *(
                '{"a":"]},{"}',
                '{"a":"\\"}"}',
                "{}",
                "true",
                "[[]]",
                '{"a":"1"',
                '{"a":"1"}}',
                "",
                "]",
                '{"a":"\\',
                '{"a":\n"1"}',
                "{]",
            ),
        )
    ),
)


@settings(max_examples=500, derandomize=True)
@given(
    elements=st.lists(_ELEMENTS, max_size=6),
    between=st.sampled_from((",", ",\n", " , ", "\n,\r\n")),
    end=st.sampled_from(("]", "\n]\n", "", ",]", "]]", "] x")),
    most=st.sampled_from((12, 1 << 20)),
)
def test_an_array_is_read_in_bulk_as_it_is_read_carefully(elements: list[str], between: str, end: str, most: int):
    """With blocks of one byte all is read the slow path: rows, malformed elements, lines and refusals are the same."""
    data = (" [\n" + between.join(elements) + end).encode()
    outcomes = []
    for block in (1, 7, 1 << 20):
        found = Found()
        task = Task(
            SourceFile(Path("x"), "x", 0, len(data), 0),
            source(max_record_bytes=most),
            Expected(COLUMNS, ignored=IGNORED),
            batch_rows=3,
        )
        try:
            batches = list(read_json(task, blocks_of(data, block), found))
            malformed = [row for batch in batches for row in batch.malformed.rows()]
            outcomes.append(
                (rows_of(batches), malformed, found.problems, found.counts, [b.frame.height for b in batches])
            )
        except Refused as refused:
            outcomes.append((str(refused), found.counts.elements))
    assert outcomes[0] == outcomes[1] == outcomes[2]


def test_flat_and_other_objects_keep_their_order(tmp_path: Path):
    """Rows of lists, flat rows and malformed ones, each with its line, its object and its text as it stood."""
    lines = [
        '{"a": "1"}',
        '{"a": "2", "o": {"x": "n"}}',
        '{"a": 3.0}',
        "nonsense",
        '{"a": "4", "b": "\\u0041"}',
        '{"a": "5", "o": [{"x": "p"}, {"x": "q"}]}',
        '{"a": "6"}',
    ]
    path = tmp_path / "x.ndjson"
    path.write_text("\n".join(lines))
    for batch_rows in (1, 2, 100):
        batches, _ = extract(path, Expected(("a", "b", "o.x")), lists=frozenset({"o"}), batch_rows=batch_rows)
        assert [(row[0], row[2], row[3], row[5]) for row in rows_of(batches)] == [
            ("1", None, 1, None),
            ("2", "n", 2, 1),
            ("3.0", None, 3, None),
            ("4", None, 5, None),
            ("5", "p", 6, 1),
            ("5", "q", 6, 2),
            ("6", None, 7, None),
        ]
        assert malformed_of(batches) == [(4, 4, "not_json")]
        told = []
        for batch in batches:
            assert batch.origin is not None
            for at in batch.origin.object_of_row:
                raw = batch.origin.raw(at)
                told.append((batch.origin.objects[at]["a"], None if raw is None else raw.decode()))
        flat = {"1": lines[0], "3.0": lines[2], "4": lines[4], "6": lines[6]} if compiled() else {}
        assert told == [(value, flat.get(value)) for value in ("1", "2", "3.0", "4", "5", "5", "6")]
        assert [path for batch in batches for path in batch.origin.list_of_row] == [
            None,
            "o",
            None,
            None,
            "o",
            "o",
            None,
        ]


def test_texts_of_an_object_are_held_once():
    """Rows of one object share the very same text, and a text put anew does not become it."""
    rows = _rows()
    long, other = "the same long text", "another long text"
    rows.put(
        [([long, None, "x", other], 1), ([long, None, "x", other], 2), (["changed to this", long, None, other], 3)],
        7,
        4,
    )
    table, *_ = rows.take()
    assert pl.DataFrame(table).rows() == [
        (long, None, "x", other, 7, 4, 1),
        (long, None, "x", other, 7, 4, 2),
        ("changed to this", long, None, other, 7, 4, 3),
    ]


def test_the_reader_refuses_wrong_use():
    """Names, sizes and rows that make no sense raise; nothing crashes."""
    for words in (
        {"columns": ("a",)},
        {"columns": (b"a", b"a"), "escaped": (b"a", b"b")},
        {"ignored": (b"a",), "escaped": (b"a", b"b")},
        {"escaped": ()},
        {"max_record_bytes": 0},
    ):
        good: dict[str, Any] = {
            "columns": (b"a",),
            "ignored": (),
            "escaped": (b"a",),
            "need_all": False,
            "max_record_bytes": 9,
        }
        with pytest.raises((TypeError, ValueError)):
            _json.Rows(**{**good, **words})
    rows = _rows()
    for wrong in ([(["a"], 0)], [("abcd", 0)], [(["a", "b", "c", 1], 0)], [(["\ud800", None, None, None], 0)]):
        with pytest.raises((TypeError, ValueError)):
            rows.put(wrong, 1, 1)
    with pytest.raises(RuntimeError):
        rows.lines(b"{}", 3, 1, 0, 1, 1)
    with pytest.raises(TypeError):
        rows.lines(bytearray(b"{}"), 0, 1, 0, 1, 1)
    assert pl.DataFrame(_rows().take()[0]).height == 0


@pytest.mark.parametrize(
    "text",
    [
        '{"a":"',
        '{"a',
        '{"a":"\\',
        '{"a":"\\u',
        '{"a":"\\u12',
        '{"a":"\\ud83d\\',
        '{"a":"\\ud83d\\ud',
        '{"a":-',
        "{",
        '{"a":1',
        '{"a":tru',
        '{"a":1e+',
    ],
)
def test_text_that_ends_early_is_left_alone(text: str):
    """Nothing is read behind the end."""
    assert _native(text.encode(), need_all=False) is None
    rows = _rows()
    assert rows.elements(text.encode(), 0, 1, 0, 9, MOST)[0] == _json.END


def test_ndjson_found_counts_lines():
    """Blank lines between objects are counted apart, in bulk too."""
    data = b'\n{"a":"1"}\r\n\r\n{"a":"2"}\n\n[]\n{"a":"3"}'
    for block in (1, 5, 1 << 20):
        found = Found()
        task = Task(SourceFile(Path("x"), "x", 0, len(data), 0), source(), Expected(COLUMNS))
        batches = list(read_ndjson(task, blocks_of(data, block), found))
        assert [(row[0], row[4]) for row in rows_of(batches)] == [("1", 2), ("2", 4), ("3", 7)]
        assert malformed_of(batches) == [(6, 3, "not_an_object")]
        counts = found.counts
        assert (counts.lines, counts.record_lines, counts.blank_lines, counts.records) == (7, 4, 3, 4)
