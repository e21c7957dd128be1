"""End a run: write what is not confirmed to its files, then its summary, its report and how it ended (wiring)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl

from pipeline.errors import AccountingError
from pipeline.log import get_logger
from pipeline.model.columns import Sets
from pipeline.model.row_state import RowState, Why
from pipeline.report.html.page import write_report
from pipeline.report.summary import Summary
from pipeline.run.loading import Loader
from pipeline.run.plan.record import KEPT_DAYS
from pipeline.run.set_aside import SetAsideFiles
from pipeline.run.summarise import summarise
from pipeline.run.zeros import note_zeros
from pipeline.stage.lanes import Lanes
from pipeline.state.run_records import RunState
from pipeline.state.storage import StorageError, StorageStoppedError

if TYPE_CHECKING:
    from pipeline.run.stages import Stages

NOT_SENT = Why("not_sent", "", "the run was closed before it was sent, or before its import was final")


def close(stages: Stages, *, superseded_by: pl.DataFrame | None = None) -> None:
    """Close a run: what it did not confirm is written to its files, but for rows whose key a newer dump has."""
    stages.tally.closed = True
    _write_aside(stages, superseded_by)


def end(stages: Stages) -> Summary:
    """Write the summary and the end of a run; staged data goes unless something is open."""
    if not stages.tally.closed:
        _stored(stages, lambda: _write_aside(stages))
    summary = _summary(stages)
    try:
        summary.check_sums()
    except AccountingError as error:
        get_logger().critical("accounting.off", exc_info=True)
        stages.tally.refusal = error
        summary = _summary(stages)
    summary = replace(summary, report=write_report(stages.id.folder, stages.context.ledger, summary))
    if not _stored(stages, lambda: _record(stages, summary)):
        summary = _summary(stages)
    rows, places = summary.records, {"run": summary.run, "exit_code": int(summary.exit_code)}
    get_logger().info(f"run.{summary.status}", **places, read=rows.read, confirmed=rows.confirmed)
    return summary


def _stored(stages: Stages, write: Callable[[], None]) -> bool:
    """Write; what the disk refuses is the refusal of the run, unless it has one. Returns whether it was written."""
    try:
        with stages.storage():
            write()
    except (StorageError, StorageStoppedError) as error:
        stages.tally.refusal = stages.tally.refusal or error
        return False
    return True


def _summary(stages: Stages) -> Summary:
    return summarise(stages, time.monotonic() - stages.started_s)


def _write_aside(stages: Stages, superseded_by: pl.DataFrame | None = None) -> None:
    """Write failed.csv, unknown.csv and open.csv; in the last stands what is open once the run is closed."""
    tally, manifest, folder = stages.tally, stages.manifest, stages.id.folder
    if manifest is None or tally.plan is not None:
        return
    loader = stages.loader or Loader(stages.context, stages.id, manifest)
    is_open = replace(loader.report(), accepted=tally.to_send).open
    unsent = loader.open_rows() if is_open else pl.DataFrame(schema={"_seq": pl.UInt64})
    still_open = frozenset(unsent["_seq"])
    rows = [row for row in stages.context.ledger.not_confirmed(stages.id.run) if row[0] not in still_open]
    if tally.closed and still_open:
        left = unsent if superseded_by is None else _not_in(superseded_by, unsent, manifest.sets)
        rows += [(at, RowState.ASIDE, NOT_SENT) for at in left["_seq"]]
    if rows or any(folder.path.glob("*.csv")):
        names = [file.name for file in stages.id.files]
        files = SetAsideFiles(folder.path, Lanes(folder.staged / manifest.lanes), manifest.sets.columns, names)
        tally.aside = files.write(rows, unsent["_seq"])


def _record(stages: Stages, summary: Summary) -> None:
    """Write how a run ended; the rows of an open one stay, those of a closed one go."""
    ledger, folder, run = stages.context.ledger, stages.id.folder, stages.id.run
    note_zeros(folder.path)
    folder.write_summary(summary.to_dict())
    ledger.end(run, RunState(summary.status), summary.to_dict(), is_open=summary.open)
    if summary.open:
        return
    if stages.manifest is not None:
        (stages.loader or Loader(stages.context, stages.id, stages.manifest)).remember_refused()
    ledger.prune_rows(run)
    stages.notes.end()
    if summary.status == "planned":
        folder.end_staged(KEPT_DAYS, datetime.now(UTC))
    elif summary.status == "refused" or stages.manifest is None:
        folder.drop_staged()
    else:
        folder.end_staged(stages.id.job.state.keep_staged, datetime.now(UTC))


def _not_in(newer: pl.DataFrame, rows: pl.DataFrame, sets: Sets) -> pl.DataFrame:
    """Leave out the rows whose key a newer dump has; of one that carries a collection the key of the subprofile counts too."""
    of_profile = pl.col("_set") & pl.lit((1 << len(sets.collections)) - 1, pl.UInt64) == 0
    same = pl.col("_full").is_in(newer["_full"].implode())
    return rows.filter(~(same | of_profile & pl.col("_key").is_in(newer["_key"].implode())))
