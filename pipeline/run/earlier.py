"""Deal with the open runs of a job, the oldest first: supersede them or finish them (wiring; data rule 39)."""

from __future__ import annotations

import polars as pl

from pipeline.errors import ApiRefusedError, Problem, RunDamagedError
from pipeline.load.choice import Choice, choose
from pipeline.load.pending import NO_KEYS
from pipeline.log import get_logger
from pipeline.model.chunk import ChunkState
from pipeline.model.columns import LiveField
from pipeline.model.job import Job
from pipeline.report.summary import Summary
from pipeline.run.closing import close, end
from pipeline.run.context import Context, RunId
from pipeline.run.loading import Loader
from pipeline.run.stages import Stages
from pipeline.run.target import LiveTarget
from pipeline.stage.lanes import Lanes
from pipeline.stage.manifest import Manifest
from pipeline.state.chunk_records import ChunkRow
from pipeline.state.folder import RunFolder
from pipeline.state.run_records import RunRow

# Of an import that may still run.
ON_ITS_WAY = (ChunkState.SENDING, ChunkState.SUBMITTED, ChunkState.UNKNOWN)


def deal_with_earlier(context: Context, new: Stages) -> pl.Series:
    """Settle the open runs of the new run's job, then close or finish each; returns the keys that stay theirs."""
    older = NO_KEYS
    for row in context.ledger.open_runs(new.id.job.job):
        if row.id == new.id.run or row.database_id != context.target.database.id:
            continue
        log = get_logger().bind(run=row.id)
        if supersedes(new, row):
            log.info("run.supersede", by=new.id.run)
            summary = finish(context, row, older=older, superseded_by=keys_of(new))
        else:
            log.info("run.finish", before=new.id.run)
            summary = finish(context, row, older=older)
        if summary.open:
            older = pl.concat([older, open_keys(context, row)]).unique()
    return older


def supersedes(new: Stages, row: RunRow) -> bool:
    """Return whether everything that an open run still has to send is in the new run's dump, or is no more (rule 39)."""
    then, now = Job.model_validate_json(row.job_copy), new.id.job
    return (
        now.source.dump == "full"
        and new.id.own_files
        and new.id.limit is None
        and not new.tally.skipped_files
        and then.target == now.target
        and now.target.action != "add"
        and new.manifest is not None
        and tuple(row.structure) == new.manifest.sets.columns
    )


def finish(
    context: Context,
    row: RunRow,
    *,
    older: pl.Series = NO_KEYS,
    superseded_by: pl.DataFrame | None = None,
    max_settle_calls: int | None = None,
    closes: bool = True,
) -> Summary:
    """Do what is left of an open run; with `superseded_by` only settle what is on its way, and close it.

    With `closes` a run that is stopped by something that does not pass is closed; what it did not confirm stands in its files.
    """
    stages = Stages(context, run_id(context, row, max_settle_calls))
    context.ledger.resumed(row.id)
    with stages.guarded():
        stages.take_up(Manifest.read(stages.id.folder.staged))
        refuse_moved(row, context.target)
        if superseded_by is None:
            stages.compare()
        if stages.manifest is not None:
            stages.load(stages.guard(stages.manifest), older=older, sends=superseded_by is None, closes=closes)
            stages.verify()
    tally, load = stages.tally, stages.tally.load
    if isinstance(tally.refusal, RunDamagedError):
        tally.closed = True
    elif load.open and superseded_by is not None:
        if not any(may_still_run(one, stages) for one in load.rows):
            close(stages, superseded_by=superseded_by)
    elif load.open and closes and lasts(stages):
        close(stages)
    return end(stages)


def may_still_run(row: ChunkRow, stages: Stages) -> bool:
    """Return whether a chunk of a superseded run may still be on its way.

    Of the per-profile method nothing is once the loop has waited for what may still arrive.
    """
    if row.state not in ON_ITS_WAY:
        return False
    return row.method == "imports" or stages.tally.refusal is not None or stages.tally.load.stop is not None


def lasts(stages: Stages) -> bool:
    """Return whether what stopped a run would stop it again."""
    refusal, stop = stages.tally.refusal, stages.tally.load.stop
    if refusal is not None:
        return isinstance(refusal, ApiRefusedError)
    return stop is not None and not stop.passing


def run_id(context: Context, row: RunRow, max_settle_calls: int | None = None) -> RunId:
    """Return an open run as it was begun; `max_settle_calls` takes the place of the job's own."""
    job = Job.model_validate_json(row.job_copy)
    if max_settle_calls is not None:
        load = job.load.model_copy(update={"max_settle_calls": max_settle_calls})
        job = job.model_copy(update={"load": load})
    files = tuple(file for file, _ in context.ledger.files(row.id))
    folder = RunFolder(context.ledger.state_dir, row.id)
    choice = choose(job, tuple(row.structure)) if row.fell_back is None else Choice("profiles", row.fell_back)
    forced = frozenset(row.forced)
    return RunId(row.id, job, files, row.limit, forced, folder, choice, row.method, row.own_files, resumed=True)


def keys_of(stages: Stages) -> pl.DataFrame:
    """Return `_key` and `_full` of all staged rows of a run."""
    schema = {"_key": pl.UInt64, "_full": pl.UInt64}
    frames = Lanes(stages.id.folder.staged / "lanes").partitions(tuple(schema))
    return pl.concat([pl.DataFrame(schema=schema), *(frame.unique() for frame in frames)])


def open_keys(context: Context, row: RunRow) -> pl.Series:
    """Return the keys of the rows of an open run whose outcome can still change."""
    identity = run_id(context, row)
    return Loader(context, identity, Manifest.read(identity.folder.staged)).open_rows()["_key"].unique()


def refuse_moved(row: RunRow, target: LiveTarget) -> None:
    """Refuse when the account, or a live field that the run uses, is not what it was when the run began.

    New fields, longer ones and more choices are fine: what was checked against the old ones fits them (data rule 12).
    """
    problems = []
    if row.account != target.identity.id:
        problems.append(
            Problem(f"the run went to account {row.account}, the token belongs to {target.identity.id}", "account")
        )
    if row.database_id != target.database.id:
        problems.append(
            Problem(f"the run went to database {row.database_id}, the name now means {target.database.id}", "database")
        )
    for column, then in row.structure.items():
        moved = _moved(then, target.live.get(column))
        if moved is not None:
            problems.append(Problem(moved, f"target column {column}", "put it back, or run the job again"))
    if problems:
        raise ApiRefusedError(*problems)


def _moved(then: LiveField, now: LiveField | None) -> str | None:
    """Return what a live field has lost since the run began, None where nothing."""
    if now is None:
        return "is gone or has another name since the run began"
    if now.type != then.type:
        return f"was of type {then.type} when the run began and is {now.type} now"
    if now.length is not None and (then.length is None or now.length < then.length):
        return f"held {then.length or 'any number of'} characters when the run began and holds {now.length} now"
    if gone := set(then.choices) - set(now.choices):
        return f"has lost {len(gone)} of its choices since the run began"
    return None
