"""Damage tables in every dialect and encoding, plain and compressed, and take them through the whole command and back."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path

import pytest
import zstandard

from tests.extract.test_polluter import CELL_DAMAGE, COLUMNS, QUOTED, ROWS, Dialect, _clean, _in_dialect
from tests.fuzz.case import Ended, call, rows_of

JOB = """\
job: polluter
source: {{files: ["{file}"], delimiter: {delimiter}, quote: {quote}, encoding: {encoding}}}
schema: schema.py:Rows
target: {{api: v4, database: D, action: update or add, key_fields: ["no"], ignore_empty_fields: true, followups: false,
  rebuild: false}}
load: {{mode: imports}}
guards: {{max_rejects: 100%, min_records: 0}}
"""
SCHEMA = "import pandera.polars as pa\nRows = pa.DataFrameSchema({%s})\n" % ", ".join(  # noqa: UP031 - braces
    f'"{name}": pa.Column(str)' for name in COLUMNS
)
# Every delimiter, encoding, line end and compression, and every two of them that could meet badly.
VARIANTS = (
    (",", '"', "\n", "utf-8", ""),
    (",", '"', "\r\n", "utf-16", ".gz"),
    (",", "'", "\n", "cp1252", ".zst"),
    (";", '"', "\r\n", "utf-8-sig", ".zst"),
    (";", "'", "\n", "utf-16-be", ""),
    ("\t", '"', "\n", "cp1252", ".gz"),
    ("\t", "'", "\r\n", "utf-8", ""),
    ("|", '"', "\r\n", "latin-1", ""),
    ("|", "'", "\n", "utf-8", ".gz"),
    (":", '"', "\n", "utf-16-le", ".zst"),
    (":", "'", "\r\n", "cp1252", ""),
)  # fmt: skip
# What cannot be said in characters, and so in no other encoding than that of the bytes.
BYTES_ONLY = ("bad byte", "cut character")
# Bytes that do not decode where there are such: half a surrogate pair, an unassigned place.
BAD = {"utf-16": b"\x00\xdc", "utf-16-le": b"\x00\xdc", "utf-16-be": b"\xdc\x00", "cp1252": b"\x81"}
WIDE = {"utf-16": "utf-16-le", "utf-16-le": "utf-16-le", "utf-16-be": "utf-16-be"}


class Polluted:
    """A table in which every second row is damaged in one column, each in another way."""

    def __init__(self, column: int, dialect: Dialect, encoding: str) -> None:
        kinds = [kind for kind in CELL_DAMAGE if kind not in BYTES_ONLY]
        # Line ends in the first and last field leave a half with all its fields: see test_polluter.
        if column in (0, len(COLUMNS) - 1):
            kinds.remove("line end in a bare field")
        clean, lines = _clean(), []
        # The clean row of each physical line, from the header on; None for the second half of a row that was cut in two.
        self.row_of_line: dict[int, int] = {}
        self.rows: list[tuple[str, ...]] = []
        for kind in (kind for kind in [*kinds, "bad"] for _ in range(2)):
            at = len(self.rows)
            # A byte per character, so that no damage cuts one in two.
            cells = [cell.decode().encode("latin-1") for cell in clean[at % len(ROWS)]]
            cells[0] = b"%04d" % at
            self.rows.append(tuple(_in_dialect(cell.decode("latin-1").strip('"'), dialect) for cell in cells))
            self.row_of_line[2 + len(lines)] = at
            damaged = b"\x1a" if kind == "bad" else CELL_DAMAGE[kind](cells, column)
            if kind == "bad" and at % 2:
                cells[column] = cells[column][:2] + b"\x1a" + cells[column][2:]
                damaged = b",".join(cells)
            lines += (damaged if at % 2 and damaged is not None else b",".join(cells)).split(b"\n")
        text = "\n".join([",".join(COLUMNS), *(line.decode("latin-1") for line in lines), ""])
        text = _in_dialect(text, dialect).replace("\n", dialect[2])
        self.data = self._with_bad(text, encoding)

    def _with_bad(self, text: str, encoding: str) -> bytes:
        """Encode, and put what does not decode in the place of the mark; latin-1 has no such bytes, so NUL."""
        first, second = text.split("\x1a")
        bad = BAD.get(encoding, b"\0" if encoding == "latin-1" else b"\xff")
        return first.encode(encoding) + bad + second.encode(WIDE.get(encoding, encoding.removesuffix("-sig")))


def _validate(folder: Path, *words: str) -> tuple[Ended, list[dict[str, str]], list[dict[str, str]]]:
    """Validate; gives how it ended, and the rows of both output files."""
    outputs = (folder / "accepted.csv", folder / "rejects.csv")
    for path in outputs:
        path.unlink(missing_ok=True)
    ended, broken = call(
        "validate",
        str(folder / "job.yaml"),
        *words,
        "--accepted",
        str(outputs[0]),
        "--rejects",
        str(outputs[1]),
        "--origin",
    )
    assert (ended.exit_code, broken) == (0, []), ended.stderr
    return ended, rows_of(outputs[0]), rows_of(outputs[1])


def _cells(row: dict[str, str]) -> tuple[str, ...]:
    return tuple(row[name] for name in COLUMNS)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: "-".join(map(repr, variant)))
def test_damage_goes_through_the_command_and_back(tmp_path: Path, variant: tuple[str, str, str, str, str]):
    """Accepted rows are clean ones on their line; the others lie on lines of the rejects, which stay there until mended."""
    delimiter, quote, end, encoding, archive = variant
    dump = f"dump.csv{archive}"
    words = {"delimiter": "tab" if delimiter == "\t" else json.dumps(delimiter), "quote": json.dumps(quote)}
    (tmp_path / "job.yaml").write_text(JOB.format(file=dump, encoding=encoding, **words))
    (tmp_path / "schema.py").write_text(SCHEMA)
    pack = {"": bytes, ".gz": gzip.compress, ".zst": zstandard.ZstdCompressor().compress}[archive]
    for column in range(len(COLUMNS)):
        polluted = Polluted(column, (delimiter, quote, end), encoding)
        (tmp_path / dump).write_bytes(pack(polluted.data))
        _, accepted, rejects = _validate(tmp_path)
        there = {int(row["_line"]): _cells(row) for row in accepted}
        # Not one is bent, and none stands on another line than its own.
        assert there == {line: polluted.rows[polluted.row_of_line[line]] for line in there}
        set_aside = {int(row["_line"]) for row in rejects}
        assert set_aside.isdisjoint(there)
        assert set_aside | there.keys() >= polluted.row_of_line.keys()
        # Rows that are clean may only go where an open quote takes them along.
        assert len(there) >= len(polluted.rows) // 4
        assert len(there) < len(polluted.rows)
        _come_back(tmp_path, polluted, rejects)


def _come_back(folder: Path, polluted: Polluted, rejects: list[dict[str, str]]) -> None:
    """Read the rejects file as it is, then mended."""
    file = folder / "again.csv"
    file.write_bytes((folder / "rejects.csv").read_bytes())
    _, accepted, again = _validate(folder, str(file))
    assert accepted == []
    assert [row["_code"] for row in again] == ["unreadable_before"] * len(rejects)
    assert [row["_raw"] for row in again] == [row["_raw"] for row in rejects]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rejects[0]), lineterminator="\n")
    writer.writeheader()
    mended = [at for row in rejects if (at := polluted.row_of_line.get(int(row["_line"]))) is not None]
    writer.writerows(dict(zip(COLUMNS, polluted.rows[at], strict=True)) for at in mended)
    file.write_text(text.getvalue(), newline="")
    _, accepted, again = _validate(folder, str(file))
    assert again == []
    assert [_cells(row) for row in accepted] == [polluted.rows[at] for at in mended]


def test_the_tables_hold_what_they_should():
    """The damaged columns, and quoted cells that hold the delimiter."""
    polluted = Polluted(1, (";", "'", "\n"), "utf-8")
    assert polluted.data.startswith(b"no;name;note;city\n")
    assert polluted.data.count(b"\xff") == 1
    assert {2} == QUOTED
    assert sum(b"'a; " in line for line in polluted.data.split(b"\n")) > 5
