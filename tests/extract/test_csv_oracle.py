"""The scanner gives what the rule gives, whatever the bytes and wherever the blocks end."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.extract import oracle
from tests.extract.reading import read_csv_bytes, rows_of

_PIECES = [
    b"a",
    b",",
    b'"',
    b"\n",
    b"\r",
    b" ",
    b"\0",
    b"\xff",
    b"\xc3\xa9",
    b'""',
    b"\r\n",
    b'"\n',
    b",\n",
    b"a,a\n",
    b"\xef\xbb\xbf",
    b"\xef\xbb\xbfa,aa\n",
]
_DATA = st.lists(st.sampled_from(_PIECES), max_size=40).map(b"".join)
# Without the bytes that damage every record, so that long spans and good records occur.
_QUOTES = st.lists(st.sampled_from([b"a", b",", b'"', b"\n", b'"', b'"a', b'",', b",\n"]), max_size=60).map(b"".join)
_LINES = st.lists(
    st.sampled_from([b'"a', b'a"', b"a,a", b'"', b"", b'"",""', b'a,"', b'",a', b"a"]), max_size=30
).flatmap(lambda lines: st.sampled_from([b"\n", b"\r\n", b"\r"]).map(lambda end: end.join(lines)))


_ESCAPES = st.lists(
    st.sampled_from(
        [b"a", b",", b'"', b"\n", b"\\", b"\\", b"\r", b"\\N", b'\\"', b'",', b"\\\n", b"\0", b"a,a\n", b"\r\n"]
    ),
    max_size=40,
).map(b"".join)


def _check(
    data: bytes, columns: tuple[str, ...], most: int, block: int, batch_rows: int, escape: str | None = None
) -> None:
    dialect = oracle.Dialect(tuple(name.encode() for name in columns), most, escape=(escape or "").encode())
    wanted = oracle.read(data, dialect)
    batches, found = read_csv_bytes(
        data,
        columns,
        block=block,
        batch_rows=batch_rows,
        header=list(columns),
        max_record_bytes=most,
        escape=escape,
    )
    rows = [(row[-3], row[-2], tuple(value.encode() for value in row[:-3])) for row in rows_of(batches)]
    assert rows == wanted.rows
    malformed = [row for batch in batches for row in batch.malformed.select("_line", "_record", "_code", "_raw").rows()]
    raws = [bad[3].decode("utf-8", "backslashreplace").replace("\0", "\\x00") for bad in wanted.malformed]
    assert malformed == [(*bad[:3], raw) for bad, raw in zip(wanted.malformed, raws, strict=True)]
    counts = found.counts
    assert (counts.lines, counts.blank_lines, counts.record_lines) == (
        wanted.lines,
        wanted.blank_lines,
        wanted.record_lines,
    )
    assert counts.records == len(rows) + len(malformed)
    assert all(batch.frame.height + batch.malformed.height <= batch_rows for batch in batches)


_COLUMNS = st.sampled_from([("a",), ("a", "aa"), ("a", "aa", "b")])
_SIZES = {"columns": _COLUMNS, "most": st.integers(1, 24), "block": st.integers(1, 12), "batch_rows": st.integers(1, 5)}


@settings(max_examples=800, derandomize=True)
@given(data=_DATA, **_SIZES)
@example(data=b'"a\r"\r\na', columns=("a",), most=8, block=1, batch_rows=1)
@example(data=b'"\n"\n"\n"\n"\naaaaaaaaaaaaaaaaaaaaaa', columns=("a",), most=3, block=2, batch_rows=1)
def test_any_bytes_read_as_the_rule_says(data: bytes, columns: tuple[str, ...], most: int, block: int, batch_rows: int):
    """Rows, malformed lines with code and raw text, and line counts equal those of the rule, for any block size."""
    _check(data, columns, most, block, batch_rows)


@settings(max_examples=800, derandomize=True)
@given(data=_QUOTES | _LINES, **_SIZES)
def test_quotes_that_open_and_close_anywhere_read_as_the_rule_says(
    data: bytes, columns: tuple[str, ...], most: int, block: int, batch_rows: int
):
    """Open quotes over many lines, with limits that fall anywhere, end where the rule ends them."""
    _check(data, columns, most, block, batch_rows)


@settings(max_examples=800, derandomize=True)
@given(data=_ESCAPES, **_SIZES)
def test_escapes_anywhere_read_as_the_rule_says(
    data: bytes, columns: tuple[str, ...], most: int, block: int, batch_rows: int
):
    """With source.escape what stands behind a backslash is text, and a lone one at the end of a line is damage."""
    _check(data, columns, most, block, batch_rows, "\\")


_LONG = st.lists(st.sampled_from([b'"a,a', b"a,a", b'a"', b"a,a\n", b'a","a"', b"a,"]), max_size=12).map(b"\n".join)


@settings(max_examples=400, derandomize=True)
@given(data=_LONG, columns=_COLUMNS, block=st.integers(1, 40))
def test_texts_over_many_lines_read_as_the_rule_says(data: bytes, columns: tuple[str, ...], block: int):
    """A quoted text that swallowed records is damage, any other one is text."""
    _check(data, columns, 1000, block, 100)
