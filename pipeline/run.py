"""Conduct a run: extract, link, validate, stage, chunk, load, verify, report (wiring).

`run` reads like the way of the data: each call is one stage, and nothing is sent before the whole input was seen.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from threading import Event
from urllib.parse import urlsplit

import polars as pl
import structlog

from pipeline.conductor import Conductor, check_guards
from pipeline.ending import RunFacts, summarise_validation
from pipeline.environment import read_environment
from pipeline.errors import ApiRefusedError, InputError
from pipeline.guards import only_new
from pipeline.intake import take_in
from pipeline.interrupt import interrupts
from pipeline.load.choice import choose
from pipeline.load.loop import Decisions
from pipeline.plan import Plan, prepare
from pipeline.records import Batch
from pipeline.report.accepted import AcceptedWriter
from pipeline.report.progress import Reporter
from pipeline.report.rejects import RejectsWriter
from pipeline.report.summary import Summary
from pipeline.request import RunRequest, ValidateRequest
from pipeline.site import RunId, Site
from pipeline.state.folder import RunFolder, drop_expired, private_files
from pipeline.state.ledger import Ledger, RunEntry
from pipeline.state.lock import Patience, database_lock, job_lock
from pipeline.state.storage import storage_faults
from pipeline.tally import Tally
from pipeline.target import LiveTarget, connected, meet
from pipeline.validate.fit import fit


def run(request: RunRequest, reporter: Reporter) -> Summary:
    """Do the whole job once; raises PipelineError for what stops it before the run has begun."""
    stop = Event()
    job = request.job
    environment = read_environment(os.environ)
    with ExitStack() as stack:
        stack.enter_context(private_files())
        stack.enter_context(interrupts(stop))
        stack.enter_context(storage_faults(request.state_dir))
        patience = Patience(request.wait_s, stop)
        stack.enter_context(job_lock(request.state_dir, job.job, patience))
        found = prepare(job, request.files)
        ledger = stack.enter_context(closing(Ledger(request.state_dir)))
        plan = only_new(found, ledger)
        client = stack.enter_context(connected(job, environment, stop))
        target = meet(
            client, job, lambda number: stack.enter_context(database_lock(environment.api_url, number, patience))
        )
        check_fit(plan, target)
        site = Site(target, choose(job, plan.link.columns), ledger, reporter, stop)
        conductor = Conductor(site, begin(request, plan, site, str(urlsplit(environment.api_url).netloc)))
        conductor.tally.skipped_files = len(found.files) - len(plan.files)
        with conductor.stages():
            if plan.files:
                manifest = conductor.stage(plan)
                loader = conductor.guard(manifest)
                conductor.load(loader, Decisions())
                conductor.verify(manifest.sample)
        return conductor.end()


def check_fit(plan: Plan, target: LiveTarget) -> None:
    """Compare job and schema with the live structure; raises ApiRefusedError with all problems (data rules 11-16)."""
    found = fit(plan.job, plan.schema, plan.link.columns, target.live)
    if found.problems:
        raise ApiRefusedError(*found.problems)
    for warning in found.warnings:
        structlog.get_logger().warning("structure.fits_loosely", what=warning.what, where=warning.where)


def begin(request: RunRequest, plan: Plan, site: Site, api_host: str) -> RunId:
    """Put the run, its job and its files into the ledger before anything is read."""
    job, target = plan.job, site.target
    drop_expired(request.state_dir, datetime.now(UTC))
    folder = RunFolder.new(request.state_dir, job.job, datetime.now(UTC))
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
    return RunId(folder.run, job, plan.files, request.limit, request.forced, folder, cut_for=entry.way)


def validate(request: ValidateRequest, reporter: Reporter) -> Summary:
    """Extract and validate only, without network (data rule 2).

    The rejects file is written whatever the guards say, so that it can be mended; accepted rows only where they hold.
    """
    started_s = time.monotonic()
    plan = prepare(request.job, request.files)
    tally = Tally()
    rejects = RejectsWriter(request.rejects)
    try:
        with accepted_writer(request, plan) as keep:
            with rejects:
                tally.intake = take_in(plan, None, rejects, keep, limit=None, reporter=reporter)
            tally.staged.accepted = tally.intake.valid
            check_guards(plan.job, tally, frozenset())
    except InputError as error:
        tally.refusal = error
    facts = RunFacts(None, plan.job, plan.files, rejects.path, rejects.codes, seconds=time.monotonic() - started_s)
    return summarise_validation(facts, tally)


@contextmanager
def accepted_writer(request: ValidateRequest, plan: Plan) -> Iterator[Callable[[Batch, pl.DataFrame], None]]:
    """Give what takes the accepted rows: a file that appears when the block ends well, or nothing."""
    if request.accepted is None:
        yield lambda _batch, _rows: None
        return
    with AcceptedWriter(request.accepted, plan.link.columns, origin=request.origin) as writer:
        yield writer.write
