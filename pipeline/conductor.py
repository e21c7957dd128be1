"""Take one run through its stages: take in, settle, guard, load, verify, end (wiring).

A new run begins at the dumps, a resumed one where the ledger and the run's folder say that it stopped.
"""

from __future__ import annotations

import shlex
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import polars as pl
import structlog

from pipeline.copernica import ApiError
from pipeline.ending import RunFacts, summarise
from pipeline.errors import InputError, InterruptedRunError, Problem
from pipeline.guards import check_input
from pipeline.intake import take_in
from pipeline.job import Job
from pipeline.load.choice import Choice
from pipeline.load.chunks import Chunk, Limits, cut
from pipeline.load.imports import Clock, Imports, ImportSettings
from pipeline.load.loop import Decisions, Loading, load
from pipeline.load.readback import Lookups, Terms
from pipeline.load.sample import Expectation, Sampler
from pipeline.load.unknown import Settler
from pipeline.load.verify import verify
from pipeline.plan import Plan
from pipeline.records import Batch, Keys, Sets, SourceFile
from pipeline.report.progress import Reporter
from pipeline.report.rejects import RejectsWriter
from pipeline.report.summary import Summary
from pipeline.stage.lanes import Lanes
from pipeline.stage.manifest import Manifest
from pipeline.stage.partitions import Partitions, partition_count
from pipeline.stage.settle import settle
from pipeline.state.folder import RunFolder
from pipeline.state.ledger import Ledger, RunState
from pipeline.tally import Rebuild, Tally
from pipeline.target import LiveTarget


@dataclass(frozen=True)
class Site:
    """What surrounds a run: the live database, the way, the ledger, the terminal, the wish to stop."""

    target: LiveTarget
    choice: Choice
    ledger: Ledger
    reporter: Reporter
    stop: Event


@dataclass(frozen=True)
class RunId:
    """Which run it is: its id, job and files, and how it was called."""

    run: str
    job: Job
    files: tuple[SourceFile, ...]
    limit: int | None
    forced: frozenset[str]
    folder: RunFolder


@dataclass
class Conductor:
    """One run; the methods are its stages, in order."""

    site: Site
    id: RunId
    tally: Tally = field(default_factory=Tally)
    rejects: Path | None = None
    imports: int = 0
    started_s: float = field(default_factory=time.monotonic)

    @property
    def resume_command(self) -> str:
        """Give the command that goes on with this run."""
        state_dir = self.id.folder.path.parent.parent
        return f"copernica-import resume {self.id.run} --state-dir {shlex.quote(str(state_dir))}"

    def stage(self, plan: Plan) -> Manifest:
        """Read the dumps, set rejects aside, settle and lay out accepted rows; nothing was sent when this ends."""
        writer = RejectsWriter(self.id.folder.path / "rejects")
        with writer:
            partitions = self._take_in(plan, writer)
        self.rejects = writer.path
        lanes = Lanes(self.id.folder.staged / "lanes")
        rules = plan.rules
        sampler = Sampler(self.id.job.load.verify_sample, zlib.crc32(self.id.run.encode()), rules.sets, rules.keys)
        with self.site.reporter.stage("stage", partitions.rows) as advance:
            for rows in partitions.frames():
                settled = settle(rows, rules)
                lanes.add(settled.rows)
                sampler.look(settled.rows)
                self.tally.staged.add(settled)
                advance(rows.height)
        self.tally.check()
        self._warn_of_conflicts()
        rejects = None if writer.path is None else str(writer.path)
        manifest = Manifest(rules.sets, self.tally.intake, self.tally.staged, sampler.chosen(), rejects)
        manifest.write(self.id.folder.staged)
        staged = self.tally.staged
        self.site.ledger.staged(self.id.run, staged.accepted, staged.accepted + staged.collapsed)
        return manifest

    def _take_in(self, plan: Plan, writer: RejectsWriter) -> Partitions:
        """Extract, link and validate all files; accepted rows go to partition files."""
        input_bytes = sum(file.size_bytes for file in plan.files)
        partitions = Partitions(self.id.folder.staged / "partitions", partition_count(input_bytes))

        def keep(_batch: Batch, accepted: pl.DataFrame) -> None:
            if self.site.stop.is_set():
                raise InterruptedRunError(Problem("interrupted while the input was read", do="nothing was sent"))
            partitions.add(accepted)

        self.tally.intake = take_in(
            plan, self.site.target.live, writer, keep, limit=self.id.limit, reporter=self.site.reporter
        )
        self.site.ledger.read(self.id.run, self.tally.intake.facts)
        return partitions

    def _warn_of_conflicts(self) -> None:
        staged = self.tally.staged
        if staged.conflicts:
            places = [f"{self.id.files[file].name} line {line}" for file, line in staged.conflict_places]
            structlog.get_logger().warning("profile.conflict", profiles=staged.conflicts, first=places)

    def go_on_from(self, manifest: Manifest) -> None:
        """Take the account over from an earlier process that had staged everything."""
        self.tally.intake, self.tally.staged = manifest.intake, manifest.staged
        self.rejects = None if manifest.rejects is None else Path(manifest.rejects)

    def guard(self) -> None:
        """Compare what was read with the job's limits; raises InputError unless the guards that refuse are forced."""
        check_guards(self.id.job, self.tally, self.id.forced)

    def load(self, manifest: Manifest, decisions: Decisions) -> None:
        """Cut the lanes into chunks and send them, the ledger always a step ahead of the wire."""
        job, sets, keys = self.id.job, manifest.sets, Keys.of(self.id.job.target.key_fields)
        lanes = Lanes(self.id.folder.staged / "lanes")
        limits = Limits(job.load.chunk_rows, job.load.chunk_bytes)

        def chunks() -> Iterator[Chunk]:
            return cut(lanes, sets, keys, limits)

        imports = Imports(self.site.target.client, self._import_settings(), Clock(time.monotonic, self.site.stop.wait))
        with self.site.reporter.stage("load", self.tally.staged.accepted) as advance:
            loading = Loading(
                run=self.id.run,
                ledger=self.site.ledger,
                way=imports,
                imports=imports,
                settler=self._settler(sets),
                advance=advance,
                interrupted=self.site.stop.is_set,
                decisions=decisions,
            )
            self.tally.load = load(chunks(), loading)
            if self.tally.load.chunks.get("unknown") and not (self.tally.load.stopped or self.site.stop.is_set()):
                self.tally.load = load(chunks(), loading)
        self.imports = imports.accepted
        self.tally.rebuild = self._rebuild()

    def _rebuild(self) -> Rebuild:
        """Say what became of the rebuild that the last import carries (data rule 24).

        Where that import did not end confirmed, resuming a run with nothing else left gives it up.
        """
        report = self.tally.load
        if not self.id.job.target.rebuild or not self.tally.staged.accepted:
            return Rebuild.NOT_ASKED
        if report.rebuilt:
            return Rebuild.DONE
        return Rebuild.NOT_DONE if report.worked or not report.settled else Rebuild.GIVEN_UP

    def _import_settings(self) -> ImportSettings:
        target = self.id.job.target
        return ImportSettings(
            run=self.id.run,
            database_id=self.site.target.database.id,
            action=target.action,
            ignore_empty_fields=target.ignore_empty_fields,
            followups=target.followups,
            rebuild=target.rebuild,
            poll=self.id.job.load.poll,
            delete_target=target.delete_target,
        )

    def _terms(self) -> Terms:
        target = self.id.job.target
        return Terms(
            self.site.target.database,
            self.site.target.live,
            Keys.of(target.key_fields),
            target.action,
            target.delete_target,
            target.ignore_empty_fields,
        )

    def _settler(self, sets: Sets) -> Settler:
        load, client = self.id.job.load, self.site.target.client
        return Settler(client, self._terms(), sets, load.max_settle_calls, load.settle_after_s, client.server_now)

    def verify(self, sample: tuple[Expectation, ...]) -> None:
        """Read a sample back once everything is confirmed (data rule 27)."""
        if not self.tally.all_confirmed or self.site.stop.is_set():
            return
        terms = self._terms()
        try:
            self.tally.verified = verify(sample, Lookups(self.site.target.client, terms), terms)
        except ApiError as error:
            self.tally.problems.append(Problem(f"the sample could not be read back: {error.message}", "verify"))

    def end(self) -> Summary:
        """Write the summary and the end of the run; staged data goes unless something is left to be gone on with."""
        client = self.site.target.client
        facts = RunFacts(
            run=self.id.run,
            job=self.id.job,
            files=self.id.files,
            rejects=self.rejects,
            codes=self.tally.intake.codes,
            seconds=time.monotonic() - self.started_s,
            way=self.site.choice.way,
            forced=tuple(sorted(self.id.forced)),
            api_calls=client.calls,
            bytes_sent=client.bytes_sent,
            imports=self.imports,
            resume=self.resume_command,
        )
        summary = summarise(facts, self.tally)
        summary.check_sums()
        self.id.folder.write_summary(summary.to_dict())
        self.site.ledger.end(self.id.run, RunState(summary.status), summary.to_dict())
        if summary.status in ("done", "refused"):
            self.id.folder.drop_staged()
        return summary


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
