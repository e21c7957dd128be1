"""Validate batches: read every value, judge keys, collections and rows, give accepted rows and faults (pure).

The order is that of the data rules: cells to null (9), values by type (10), carried collections (17), keys (16), empty
values (9, 11), the schema's lengths and checks (12, 13), the live fields (12), the size of the row (22).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from pipeline.errors import JobError
from pipeline.model.columns import FieldSpec, Keys, LiveField
from pipeline.model.job import Job
from pipeline.model.rows import Batch, Checked
from pipeline.validate.checks import SchemaChecks
from pipeline.validate.constants import read_constants
from pipeline.validate.faults import Faults
from pipeline.validate.keys import fold, hashed, key_faults
from pipeline.validate.limits import live_faults, size_faults, too_long
from pipeline.validate.link import Link
from pipeline.validate.parse import Parsed, Parser, Reading, canonical_reading, parser

_ABSENT = "is missing: with ignore_empty_fields: false that would empty the field"


# What a spreadsheet changes when it saves a file: these faults of a file of ours may come from that.
_CHANGED = ("not_a_date", "not_a_datetime", "not_a_decimal", "not_an_integer", "not_yes_no")
_HINT = "; a spreadsheet may have changed it when it saved the file"
_OVERTAKEN = "a later row of the same key was sent since: "


@dataclass(frozen=True)
class _Columns:
    """How the columns of a batch are read: per target the column that feeds it (None: a constant), and its parser."""

    sources: Mapping[str, str | None]
    readings: Mapping[str, Reading]
    parsers: Mapping[str, Parser]

    @classmethod
    def of(
        cls, sources: Mapping[str, str | None], readings: Mapping[str, Reading], specs: Sequence[FieldSpec]
    ) -> _Columns:
        return cls(sources, readings, {spec.name: parser(spec, readings[spec.name]) for spec in specs})


@dataclass
class _Rows:
    """A batch on its way: per target column the cells (null where empty) and what parsing made of them."""

    height: int
    columns: _Columns
    cells: dict[str, pl.Series]
    parsed: dict[str, Parsed]
    # Per collection the rows that carry it, by a column that comes from the dump (data rule 17).
    carried: dict[str, pl.Series]


class Validator:
    """Validate the batches of one run; it keeps nothing between batches."""

    def __init__(
        self,
        job: Job,
        link: Link,
        specs: Sequence[FieldSpec],
        checks: SchemaChecks | None,
        live: Mapping[str, LiveField] | None,
    ) -> None:
        """Take what the run knows; `live` None where no live structure is known.

        Raises JobError for constants that are at fault themselves.
        """
        self._job = job
        self._link = link
        self._checks = checks
        self._live = live or {}
        self._keys = Keys.of(job.target.key_fields)
        self._key_columns = frozenset(job.target.key_fields)
        by_name = {spec.name: spec for spec in specs}
        self._specs = tuple(by_name[name] for name in link.columns)
        sources = {spec.name: link.source_of(spec.name) for spec in self._specs}
        readings: dict[str, Reading] = {
            name: job.source if source is None else job.reading(source) for name, source in sources.items()
        }
        self._dump = _Columns.of(sources, readings, self._specs)
        self._canonical = _Columns.of(
            {name: None if source is None else name for name, source in sources.items()},
            {spec.name: canonical_reading(spec) for spec in self._specs},
            self._specs,
        )
        constants, problems = read_constants(job, self._specs, self._dump.parsers, checks, self._live)
        if problems:
            raise JobError(*problems)
        self._constants: Mapping[str, Parsed] = constants

    def check(self, batch: Batch) -> Checked:
        """Split a batch: accepted rows in the staged layout, and the faults of the other rows."""
        rows = self._read(batch)
        faults = Faults.of(rows.height, rows.columns.sources)
        self._judge_overtaken(batch, faults)
        self._judge_keys(rows, faults)
        for spec in self._specs:
            self._judge_column(spec, batch, rows, faults)
        self._run_checks(rows, faults)
        sent = {spec.name: self._sent(spec, rows) for spec in self._specs}
        for spec in self._specs:
            faults.add(spec.name, live_faults(sent[spec.name], self._live.get(spec.name)), live=True)
        sets = self._sets(rows, sent)
        self._judge_nothing(sent, faults)
        frame = pl.DataFrame({**sent, "_set": sets})
        for name, bad in size_faults(frame, faults.rejected, self._link.sets, self._job.load.max_row_bytes):
            faults.add(name, bad)
        found = faults.frame()
        return Checked(self._staged(batch, frame, faults.rejected), found, self._keys_of(frame, found["_row"]))

    def _read(self, batch: Batch) -> _Rows:
        height = batch.frame.height
        columns = self._canonical if batch.again is not None and batch.again.canonical else self._dump
        rows = _Rows(height, columns, {}, {}, {})
        there = frozenset(batch.frame.columns)
        for spec in self._specs:
            source = columns.sources[spec.name]
            if source is None:
                continue
            cells = _cells(batch.frame, source, columns.readings[spec.name], there)
            rows.cells[spec.name] = cells
            rows.parsed[spec.name] = columns.parsers[spec.name](cells)
            if spec.collection:
                filled = cells.is_not_null()
                known = rows.carried.get(spec.collection)
                rows.carried[spec.collection] = filled if known is None else known | filled
        for name, constant in self._constants.items():
            rows.parsed[name] = constant.repeated(height)
        return rows

    def _judge_overtaken(self, batch: Batch, faults: Faults) -> None:
        """Refuse rows of a file of ours that a later row of their key has overtaken (data rule 40)."""
        if batch.again is None:
            return
        followed = batch.again.followed_by
        bad = pl.DataFrame({"_row": pl.int_range(followed.len(), dtype=pl.UInt32, eager=True), "place": followed})
        bad = bad.filter(pl.col("place") != "").select(
            "_row", code=pl.lit("overtaken"), message=pl.concat_str(pl.lit(_OVERTAKEN), "place")
        )
        keys = self._job.target.key_fields
        faults.add(keys[0] if keys else self._specs[0].name, bad, key=True)

    def _judge_keys(self, rows: _Rows, faults: Faults) -> None:
        """Refuse keys that must not leave (data rule 16), and rows that name nothing to delete (data rule 34)."""
        for name in self._keys.profile:
            faults.add(name, key_faults(rows.cells[name], None), key=True)
        for collection, names in self._keys.collections.items():
            for name in names:
                faults.add(name, key_faults(rows.cells[name], rows.carried[collection]), key=True)
        if self._job.target.delete_target == "subprofile" and self._keys.collections:
            carries = pl.DataFrame(rows.carried).select(pl.any_horizontal(pl.all())).to_series()
            first = next(iter(self._keys.collections.values()))[0]
            faults.add(first, _bad(~carries, "nothing_to_delete", "the row carries no collection"), key=True)

    def _judge_nothing(self, sent: Mapping[str, pl.Series], faults: Faults) -> None:
        """Refuse rows of which no column has anything to send; any key would have been one."""
        if self._keys.profile:
            return
        empty = pl.DataFrame(sent).select(pl.all_horizontal(pl.all().is_null())).to_series() & ~faults.rejected
        faults.add(self._specs[0].name, _bad(empty, "nothing_to_send", "every column of the row is empty"))

    def _judge_column(self, spec: FieldSpec, batch: Batch, rows: _Rows, faults: Faults) -> None:
        """Refuse absent and empty cells, values that did not parse and texts that are too long for the schema."""
        source = rows.columns.sources[spec.name]
        if source is None or self._is_left_out(spec, batch):
            return
        cells, parsed = rows.cells[spec.name], rows.parsed[spec.name]
        empty = cells.is_null() if cells.null_count() else None
        if empty is not None and spec.collection:
            empty &= rows.carried[spec.collection]
        if empty is not None and self._link.expected.track_absent:
            absent = _absent(batch, source) & empty
            faults.add(spec.name, _bad(absent, "column_absent", _ABSENT))
        if empty is not None and not spec.nullable and spec.empty is None and spec.name not in self._key_columns:
            faults.add(spec.name, _bad(empty, "blank_value", "the value is empty, and the schema does not allow that"))
        faults.add(spec.name, _with_hint(parsed.bad) if batch.again is not None else parsed.bad)
        faults.add(spec.name, too_long(parsed.text, spec.max_length))

    def _is_left_out(self, spec: FieldSpec, batch: Batch) -> bool:
        """Return whether a file of canonical text lacks a column that a delete does not send."""
        canonical = batch.again is not None and batch.again.canonical
        return canonical and self._job.target.action == "delete" and spec.name not in batch.frame.columns

    def _run_checks(self, rows: _Rows, faults: Faults) -> None:
        if self._checks is None:
            return
        typed = pl.DataFrame({spec.name: rows.parsed[spec.name].typed for spec in self._specs})
        found = self._checks.faults(typed, rows.carried)
        for (target,), bad in found.partition_by("column", as_dict=True, maintain_order=True).items():
            faults.add(str(target), bad)

    def _sent(self, spec: FieldSpec, rows: _Rows) -> pl.Series:
        """Return the canonical text of a column as it is sent, null where empty or in rows without its collection."""
        text = rows.parsed[spec.name].text
        constant = spec.name in self._constants
        fills = spec.empty is not None and spec.name not in self._key_columns
        if fills and not constant:
            text = text.fill_null(spec.empty)
        if spec.collection and (constant or fills):
            text = text.set(~rows.carried[spec.collection], None)
        return text.alias(spec.name)

    def _sets(self, rows: _Rows, sent: Mapping[str, pl.Series]) -> pl.Series:
        """Return `_set`: the collections that each row carries and the interests that it knows (data rules 17, 18)."""
        sets = self._link.sets
        known = {**{name: rows.carried[name] for name in sets.collections}}
        known |= {name: sent[name].is_not_null() for name in sets.interests}
        if not known:
            return pl.zeros(rows.height, dtype=pl.UInt64, eager=True)
        bits = [pl.col(name).cast(pl.UInt64) * pl.lit(sets.bit(name), pl.UInt64) for name in known]
        return pl.DataFrame(known).select(pl.sum_horizontal(bits).cast(pl.UInt64).alias("_set")).to_series()

    def _staged(self, batch: Batch, frame: pl.DataFrame, rejected: pl.Series) -> pl.DataFrame:
        """Lay the accepted rows out in the columns of `STAGED`."""
        origin = batch.frame.select("_line", "_record", "_element")
        frame = pl.concat([frame, origin], how="horizontal")
        if rejected.any():
            frame = frame.filter(~rejected)
        key, full = self._hashes(frame)
        return frame.select(
            *self._link.columns,
            pl.lit(batch.file.index, pl.UInt32).alias("_file"),
            pl.col("_line").cast(pl.UInt64),
            pl.col("_record").cast(pl.UInt64),
            pl.col("_element").cast(pl.UInt32),
            "_set",
            key.alias("_key"),
            full.alias("_full"),
        )

    def _keys_of(self, frame: pl.DataFrame, rows: pl.Series) -> pl.Series:
        """Return `_key` of some rows, null where a part of it is empty."""
        names = self._keys.profile
        if not names or not rows.len():
            return pl.repeat(None, rows.len(), dtype=pl.UInt64, eager=True)
        found = frame[rows]
        whole = found.select(pl.all_horizontal(pl.col(names).is_not_null())).to_series()
        key, _ = self._hashes(found)
        return key.set(~whole, None)

    def _hashes(self, frame: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
        """Return `_key` and `_full` of accepted rows, 0 where the job has no profile key (data rules 3, 15)."""
        if not self._keys.profile:
            none = pl.zeros(frame.height, dtype=pl.UInt64, eager=True)
            return none, none
        kinds = {spec.name: spec.kind for spec in self._specs}
        key = hashed([fold(frame[name], kinds[name], trimmed=True) for name in self._keys.profile])
        same = [frame[name] for name in self._keys.profile]
        # The key of a collection that the row does not carry is null.
        same += [frame[name] for names in self._keys.collections.values() for name in names]
        if set(self._link.sets.collections) > set(self._keys.collections):
            # Where a collection has no key (`add`), its rows differ from those of the profile alone all the same.
            same.append(frame["_set"] & ((1 << len(self._link.sets.collections)) - 1))
        return key, hashed(same)


def _with_hint(bad: pl.DataFrame | None) -> pl.DataFrame | None:
    """Add to the faults of a file of ours that a spreadsheet may have made them."""
    if bad is None:
        return None
    hint = pl.when(pl.col("code").is_in(_CHANGED)).then(pl.lit(_HINT)).otherwise(pl.lit(""))
    return bad.with_columns(pl.concat_str("message", hint).alias("message"))


def _cells(frame: pl.DataFrame, source: str, reading: Reading, there: frozenset[str]) -> pl.Series:
    """Return the cells of a dump column, null where they are empty (data rule 9), trimmed where the job sets that."""
    if source not in there:
        return pl.repeat(None, frame.height, dtype=pl.String, eager=True)
    cells = frame[source]
    if cells.dtype != pl.String:
        cells = cells.cast(pl.String)
    if reading.trim:
        cells = cells.str.strip_chars()
    for text in ("", *reading.null_values):
        empty = cells == text
        if empty.any():
            cells = cells.set(empty, None)
    return cells


def _absent(batch: Batch, source: str) -> pl.Series:
    """Return in which rows the dump does not have the column at all (data rule 9)."""
    height = batch.frame.height
    if batch.absent is not None and source in batch.absent.columns:
        return batch.absent[source]
    return pl.repeat(source not in batch.frame.columns, height, dtype=pl.Boolean, eager=True)


def _bad(wrong: pl.Series, code: str, message: str) -> pl.DataFrame | None:
    if not wrong.any():
        return None
    rows = wrong.arg_true().cast(pl.UInt32).alias("_row").to_frame()
    return rows.with_columns(pl.lit(code).alias("code"), pl.lit(message).alias("message"))
