"""Go on with a run that stopped: find it, see that its ground has not moved, do what is left (wiring)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

from pipeline.conductor import Conductor
from pipeline.environment import read_environment
from pipeline.errors import ApiRefusedError, InputError, JobError, Problem
from pipeline.interrupt import interrupts
from pipeline.job import Job
from pipeline.load.choice import choose
from pipeline.load.loop import Decisions
from pipeline.plan import prepare
from pipeline.records import SourceFile
from pipeline.report.progress import Reporter
from pipeline.report.summary import Summary
from pipeline.request import ResumeRequest
from pipeline.run import check_fit
from pipeline.site import RunId, Site
from pipeline.stage.manifest import Manifest
from pipeline.state.folder import RunFolder, private_files
from pipeline.state.ledger import UNFINISHED, Ledger, RunRow
from pipeline.state.lock import Patience, database_lock, job_lock
from pipeline.state.storage import storage_faults
from pipeline.target import LiveTarget, connected, meet


def resume(request: ResumeRequest, reporter: Reporter) -> Summary | Mapping[str, Any]:
    """Finish a run; gives the summary that stands in the ledger where nothing is left to be done.

    Raises JobError where there is no such run, and what keeps a run from being gone on with.
    """
    stop = Event()
    with ExitStack() as stack:
        stack.enter_context(private_files())
        stack.enter_context(storage_faults(request.state_dir))
        ledger = stack.enter_context(closing(open_ledger(request.state_dir)))
        row = find(ledger, request.run)
        if row.state not in UNFINISHED:
            return row.summary or {}
        environment = read_environment(os.environ)
        stack.enter_context(interrupts(stop))
        patience = Patience(request.wait_s, stop)
        stack.enter_context(job_lock(request.state_dir, row.job, patience))
        row = find(ledger, row.id)  # as it is now, after waiting
        if row.state not in UNFINISHED:
            return row.summary or {}
        refuse_overtaken(ledger, row)
        job = job_of(row, request)
        target = meet(stack.enter_context(connected(job, environment, stop)), job)
        stack.enter_context(database_lock(environment.api_url, target.database.id, patience))
        refuse_moved(row, target)
        files = tuple(file for file, _ in ledger.files(row.id))
        folder = RunFolder(request.state_dir, row.id)
        site = Site(target, choose(job, tuple(row.structure)), ledger, reporter, stop)
        conductor = Conductor(site, RunId(row.id, job, files, row.limit, frozenset(row.forced), folder))
        ledger.resumed(row.id)
        with conductor.stages():
            manifest = Manifest.read(folder.staged) or restage(conductor, ledger, target)
            conductor.go_on_from(manifest)
            loader = conductor.guard(manifest)
            decisions = Decisions(
                failed=request.failed or "leave",
                unknown=request.unknown or "look",
                rows_again=request.failed == "profiles",
            )
            conductor.load(loader, decisions)
            conductor.verify(manifest.sample)
        return conductor.end()


def open_ledger(state_dir: Path) -> Ledger:
    """Open a ledger that is there; raises JobError where no run was ever made."""
    if not (state_dir / "ledger.sqlite").exists():
        do = "name the state folder with --state-dir (it is beside the job file), or run the job"
        raise JobError(Problem("there is no run here", str(state_dir), do))
    return Ledger(state_dir)


def find(ledger: Ledger, run: str | None) -> RunRow:
    """Find a run by its id, or the newest unfinished one, or else the newest; raises JobError where there is none."""
    if run is not None:
        found = ledger.run(run)
        if found is None:
            raise JobError(Problem(f"there is no run {run}", do="copernica-import runs lists them"))
        return found
    rows = ledger.runs()
    if not rows:
        raise JobError(Problem("there is no run here", do="run a job first"))
    return next((row for row in rows if row.state in UNFINISHED), rows[0])


def refuse_overtaken(ledger: Ledger, row: RunRow) -> None:
    """Refuse a run when a later one of its job has sent anything: its older values must not go on top (data rule 35)."""
    for later in ledger.runs(row.job):
        if later.started_at > row.started_at and ledger.sent_anything(later.id):
            raise ApiRefusedError(
                Problem(
                    f"run {later.id} of the same job came later and has sent rows; older values must not go on top of them",
                    where=f"run {row.id}",
                    do="run the job again with the dumps that are still needed",
                )
            )


def job_of(row: RunRow, request: ResumeRequest) -> Job:
    """Give the job as it was when the run began."""
    job = Job.model_validate_json(row.job_copy)
    if request.max_settle_calls is None:
        return job
    load = job.load.model_copy(update={"max_settle_calls": request.max_settle_calls})
    return job.model_copy(update={"load": load})


def refuse_moved(row: RunRow, target: LiveTarget) -> None:
    """Refuse when the account, or a live field that the run uses, is another than when it began; new ones are fine."""
    problems = []
    if row.account is not None and row.account != target.identity.id:
        problems.append(
            Problem(f"the run went to account {row.account}, the token belongs to {target.identity.id}", "account")
        )
    if row.database_id is not None and row.database_id != target.database.id:
        problems.append(
            Problem(f"the run went to database {row.database_id}, the name now means {target.database.id}", "database")
        )
    for column, kind in row.structure.items():
        now = target.live.get(column)
        if now is None:
            problems.append(Problem("is gone or has another name since the run began", f"target column {column}"))
        elif now.type != kind:
            problems.append(
                Problem(f"was of type {kind} when the run began and is {now.type} now", f"target column {column}")
            )
    if problems:
        raise ApiRefusedError(*problems)


def restage(conductor: Conductor, ledger: Ledger, target: LiveTarget) -> Manifest:
    """Read the same files again for a run that ended before all its rows were staged; raises InputError for other files."""
    known = ledger.files(conductor.id.run)
    problems = [problem for file, _ in known if (problem := changed(file)) is not None]
    if problems:
        raise InputError(*problems)
    conductor.id.folder.drop_staged()
    plan = replace(prepare(conductor.id.job, None), files=conductor.id.files)
    check_fit(plan, target)
    manifest = conductor.stage(plan)
    for facts, (file, sha256) in zip(conductor.tally.intake.facts, known, strict=True):
        if sha256 is not None and facts.sha256 != sha256:
            raise InputError(_changed_problem(file))
    return manifest


def changed(file: SourceFile) -> Problem | None:
    """Say whether a dump is not what it was when the run began."""
    try:
        now = file.path.stat()
    except OSError as error:
        return Problem(f"cannot be read any more: {error.strerror}", file.name, "put it back, or run the job again")
    return None if (now.st_size, now.st_mtime_ns) == (file.size_bytes, file.mtime_ns) else _changed_problem(file)


def _changed_problem(file: SourceFile) -> Problem:
    return Problem("is not the file that the run began with", file.name, "put that one back, or run the job again")
