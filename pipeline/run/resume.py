"""Finish or close an open run from the command line (wiring)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.copernica import Client, Database, Identity
from pipeline.errors import JobError, Problem
from pipeline.load.waiting import Waiting
from pipeline.log import keep_log
from pipeline.model.job import Job
from pipeline.report.history import summary_of
from pipeline.report.progress import Reporter
from pipeline.report.summary import Summary
from pipeline.run.announce import Warn, announced
from pipeline.run.closing import close as close_run
from pipeline.run.closing import end
from pipeline.run.context import Context, up_to_date
from pipeline.run.earlier import finish, run_id
from pipeline.run.opening import Call, opened
from pipeline.run.request import CloseRequest, ResumeRequest
from pipeline.run.stages import Stages
from pipeline.run.target import LiveTarget
from pipeline.stage.manifest import Manifest
from pipeline.state.advice import command
from pipeline.state.find import find_newest
from pipeline.state.folder import RunFolder
from pipeline.state.ledger import Ledger
from pipeline.state.lock import Patience, database_lock
from pipeline.state.register import Register
from pipeline.state.run_records import RunRow


def resume(request: ResumeRequest, reporter: Reporter, warn: Warn = lambda _: None) -> Summary | Mapping[str, Any]:
    """Finish an open run; returns the summary that is in the ledger where none is open.

    Raises JobError where there is no such run, or where several are open and none is named. `warn` is called with what
    could not be notified.
    """
    with opened(request.state_dir, reporter, request.wait_s) as call:
        row = wanted(call.ledger, request.run)
        if not row.open:
            return row.summary or summary_of(call.ledger, row)
        with call.holding(row) as row:
            if not row.open:
                return row.summary or summary_of(call.ledger, row)
            keep_log(RunFolder(request.state_dir, row.id).log_path, row.id)

            def work() -> Summary:
                with call.meeting(row) as context, context.lock:
                    return finish(up_to_date(context), row, max_settle_calls=request.max_settle_calls, closes=False)

            return announced(Job.model_validate_json(row.job_copy), request.state_dir, warn, work)


def close(request: CloseRequest, reporter: Reporter, warn: Warn = lambda _: None) -> Summary | Mapping[str, Any]:
    """End an open run by decision: what it did not confirm is written to its files. Nothing is sent or asked."""
    with opened(request.state_dir, reporter) as call:
        row = wanted(call.ledger, request.run)
        with call.lock(row.job):
            row = find_newest(call.ledger, row.id)
            if not row.open:
                return row.summary or summary_of(call.ledger, row)
            with offline(row, call) as context:
                work = partial(_close, Stages(context, run_id(context, row)))
                return announced(Job.model_validate_json(row.job_copy), request.state_dir, warn, work)


def _close(stages: Stages) -> Summary:
    stages.context.ledger.resumed(stages.id.run)
    with stages.guarded():
        stages.take_up(Manifest.read(stages.id.folder.staged))
        close_run(stages)
    stages.tally.closed = True
    return end(stages)


@contextmanager
def offline(row: RunRow, call: Call) -> Iterator[Context]:
    """Yield what surrounds a run that nothing is sent or asked for."""
    job, ledger = Job.model_validate_json(row.job_copy), call.ledger
    database = Database(row.database_id, job.target.database, {}, {}, {})
    url = f"https://{row.api_host}"
    with Client("none", job.target.api, url) as client, Register.open(url, database.id, ledger.state_dir) as register:
        target = LiveTarget(client, Identity(row.account, ""), database, {})
        lock, waiting = database_lock(url, database.id, Patience()), Waiting(client, lambda _: False, 0.0)
        yield Context(target, lock, register, ledger, call.reporter, waiting, call.stop)


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
    what = f"open since {row.started_at[:19].replace('T', ' ')} UTC; several runs are open, so name one"
    return Problem(what, f"run {row.id}", command("resume", row.id, state_dir=state_dir))
