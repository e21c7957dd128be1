"""Go on with a run that stopped: find it, see that its ground has not moved, do what is left (wiring)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
from threading import Event
from typing import Any
from urllib.parse import urlsplit

from pipeline.config.environment import read_environment
from pipeline.errors import ApiRefusedError, InputError, Problem
from pipeline.load.choice import Choice, choose
from pipeline.load.loop import Decisions
from pipeline.log import keep_log
from pipeline.model.columns import LiveField
from pipeline.model.files import SourceFile
from pipeline.model.job import Job
from pipeline.report.progress import Reporter
from pipeline.report.summary import Summary
from pipeline.run.context import RunId, Site
from pipeline.run.intake import changed_problem
from pipeline.run.prepare import prepare
from pipeline.run.request import ResumeRequest
from pipeline.run.signals import interrupts
from pipeline.run.stages import Conductor
from pipeline.run.target import LiveTarget, check_fit, connected, meet
from pipeline.stage.manifest import Manifest
from pipeline.state.find import find, open_ledger
from pipeline.state.folder import RunFolder, private_files
from pipeline.state.ledger import UNFINISHED, Ledger, RunRow, RunState
from pipeline.state.lock import Patience, database_lock, job_lock
from pipeline.state.register import Register
from pipeline.state.storage import storage_faults


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
            return ended(row)
        environment = read_environment(os.environ)
        stack.enter_context(interrupts(stop))
        patience = Patience(request.wait_s, stop)
        stack.enter_context(job_lock(request.state_dir, row.job, patience))
        row = find(ledger, row.id)  # as it is now, after waiting
        if row.state not in UNFINISHED:
            return ended(row)
        refuse_overtaken(ledger, row)
        job = job_of(row, request)
        refuse_other_host(row, environment.api_url)
        client = stack.enter_context(connected(job, environment, stop))
        stack.enter_context(database_lock(environment.api_url, row.database_id, patience))
        target = meet(client, job)
        refuse_moved(row, target)
        files = tuple(file for file, _ in ledger.files(row.id))
        folder = RunFolder(request.state_dir, row.id)
        keep_log(folder.log_path, row.id)
        register = Register.open(environment.api_url, row.database_id, request.state_dir)
        stack.enter_context(register)
        site = Site(target, choice_of(row, job), ledger, register, reporter, stop)
        run_id = RunId(row.id, job, files, row.limit, frozenset(row.forced), folder, cut_for=row.way, resumed=True)
        conductor = Conductor(site, run_id)
        ledger.resumed(row.id)
        return finish(conductor, request)


def finish(conductor: Conductor, request: ResumeRequest) -> Summary:
    """Do what is left of a run: read the dumps again where not all was staged, guard, load, verify."""
    decisions = Decisions(
        failed=request.failed or "leave",
        unknown=request.unknown or "look",
        rows_again=request.failed == "profiles",
    )
    with conductor.stages():
        site = conductor.site
        manifest = Manifest.read(conductor.id.folder.staged) or restage(conductor, site.ledger, site.target)
        conductor.go_on_from(manifest)
        conductor.load(conductor.guard(manifest), decisions)
        conductor.verify(manifest.sample)
    return conductor.end()


def ended(row: RunRow) -> Mapping[str, Any]:
    """Give the summary of a run of which nothing is left; raises ApiRefusedError for one that was given up."""
    if row.state is RunState.CLOSED:
        what = "this run was closed, so nobody goes on with it: a later run of its job has gone, or was about to go, past it"
        raise ApiRefusedError(Problem(what, f"run {row.id}", "run the job again with the dump of today"))
    return row.summary or {}


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


def choice_of(row: RunRow, job: Job) -> Choice:
    """Give the way that the run went when it stopped: the chunks that it has sent decide what the next ones may do."""
    if row.fell_back is not None:
        return Choice("profiles", row.fell_back)
    return choose(job, tuple(row.structure))


def refuse_other_host(row: RunRow, api_url: str) -> None:
    """Refuse another host than the run went to, where its imports and ids mean nothing; a port may have changed."""
    then, now = urlsplit(f"//{row.api_host}").hostname, urlsplit(api_url).hostname
    if then != now:
        what = f"the run went to {then}, and the API is now {now}"
        raise ApiRefusedError(Problem(what, "COPERNICA_API_URL", "set it as it was, or run the job again"))


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
    """Say in what a live field is less than when the run began."""
    if now is None:
        return "is gone or has another name since the run began"
    if now.type != then.type:
        return f"was of type {then.type} when the run began and is {now.type} now"
    if now.length is not None and (then.length is None or now.length < then.length):
        return f"held {then.length or 'any number of'} characters when the run began and holds {now.length} now"
    if gone := set(then.choices) - set(now.choices):
        return f"has lost {len(gone)} of its choices since the run began"
    return None


def restage(conductor: Conductor, ledger: Ledger, target: LiveTarget) -> Manifest:
    """Read the same files again for a run that ended before all its rows were staged; raises InputError for other files."""
    known = ledger.files(conductor.id.run)
    problems = [problem for file, sha256 in known if (problem := changed(file, sha256)) is not None]
    if problems:
        raise InputError(*problems)
    conductor.id.folder.drop_staged()
    conductor.id.folder.place_staged(conductor.id.job.staged_dir)
    # A file of the same content may have been put back: it is read as it stands now.
    files = tuple(replace(file, mtime_ns=file.path.stat().st_mtime_ns) for file in conductor.id.files)
    plan = replace(prepare(conductor.id.job, None), files=files)
    check_fit(plan, target)
    return conductor.stage(plan)


def changed(file: SourceFile, sha256: str | None) -> Problem | None:
    """Say whether a dump cannot be what it was when the run began.

    Where it was read to its end its digest will tell, else only its size and time stamp can.
    """
    try:
        now = file.path.stat()
    except OSError as error:
        return Problem(f"cannot be read any more: {error.strerror}", file.name, "put it back, or run the job again")
    same = now.st_size == file.size_bytes and (sha256 is not None or now.st_mtime_ns == file.mtime_ns)
    return None if same else changed_problem(file)
