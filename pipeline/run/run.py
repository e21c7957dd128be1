"""Conduct a run: extract, link, validate, stage, chunk, load, verify, report (wiring).

`run` reads like the way of the data: each call is one stage, and nothing is sent before the whole input was seen.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime
from threading import Event
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pipeline.config.environment import read_environment
from pipeline.copernica import Client
from pipeline.errors import Exit, InputError, LockedError, PipelineError
from pipeline.guards import only_new
from pipeline.load.choice import Choice, choose
from pipeline.log import keep_log
from pipeline.model.counts import Rebuild
from pipeline.model.job import Job
from pipeline.report.html.page import write_report
from pipeline.report.part_file import spare
from pipeline.report.progress import Reporter
from pipeline.report.summary import Summary
from pipeline.run.closing import end
from pipeline.run.context import RunId, up_to_date
from pipeline.run.earlier import deal_with_earlier, refuse_moved
from pipeline.run.opening import Call
from pipeline.run.prepare import PreparedJob, prepare
from pipeline.run.request import PlanRequest, RunRequest
from pipeline.run.signals import interrupts
from pipeline.run.stages import Stages
from pipeline.run.summarise import refused
from pipeline.run.target import LiveTarget, check_fit, connected, meet
from pipeline.run.zeros import lost_zeros
from pipeline.state.folder import RunFolder, private_files
from pipeline.state.ledger import Ledger
from pipeline.state.lock import Patience, job_lock
from pipeline.state.retention import prune
from pipeline.state.run_records import Destination, RunEntry, RunState
from pipeline.state.storage import storage_faults

if TYPE_CHECKING:
    from pipeline.run.plan.plan import Planned


def run(request: RunRequest, reporter: Reporter, environ: Mapping[str, str] = os.environ) -> Summary:
    """Do the whole job once; raises PipelineError for what stops it before there is a run to record."""
    return run_with_plan(request, reporter, environ)[0]


def run_with_plan(
    request: RunRequest, reporter: Reporter, environ: Mapping[str, str] = os.environ
) -> tuple[Summary, Planned | None]:
    """Do the same, or end before the first send where the request wants a plan; returns it, too."""
    with ExitStack() as stack:
        stack.enter_context(private_files())
        stop = Event()
        stack.enter_context(interrupts(stop))
        stack.enter_context(storage_faults(request.state_dir))
        lock = job_lock(request.state_dir, request.job.job, Patience(request.wait_s or 0.0, stop))
        try:
            stack.enter_context(lock)
        except LockedError as error:
            with closing(Ledger(request.state_dir)) as ledger:
                folder = enter(request, ledger)
                return end_refused(ledger, folder, refused(folder.run, request.job, error, 0.0)), None
        ledger = stack.enter_context(closing(Ledger(request.state_dir)))
        ledger.end_killed(request.job.job)
        folder = begin(request, ledger)
        started_s, client = time.monotonic(), None
        try:
            client = stack.enter_context(connected(request.job, read_environment(environ), stop))
            call = Call(ledger, reporter, stop, request.wait_s)
            plan, stages = prepared(request, call, client, folder, stack)
        except PipelineError as error:
            if error.exit_code is Exit.BUG:
                raise
            summary = refused(folder.run, request.job, error, time.monotonic() - started_s)
            summary = replace(summary, api_calls=0 if client is None else client.calls)
            return end_refused(ledger, folder, summary), None
        return conducted(stages, plan, request.plan), stages.tally.plan


def end_refused(ledger: Ledger, folder: RunFolder, summary: Summary) -> Summary:
    """End a run that was refused before it read anything; every attempt is in the history (data rule 35)."""
    summary = replace(summary, report=write_report(folder, ledger, summary))
    folder.write_summary(summary.to_dict())
    ledger.end(folder.run, RunState(summary.status), summary.to_dict())
    return summary


def begin(request: RunRequest, ledger: Ledger) -> RunFolder:
    """Put the run and its job into the ledger before anything is read, so that every attempt is in the history."""
    prune(ledger, request.job.job, request.job.state, datetime.now(UTC))
    return enter(request, ledger)


def enter(request: RunRequest, ledger: Ledger) -> RunFolder:
    """Make the folder of a run, and record the run with its job."""
    job = request.job
    folder = RunFolder.new(request.state_dir, job.job, datetime.now(UTC))
    keep_log(folder.log_path, folder.run)
    folder.place_staged(job.staged_dir)
    copy = json.dumps(
        {**job.model_dump(mode="json", by_alias=True), "path": str(job.path.absolute()), "settings": job.settings}
    )
    forced = tuple(request.forced)
    ledger.begin(RunEntry(folder.run, job.job, str(job.path), copy, request.limit, not request.files, forced))
    return folder


def prepared(
    request: RunRequest, call: Call, client: Client, folder: RunFolder, stack: ExitStack
) -> tuple[PreparedJob, Stages]:
    """Find the files, meet the database and return the run's stages; what is opened is closed with `stack`."""
    job, ledger = request.job, call.ledger
    found = prepare(job, request.files, folder.staged)
    if problems := tuple(lost_zeros(found.files, ledger, job.job, request.replay_of)):
        raise InputError(*problems)
    if request.plan is not None and request.plan.out is not None:
        spare(request.plan.out, found.files)
    plan = replace(found, files=only_new(job, found.files, ledger))
    ledger.found(folder.run, plan.files)
    target = meet(client, job, patient=not call.reporter.on_terminal)
    check_fit(plan, target)
    choice = bound(ledger, folder.run, job, plan.link.columns, target)
    run_id = RunId(
        folder.run,
        job,
        plan.files,
        request.limit,
        request.forced,
        folder,
        choice,
        choice.method,
        not request.files,
        replay_of=request.replay_of,
        only_plan=request.plan is not None,
        full=request.full,
    )
    stages = Stages(stack.enter_context(call.surrounding(job, target)), run_id)
    kept = {file.path for file in plan.files}
    stages.tally.skipped_files = tuple(file for file in found.files if file.path not in kept)
    return plan, stages


def bound(ledger: Ledger, run: str, job: Job, columns: Sequence[str], target: LiveTarget) -> Choice:
    """Choose the method of a run, and record where its rows go and how."""
    choice = choose(job, columns)
    structure = {name: target.live[name] for name in columns}
    host = str(urlsplit(target.client.api_url).netloc)
    ledger.met(run, Destination(host, target.identity.id, target.database.id, structure, choice.method))
    return choice


def conducted(stages: Stages, plan: PreparedJob, wanted: PlanRequest | None) -> Summary:
    """Take a run through its stages; what was staged is not lost, whatever happens then. A plan ends before the first send."""
    context = stages.context
    stages.notes.begin()
    with stages.guarded():
        if plan.files:
            stages.stage(plan)
        if wanted is not None:
            with context.lock:
                stages.plan(plan, wanted.out)
            return end(stages)
        stages.guard_input()
        with context.lock:
            stages.context = context = up_to_date(context)
            if (row := context.ledger.run(stages.id.run)) is not None:
                refuse_moved(row, context.target)
            older = deal_with_earlier(context, stages)
            stages.notes.starts()
            stages.compare()
            if stages.manifest is not None:
                stages.load(stages.guard(stages.manifest), older=older)
                stages.verify()
            else:
                stages.tally.rebuild = Rebuild.NOT_NEEDED
    return end(stages)
