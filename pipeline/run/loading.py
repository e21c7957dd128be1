"""Put together what loading a run needs: the two methods, the register, what is watched while it goes (wiring)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import polars as pl

from pipeline.guards import Watch
from pipeline.load.choice import HARM, Choice
from pipeline.load.cut import ChunkLimits, Shape, cut
from pipeline.load.flight import Clock, Flight
from pipeline.load.imports import Imports
from pipeline.load.load_report import LoadReport
from pipeline.load.loop import Loop
from pipeline.load.parameters import Loading
from pipeline.load.pending import NO_KEYS
from pipeline.load.profiles.limits import Limits
from pipeline.load.profiles.method import Past, Profiles
from pipeline.load.readback import Terms
from pipeline.load.settle import Reader
from pipeline.log import get_logger
from pipeline.model.chunk import Chunk
from pipeline.model.outcome import Stop
from pipeline.model.row_state import RowState
from pipeline.report.progress import Step
from pipeline.run.context import Context, RunId
from pipeline.stage.key_index import KeyIndex
from pipeline.stage.lanes import Lanes
from pipeline.stage.late import Late, hashes
from pipeline.stage.manifest import Manifest
from pipeline.stage.parts import Parts
from pipeline.stage.settle import Rules
from pipeline.state.before import Before
from pipeline.state.chunk_records import ChunkRow, parts_of_cuts

# A chunk of the per-profile method takes three or more calls a row, so it is smaller than an import: progress shows by
# chunks.
PROFILE_CHUNK_ROWS = 1000
NO_HASHES = pl.Series("_hash", [], dtype=pl.UInt64)
# What is asked of rows that are open.
OPEN = dict.fromkeys(("_seq", "_set", "_key", "_full"), pl.UInt64)


@dataclass
class Loader:
    """Load one run: `choice` is the method that it used in the end, `watch` keeps an eye on its cost while it sends.

    `doubtful` are the keys of imports that were presumed dead.
    """

    context: Context
    id: RunId
    manifest: Manifest
    watch: Watch | None = None
    choice: Choice = field(init=False)
    imports: int = 0
    doubtful: pl.Series = field(default_factory=lambda: NO_KEYS)
    loop: Loop | None = None

    def __post_init__(self) -> None:
        self.choice = self.id.choice

    def _keep_sent(self, chunk: Chunk) -> None:
        """Keep what is about to be sent beside the values from before, so that undo knows the run's own values."""
        if not self.id.job.load.before:
            return
        sent = chunk.rows.select("_seq", "_key", "_set", *self.manifest.sets.columns)
        Before(self.id.folder.path).put(f"sent-{chunk.ordinal:06d}", sent)

    def _doubt(self, keys: pl.Series) -> None:
        self.doubtful = pl.concat([self.doubtful, keys])

    def load(self, *, older: pl.Series = NO_KEYS, sends: bool = True, closes: bool = False) -> LoadReport:
        """Send what is staged and not sent yet, the ledger always a step ahead of the wire; without `sends` only settle."""
        self._log_method()
        target = self.context.target
        imports = Imports(target.client, self.id.job, self.id.run, target.database.id)
        total = self.manifest.to_send.accepted
        with self.context.reporter.stage("load", total) as advance:
            loading = replace(self._loading(imports, advance), older=older, sends=sends, closes=closes)
            self.loop = Loop(loading, frozenset(one.key for one in self.manifest.sample))
            stop = self.loop.run()
        self.imports = imports.accepted
        return self.report(stop)

    def report(self, stop: Stop | None = None) -> LoadReport:
        """Return how far the run came, by the ledger."""
        return LoadReport(self.manifest.to_send.accepted, self.context.ledger.chunks(self.id.run), stop)

    @property
    def rules(self) -> Rules:
        """Return what sending needs to know of the job."""
        return Rules.of(self.id.job.target, self.manifest.sets)

    @property
    def shape(self) -> Shape:
        """Return how chunks of the run are made."""
        return Shape(self.manifest.sets, self.rules.keys)

    @property
    def terms(self) -> Terms:
        """Return what reading records back needs to know of the run."""
        target, live = self.id.job.target, self.context.target
        return Terms(
            live.database, live.live, self.rules.keys, target.action, target.delete_target, target.ignore_empty_fields
        )

    def chunks(self) -> Iterator[Chunk]:
        """Cut by the method that the run began with: the same chunks after falling back, and when it is resumed."""
        load = self.id.job.load
        rows = min(load.chunk_rows, PROFILE_CHUNK_ROWS) if self.id.cut_for == "profiles" else load.chunk_rows
        chunks = cut(self.lanes, self.shape, ChunkLimits(rows, load.chunk_bytes), self._late())
        return KeyIndex(self.id.folder.path).noting(chunks)

    @property
    def lanes(self) -> Lanes:
        """Return the rows to send."""
        return Lanes(self.id.folder.staged / self.manifest.lanes)

    def _late(self) -> Late | None:
        """Return the rows that travel last; once chunks are recorded they are what they were (data rule 26)."""
        run, ledger = self.id, self.context.ledger
        found = Late.read(run.folder.staged)
        if found is not None or run.cut_for == "profiles" or ledger.book(run.run).rows():
            return found
        memory = ledger.refused(run.job.job)
        known = memory.hashes()
        if known.is_empty():
            return None
        found = Late.find(
            self.lanes, self.manifest.sets.columns, (known, memory.salt), keyed=bool(self.rules.keys.profile)
        )
        if found is not None:
            found.write(run.folder.staged)
        return found

    def remember_refused(self) -> None:
        """Remember the rows that Copernica refused, by their values, and forget those that it took after all."""
        ledger, run = self.context.ledger, self.id.run
        late = Late.read(self.id.folder.staged)
        aside = ledger.not_confirmed(run)
        refused = pl.Series("_seq", [at for at, state, _ in aside if state is RowState.FAILED], dtype=pl.UInt64)
        if self.id.cut_for == "profiles" or (late is None and refused.is_empty()):
            return
        if late is not None and self.report().open:
            late = None  # what became of them is not known
        memory, columns = ledger.refused(self.id.job.job), self.manifest.sets.columns
        others = pl.Series("_seq", [at for at, *_ in aside], dtype=pl.UInt64)
        of_refused, of_accepted = [NO_HASHES], [NO_HASHES]
        for rows in self.lanes.partitions(("_seq", "_key", *columns)):
            of_refused.append(hashes(rows.filter(rows["_seq"].is_in(refused.implode())), columns, memory.salt))
            if late is not None:
                taken = rows.filter(rows[late.by].is_in(late.values.implode()) & ~rows["_seq"].is_in(others.implode()))
                of_accepted.append(hashes(taken, columns, memory.salt))
        memory.remember(run, pl.concat(of_refused), pl.concat(of_accepted))

    def open_rows(self) -> pl.DataFrame:
        """Return number, keys and set (`OPEN`) of the rows whose outcome can still change."""
        rows = self.context.ledger.chunks(self.id.run)
        cuts = {row.cut: row for row in rows if row.reason.is_cut}
        parts, apart_of = [row for row in rows if not row.reason.is_cut], parts_of_cuts(rows)
        found = [pl.DataFrame(schema=OPEN)]
        for chunk in self.chunks():
            row, frame = cuts.get(chunk.cut), chunk.rows.select(*OPEN)
            if row is not None and not row.state.final:
                apart = self.parts.positions(apart_of.get(row.cut, ()))
                frame = self._undecided(row, frame.filter(~pl.col("_seq").is_in(apart.implode())))
            if row is None or not row.state.final:
                found.append(frame)
        for row in parts:
            if not row.state.final:
                found.append(self._undecided(row, self.parts.read(row.ordinal).select(*OPEN)))
        return pl.concat(found)

    def _undecided(self, row: ChunkRow, frame: pl.DataFrame) -> pl.DataFrame:
        """Leave out the rows of a chunk of the per-profile method that have an outcome of their own."""
        if row.method != "profiles":
            return frame
        passing = (RowState.SENDING, RowState.UNKNOWN)
        entries = self.context.ledger.rows_of(self.id.run, row.ordinal).entries()
        decided = [at for at, entry in entries.items() if entry.state not in passing]
        return frame.filter(~pl.col("_seq").is_in(decided))

    @property
    def parts(self) -> Parts:
        """Return the rows that are chunks of their own."""
        return Parts(self.id.folder.staged / "parts")

    def _loading(self, imports: Imports, advance: Step) -> Loading:
        context, run, job = self.context, self.id.run, self.id.job
        client, ledger = context.target.client, context.ledger
        past = ledger.chunks(run)
        unmatched = {row.ordinal: row.unmatched or 0 for row in past if row.method == "profiles"}
        watch = self.watch
        limits = Limits() if watch is None else Limits(watch.unmatched, watch.deletes)
        profiles = Profiles(
            client, context.target.database, job, self.rules, Past(unmatched, ledger.deleted(run)), limits, context.stop,
            moved=advance,
        )  # fmt: skip
        return Loading(
            client=client,
            job=job,
            shape=self.shape,
            cut=self.chunks,
            book=ledger.book(run, client.server_now),
            records=lambda ordinal: ledger.rows_of(run, ordinal),
            parts=self.parts,
            register=context.register.of_run(run, job.job, self.rules.keys.profile),
            imports=imports,
            flight=Flight(client, job.load.poll, Clock(client.server_now, context.stop.wait)),
            profiles=profiles,
            reader=Reader(client, self.terms, self.rules, job.load.max_settle_calls),
            waiting=context.waiting,
            interrupted=context.stop,
            method=self.choice.method,
            falls_back=self.choice.falls_back and job.target.action != "add",
            fall_back=self._fall_back,
            advance=advance,
            before=self._keep_sent,
            doubtful=self._doubt,
            again=self.id.resumed,
        )

    def _log_method(self) -> None:
        if self.choice.method == "profiles":
            self._warn_of_profiles(self.choice.reason)
        else:
            get_logger().info("method.imports", reason=self.choice.reason)

    def _warn_of_profiles(self, reason: str) -> None:
        get_logger().warning("method.profiles", reason=reason, warning=HARM)
        if self.id.job.target.rebuild:
            get_logger().warning("rebuild.not_possible", reason="only imports can rebuild selections")

    def _fall_back(self, reason: str) -> None:
        """Go per profile, since imports are refused as a whole; raises ApiRefusedError where that takes too many calls."""
        if self.watch is not None:
            self.watch.per_profile()
        self._warn_of_profiles(reason)
        self.choice = Choice("profiles", reason)
        self.context.ledger.fell_back(self.id.run, reason)
