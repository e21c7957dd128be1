"""Finish or close an open run from the command line (wiring)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import urlsplit

from pipeline.config.environment import read_environment
from pipeline.copernica import Client, Database, Identity
from pipeline.errors import ApiRefusedError, JobError, Problem
from pipeline.load.waiting import Waiting
from pipeline.log import keep_log
from pipeline.model.job import Job
from pipeline.report.history import summary_of
from pipeline.report.progress import Reporter
from pipeline.report.summary import Summary
from pipeline.run.announce import Warn, announced
from pipeline.run.context import Context, up_to_date
from pipeline.run.earlier import finish, run_id
from pipeline.run.request import CloseRequest, ResumeRequest
from pipeline.run.run import lock_wait_s, surrounded
from pipeline.run.signals import interrupts
from pipeline.run.stages import Stages
from pipeline.run.target import LiveTarget, connected, meet
from pipeline.stage.manifest import Manifest
from pipeline.state.advice import command
from pipeline.state.find import open_ledger
from pipeline.state.folder import RunFolder, private_files
from pipeline.state.ledger import Ledger
from pipeline.state.lock import Patience, database_lock, job_lock
from pipeline.state.register import Register
from pipeline.state.run_records import RunRow
from pipeline.state.storage import storage_faults


def resume(request: ResumeRequest, reporter: Reporter, warn: Warn = lambda _: None) -> Summary | Mapping[str, Any]:
    """Finish an open run; returns the summary that is in the ledger where none is open.

    Raises JobError where there is no such run, or where several are open and none is named. `warn` is called with what
    could not be notified.
    """
    stop = Event()
    with ExitStack() as stack:
        stack.enter_context(private_files())
        stack.enter_context(storage_faults(request.state_dir))
        ledger = stack.enter_context(closing(open_ledger(request.state_dir)))
        row = wanted(ledger, request.run)
        if not row.open:
            return row.summary or summary_of(ledger, row)
        stack.enter_context(interrupts(stop))
        stack.enter_context(job_lock(request.state_dir, row.job, Patience(request.wait_s or 0.0, stop)))
        row = ledger.run(row.id) or row  # as it is now, after waiting
        if not row.open:
            return row.summary or summary_of(ledger, row)
        keep_log(RunFolder(request.state_dir, row.id).log_path, row.id)

        def work() -> Summary:
            with met(row, ledger, reporter, stop, request.wait_s) as context, context.lock:
                return finish(up_to_date(context), row, max_settle_calls=request.max_settle_calls, closes=False)

        return announced(Job.model_validate_json(row.job_copy), request.state_dir, warn, work)


def close(request: CloseRequest, reporter: Reporter, warn: Warn = lambda _: None) -> Summary | Mapping[str, Any]:
    """End an open run by decision: what it did not confirm is written to its files. Nothing is sent or asked."""
    with ExitStack() as stack:
        stack.enter_context(private_files())
        stack.enter_context(storage_faults(request.state_dir))
        ledger = stack.enter_context(closing(open_ledger(request.state_dir)))
        row = wanted(ledger, request.run)
        stack.enter_context(job_lock(request.state_dir, row.job, Patience()))
        row = ledger.run(row.id) or row
        if not row.open:
            return row.summary or summary_of(ledger, row)
        context = stack.enter_context(offline(row, ledger, reporter))
        work = partial(_close, Stages(context, run_id(context, row)))
        return announced(Job.model_validate_json(row.job_copy), request.state_dir, warn, work)


def _close(stages: Stages) -> Summary:
    stages.context.ledger.resumed(stages.id.run)
    with stages.guarded():
        stages.take_up(Manifest.read(stages.id.folder.staged))
        stages.close()
    stages.tally.closed = True
    return stages.end()


@contextmanager
def offline(row: RunRow, ledger: Ledger, reporter: Reporter) -> Iterator[Context]:
    """Yield what surrounds a run that nothing is sent or asked for."""
    job, url = Job.model_validate_json(row.job_copy), f"https://{row.api_host}"
    database = Database(row.database_id, job.target.database, {}, {}, {})
    with Client("none", job.target.api) as client, Register.open(url, row.database_id, ledger.state_dir) as register:
        target = LiveTarget(client, Identity(row.account, ""), database, {})
        lock, waiting = database_lock(url, row.database_id, Patience()), Waiting(client, lambda _: False, 0.0)
        yield Context(target, lock, register, ledger, reporter, waiting, Event(), url)


def wanted(ledger: Ledger, name: str | None) -> RunRow:
    """Find the run that is meant: by its id, the only open one of a job, or the only open one; else the last one."""
    if name is not None and (row := ledger.run(name)) is not None:
        return row
    if name is not None and ledger.last(name) is None:
        do = f"list them: {command('runs', state_dir=ledger.state_dir)}"
        raise JobError(Problem(f"there is no run or job {name}", do=do))
    rows = ledger.open_runs(name)
    if len(rows) > 1:
        raise JobError(*(several(row, ledger.state_dir) for row in rows))
    if rows:
        return rows[0]
    last = ledger.last(name)
    if last is None:
        raise JobError(Problem("there is no run here", str(ledger.state_dir), "run a job first"))
    return last


def several(row: RunRow, state_dir: Path) -> Problem:
    """Return one of several open runs, with the command that finishes it."""
    what = f"it is open, begun {row.started_at[:19].replace('T', ' ')} UTC; several are, and none is named"
    return Problem(what, f"run {row.id}", command("resume", row.id, state_dir=state_dir))


@contextmanager
def met(row: RunRow, ledger: Ledger, reporter: Reporter, stop: Event, wait_s: float | None) -> Iterator[Context]:
    """Yield what surrounds an open run, at the database that it went to."""
    environment, job = read_environment(os.environ), Job.model_validate_json(row.job_copy)
    refuse_other_host(row, environment.api_url)
    with connected(job, environment, stop) as client:
        target = meet(client, job, patient=not reporter.on_terminal)
        with surrounded(
            job, environment, target, ledger, reporter, stop, lock_wait_s(wait_s, job, reporter)
        ) as context:
            yield context


def refuse_other_host(row: RunRow, api_url: str) -> None:
    """Refuse another host than the run went to, where its imports and ids mean nothing; a port may have changed."""
    then, now = urlsplit(f"//{row.api_host}").hostname, urlsplit(api_url).hostname
    if then != now:
        what = f"the run went to {then}, and the API is now {now}"
        raise ApiRefusedError(Problem(what, "COPERNICA_API_URL", "set it as it was, or close the run"))
