"""Write the rejects file of a run: each row with its original values and why it was set aside (edge).

CSV for CSV sources, NDJSON for JSON sources; both are valid inputs themselves, so that a mended file can be run again.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from pipeline.errors import Problem, UsageError
from pipeline.model.counts import SetAside
from pipeline.model.formulas import defused
from pipeline.model.rows import CANONICAL, FOLLOWED_BY, OURS, REJECT_COLUMNS, REJECT_KEYS, Batch, Origin
from pipeline.report.followed import Followed, name_in_csv, name_in_ndjson
from pipeline.report.json_lines import line_of, only_element
from pipeline.report.part_file import PartFile, spare
from pipeline.report.reject_tally import RejectTally


class RejectsWriter:
    """Write the rejects of one run to one file, batch by batch; nothing of it is kept in memory.

    `place` without an extension takes that of the source's kind: .csv, or .ndjson for JSON. A place ending in .ndjson
    takes CSV sources too (objects of the dump's columns); one ending in .csv refuses JSON sources with UsageError. When
    the `with` block ends the file stands in its place, mode 0600, and `path` names it; without a reject there is none,
    and after an exception nothing has changed. With `place` None rejects are only counted.
    """

    def __init__(self, place: Path | None) -> None:
        self.path: Path | None = None
        self._tally = RejectTally()
        self._place = place
        self._part = None if place is None or not place.suffix else PartFile(place)
        self._columns: list[str] = []
        self._trailing = list(REJECT_COLUMNS)
        self._has_header = False
        self._last_input: Path | None = None

    @property
    def set_aside(self) -> tuple[SetAside, ...]:
        """Return what was set aside, by code and column, the most frequent first."""
        return self._tally.set_aside

    def write(self, batch: Batch, faults: pl.DataFrame) -> None:
        """Add what a batch sets aside: its malformed records and the rows that `faults` (FAULTS_SCHEMA) names.

        Every batch is to be given, also one without rejects: the first one sets the order of the columns.
        """
        self._tally.add(batch, faults)
        if self._place is not None:
            self._add(self._part_for(batch, self._place), batch, faults)

    def _add(self, part: PartFile, batch: Batch, faults: pl.DataFrame) -> None:
        new = [name for name in batch.frame.columns if name not in OURS and name not in self._columns]
        more = [name for name in _marks(batch) if name not in self._trailing]
        if (new or more) and self._has_header:
            self._widen(part, new, more)
        else:
            self._columns += new
            self._trailing += more
        if not faults.height and not batch.malformed.height:
            return
        if batch.origin is not None:
            part.file.writelines(_json_lines(batch, batch.origin, faults.sort("_row")))
        elif part.path.suffix == ".csv":
            # An empty text would be written as "", a null is written as nothing.
            blanked = _table(batch, faults, self._columns, self._trailing).with_columns(
                pl.when(pl.col(pl.String) != "").then(pl.col(pl.String))
            )
            defused(blanked).write_csv(part.file, include_header=not self._has_header)
            self._has_header = True
        else:
            # Without the columns that this file lacks: read again, a null is not the same as a missing key.
            own = [name for name in batch.frame.columns if name not in OURS]
            _table(batch, faults, own, [*REJECT_COLUMNS, *_marks(batch)]).write_ndjson(part.file)

    def follow(self, followed: Followed) -> None:
        """Name the later rows of the rejects that have one (data rule 40); to be called behind the last batch."""
        places = followed.places()
        if self._part is None or not places.height:
            return
        old = self._part.set_aside()
        name_in = name_in_csv if self._part.path.suffix == ".csv" else name_in_ndjson
        name_in(old, self._part.file, places)
        old.unlink()

    def __enter__(self) -> RejectsWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._part is not None:
            if kind is None:
                self.path = self._part.finish()
            else:
                self._part.discard()

    def _part_for(self, batch: Batch, place: Path) -> PartFile:
        """Open the place at the first batch; refuse one of the wrong kind, and one that is a dump of this run."""
        if self._part is None:
            suffix = ".csv" if batch.origin is None else ".ndjson"
            self._part = PartFile(place.with_name(place.name + suffix))
        if batch.file.path != self._last_input:
            self._last_input = batch.file.path
            spare(self._part.path, [batch.file])
            if batch.origin is not None and self._part.path.suffix == ".csv":
                what = f"rejects of the JSON file {batch.file.name} are no CSV"
                raise UsageError(Problem(what, str(self._part.path), "name a file that ends in .ndjson"))
        return self._part

    def _widen(self, part: PartFile, new: list[str], more: list[str]) -> None:
        """Write the rows so far again with columns that only a later file has; runs once per such file."""
        self._columns += new
        self._trailing += more
        old = part.set_aside()
        blank = [pl.lit(None, pl.String).alias(name) for name in (*new, *more)]
        rows = pl.scan_csv(old, infer_schema=False).with_columns(blank)
        rows.select(*self._columns, *self._trailing).sink_csv(part.file)
        old.unlink()


def _marks(batch: Batch) -> dict[str, pl.Series]:
    """Return what a file of ours shows of its rows, so that it still does when their rejects are read again."""
    if batch.again is None:
        return {}
    marks = {}
    if batch.again.canonical:
        marks[CANONICAL] = pl.repeat("yes", batch.frame.height, dtype=pl.String, eager=True)
    if (batch.again.followed_by != "").any():
        marks[FOLLOWED_BY] = batch.again.followed_by
    return marks


def _marked(batch: Batch) -> pl.DataFrame:
    return batch.frame.with_columns(mark.alias(name) for name, mark in _marks(batch).items())


def _table(batch: Batch, faults: pl.DataFrame, columns: list[str], trailing: list[str]) -> pl.DataFrame:
    """Lay out rejects of a CSV batch in file order: `columns`, then `trailing` ones, null where the batch lacks one."""
    rows = pl.concat(
        [
            pl.concat(
                [_marked(batch)[faults["_row"]], faults.select("_code", "_column", "_message")], how="horizontal"
            ),
            batch.malformed,
        ],
        how="diagonal",
    ).sort("_record", maintain_order=True)
    rows = rows.with_columns(pl.lit(batch.file.name).alias("_file"))
    absent = [name for name in (*columns, *trailing) if name not in rows.columns]
    return rows.with_columns(pl.lit(None, pl.String).alias(name) for name in absent).select(*columns, *trailing)


def _json_lines(batch: Batch, origin: Origin, faults: pl.DataFrame) -> Iterator[bytes]:
    """Yield the rejects of a JSON batch in file order, each a line: its object with only the rejected element."""
    places = _marked(batch).select("_line", "_record", "_element", *_marks(batch))[faults["_row"]]
    rows = pl.concat(
        [
            pl.concat([places, faults.select("_row", "_code", "_column", "_message")], how="horizontal"),
            batch.malformed,
        ],
        how="diagonal",
    ).sort("_record", maintain_order=True)
    named = rows.with_columns(pl.lit(batch.file.name).alias("_file"))
    trailers = named.select(*REJECT_KEYS, *_marks(batch)).write_ndjson()
    lists = origin.lists()
    where = rows.select("_row", "_element").iter_rows()
    for (row, element), trailer in zip(where, trailers.encode().splitlines(), strict=True):
        if row is None:
            yield trailer + b"\n"
            continue
        at = origin.object_of_row[row]
        body = origin.raw(at) or line_of(only_element(origin.objects[at], lists[at], origin.list_of_row[row], element))
        inside = body.rstrip()[:-1]
        yield inside + (b"" if inside.strip() == b"{" else b",") + trailer[1:] + b"\n"
