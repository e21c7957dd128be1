"""Recognise CSV files that we wrote, as they were or as a spreadsheet saved them, and read their rows (pure).

That is the rejects file, failed.csv and its kin, and accepted rows with their origin. Their header ends with columns of
ours. A spreadsheet changes delimiter, line ends and encoding mark, and people move or remove columns; three columns of
ours anywhere in the header still prove the file.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from pipeline.model.codes import CODES
from pipeline.model.columns import Expected
from pipeline.model.formulas import restored
from pipeline.model.rows import CANONICAL, FOLLOWED_BY, OURS, Again

# Columns of ours that prove a file; of fewer a dump may have one by chance.
LEAST_OURS = 3
# What accepted rows have besides the target columns, with `--origin`.
_ORIGIN = frozenset(("_file", "_line", "_record"))
_DELIMITERS = (",", ";", "\t", "|", ":")
_SEPARATOR = " | "
# Byte order marks by the encoding that they show.
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


@dataclass(frozen=True)
class Saved:
    """How a file of ours stands now; `changed` where it is not as we wrote it, so that a spreadsheet has saved it."""

    delimiter: str
    encoding: str
    changed: bool


def saved_as(head: bytes) -> Saved | None:
    """Return how a file that begins with `head` (at least its header) is written, None where it is not one of ours."""
    mark, encoding = next(((mark, name) for mark, name in _MARKS if head.startswith(mark)), (b"", "utf-8"))
    text = head.decode(encoding, "replace").removeprefix("\ufeff")
    if sum(name in text for name in OURS) < LEAST_OURS:
        return None
    for delimiter in _DELIMITERS:
        if count_ours(_names(text, delimiter)) >= LEAST_OURS:
            return Saved(
                delimiter, encoding, bool(mark) or delimiter != "," or "\r\n" in text.partition("\n")[0] + "\n"
            )
    return None


def _names(text: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])
    except csv.Error:  # a field over the limit of the module: no header of ours has one
        return []


def has_raw(names: Sequence[str]) -> bool:
    """Return whether `_raw` is a column of ours in a header: beside others, or among those of ours that end it."""
    last = len(names)
    while last and names[last - 1] in OURS:
        last -= 1
    return "_raw" in names[last:] or ("_raw" in names and count_ours(names) >= LEAST_OURS)


def count_ours(names: Sequence[str]) -> int:
    """Count the columns of a header that are ours."""
    return sum(name in OURS for name in names)


def is_canonical(obj: Mapping[str, Any]) -> bool:
    """Return whether an object of an NDJSON file of ours holds canonical text: accepted rows do, rejects of such rows too."""
    return bool(obj.get(CANONICAL)) or {*obj} & OURS == _ORIGIN


@dataclass(frozen=True)
class Header:
    """The header of a file of ours, against the columns of the job: `dump` names and the `canonical` target names.

    `raw` and `target` show which of the two the header can be read as; both where the names are the same.
    """

    names: tuple[str, ...]
    dump: Expected
    canonical: Expected

    @property
    def raw(self) -> bool:
        """Return whether the rows can be original values under dump columns."""
        return set(self.dump.required) <= set(self.names)

    @property
    def target(self) -> bool:
        """Return whether the rows can be canonical text under target columns."""
        return set(self.canonical.required) <= set(self.names)

    def expected(self) -> Expected:
        """Return what is known in this header: the columns of both kinds where both are whole, else of the one that is."""
        if not self.target:
            return self.dump
        if not self.raw:
            return self.canonical
        known = {*self.dump.required, *self.dump.optional, *self.canonical.required, *self.canonical.optional}
        return Expected((), tuple(known), self.dump.ignored | self.canonical.ignored)

    def columns(self, canonical: bool) -> list[str]:
        """List the columns that belong to rows of a kind, in their order; all of them where there is one kind only."""
        own = [name for name in self.names if name not in OURS]
        if not (self.raw and self.target):
            return own
        kind = self.canonical if canonical else self.dump
        known = {*kind.required, *kind.optional, *kind.ignored}
        return [name for name in own if name in known]

    @property
    def is_defused(self) -> bool:
        """Return whether formulas were defused when the file was written: in all but accepted rows."""
        return not {name for name in self.names if name in OURS} <= _ORIGIN


@dataclass(frozen=True)
class Piece:
    """Some rows of a batch of a file of ours that are of one kind; `absent` per dump column, None where not asked for."""

    frame: pl.DataFrame
    again: Again
    absent: pl.DataFrame | None


def pieces(header: Header, frame: pl.DataFrame) -> list[Piece]:
    """Split rows (columns by the names of the header, then `_at_line`, `_at_record`, `_at_element`) where the kind changes."""
    if header.is_defused:
        frame = restored(frame)
    kinds = _canonical(header, frame)
    place = pl.Series(kinds).rle_id()
    found = []
    for part in frame.with_columns(place.alias("_piece"), kinds.alias("_kind")).partition_by("_piece"):
        canonical = bool(part["_kind"][0])
        rows = part.select(*header.columns(canonical), "_at_line", "_at_record", "_at_element")
        absent = None if canonical or not header.dump.track_absent else _absent(part, header)
        found.append(Piece(rows, Again(canonical, _texts(part, FOLLOWED_BY)), absent))
    return found


def _texts(frame: pl.DataFrame, name: str) -> pl.Series:
    if name in frame.columns:
        return frame[name]
    return pl.repeat("", frame.height, dtype=pl.String, eager=True)


def _canonical(header: Header, frame: pl.DataFrame) -> pl.Series:
    """Show which rows are canonical text: by the names, or where those are the same by the mark or the code of the row."""
    if not (header.raw and header.target):
        return pl.repeat(header.target, frame.height, dtype=pl.Boolean, eager=True)
    if not header.is_defused:  # accepted rows
        return pl.repeat(True, frame.height, dtype=pl.Boolean, eager=True)
    marked = _texts(frame, CANONICAL) != ""
    code = _texts(frame, "_code").str.split(_SEPARATOR).list.first().fill_null("")
    return marked | ((code != "") & ~code.is_in(list(CODES)))


def _absent(frame: pl.DataFrame, header: Header) -> pl.DataFrame:
    """Show which cells were absent when they were set aside (`column_absent`) and are still empty (data rule 40)."""
    codes, columns = (_texts(frame, name).str.split(_SEPARATOR) for name in ("_code", "_column"))
    faults = pl.DataFrame({"at": pl.int_range(frame.height, dtype=pl.UInt32, eager=True), "code": codes, "of": columns})
    faults = faults.filter(pl.col("code").list.len() == pl.col("of").list.len()).explode("code", "of")
    faults = faults.filter(pl.col("code") == "column_absent")
    rows = pl.int_range(frame.height, dtype=pl.UInt32, eager=True)
    absent = {}
    for name in header.columns(False):
        were = faults.filter(pl.col("of") == name)["at"]
        absent[name] = rows.is_in(were.implode()) & (frame[name] == "")
    return pl.DataFrame(absent)
