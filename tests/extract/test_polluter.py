"""Damage one cell, one line or the whole of a clean table: no other row changes, and no row goes missing unseen.

Accepted rows must be rows of the clean table, and every row that is not accepted must lie on a line that is set aside, or
the file is refused. What cannot be seen in the bytes:

- a line end in the first or last field, unquoted, leaves a half that has all the fields: `0\n000,b,c` (the other half is
  set aside, so the damage does not go unseen);
- a file that breaks off within its last field ends in a shorter value;
- one encoding of one byte per character read as another gives other text (`latin-1` as `cp1252`);
- a second table or a footer with as many fields as the first: its lines are rows, and the matter of the schema.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import InputError
from pipeline.model.columns import Expected
from tests.extract.reading import extract, malformed_of, read_csv_bytes, rows_of

COLUMNS = ("no", "name", "note", "city")
ROWS = [(f"{row:04}", f"Né {row}", f"a, {row}" if row % 2 else f"b {row}", f"C{row}") for row in range(12)]
QUOTED = {2}

Cells = list[list[bytes]]


def _clean() -> Cells:
    """Return the cells as they stand in the file: the notes quoted, the rest bare."""
    return [[f'"{value}"'.encode() if at in QUOTED else value.encode() for at, value in enumerate(row)] for row in ROWS]


def _file(lines: list[bytes], end: bytes = b"\n") -> bytes:
    return end.join([",".join(COLUMNS).encode(), *lines]) + end


CELL_DAMAGE: dict[str, Callable[[list[bytes], int], bytes | None]] = {
    "delimiter missing": lambda cells, at: (
        b",".join(cells[:at])
        + (b"," if at else b"")
        + b"".join(cells[at : at + 2])
        + b"".join(b"," + cell for cell in cells[at + 2 :])
        if at + 1 < len(cells)
        else None
    ),
    "delimiter extra": lambda cells, at: b",".join([*cells[:at], b"," + cells[at], *cells[at + 1 :]]),
    "delimiter extra at the end": lambda cells, at: b",".join([*cells[:at], cells[at] + b",", *cells[at + 1 :]]),
    "quote extra inside": lambda cells, at: b",".join(
        [*cells[:at], cells[at][:2] + b'"' + cells[at][2:], *cells[at + 1 :]]
    ),
    "quote extra before": lambda cells, at: b",".join([*cells[:at], b'"' + cells[at], *cells[at + 1 :]]),
    "quote extra behind": lambda cells, at: b",".join([*cells[:at], cells[at] + b'"', *cells[at + 1 :]]),
    "opening quote missing": lambda cells, at: (
        b",".join([*cells[:at], cells[at][1:], *cells[at + 1 :]]) if at in QUOTED else None
    ),
    "closing quote missing": lambda cells, at: (
        b",".join([*cells[:at], cells[at][:-1], *cells[at + 1 :]]) if at in QUOTED else None
    ),
    "bad byte": lambda cells, at: b",".join([*cells[:at], cells[at][:2] + b"\xff" + cells[at][2:], *cells[at + 1 :]]),
    "cut character": lambda cells, at: b",".join(
        [*cells[:at], cells[at][:2] + b"\xc3" + cells[at][2:], *cells[at + 1 :]]
    ),
    "NUL": lambda cells, at: b",".join([*cells[:at], cells[at][:2] + b"\0" + cells[at][2:], *cells[at + 1 :]]),
    "line end in a bare field": lambda cells, at: (
        b",".join([*cells[:at], cells[at][:1] + b"\n" + cells[at][1:], *cells[at + 1 :]]) if at not in QUOTED else None
    ),
    "bare CR": lambda cells, at: (
        b",".join([*cells[:at], cells[at][:1] + b"\r" + cells[at][1:], *cells[at + 1 :]]) if at not in QUOTED else None
    ),
    "cut here": lambda cells, at: b",".join(cells[:at]) if at else None,
    "text behind the closing quote": lambda cells, at: (
        b",".join([*cells[:at], cells[at] + b" x", *cells[at + 1 :]]) if at in QUOTED else None
    ),
    "text before the opening quote": lambda cells, at: (
        b",".join([*cells[:at], b" " + cells[at], *cells[at + 1 :]]) if at in QUOTED else None
    ),
}


# Delimiter, quote and line end of each dialect, all delimiters and both line ends among them.
DIALECTS = ((",", '"', "\n"), (";", "'", "\r\n"), ("\t", '"', "\r\n"), ("|", "'", "\n"), (":", '"', "\n"))
Dialect = tuple[str, str, str]


def _in_dialect(text: str, dialect: Dialect) -> str:
    """Write what is written with commas and double quotes in another dialect, the texts in the cells too."""
    return text.translate(str.maketrans({",": dialect[0], '"': dialect[1]}))


@pytest.mark.parametrize("kind", CELL_DAMAGE)
@pytest.mark.parametrize(
    ("most", "dialect"), [(60, DIALECTS[0]), *((1 << 20, dialect) for dialect in DIALECTS)], ids=str
)
def test_damage_in_one_cell_costs_no_other_row(kind: str, most: int, dialect: Dialect):
    """Whatever happens to one cell: all other rows are read unchanged, or set aside on their line with a damaged one."""
    clean_rows = [tuple(_in_dialect(cell, dialect) for cell in row) for row in ROWS]
    to = bytes.maketrans(b',"', (dialect[0] + dialect[1]).encode())
    damaged_any = False
    for row in range(len(ROWS)):
        for column in range(len(COLUMNS)):
            cells = _clean()
            line = CELL_DAMAGE[kind](cells[row], column)
            if line is None:
                continue
            damaged_any = True
            lines = [line if at == row else b",".join(each) for at, each in enumerate(cells)]
            data = _file(lines, dialect[2].encode()).translate(to)
            words = {"delimiter": dialect[0], "quote": dialect[1], "max_record_bytes": most}
            batches, _ = read_csv_bytes(data, COLUMNS, block=37, **words)
            got = [values[:4] for values in rows_of(batches)]
            malformed_lines = {bad[0] for bad in malformed_of(batches)}
            assert malformed_lines, (kind, row, column)
            # Only an odd quote may take lines behind it along, and those are all set aside.
            first_line = row + 2
            extra = 1 if kind == "line end in a bare field" else 0
            missing = [at for at, each in enumerate(clean_rows) if each not in got]
            if extra and column in (0, len(COLUMNS) - 1):
                assert len([each for each in got if each not in clean_rows]) == 1
                assert missing == [row]
                continue
            assert got == [each for at, each in enumerate(clean_rows) if at not in missing], (kind, row, column)
            for at in missing:
                number = first_line if at == row else at + 2 + (extra if at > row else 0)
                assert number in malformed_lines, (kind, row, column, at)
            if "quote" not in kind:
                assert missing == [row], (kind, row, column)
    assert damaged_any


def _outcome(
    tmp_path: Path, data: bytes, **words: Any
) -> tuple[list[tuple[str, ...]], list[tuple[int, int, str]]] | str:
    (tmp_path / "x.csv").write_bytes(data)
    try:
        batches, _ = extract(tmp_path / "x.csv", Expected(COLUMNS), **words)
    except InputError as refused:
        return "; ".join(problem.what for problem in refused.problems)
    return [values[:4] for values in rows_of(batches)], malformed_of(batches)


LINES = [b",".join(cells) for cells in _clean()]
HEADER = ",".join(COLUMNS).encode()


def test_a_missing_header_refuses_the_file(tmp_path: Path):
    """The first record is no header."""
    assert str(_outcome(tmp_path, b"\n".join(LINES))).startswith("column missing: no, name, note, city")


def test_a_preamble_refuses_the_file(tmp_path: Path):
    """Until skip_lines says how long it is."""
    data = b"Report of today\n\n" + _file(LINES)
    assert str(_outcome(tmp_path, data)).startswith("column missing")
    assert _outcome(tmp_path, data, skip_lines=2) == (ROWS, [])


def test_a_doubled_header_is_set_aside(tmp_path: Path):
    """The second one right behind the first, and as the last line."""
    data = HEADER + b"\n" + _file(LINES)
    assert _outcome(tmp_path, data) == (ROWS, [(2, 1, "repeated_header")])
    assert _outcome(tmp_path, _file(LINES) + HEADER) == (ROWS, [(14, 13, "repeated_header")])


@pytest.mark.parametrize("last", [LINES[-1] + b",x", LINES[-1].rpartition(b",")[0]], ids=["long", "short"])
@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_last_line_of_another_length_is_set_aside(tmp_path: Path, last: bytes, end: bytes):
    """With and without a line end behind it."""
    data = HEADER + b"\n" + b"\n".join([*LINES[:-1], last]) + end
    assert _outcome(tmp_path, data) == (ROWS[:-1], [(13, 12, "field_count")])


def test_two_tables_in_one_file(tmp_path: Path):
    """A header in the middle is set aside; a table of another width is set aside line by line."""
    assert _outcome(tmp_path, _file(LINES) + _file(LINES)) == (ROWS * 2, [(14, 13, "repeated_header")])
    rows, malformed = _outcome(tmp_path, _file(LINES) + b"x,y\n1,2\n3,4\n")
    assert rows == ROWS
    assert malformed == [(14, 13, "field_count"), (15, 14, "field_count"), (16, 15, "field_count")]


def test_a_second_table_of_the_same_width_loses_no_line(tmp_path: Path):
    """Its header is another one, so all its lines are rows: none is dropped, and none of the first table changes."""
    rows, malformed = _outcome(tmp_path, _file(LINES) + b"w,x,y,z\n1,2,3,4\n")
    assert (rows, malformed) == ([*ROWS, ("w", "x", "y", "z"), ("1", "2", "3", "4")], [])


def test_a_footer_is_set_aside(tmp_path: Path):
    """Such as a line of totals."""
    assert _outcome(tmp_path, _file(LINES) + b"12 rows\n") == (ROWS, [(14, 13, "field_count")])


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_line_ends_of_one_kind_give_the_same_rows(tmp_path: Path, end: bytes):
    """With and without the last one."""
    data = _file(LINES, end)
    assert _outcome(tmp_path, data) == (ROWS, [])
    assert _outcome(tmp_path, data[: -len(end)]) == (ROWS, [])


def test_mixed_line_ends(tmp_path: Path):
    """LF and CRLF may mix; a bare CR among them joins two lines, which are set aside."""
    ends = [b"\n" if at % 2 else b"\r\n" for at in range(len(LINES))]
    data = HEADER + b"\n" + b"".join(line + end for line, end in zip(LINES, ends, strict=True))
    assert _outcome(tmp_path, data) == (ROWS, [])
    data = HEADER + b"\n" + LINES[0] + b"\r" + b"\n".join(LINES[1:])
    assert _outcome(tmp_path, data) == (ROWS[2:], [(2, 1, "bare_cr")])


@pytest.mark.parametrize("wrong", ";\t|:")
def test_a_wrong_delimiter_refuses_the_file(tmp_path: Path, wrong: str):
    """The header is then one column."""
    assert str(_outcome(tmp_path, _file(LINES), delimiter=wrong)).startswith("column missing")


def test_a_wrong_quote_sets_rows_aside(tmp_path: Path):
    """Rows whose quoted text holds the delimiter have another number of fields; the others would keep their quotes."""
    rows, malformed = _outcome(tmp_path, _file(LINES), quote="'")
    assert [bad[0] for bad in malformed] == [at + 2 for at in range(len(ROWS)) if at % 2]
    assert rows == [(*row[:2], f'"{row[2]}"', row[3]) for row in ROWS[::2]]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_wide_encoding_read_as_utf8_is_refused(tmp_path: Path, encoding: str):
    """By its byte order mark, or by the NUL in its header."""
    outcome = _outcome(tmp_path, codecs.encode(_file(LINES).decode(), encoding))
    assert isinstance(outcome, str)


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_a_narrow_encoding_read_as_utf8_sets_rows_aside(tmp_path: Path, encoding: str):
    """Every row with an accent."""
    rows, malformed = _outcome(tmp_path, _file(LINES).decode().encode(encoding))
    assert rows == []
    assert {bad[2] for bad in malformed} == {"not_decodable"}
    assert len(malformed) == len(ROWS)


def test_utf8_read_as_ascii_sets_rows_aside(tmp_path: Path):
    """Every row with an accent."""
    rows, malformed = _outcome(tmp_path, _file(LINES), encoding="ascii")
    assert (rows, len(malformed)) == ([], len(ROWS))


def test_a_file_cut_anywhere_loses_no_row_unseen(tmp_path: Path):
    """Whole lines before the cut are read; a last one that is cut is set aside, unless it ends within its last field."""
    data = _file(LINES)
    for at in range(len(HEADER) + 1, len(data)):
        whole, _, rest = data[:at].rpartition(b"\n")
        outcome = _outcome(tmp_path, data[:at])
        count = whole.count(b"\n")
        if data[at : at + 1] == b"\n" or (rest.count(b",") == LINES[count].count(b",") and rest.count(b'"') == 2):
            # A cut inside the last field, or right before its line end: no reader can see that.
            assert len(outcome[0]) == count + 1
            assert outcome[0][:count] == ROWS[:count]
        else:
            assert outcome[0] == ROWS[:count]
            assert [bad[0] for bad in outcome[1]] == ([count + 2] if rest else [])
