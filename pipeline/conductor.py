"""Take one run through its stages: take in, settle, guard, load, verify, end (wiring).

A new run begins at the dumps, a resumed one where the ledger and the run's folder say that it stopped.
"""

from __future__ import annotations

import shlex
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
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
from pipeline.load.choice import Choice, refuses_imports
from pipeline.load.chunks import Chunk, Limits, cut
from pipeline.load.imports import Clock, Imports, ImportSettings
from pipeline.load.loop import Decisions, Loading, LoadReport, load
from pipeline.load.profiles import Profiles, ProfileSettings
from pipeline.load.readback import Lookups, Terms
from pipeline.load.sample import Expectation, Sampler
from pipeline.load.unknown import Settler
from pipeline.load.verify import verify
from pipeline.plan import Plan
from pipeline.records import Batch, Keys, Sets, SourceFile
from pipeline.report.failed import FailedWriter
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


# A chunk of the per-profile way takes three or more calls a row, so it is smaller than an import: progress shows by chunks.
PROFILE_CHUNK_ROWS = 1000


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
                if self.site.choice.way == "profiles":
                    lanes.add_whole(settled.rows, rules.sets.all)
                else:
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
            places = [f"{self.id.files[file].name} line {line}" for file, line in sorted(staged.conflict_places)]
            what = "rows of one profile disagree in its columns; the last one wins"
            structlog.get_logger().warning("profile.conflict", what=what, profiles=staged.conflicts, first=places)

    def go_on_from(self, manifest: Manifest) -> None:
        """Take the account over from an earlier process that had staged everything."""
        self.tally.intake, self.tally.staged = manifest.intake, manifest.staged
        self.rejects = None if manifest.rejects is None else Path(manifest.rejects)

    def guard(self) -> None:
        """Compare what was read with the job's limits; raises InputError unless the guards that refuse are forced."""
        check_guards(self.id.job, self.tally, self.id.forced)

    def load(self, manifest: Manifest, decisions: Decisions) -> None:
        """Cut the lanes into chunks and send them, the ledger always a step ahead of the wire."""
        load_words, sets, client = self.id.job.load, manifest.sets, self.site.target.client
        lanes = Lanes(self.id.folder.staged / "lanes")
        limits = Limits(load_words.chunk_rows, load_words.chunk_bytes)
        if self.site.choice.way == "profiles":
            limits = Limits(min(limits.rows, PROFILE_CHUNK_ROWS), limits.bytes)
        failed = FailedWriter(self.id.folder.path / "failed.csv", sets.columns, [file.name for file in self.id.files])
        profiles = Profiles(
            client, self.site.target.database, self._profile_settings(sets), failed.write, self.site.stop
        )
        imports = Imports(client, self._import_settings(), Clock(time.monotonic, self.site.stop.wait))
        with closing(failed), self.site.reporter.stage("load", self.tally.staged.accepted) as advance:
            loading = Loading(
                run=self.id.run,
                ledger=self.site.ledger,
                way=profiles if self.site.choice.way == "profiles" else imports,
                imports=imports,
                settler=self._settler(sets),
                advance=advance,
                interrupted=self.site.stop.is_set,
                profiles=None if self.id.job.target.action == "add" else profiles,
                decisions=self._decisions(decisions),
            )
            self.tally.load = self._load(lambda: cut(lanes, sets, self._keys, limits), loading, profiles)
        self.imports = imports.accepted
        self.tally.rebuild = self._rebuild()

    def _load(self, chunks: Callable[[], Iterator[Chunk]], loading: Loading, profiles: Profiles) -> LoadReport:
        """Load, fall back when imports are refused as a whole, and look once at what is unknown at the end."""
        if loading.way is profiles:
            self._warn_of_profiles(self.site.choice.reason)
            profiles.prepare()
        report = load(chunks(), loading)
        if report.refused and self.site.choice.falls_back and refuses_imports(report.stopped):
            self._warn_of_profiles(report.stopped)
            self.site = replace(self.site, choice=Choice("profiles", report.stopped))
            profiles.prepare()
            report = load(chunks(), replace(loading, way=profiles))
        if report.chunks.get("unknown") and not (report.stopped or self.site.stop.is_set()):
            report = load(chunks(), loading)
        return report

    def _warn_of_profiles(self, reason: str) -> None:
        harm = "automations set on changes over REST may fire, which an import with followups: false keeps quiet"
        structlog.get_logger().warning("way.profiles", reason=reason, warning=harm)
        if self.id.job.target.rebuild:
            structlog.get_logger().warning("rebuild.not_possible", reason="only imports can rebuild selections")

    def _decisions(self, said: Decisions) -> Decisions:
        """Let the rows of failed imports go per profile where the job's mode is auto, never for `add` (data rule 25 d)."""
        if said.failed == "leave" and self.site.choice.falls_back and self.id.job.target.action != "add":
            return replace(said, failed="profiles")
        return said

    @property
    def _keys(self) -> Keys:
        return Keys.of(self.id.job.target.key_fields)

    def _profile_settings(self, sets: Sets) -> ProfileSettings:
        target = self.id.job.target
        return ProfileSettings(
            run=self.id.run,
            action=target.action,
            keys=self._keys,
            sets=sets,
            ignore_empty_fields=target.ignore_empty_fields,
            on_several_matches=target.on_several_matches,
            delete_target=target.delete_target,
            workers=self.id.job.load.workers,
        )

    def _rebuild(self) -> Rebuild:
        """Say what became of the rebuild that the last import carries (data rule 24).

        Where that import did not end confirmed, resuming a run with nothing else left gives it up.
        """
        report = self.tally.load
        if not self.id.job.target.rebuild or not self.tally.staged.accepted:
            return Rebuild.NOT_ASKED
        if self.site.choice.way == "profiles":
            return Rebuild.NOT_POSSIBLE
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
            self._keys,
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
            writes=client.writes,
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
        rows, places = summary.records, {"run": summary.run, "exit_code": int(summary.exit_code)}
        structlog.get_logger().info(f"run.{summary.status}", **places, read=rows.read, confirmed=rows.confirmed)
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
