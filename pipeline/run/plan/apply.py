"""Send what was planned, once: the rows of a plan whose records are still as it saw them (wiring; data rule 46)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from pipeline.config.environment import read_environment
from pipeline.errors import ApiRefusedError, Problem, RunDamagedError
from pipeline.log import keep_log
from pipeline.model.formulas import defused
from pipeline.model.job import Job
from pipeline.report.progress import Reporter
from pipeline.report.summary import Summary, counted
from pipeline.run.changed import changes_of
from pipeline.run.closing import end
from pipeline.run.context import Context
from pipeline.run.earlier import run_id
from pipeline.run.opening import opened
from pipeline.run.plan.changes import ChangesFile
from pipeline.run.plan.compare import compare_staged, states_of
from pipeline.run.plan.plan import terms_of
from pipeline.run.plan.record import PlanRecord, digest_of, rows_to_send, schema_path, write_applied
from pipeline.run.prepare import PreparedJob, prepare
from pipeline.run.request import ApplyRequest
from pipeline.run.stages import Stages
from pipeline.run.target import refusing
from pipeline.stage.lanes import Lanes
from pipeline.stage.manifest import Manifest
from pipeline.stage.partitions import write_rows
from pipeline.stage.run_rows import PLANNED_LANES
from pipeline.state.advice import job_command
from pipeline.state.find import find
from pipeline.state.folder import RunFolder
from pipeline.state.ledger import Ledger
from pipeline.state.run_records import RunRow, RunState


def apply(request: ApplyRequest, reporter: Reporter) -> Summary:
    """Apply a plan; raises ApiRefusedError for one that is stale, used, foreign, or of another job, schema or structure."""
    with ExitStack() as stack:
        call = stack.enter_context(opened(request.state_dir, reporter, request.wait_s))
        ledger = call.ledger
        row = find(ledger, request.run)
        read_environment(os.environ)  # what is wrong with it needs no waiting for a lock
        row = stack.enter_context(call.holding(row))
        job, folder = Job.model_validate_json(row.job_copy), RunFolder(request.state_dir, row.id)
        record, manifest = _plan_of(row, job, folder, ledger)
        context = stack.enter_context(call.meeting(row))
        stack.enter_context(context.lock)
        problems = (*_outdated(row, record, job, request.max_age_s), *_moved_on(row, record, context))
        if problems:
            again = _again(row, job, ledger)
            raise ApiRefusedError(*(replace(problem, do=problem.do or again) for problem in problems))
        keep_log(folder.log_path, row.id)
        ledger.applied(row.id)
        identity = replace(run_id(context, row), resumed=False)
        return _send(Stages(context, identity), record, manifest, replace(prepare(job, None), files=identity.files))


def _plan_of(row: RunRow, job: Job, folder: RunFolder, ledger: Ledger) -> tuple[PlanRecord, Manifest]:
    """Return the plan of a run with its staged rows; raises ApiRefusedError where there is none that may be applied."""
    where = f"run {row.id}"
    record = PlanRecord.read(folder)
    if row.state is not RunState.PLANNED:
        what = f"this plan was applied already: its run is {row.state}"
        if record is None:
            what = f"this run is no plan: it is {row.state}"
        elif row.state is RunState.REFUSED and not ledger.sent_anything(row.id):
            what = "guards refuse this plan, or its apply; see its problems"
        raise ApiRefusedError(Problem(what, where, _again(row, job, ledger)))
    with suppress(RunDamagedError):
        if record is not None:
            return record, Manifest.read(folder.staged)
    raise ApiRefusedError(Problem("the rows of this plan were removed", where, _again(row, job, ledger)))


def _again(row: RunRow, job: Job, ledger: Ledger) -> str:
    """Return the command that makes the plan anew, with what it was made with."""
    words: list[str | Path] = [] if row.own_files else [file.path for file, _ in ledger.files(row.id)]
    words += [] if row.limit is None else ["--limit", str(row.limit)]
    words += [word for guard in row.forced for word in ("--force", guard)]
    return f"plan again: {job_command('plan', job, *words, state_dir=ledger.state_dir)}"


def _outdated(row: RunRow, record: PlanRecord, job: Job, max_age_s: float) -> Iterator[Problem]:
    """Name what was changed of the job since the plan was made, or that it was long ago."""
    age = datetime.now(UTC) - record.at
    if age > timedelta(seconds=max_age_s):
        hours = age.total_seconds() / 3600
        yield Problem(f"the plan is {hours:,.1f} h old, older than --max-age allows", f"run {row.id}")
    if digest_of(job.path) != record.job_sha256:
        yield Problem("the job file has changed since the plan was made", str(job.path))
    if digest_of(schema_path(job)) != record.schema_sha256:
        yield Problem("the schema has changed since the plan was made", str(schema_path(job)))


def _moved_on(row: RunRow, record: PlanRecord, context: Context) -> Iterator[Problem]:
    """Name what has changed of the database since the plan was made."""
    target, where = context.target, f"run {row.id}"
    if row.account != target.identity.id or row.database_id != target.database.id:
        yield Problem("the plan was made for another account or database", where)
    for column, then in row.structure.items():
        if target.live.get(column) != then:
            yield Problem("the live field is not what it was when the plan was made", f"target column {column}")
    since, latest = context.ledger.sent_since(row.database_id, record.planned_at, row.id), context.register.latest()
    if since is not None:
        yield Problem(f"run {since} has sent to this database since the plan was made", where)
    elif latest is not None and latest > record.at:
        yield Problem("another run of this host has sent to this database since the plan was made", where)


def _send(stages: Stages, record: PlanRecord, manifest: Manifest, plan: PreparedJob) -> Summary:
    """Send the planned rows whose records are still as the plan saw them."""
    tally, folder = stages.tally, stages.id.folder
    with stages.guarded():
        stages.notes.begin()
        stages.take_up(manifest)
        tally.unchanged, tally.left = record.unchanged, record.left
        wanted = rows_to_send(folder.staged)
        _narrow(folder.staged, wanted)
        moved, file = _moved(stages, plan, folder)
        if moved.len():
            _narrow(folder.staged, wanted.filter(~wanted.is_in(moved.implode())))
            tally.left += moved.len()
            what = f"not sent: {counted(moved.len(), 'row')} whose record is no longer as the plan saw it"
            tally.problems.append(Problem(what, str(file), "see them there, and plan again"))
        if record.left:
            what = f"not sent: {counted(record.left, 'row')} with several matches, or not checked by the plan"
            tally.problems.append(
                Problem(what, f"run {stages.id.run}", "make their keys unique in Copernica, and plan again")
            )
        write_applied(folder.staged, tally.unchanged, tally.left)
        manifest.write(folder.staged)
        changes_of(stages.context.target, stages.id, manifest.sets).rows.planned()
        stages.load(stages.guard(manifest))
        stages.verify()
    return end(stages)


def _narrow(staged: Path, keep: pl.Series) -> None:
    """Leave only some rows, by `_seq`, in the lanes; those of the plan stay beside as `lanes-planned`."""
    planned, lanes = staged / PLANNED_LANES, staged / "lanes"
    if not planned.exists():
        lanes.rename(planned)
    every = Lanes(planned)
    for lane in every.lanes():
        folder = lanes / lane.folder_name
        for path in sorted((planned / lane.folder_name).iterdir()):
            rows = pl.read_ipc(path)
            kept = rows.filter(rows["_seq"].is_in(keep.implode()))
            target = folder / path.name
            if kept.height:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                write_rows(kept, target)
            else:
                target.unlink(missing_ok=True)
    lanes.mkdir(mode=0o700, exist_ok=True)
    for folder in lanes.iterdir():
        if not any(folder.iterdir()):
            folder.rmdir()


def _moved(stages: Stages, plan: PreparedJob, folder: RunFolder) -> tuple[pl.Series, Path]:
    """Read the planned keys again; returns the `_seq` of rows whose records have changed, listed in a file.

    Raises ApiRefusedError where the target cannot be read.
    """
    target, staged = stages.context.target, folder.staged
    file = folder.path / "changed.csv"
    terms, lanes = terms_of(plan, target), Lanes(staged / "lanes")
    none = pl.Series("_seq", dtype=pl.UInt64)
    if terms.target.action == "add" or not terms.keys.profile:
        return none, file
    with refusing("the comparison with the plan", "nothing was sent"):
        compare_staged(target, terms, lanes, staged / "again", ChangesFile(None))
    then = states_of(staged / "plan").rename({"_state": "_then"})
    now = states_of(staged / "again").join(then, on="_key", how="left")
    moved = now.filter(pl.col("_state") != pl.col("_then"))["_key"]
    if not moved.len():
        return none, file
    rows = lanes.partitions(("_seq", "_key", *terms.all_keys))
    every = pl.concat([one.filter(one["_key"].is_in(moved.implode())) for one in rows])
    defused(every.sort("_seq").select(terms.all_keys).unique(maintain_order=True)).write_csv(file)
    file.chmod(0o600)
    return every["_seq"], file
