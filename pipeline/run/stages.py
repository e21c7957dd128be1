"""Take one run through its stages: take in, settle, guard, load, verify, end (wiring).

A new run begins at the dumps, an open one where the ledger and the run's folder say that it stopped.
"""

from __future__ import annotations

import sqlite3
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import polars as pl

from pipeline.copernica import ApiError, CancelledError
from pipeline.errors import (
    ApiRefusedError,
    Exit,
    InputError,
    InterruptedRunError,
    PipelineError,
    Problem,
)
from pipeline.guards import Before, Dumps, Sending, check_input, check_sending, dumps_of, unforced
from pipeline.load.load_report import LoadReport
from pipeline.load.pending import NO_KEYS
from pipeline.load.readback import Lookups, verify
from pipeline.log import get_logger
from pipeline.model.columns import Keys, Sets
from pipeline.model.counts import Intake, Rebuild
from pipeline.model.job import Job
from pipeline.model.outcome import StopCode
from pipeline.model.row_state import Why
from pipeline.model.rows import Batch
from pipeline.report.rejects import RejectsWriter
from pipeline.run.changed import changes_of, compared, drift, gone_planned, look_for_gone
from pipeline.run.context import Context, RunId
from pipeline.run.engine.terms import Terms
from pipeline.run.intake import take_in
from pipeline.run.loading import Loader
from pipeline.run.plan.record import read_applied
from pipeline.run.prepare import PreparedJob
from pipeline.run.result import Tally
from pipeline.stage.changes import Changes
from pipeline.stage.manifest import Manifest
from pipeline.stage.partitions import partition_count
from pipeline.stage.sample import Sampler
from pipeline.stage.settle import Rules
from pipeline.stage.stager import Stager
from pipeline.state.register import RunRegister
from pipeline.state.storage import storage_faults
from pipeline.threads import behind

# What is read back at least after a delete (data rule 27).
DELETE_SAMPLE = 10
NOT_SENT = Why("not_sent", "", "the run was closed before it was sent, or before its import was final")
NO_ROWS = pl.Series("_seq", [], dtype=pl.UInt64)


@dataclass
class Stages:
    """One run; the methods are its stages, in order."""

    context: Context
    id: RunId
    tally: Tally = field(default_factory=Tally)
    manifest: Manifest | None = None
    rejects: Path | None = None
    loader: Loader | None = None
    started_s: float = field(default_factory=time.monotonic)

    @property
    def notes(self) -> RunRegister:
        """Return the run's notes in the register."""
        keys = Keys.of(self.id.job.target.key_fields).profile
        return self.context.register.of_run(self.id.run, self.id.job.job, keys)

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Take what stops the run for its refusal."""
        try:
            with self.storage():
                yield
        except PipelineError as error:
            if error.exit_code is Exit.BUG:
                get_logger().critical("run.bug", exc_info=True)
            self._stopped_by(error)
        except KeyboardInterrupt:
            self._stopped_by(InterruptedRunError(Problem("interrupted a second time, so it stopped at once")))

    def _stopped_by(self, error: PipelineError) -> None:
        """Keep why the run stopped; where it broke off while rows went out, now or before, the ledger has how far it came."""
        self.tally.refusal = error
        with suppress(OSError, sqlite3.Error):
            self._recount()

    def _recount(self) -> None:
        """Count how far the run came, by the ledger."""
        self.tally.load = LoadReport(self.tally.to_send, self.context.ledger.chunks(self.id.run))

    def storage(self) -> AbstractContextManager[None]:
        """Let a fault of the disk in a block stop the run, by whether anything may have been sent."""
        ledger = self.context.ledger
        return storage_faults(ledger.state_dir, lambda: ledger.sent_anything(self.id.run))

    def stage(self, plan: PreparedJob) -> Manifest:
        """Read the dumps, set rejects aside, settle and lay out accepted rows; nothing was sent when this ends.

        Everything that a later process needs is on disk then.
        """
        writer = RejectsWriter((self.id.folder.path / "rejects").with_suffix(plan.rejects_suffix))
        changes = self._changes(plan.rules.sets)
        stager = self.stager(plan.rules, sum(file.size_bytes for file in plan.files))
        with writer:
            intake = self._take_in(plan, writer, stager)
        self.rejects = writer.path
        with self.context.reporter.stage("stage", None):
            stager.finish()
        # Both or none: half an account does not add up.
        self.tally.intake, self.tally.staged = intake, stager.staged
        self.tally.check()
        self._warn_of_conflicts()
        rejects = None if writer.path is None else str(writer.path)
        if stager.units is not None:
            changes.rows.keep(stager.units)
        manifest = Manifest(plan.rules.sets, self.tally.intake, self.tally.staged, stager.sampler.chosen(), rejects)
        manifest.write(self.id.folder.staged)
        return self._staged(manifest)

    def take_up(self, manifest: Manifest) -> None:
        """Take the account over from an earlier process that had staged everything."""
        self.tally.intake, self.tally.staged = manifest.intake, manifest.staged
        self.tally.unchanged, self.tally.left = read_applied(self.id.folder.staged)
        self._narrowed(manifest)
        self.rejects = None if manifest.rejects is None else Path(manifest.rejects)
        self._staged(manifest)

    def _staged(self, manifest: Manifest) -> Manifest:
        self.manifest = manifest
        self.context.ledger.staged(self.id.run, manifest.staged.accepted, is_open=not self.id.only_plan)
        self._recount()
        return manifest

    def compare(self) -> None:
        """Leave at home what need not be sent, before anything is (data rule 42)."""
        if self.manifest is None or self.context.ledger.sent_anything(self.id.run):
            return
        changes = self._changes(self.manifest.sets)
        self.manifest = compared(changes, self.context.target, self.id, self.manifest)
        self._narrowed(self.manifest)
        self.tally.load = LoadReport(self.tally.to_send)

    def _narrowed(self, manifest: Manifest) -> None:
        if manifest.narrowed is not None:
            self.tally.unchanged = manifest.narrowed.unchanged
            self.tally.stood_for = manifest.narrowed.stood_for

    def _changes(self, sets: Sets) -> Changes:
        return changes_of(self.context.target, self.id, sets)

    def stager(self, rules: Rules, size_bytes: int) -> Stager:
        """Return what settles and lays out so many bytes of accepted rows."""
        seed, size, changes = zlib.crc32(self.id.run.encode()), self._sample_size, self._changes(rules.sets)
        # The riskiest rows are looked for among those that are sent, which are not known yet where rows are compared.
        risky = not changes.compares or bool(changes.expects(self.id.full))
        return Stager(
            self.id.folder.staged,
            partition_count(size_bytes),
            rules,
            lambda: Sampler(size, seed, rules, risky),
            whole=self.id.choice.method == "profiles",
            units=changes.units(size_bytes),
        )

    @property
    def _sample_size(self) -> int:
        """Return how many keys are read back: at least ten for `delete`, which a database may turn into nothing (rule 27)."""
        size = self.id.job.load.verify_sample
        return max(size, DELETE_SAMPLE) if self.id.job.target.action == "delete" else size

    def _take_in(self, plan: PreparedJob, writer: RejectsWriter, stager: Stager) -> Intake:
        """Extract, link and validate all files; accepted rows are staged meanwhile."""

        def keep(_batch: Batch, accepted: pl.DataFrame) -> None:
            if self.context.stop.is_set():
                raise InterruptedRunError(Problem("interrupted while the input was read", do="nothing was sent"))
            stage(accepted)

        context = self.context
        with behind(stager.add) as stage:
            intake = take_in(
                plan,
                context.target.live,
                writer,
                keep,
                context.reporter,
                Terms(self.id.limit, self.id.folder.staged / "taken", context.stop),
                follow=True,
            )
        context.ledger.read(self.id.run, intake.facts)
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

    def guard_input(self) -> None:
        """Ask the guards of the input; raises InputError."""
        ledger, found = self.context.ledger, (*self.id.files, *self.tally.skipped_files)
        dumps = dumps_of(ledger, self.id.job, self.id.run, self.tally.intake.facts, found)
        check_guards(self.id.job, self.tally, self.id.forced, dumps)

    def guard(self, manifest: Manifest) -> Loader:
        """Ask the guards that stand before the first send; returns what may load then. Raises ApiRefusedError."""
        target, staged = self.context.target, self.id.folder.staged
        limited = self.id.limit is not None
        sending = Sending(
            self.id.job,
            manifest.sets,
            manifest.to_send,
            staged,
            target.client,
            target.database,
            limited,
            manifest.lanes,
        )
        before, facts = Before(self.context.ledger, self.notes), manifest.intake.facts
        watch = check_sending(sending, before, self.id.choice.method, facts, self.id.forced)
        return Loader(self.context, self.id, manifest, watch=watch)

    def plan(self, plan: PreparedJob, out: Path | None) -> None:
        """Compare what is staged with the live target, in place of sending it (data rule 46).

        Guards that would stop the run do not stop the comparison: they refuse once it is made, all at once.
        """
        refusals = [*self._refusals(self.guard_input)]
        if self.manifest is not None:
            refusals += self._refusals(partial(self.guard, self.manifest))
            refusals += self._refusals(partial(self._compare_with_target, self.manifest, plan, out))
        if refusals:
            raise type(refusals[0])(*(problem for one in refusals for problem in one.problems))

    def _refusals(self, ask: Callable[[], object]) -> Iterator[PipelineError]:
        try:
            ask()
        except (InputError, ApiRefusedError) as error:
            yield error

    def _compare_with_target(self, manifest: Manifest, plan: PreparedJob, out: Path | None) -> None:
        # Here and not at the top: most runs make no plan.
        from pipeline.run.plan.plan import make_plan, seconds_per_row

        client, limit = self.context.target.client, self.id.job.guards.max_calls
        # The default is made for what a run sends; what a plan reads is known to be the least.
        client.limit_calls(None if "max_calls" in self.id.forced else limit)
        with self.context.reporter.stage("compare", None):
            found = make_plan(self.context.target, self.id, plan, manifest, out)
        gone = gone_planned(self._changes(manifest.sets), self.id, self.tally)
        rate = seconds_per_row(self.context.ledger.runs(self.id.job.job, 20))
        seconds = None if rate is None else rate * found.changes
        self.tally.plan = replace(found, counts={**found.counts, "gone": gone}, seconds=seconds)

    def load(self, loader: Loader, *, older: pl.Series = NO_KEYS, sends: bool = True, closes: bool = False) -> None:
        """Send what is staged, in chunks, or only settle what is on its way."""
        self.loader, changes = loader, self._changes(loader.manifest.sets)
        if sends:
            if self.id.job.load.before:
                self._keep_before(loader)
            changes.drop()
        self.tally.load = replace(loader.load(older=older, sends=sends, closes=closes), accepted=self.tally.to_send)
        changes.confirm(self._unconfirmed(loader), loader.doubtful)
        look_for_gone(changes, self.id, self.tally)
        stop = self.tally.load.stop
        if stop is not None and stop.code is StopCode.REFUSED and not self.tally.load.anything_sent:
            ledger = self.context.ledger.state_dir / "ledger.sqlite"
            do = f"read Copernica's own words in the column `words` of the table `chunk` in {ledger}; nothing was sent"
            raise ApiRefusedError(Problem(stop.message, "the first import", do))
        self.tally.problems.extend(loader.watch.problems() if loader.watch is not None else ())
        self.tally.rebuild = self._rebuild(loader)

    def _keep_before(self, loader: Loader) -> None:
        # Here and not at the top: few jobs keep anything.
        from pipeline.run.undo.before import keep_before

        if keep_before(self.context, self.id, loader.manifest) and loader.watch is not None:
            loader.watch.limit_calls()

    def _unconfirmed(self, loader: Loader) -> pl.Series:
        """Return the `_seq`s of the rows that are to be sent and are not confirmed."""
        if self.tally.all_confirmed:
            return NO_ROWS
        aside = [row[0] for row in self.context.ledger.not_confirmed(self.id.run)]
        return pl.concat([pl.Series("_seq", aside, dtype=pl.UInt64), loader.open_rows()["_seq"]])

    def _rebuild(self, loader: Loader) -> Rebuild | None:
        """Return what became of the rebuild that the last import carries (data rule 24), None while that is open."""
        load = self.tally.load
        if not self.id.job.target.rebuild or not self.tally.staged.accepted:
            return Rebuild.NOT_NEEDED
        if loader.choice.method == "profiles":
            return Rebuild.NOT_POSSIBLE
        if load.rebuilt:
            return Rebuild.DONE
        if load.open:
            return None
        return Rebuild.NOT_DONE if load.anything_sent else Rebuild.NOT_NEEDED

    def verify(self) -> None:
        """Read a sample back once everything is confirmed (data rule 27); that it cannot be read is a warning."""
        if not self.tally.all_confirmed or self.manifest is None or self.loader is None:
            return
        if self.context.stop.is_set():
            raise InterruptedRunError(Problem("interrupted before the sample was read back", "verify"))
        lookups, loop = Lookups(self.context.target.client, self.loader.terms), self.loader.loop
        final_at = {} if loop is None else loop.final_at
        try:
            self.tally.verified = verify(self.manifest.sample, lookups, self.loader.terms, final_at)
            if self.manifest.narrowed is not None:
                still, changes = self.manifest.narrowed.sample.unchanged, self._changes(self.manifest.sets)
                self.tally.verified += drift(still, lookups, self.loader.terms, changes)
        except CancelledError as error:
            raise InterruptedRunError(Problem(error.message, "verify")) from None
        except ApiError as error:
            self.tally.problems.append(Problem(f"the sample could not be read back: {error.message}", "verify"))


def check_guards(job: Job, tally: Tally, forced: frozenset[str], dumps: Dumps) -> None:
    """Compare what was read with the job's limits; raises InputError for guards that refuse and are not forced."""
    good = tally.staged.accepted + tally.staged.collapsed
    problems = unforced(check_input(job.guards, tally.intake, good, dumps), forced)
    if problems:
        raise InputError(*problems, *tally.intake.hints)
