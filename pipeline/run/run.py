"""Conduct a run: extract, link, validate, stage, chunk, load, verify, report (wiring).

`run` reads like the way of the data: each call is one stage, and nothing is sent before the whole input was seen.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime
from threading import Event
from urllib.parse import urlsplit

from pipeline.config.environment import read_environment
from pipeline.guards import only_new
from pipeline.load.choice import choose
from pipeline.load.loop import Decisions
from pipeline.log import keep_log
from pipeline.report.progress import Reporter
from pipeline.report.summary import Summary
from pipeline.run.context import RunId, Site
from pipeline.run.plan.plan import Planned
from pipeline.run.prepare import PreparedJob, prepare
from pipeline.run.request import RunRequest
from pipeline.run.signals import interrupts
from pipeline.run.stages import Conductor
from pipeline.run.target import check_fit, connected, meet
from pipeline.state.folder import RunFolder, private_files
from pipeline.state.ledger import Ledger, RunEntry
from pipeline.state.lock import Patience, database_lock, job_lock
from pipeline.state.register import Register
from pipeline.state.retention import prune
from pipeline.state.storage import storage_faults


def run(request: RunRequest, reporter: Reporter, environ: Mapping[str, str] = os.environ) -> Summary:
    """Do the whole job once; raises PipelineError for what stops it before the run has begun."""
    return run_with_plan(request, reporter, environ)[0]


def run_with_plan(
    request: RunRequest, reporter: Reporter, environ: Mapping[str, str] = os.environ
) -> tuple[Summary, Planned | None]:
    """Do the same, or end before the first send where the request wants a plan; returns it, too."""
    stop = Event()
    job = request.job
    environment = read_environment(environ)
    with ExitStack() as stack:
        stack.enter_context(private_files())
        stack.enter_context(interrupts(stop))
        stack.enter_context(storage_faults(request.state_dir))
        patience = Patience(request.wait_s, stop)
        stack.enter_context(job_lock(request.state_dir, job.job, patience))
        found = prepare(job, request.files)
        ledger = stack.enter_context(closing(Ledger(request.state_dir)))
        plan = replace(found, files=only_new(job, found.files, ledger))
        client = stack.enter_context(connected(job, environment, stop))
        target = meet(
            client, job, lambda number: stack.enter_context(database_lock(environment.api_url, number, patience))
        )
        check_fit(plan, target)
        register = Register.open(environment.api_url, target.database.id, request.state_dir)
        stack.enter_context(register)
        site = Site(target, choose(job, plan.link.columns), ledger, register, reporter, stop)
        conductor = Conductor(site, begin(request, plan, site, str(urlsplit(environment.api_url).netloc)))
        kept = {file.path for file in plan.files}
        conductor.tally.skipped_files = tuple(file for file in found.files if file.path not in kept)
        with conductor.stages():
            if plan.files:
                manifest = conductor.stage(plan)
                loader = conductor.guard(manifest)
                if request.plan is None:
                    conductor.load(loader, Decisions())
                    conductor.verify(manifest.sample)
                else:
                    conductor.plan(plan, manifest, request.plan.out)
            else:
                conductor.guard_input()
        return conductor.end(), conductor.tally.plan


def begin(request: RunRequest, plan: PreparedJob, site: Site, api_host: str) -> RunId:
    """Put the run, its job and its files into the ledger before anything is read."""
    job, target = plan.job, site.target
    prune(site.ledger, job.job, job.state, datetime.now(UTC))
    folder = RunFolder.new(request.state_dir, job.job, datetime.now(UTC))
    keep_log(folder.log_path, folder.run)
    folder.place_staged(job.staged_dir)
    copy = json.dumps({**job.model_dump(mode="json", by_alias=True), "path": str(job.path.absolute())})
    entry = RunEntry(
        run=folder.run,
        job=job.job,
        job_file=str(job.path),
        job_copy=copy,
        limit=request.limit,
        own_files=not request.files,
        forced=tuple(request.forced),
        api_host=api_host,
        account=target.identity.id,
        database_id=target.database.id,
        structure={name: target.live[name] for name in plan.link.columns},
        way=site.choice.way,
    )
    site.ledger.begin(entry, plan.files)
    return RunId(
        folder.run,
        job,
        plan.files,
        request.limit,
        request.forced,
        folder,
        cut_for=entry.way,
        replay_of=request.replay_of,
    )
