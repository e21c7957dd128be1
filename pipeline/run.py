"""Conduct a run: extract, link, validate, stage, chunk, load, verify, report (wiring).

`run` reads like the way of the data: each call is one stage, and nothing is sent before the whole input was seen.
"""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event
from urllib.parse import urlsplit

import polars as pl
import structlog

from pipeline.copernica import ApiError
from pipeline.ending import RunFacts, summarise, summarise_validation
from pipeline.environment import read_environment
from pipeline.errors import ApiRefusedError, InputError, InterruptedRunError, PipelineError, Problem
from pipeline.guards import check_input
from pipeline.intake import take_in
from pipeline.interrupt import interrupts
from pipeline.job import Job
from pipeline.load.choice import Choice, choose
from pipeline.load.chunks import Limits, cut
from pipeline.load.imports import Clock, Imports, ImportSettings
from pipeline.load.loop import Loading, load
from pipeline.load.sample import Sampler
from pipeline.load.verify import Reader
from pipeline.plan import Plan, prepare
from pipeline.records import Batch
from pipeline.report.accepted import AcceptedWriter
from pipeline.report.progress import Reporter
from pipeline.report.rejects import RejectsWriter
from pipeline.report.summary import Summary
from pipeline.request import RunRequest, ValidateRequest
from pipeline.stage.lanes import Lanes
from pipeline.stage.partitions import Partitions, partition_count
from pipeline.stage.settle import settle
from pipeline.state.folder import RunFolder, new_run_id
from pipeline.state.ledger import Ledger, RunEntry, RunState
from pipeline.state.lock import Lock
from pipeline.tally import Tally
from pipeline.target import LiveTarget, connected, meet
from pipeline.validate.fit import fit


def run(request: RunRequest, reporter: Reporter) -> Summary:
    """Do the whole job once; raises PipelineError for what stops it before the run has begun."""
    stop = Event()
    job = request.job
    environment = read_environment(os.environ)
    plan = prepare(job, request.files)
    with ExitStack() as stack:
        stack.enter_context(interrupts(stop))
        stack.enter_context(Lock(request.state_dir / "locks" / f"{job.job}.lock", f"job {job.job}"))
        ledger = stack.enter_context(closing(Ledger(request.state_dir)))
        target = meet(stack.enter_context(connected(job, environment, stop)), job)
        check_fit(plan, target)
        choice = choose(job, plan.link.columns)
        site = Site(target, choice, ledger, reporter, stop, str(urlsplit(environment.api_url).netloc))
        return Conductor(site, request, plan).conduct()


@dataclass(frozen=True)
class Site:
    """What surrounds a run: the live database, the way, the ledger, the terminal, the wish to stop."""

    target: LiveTarget
    choice: Choice
    ledger: Ledger
    reporter: Reporter
    stop: Event
    api_host: str


def check_fit(plan: Plan, target: LiveTarget) -> None:
    """Compare job and schema with the live structure; raises ApiRefusedError with all problems (data rules 11-16)."""
    found = fit(plan.job, plan.schema, plan.link.columns, target.live)
    if found.problems:
        raise ApiRefusedError(*found.problems)
    for warning in found.warnings:
        structlog.get_logger().warning("structure.fits_loosely", what=warning.what, where=warning.where)


class Conductor:
    """One run from its first record in the ledger to its summary."""

    def __init__(self, site: Site, request: RunRequest, plan: Plan) -> None:
        self._site, self._request, self._plan = site, request, plan
        self._started_s = time.monotonic()
        self._id = new_run_id(plan.job.job, datetime.now(UTC))
        self._folder = RunFolder(request.state_dir, self._id)
        self._tally = Tally()
        self._imports = 0

    def conduct(self) -> Summary:
        """Read, stage, guard, load, verify; the summary is on disk before it is returned."""
        self._begin()
        rejects = RejectsWriter(self._folder.path / "rejects")
        try:
            with rejects:
                partitions = self._take_in(rejects)
            lanes, sampler = self._settle(partitions)
            check_guards(self._plan.job, self._tally, self._request.forced)
            self._load(lanes)
            self._verify(sampler)
        except PipelineError as error:
            self._tally.refusal = error
        return self._end(rejects)

    def _begin(self) -> None:
        """Put the run into the ledger before anything is read."""
        job, target = self._plan.job, self._site.target
        self._folder.create()
        own_files = not self._request.files
        forced = tuple(self._request.forced)
        self._site.ledger.begin(RunEntry(self._id, job.job, str(job.path), self._request.limit, own_files, forced))
        self._site.ledger.aim(
            self._id,
            api_host=self._site.api_host,
            account=target.identity.id,
            database_id=target.database.id,
            way=self._site.choice.way,
        )

    def _take_in(self, rejects: RejectsWriter) -> Partitions:
        """Extract, link and validate all files; accepted rows go to partition files."""
        input_bytes = sum(file.size_bytes for file in self._plan.files)
        partitions = Partitions(self._folder.staged / "partitions", partition_count(input_bytes))

        def keep(_batch: Batch, accepted: pl.DataFrame) -> None:
            if self._site.stop.is_set():
                raise InterruptedRunError(Problem("interrupted while the input was read", do="nothing was sent"))
            partitions.add(accepted)

        self._tally.intake = take_in(
            self._plan,
            self._site.target.live,
            rejects,
            keep,
            limit=self._request.limit,
            reporter=self._site.reporter,
        )
        return partitions

    def _settle(self, partitions: Partitions) -> tuple[Lanes, Sampler]:
        """Settle partition after partition and lay the rows out in lanes."""
        job, rules, staged = self._plan.job, self._plan.rules, self._tally.staged
        lanes = Lanes(self._folder.staged / "lanes")
        seed = zlib.crc32(self._id.encode())
        sampler = Sampler(job.load.verify_sample, seed, rules.sets, rules.keys)
        with self._site.reporter.stage("stage", partitions.rows) as advance:
            for rows in partitions.frames():
                settled = settle(rows, rules)
                lanes.add(settled.rows)
                sampler.look(settled.rows)
                staged.add(settled)
                advance(rows.height)
        self._tally.check()
        self._site.ledger.staged(self._id, self._tally.intake.facts, staged.accepted)
        if staged.conflicts:
            places = [f"{self._plan.files[file].name} line {line}" for file, line in staged.conflict_places]
            structlog.get_logger().warning("profile.conflict", profiles=staged.conflicts, first=places)
        return lanes, sampler

    def _load(self, lanes: Lanes) -> None:
        """Cut the lanes into chunks and send them, the ledger always a step ahead of the wire."""
        job, rules, site = self._plan.job, self._plan.rules, self._site
        settings = ImportSettings(
            run=self._id,
            database_id=site.target.database.id,
            action=job.target.action,
            ignore_empty_fields=job.target.ignore_empty_fields,
            followups=job.target.followups,
            rebuild=job.target.rebuild,
            poll=job.load.poll,
            delete_target=job.target.delete_target,
        )
        way = Imports(site.target.client, settings, Clock(time.monotonic, site.stop.wait))
        chunks = cut(lanes, rules.sets, rules.keys, Limits(job.load.chunk_rows, job.load.chunk_bytes))
        with site.reporter.stage("import", self._tally.staged.accepted) as advance:
            loading = Loading(self._id, site.ledger, way, advance, site.stop.is_set)
            self._tally.load = load(chunks, loading)
        self._imports = way.accepted

    def _verify(self, sampler: Sampler) -> None:
        """Read a sample back once everything is confirmed (data rule 27)."""
        job, site = self._plan.job, self._site
        if not self._tally.all_confirmed:
            return
        reader = Reader(
            site.target.client,
            site.target.database,
            site.target.live,
            self._plan.rules.keys,
            job.target.action,
            job.target.ignore_empty_fields,
        )
        try:
            self._tally.verified = reader.verify(sampler.chosen())
        except ApiError as error:
            self._tally.problems.append(Problem(f"the sample could not be read back: {error.message}", "verify"))

    def _end(self, rejects: RejectsWriter) -> Summary:
        """Write the summary and the end of the run; staged data goes unless something is left to be sent."""
        job, client = self._plan.job, self._site.target.client
        facts = RunFacts(
            run=self._id,
            job=job,
            files=self._plan.files,
            rejects=rejects.path,
            codes=rejects.codes,
            seconds=time.monotonic() - self._started_s,
            way=self._site.choice.way,
            forced=tuple(sorted(self._request.forced)),
            api_calls=client.calls,
            bytes_sent=client.bytes_sent,
            imports=self._imports,
        )
        summary = summarise(facts, self._tally)
        summary.check_sums()
        self._folder.write_summary(summary.to_dict())
        self._site.ledger.end(self._id, RunState(summary.status), summary.records.to_dict())
        if summary.status in ("done", "refused"):
            self._folder.drop_staged()
        return summary


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


def check_guards(job: Job, tally: Tally, forced: frozenset[str]) -> None:
    """Compare what was read with the job's limits; raises InputError for guards that refuse and are not forced."""
    refusals = check_input(
        job.guards,
        read=tally.intake.read,
        bad=tally.intake.malformed + tally.intake.rejected,
        usable=tally.staged.accepted + tally.staged.collapsed,
    )
    standing = [refusal.problem for refusal in refusals if refusal.guard not in forced]
    if standing:
        raise InputError(*standing)
