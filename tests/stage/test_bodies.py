"""The body of an import: what Python's own JSON reads in it is what the rows hold, in their order."""

from __future__ import annotations

import json

import polars as pl
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.load.cut import rows_json

TEXT = st.none() | st.text(max_size=40)
NAMES = st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=4, unique=True)


@st.composite
def frames(draw: st.DrawFn) -> pl.DataFrame:
    """Text columns in one or several pieces, as slices of longer ones."""
    names = draw(NAMES)
    rows = draw(st.lists(st.tuples(*(TEXT for _ in names)), max_size=12))
    frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String()), orient="row")
    if draw(st.booleans()):
        frame = pl.concat([frame, frame], rechunk=False)
    return frame.slice(draw(st.integers(0, 5)), draw(st.integers(0, 20)))


@given(frames())
@example(pl.DataFrame({'a"\\': ['\x00\x1f"\\\b\f\n\r\t\x7f', "12 bytes text", "é" * 20, "\U0001f600", "", None]}))
@example(pl.DataFrame({"a\0b": ["1"], "^.*$": ["2"]}))
@example(pl.DataFrame({"a": ['1234567"', "12345678\n", "\x1f12345678", "1234567\\12345678"]}))
def test_a_body_holds_the_rows(frame: pl.DataFrame) -> None:
    rows = [{name: value or "" for name, value in row.items()} for row in frame.to_dicts()]
    body = rows_json(frame, tuple(frame.columns))
    assert json.loads(body) == rows
    assert body.decode() == json.dumps(rows, ensure_ascii=False, separators=(",", ":"))


def test_columns_stand_in_the_order_asked_for() -> None:
    frame = pl.DataFrame({"a": ["1"], "b": ["2"], "_line": [3]})
    assert rows_json(frame, ("b", "a")) == b'[{"b":"2","a":"1"}]'
