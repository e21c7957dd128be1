"""Take one run through its stages: take in, settle, guard, load, verify, end (wiring).

A new run begins at the dumps, a resumed one where the ledger and the run's folder say that it stopped.
"""

from __future__ import annotations

import sqlite3
import time
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from pipeline.copernica import ApiError, CancelledError
from pipeline.errors import AccountingError, Exit, InputError, InterruptedRunError, PipelineError, Problem
from pipeline.guards import Before, Dumps, Sending, check_input, check_sending, close_overtaken, dumps_of, unforced
from pipeline.load.loop import Decisions, recorded
from pipeline.load.readback import Lookups
from pipeline.load.verify import verify
from pipeline.log import get_logger
from pipeline.model.columns import Keys
from pipeline.model.counts import Intake
from pipeline.model.job import Job
from pipeline.model.rows import Batch
from pipeline.report.html.page import write_report
from pipeline.report.rejects import RejectsWriter
from pipeline.report.summary import Summary
from pipeline.run.context import RunId, Site
from pipeline.run.intake import refuse_changed, take_in
from pipeline.run.loading import Loader, terms_of
from pipeline.run.plan.plan import KEPT_DAYS, make_plan
from pipeline.run.plan.record import read_applied
from pipeline.run.prepare import PreparedJob
from pipeline.run.result import Tally
from pipeline.run.summarise import RunFacts, summarise
from pipeline.stage.manifest import Manifest
from pipeline.stage.partitions import partition_count
from pipeline.stage.sample import Expectation, Sampler
from pipeline.stage.stager import Stager
from pipeline.state.advice import command
from pipeline.state.ledger import RunState
from pipeline.state.register import RunRegister
from pipeline.state.storage import StorageError, StorageStoppedError, storage_faults
from pipeline.threads import behind

READ_BACK = "resume reads the sample back"
# What is read back at least after a delete (data rule 27).
DELETE_SAMPLE = 10


@dataclass
class Conductor:
    """One run; the methods are its stages, in order."""

    site: Site
    id: RunId
    tally: Tally = field(default_factory=Tally)
    rejects: Path | None = None
    loader: Loader | None = None
    started_s: float = field(default_factory=time.monotonic)

    @contextmanager
    def stages(self) -> Iterator[None]:
        """Take what stops the run for its refusal."""
        try:
            with self._storage():
                yield
        except PipelineError as error:
            if error.exit_code is Exit.BUG:
                get_logger().critical("run.bug", exc_info=True)
            self._stopped_by(error)
        except KeyboardInterrupt:
            self._stopped_by(InterruptedRunError(Problem("interrupted a second time, so it stopped at once")))

    def _stopped_by(self, error: PipelineError) -> None:
        """Keep why the run stopped; where it broke off while rows went out, now or before, the ledger says how far it came."""
        self.tally.refusal = error
        if not self.tally.load.chunks and self.tally.staged.accepted:
            with suppress(OSError, sqlite3.Error):
                self.tally.load = recorded(self.site.ledger.chunks(self.id.run))

    def _storage(self) -> AbstractContextManager[None]:
        ledger = self.site.ledger
        return storage_faults(ledger.state_dir, lambda: ledger.sent_anything(self.id.run))

    @property
    def register(self) -> RunRegister:
        """Return what the run notes in the register of its database."""
        keys = Keys.of(self.id.job.target.key_fields)
        return self.site.register.of_run(self.id.run, self.id.job.job, keys.profile)

    @property
    def resume_command(self) -> str:
        """Give the command that goes on with this run."""
        return command("resume", self.id.run, state_dir=self.site.ledger.state_dir)

    def stage(self, plan: PreparedJob) -> Manifest:
        """Read the dumps, set rejects aside, settle and lay out accepted rows; nothing was sent when this ends."""
        writer = RejectsWriter((self.id.folder.path / "rejects").with_suffix(plan.rejects_suffix))
        stager = self._stager(plan)
        with writer:
            intake = self._take_in(plan, writer, stager)
        self.rejects = writer.path
        with self.site.reporter.stage("stage", None):
            stager.finish()
        # Both or none: half an account does not add up.
        self.tally.intake, self.tally.staged = intake, stager.staged
        self.tally.check()
        self._warn_of_conflicts()
        rejects = None if writer.path is None else str(writer.path)
        manifest = Manifest(plan.rules.sets, self.tally.intake, self.tally.staged, stager.sampler.chosen(), rejects)
        manifest.write(self.id.folder.staged)
        self._record_staged()
        return manifest

    def _record_staged(self) -> None:
        staged = self.tally.staged
        self.site.ledger.staged(self.id.run, staged.accepted)

    def _stager(self, plan: PreparedJob) -> Stager:
        seed, size, rules = zlib.crc32(self.id.run.encode()), self._sample_size, plan.rules
        return Stager(
            self.id.folder.staged,
            partition_count(sum(file.size_bytes for file in plan.files)),
            rules,
            lambda: Sampler(size, seed, rules.sets, rules.keys, rules.first_stands),
            whole=self.site.choice.way == "profiles",
        )

    @property
    def _sample_size(self) -> int:
        """Give how many keys are read back: at least ten for `delete`, which a database may turn into nothing (rule 27)."""
        size = self.id.job.load.verify_sample
        return max(size, DELETE_SAMPLE) if self.id.job.target.action == "delete" else size

    def _take_in(self, plan: PreparedJob, writer: RejectsWriter, stager: Stager) -> Intake:
        """Extract, link and validate all files; accepted rows are staged meanwhile."""

        def keep(_batch: Batch, accepted: pl.DataFrame) -> None:
            if self.site.stop.is_set():
                raise InterruptedRunError(Problem("interrupted while the input was read", do="nothing was sent"))
            stage(accepted)

        with behind(stager.add) as stage:
            intake = take_in(
                plan,
                self.site.target.live,
                writer,
                keep,
                limit=self.id.limit,
                reporter=self.site.reporter,
                follow=True,
            )
        refuse_changed(intake.facts, self.site.ledger.files(self.id.run))
        self.site.ledger.read(self.id.run, intake.facts)
        return intake

    def _warn_of_conflicts(self) -> None:
        staged = self.tally.staged
        if staged.conflicts:
            places = [f"{self.id.files[file].name} line {line}" for file, line in sorted(staged.conflict_places)]
            job = self.id.job
            apart = job.target.action == "add" and not any("." in key for key in job.target.key_fields)
            first = job.target.action in ("add", "ignore or add")
            stands = "each makes a profile" if apart else "the first one stands" if first else "the last one wins"
            what = f"rows of one profile disagree in its columns; {stands}"
            get_logger().warning("profile.conflict", what=what, profiles=staged.conflicts, first=places)

    def go_on_from(self, manifest: Manifest) -> None:
        """Take the account over from an earlier process that had staged everything."""
        self.tally.intake, self.tally.staged = manifest.intake, manifest.staged
        self.tally.unchanged, self.tally.left = read_applied(self.id.folder.staged)
        self._record_staged()
        self.rejects = None if manifest.rejects is None else Path(manifest.rejects)

    def guard(self, manifest: Manifest) -> Loader:
        """Ask the guards of the input, then those before the first send; gives what may load then.

        Raises InputError or ApiRefusedError.
        """
        if not self.site.ledger.sent_anything(self.id.run):
            self.guard_input()
        target, staged = self.site.target, self.id.folder.staged
        limited = self.id.limit is not None
        sending = Sending(self.id.job, manifest.sets, manifest.staged, staged, target.client, target.database, limited)
        facts, method = manifest.intake.facts, self.site.choice.way
        watch = check_sending(sending, Before(self.site.ledger, self.register), method, facts, self.id.forced)
        return Loader(self.site, self.id, manifest, watch)

    def guard_input(self) -> None:
        """Ask the guards of the input; raises InputError."""
        ledger, found = self.site.ledger, (*self.id.files, *self.tally.skipped_files)
        dumps = dumps_of(ledger, self.id.job, self.id.run, self.tally.intake.facts, found)
        check_guards(self.id.job, self.tally, self.id.forced, dumps)

    def plan(self, plan: PreparedJob, manifest: Manifest, out: Path | None) -> None:
        """Compare what is staged with the live target, in place of sending it (data rule 46)."""
        with self.site.reporter.stage("compare", None):
            self.tally.plan = make_plan(self.site.target, plan, self.site.choice, manifest, self.id.folder, out)

    def load(self, loader: Loader, decisions: Decisions) -> None:
        """Send what is staged, in chunks."""
        self.loader, client = loader, self.site.target.client
        # The run as a whole, so that the contents of its files count as loaded.
        self.register.sending(0, pl.Series([], dtype=pl.UInt64), (), client.server_now(), None)
        self.tally.load = loader.load(decisions)
        if not self.tally.load.anything_sent:
            self.register.withdrawn(0)
        self.tally.problems.extend(loader.watch.problems())
        self.tally.halts = frozenset(problem.what for problem in loader.watch.stopped.values())
        self.tally.rebuild = loader.rebuild(self.tally.load)

    def verify(self, sample: tuple[Expectation, ...]) -> None:
        """Read a sample back once everything is confirmed (data rule 27)."""
        if not self.tally.all_confirmed:
            return
        if self.site.stop.is_set():
            raise InterruptedRunError(Problem("interrupted before the sample was read back", "verify", READ_BACK))
        terms = terms_of(self.site, self.id.job)
        try:
            self.tally.verified = verify(sample, Lookups(self.site.target.client, terms), terms)
        except CancelledError as error:
            raise InterruptedRunError(Problem(error.message, "verify", READ_BACK)) from None
        except ApiError as error:
            self.tally.problems.append(Problem(f"the sample could not be read back: {error.message}", "verify"))
            if self.loader is not None:
                self.tally.problems.extend(
                    problem for problem in self.loader.watch.problems() if problem.guard == "max_calls"
                )

    def end(self) -> Summary:
        """Write the summary and the end of the run; staged data goes unless something is left to be gone on with."""
        client = self.site.target.client
        facts = RunFacts(
            run=self.id.run,
            job=self.id.job,
            files=self.id.files,
            rejects=self.rejects,
            seconds=time.monotonic() - self.started_s,
            way=(self.loader or self.site).choice.way,
            way_reason=(self.loader or self.site).choice.reason,
            forced=tuple(sorted(self.id.forced)),
            api_calls=client.calls,
            writes=client.writes,
            bytes_sent=client.bytes_sent,
            imports=self.loader.imports if self.loader else 0,
            resume=self.resume_command,
            failed=self.id.folder.path / "failed.csv",
            resumed=self.id.resumed,
            state_dir=self.site.ledger.state_dir,
            replay_of=self.id.replay_of,
        )
        summary = summarise(facts, self.tally)
        try:
            summary.check_sums()
        except AccountingError as error:
            get_logger().critical("accounting.off", exc_info=True)
            self.tally.refusal = error
            summary = summarise(facts, self.tally)
        summary = replace(summary, report=write_report(self.id.folder, self.site.ledger, summary))
        try:
            with self._storage():
                self._record(summary)
        except (StorageError, StorageStoppedError) as error:
            self.tally.refusal = self.tally.refusal or error
            summary = summarise(facts, self.tally)
        rows, places = summary.records, {"run": summary.run, "exit_code": int(summary.exit_code)}
        get_logger().info(f"run.{summary.status}", **places, read=rows.read, confirmed=rows.confirmed)
        return summary

    def _record(self, summary: Summary) -> None:
        """Write how the run ended.

        One that has sent something, or was refused while somebody went on with it, stays unfinished; one that the disk
        stopped may be gone on with, though nothing was sent.
        """
        staged, state = self.id.folder.staged, RunState(summary.status)
        if state is RunState.REFUSED and (self.id.resumed or self.site.ledger.sent_anything(self.id.run)):
            state = RunState.INCOMPLETE
        if isinstance(self.tally.refusal, StorageError):
            state = RunState.INTERRUPTED
            if Manifest.read(staged) is None:
                self.id.folder.drop_staged()  # makes room for what follows
        self.id.folder.write_summary(summary.to_dict())
        self.site.ledger.end(self.id.run, state, summary.to_dict())
        if state in (RunState.DONE, RunState.REFUSED, RunState.PLANNED):
            self.register.end()
        if state is RunState.PLANNED:
            self.id.folder.end_staged(KEPT_DAYS, datetime.now(UTC))
        if state is RunState.DONE:
            self.id.folder.end_staged(self.id.job.state.keep_staged, datetime.now(UTC))
            close_overtaken(self.site.ledger, self.id.run)
        elif state is RunState.REFUSED:
            self.id.folder.drop_staged()


def check_guards(job: Job, tally: Tally, forced: frozenset[str], dumps: Dumps) -> None:
    """Compare what was read with the job's limits; raises InputError for guards that refuse and are not forced."""
    good = tally.staged.accepted + tally.staged.collapsed
    problems = unforced(check_input(job.guards, tally.intake, good, dumps), forced)
    if problems:
        raise InputError(*problems, *tally.intake.hints)
