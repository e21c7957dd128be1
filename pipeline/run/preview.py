"""Show records as they would be sent, field by field (wiring)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from pipeline.config.environment import read_environment
from pipeline.errors import InputError, Problem
from pipeline.model.columns import FieldSpec, LiveField
from pipeline.model.job import Job
from pipeline.model.rows import Batch, Checked
from pipeline.run.prepare import PreparedJob, prepare
from pipeline.run.target import connected, meet
from pipeline.validate.parse import parser


@dataclass(frozen=True)
class PreviewRequest:
    """Which records to show: the first `count` rows, or all rows of record `record` of the first file that has it."""

    job: Job
    files: tuple[str, ...]
    count: int
    record: int | None


@dataclass(frozen=True)
class Cell:
    """One field of a record: its dump column and text, the value that was read, its target, and the text on the wire.

    `source` is None for a constant, `text` None where the record has none; `sent` None where nothing is sent for it.
    """

    source: str | None
    text: str | None
    value: str | None
    target: str
    type: str
    sent: str | None
    code: str = ""
    message: str = ""


@dataclass(frozen=True)
class Shown:
    """One row of the dump, and what becomes of it; a malformed one has `raw` and no cells."""

    file: str
    line: int
    record: int
    element: int | None
    cells: tuple[Cell, ...] = ()
    code: str = ""
    message: str = ""
    raw: str = ""

    @property
    def accepted(self) -> bool:
        """Return whether the row would be sent."""
        return not self.code and not any(cell.code for cell in self.cells)


def preview(request: PreviewRequest) -> tuple[Shown, ...]:
    """Read some records and return what would be sent of each; raises what a run would raise for job and dumps.

    With a token the live fields bind the values as they do in a run.
    """
    plan = prepare(request.job, request.files)
    found = tuple(_Preview(plan, _live(request.job)).rows(request))
    if request.record is not None and not found:
        what = f"there is no record {request.record:,}"
        raise InputError(Problem(what, ", ".join(file.name for file in plan.files[:3]), "take a smaller number"))
    return found


def _live(job: Job) -> Mapping[str, LiveField] | None:
    if not (os.environ.get("COPERNICA_TOKEN") or os.environ.get("COPERNICA_TOKEN_FILE")):
        return None
    with connected(job, read_environment(os.environ)) as client:
        return meet(client, job, patient=False).live


@dataclass(frozen=True)
class _Preview:
    """A job with the live fields, where they are known."""

    plan: PreparedJob
    live: Mapping[str, LiveField] | None

    def rows(self, request: PreviewRequest) -> Iterator[Shown]:
        """Read the rows that are asked for."""
        validator, record = self.plan.validator(self.live), request.record
        for batch in self.plan.extraction(request.count if record is None else None):
            if record is not None:
                batch = _only(batch, record)
            shown = self._of_batch(batch, validator.check(batch))
            yield from shown
            if shown and record is not None:
                return

    def _of_batch(self, batch: Batch, checked: Checked) -> list[Shown]:
        faults = {row["_row"]: row for row in checked.faults.iter_rows(named=True)}
        accepted = checked.accepted.iter_rows(named=True)
        rows = [
            self._shown(batch.file.name, raw, None if at in faults else next(accepted), faults.get(at))
            for at, raw in enumerate(batch.frame.iter_rows(named=True))
        ]
        rows += [Shown(batch.file.name, one["_line"], one["_record"], None, (), one["_code"], one["_message"], one["_raw"])
                 for one in batch.malformed.iter_rows(named=True)]  # fmt: skip
        return sorted(rows, key=lambda row: (row.record, row.element or 0))

    def _shown(
        self, file: str, raw: Mapping[str, Any], accepted: Mapping[str, Any] | None, fault: Mapping[str, Any] | None
    ) -> Shown:
        plan, codes = self.plan, _faults(fault)
        carried = plan.link.sets.all if accepted is None else accepted["_set"]
        sent = plan.link.sets.columns_of(carried)
        cells = []
        for name in plan.link.columns:
            spec = plan.schema.spec(name)
            if spec is None:
                continue
            source = plan.link.source_of(name)
            text = plan.job.constants.get(name) if source is None else raw.get(source)
            value, canonical = _read(plan, spec, source, text)
            wire = (canonical if accepted is None else accepted[name]) or ""
            code, message = codes.get(source or name, ("", ""))
            kind = self.live[name].type if self.live and name in self.live else spec.kind
            cells.append(Cell(source, text, value, name, kind, wire if name in sent else None, code, message))
        return Shown(file, raw["_line"], raw["_record"], raw["_element"], tuple(cells))


def _only(batch: Batch, record: int) -> Batch:
    """Return a batch with the rows of one record."""
    mine = batch.frame["_record"] == record
    return Batch(
        batch.file,
        batch.frame.filter(mine),
        batch.malformed.filter(pl.col("_record") == record),
        None if batch.absent is None else batch.absent.filter(mine),
    )


def _faults(fault: Mapping[str, Any] | None) -> dict[str, tuple[str, str]]:
    if fault is None:
        return {}
    parts = zip(*(fault[name].split(" | ") for name in ("_column", "_code", "_message")), strict=False)
    return {column: (code, message) for column, code, message in parts}


def _read(plan: PreparedJob, spec: FieldSpec, source: str | None, text: str | None) -> tuple[str | None, str | None]:
    """Return the value of a text, and its canonical text; None for both where it is empty or cannot be read."""
    reading = plan.job.source if source is None else plan.job.reading(source)
    if text is not None and reading.trim:
        text = text.strip()
    if text is None or text == "" or text in reading.null_values:
        return None, spec.empty
    parsed = parser(spec, reading)(pl.Series([text], dtype=pl.String))
    value = parsed.typed[0]
    return None if value is None else str(value), parsed.text[0]
