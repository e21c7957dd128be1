"""Send chunks one after another with the ledger ahead of the wire, and settle in the same run what went wrong (wiring).

The same loop loads a new run, resumes one that stopped, and finishes an open one on the night after: what the ledger has
of a chunk decides its next step. `failures` searches imports that failed, `settle` reads back those that were lost.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import polars as pl

from pipeline.errors import Problem, RunDamagedError
from pipeline.load.by_row import leave_by_row, send_by_row
from pipeline.load.choice import refuses_imports
from pipeline.load.cut import with_last
from pipeline.load.failures import Search
from pipeline.load.judge import judge
from pipeline.load.parameters import Loading
from pipeline.load.parting import Parting
from pipeline.load.pending import Item, Pending, log_chunk
from pipeline.model.chunk import Chunk, ChunkState, Reason
from pipeline.model.outcome import Outcome, Stop, StopCode, StoppedError
from pipeline.model.row_state import RowState, Why
from pipeline.state.chunk_records import ChunkRow, parts_of_cuts

# Imports whose answers were lost one after the other before no more is sent until they are settled (data rule 28).
MOST_LOST = 2
LOST = "the answer to an import was lost, and it may still run"


class Loop:
    """One pass over the chunks of a run, and then over what is pending, until nothing is or the run has to stop.

    `final_at` is when the last chunk of each of the `watched` keys was final.
    """

    def __init__(self, loading: Loading, watched: frozenset[int] = frozenset()) -> None:
        self.loading, self.book, self.pending = loading, loading.book, Pending()
        self.final_at: dict[int, datetime] = {}
        self._watched = pl.Series("_key", sorted(watched), dtype=pl.UInt64)
        self._method = loading.method
        self._rows = loading.book.rows()
        self._apart = parts_of_cuts(self._rows)
        self._next = max((row.ordinal for row in self._rows), default=0) + 1
        self.sent = any(row.sending_at is not None for row in self._rows)
        self._search, self.parting = Search(self), Parting(self)
        self._lost = 0
        self._whole = False  # all cut chunks were taken up

    def run(self) -> Stop | None:
        """Load; returns why it stopped, None where everything was tried."""
        try:
            self._take_up_parts()
            cuts = {row.cut: row for row in self._rows if row.reason.is_cut}
            for chunk, last in with_last(self.loading.cut()):
                self.check()
                self._whole = last
                self._take_up(chunk, cuts.get(chunk.cut))
                self._search.go()
            self._whole = True
            self._settle()
        except StoppedError as error:
            self._land_all(error.stop)
            return error.stop
        return None

    def check(self) -> None:
        """Raise StoppedError where the run was interrupted."""
        if self.loading.interrupted.is_set():
            raise StoppedError(Stop(StopCode.INTERRUPTED, "interrupted"))

    # what the ledger has

    def _take_up_parts(self) -> None:
        """Take up the chunks of their own that an earlier process left; base chunks come with their rows.

        The register learns of those that are final.
        """
        for row in self._rows:
            if row.state.final:  # it may have been killed between the ledger and the register
                self.loading.register.final(row.ordinal)
            elif not row.reason.is_cut:
                self.keep(Item(row, self.loading.parts.read(row.ordinal)["_key"].unique()))

    def keep(self, item: Item) -> None:
        """Hold a chunk that is not final: the keys of its rows wait."""
        item.keys = item.keys.filter(item.keys != 0)
        if item.row.state is ChunkState.UNKNOWN:
            item.until = self._until(item.row)
        self.pending.add(item)
        if item.row.state is ChunkState.FAILED:
            self._search.add(item)

    def _take_up(self, chunk: Chunk, row: ChunkRow | None) -> None:
        """Do the next step for a chunk that was cut from the staged rows."""
        if row is None:
            if self.loading.sends:
                self._begin(chunk)
            return
        if row.digest != chunk.digest:
            what = (
                f"the staged rows of chunk {row.ordinal} are not those that the ledger knows: they have changed on disk"
            )
            raise RunDamagedError(Problem(what, "the run's folder"))
        if row.state.final:
            self._note_final(chunk.rows, datetime.fromisoformat(row.ended_at or ""))
            self.loading.advance(row.rows)
            return
        apart = self.loading.parts.positions(self._apart.get(row.cut, ()))
        own = chunk.rows.filter(~pl.col("_seq").is_in(apart.implode()))
        chunk = replace(self.loading.shape.reduced(chunk, own), ordinal=row.ordinal)
        self._step(Item(row, chunk.keys, chunk))

    def _begin(self, chunk: Chunk) -> None:
        """Record a chunk that is new to the ledger, and send it."""
        chunk = replace(chunk, ordinal=self.number())
        row = ChunkRow.of(chunk, self._method)
        self.book.add(row)
        last_of_several = self._whole and self.pending and self.rebuilds
        if last_of_several:  # it carries the rebuild, so that all others come first (data rule 24)
            try:
                self._settle()
            except StoppedError as error:
                self.pending.add(Item(row, chunk.keys, chunk))
                if error.stop.code is StopCode.WAITING:
                    self.send(next(item for item in self.pending if item.row is row))
                raise
        self.send(Item(row, chunk.keys, chunk))

    def number(self) -> int:
        """Return the next free number of a chunk."""
        self._next += 1
        return self._next - 1

    def _step(self, item: Item) -> bool:
        """Do the next step of a chunk, if there is one at present; returns whether there was."""
        row = item.row
        if row.state is ChunkState.SENDING and row.method == "imports":
            item.row = self.book.unknown(row, "the process ended while the import was sent")
            self.keep(item)
            return True
        if row.state is ChunkState.SENDING and not self.loading.sends:
            return leave_by_row(self, item)
        if row.state is ChunkState.SUBMITTED:
            if item in self.loading.flight:
                return False
            self.keep(item)
            self._watch(item)
            return True
        if row.state is ChunkState.UNKNOWN:
            self.keep(item)
            if item.until is None or self.loading.client.server_now() < item.until:
                return False
            self._read_back(item)
            return True
        if row.state is ChunkState.FAILED:
            self.keep(item)
            return self._whole and self.loading.sends and self._search.search(item)
        return self.send(item)

    # sending

    @property
    def rebuilds(self) -> bool:
        """Return whether the last import of the run carries the rebuild."""
        return self.loading.job.target.rebuild and self._method == "imports"

    def send(self, item: Item) -> bool:
        """Send what may go of a chunk by the run's method; returns False where all of it has to wait."""
        chunk = self.parting.chunk_of(item)
        if not self.loading.sends or self._lost >= MOST_LOST:
            self.keep(item)
            return False
        self._make_room(item)
        waits = self.parting.waits(item, chunk)
        if waits.all():
            return self.parting.hold_all(item, chunk)
        if self._method == "profiles" or item.row.method == "profiles":
            return send_by_row(self, item, frozenset(chunk.rows.filter(waits)["_key"]))
        chunk = self.parting.without_overtaken(item, self.parting.without(item, chunk, waits))
        if chunk.rows.height:
            self._import(item, chunk)
        return True

    # imports

    def _import(self, item: Item, chunk: Chunk) -> None:
        loading = self.loading
        rebuild = self.rebuilds and self._whole and all(one is item for one in self.pending)
        sent_at = loading.client.server_now()
        loading.register.sending(
            chunk.ordinal, chunk.keys, self.parting.columns(chunk), sent_at, sent_at + self._settle_after
        )
        loading.before(chunk)
        loading.profiles.forget()
        # The ledger comes last: where the disk is full before it, the chunk is known to be unsent.
        item.row = self.book.sending(item.row, "imports", rebuild=rebuild)
        sent = loading.imports.send(chunk, rebuild=rebuild)
        if isinstance(sent, int):
            self.sent = True
            item.row = self.book.submitted(item.row, sent)
            self._lost = 0
            self.pending.add(item)
            self._watch(item)
        elif sent.state is ChunkState.UNKNOWN:
            self.sent = True
            self._lose(item, sent)
        else:
            self._not_sent(item, sent)

    # imports that are on their way

    @property
    def _slots(self) -> int:
        """Return how many imports may be on their way: after a failure the next one goes alone."""
        return 1 if self._search.doubts else self.loading.job.load.in_flight

    def _watch(self, item: Item) -> None:
        """Poll an import that was accepted from now on; where all slots are taken until one is final."""
        row, load = item.row, self.loading.job.load
        until = row.sent_at + timedelta(seconds=max(load.settle_after_s, load.poll.give_up_s))
        self.loading.register.prolonged(row.ordinal, until)
        self.loading.flight.add(item, row.import_id or 0, row.rows, row.sent_at)
        while len(self.loading.flight) >= self._slots:
            self._land()

    def _make_room(self, item: Item) -> None:
        """Let imports end before a chunk is sent: until a slot is free and none has a key of it.

        That which carries the rebuild goes when no other one is on its way (data rule 24).
        """
        flight = self.loading.flight
        while len(flight) and (
            len(flight) >= self._slots or self._last(item) or any(_share(one.keys, item.keys) for one in flight)
        ):
            self._land()

    def _last(self, item: Item) -> bool:
        """Return whether nothing else is left to be sent, and the import of this chunk carries the rebuild."""
        others = (one for one in self.pending if one is not item)
        return self.rebuilds and self._whole and all(one in self.loading.flight for one in others)

    def land(self, item: Item) -> None:
        """Let imports end until this one has."""
        while item in self.loading.flight:
            self._land()

    def _land_all(self, stop: Stop) -> None:
        """Let imports end that are on their way when the sending stops, where they can be asked for."""
        while len(self.loading.flight) and stop.code not in (StopCode.INTERRUPTED, StopCode.AWAY):
            try:
                self._land()
            except StoppedError as error:
                stop = error.stop

    def _land(self) -> None:
        """Poll until an import is final, and record what became of it."""
        item, outcome = self.loading.flight.land()
        row = item.row
        log_chunk(row, outcome)
        if outcome.state is ChunkState.CONFIRMED:
            chunk = self.parting.chunk_of(item)
            item.row = self.book.confirmed(row)
            self.done(item, chunk.rows.height, chunk.rows)
            self._search.succeeded(item)
        elif outcome.state is ChunkState.FAILED:
            self._fail(item, outcome)
        elif outcome.state is ChunkState.UNKNOWN:
            item.row = self.book.unknown(row, outcome.message, outcome.words)
            self.keep(item)
        else:
            item.row = self.book.so_far(row, outcome.message)
            self.keep(item)
            if outcome.stop is not None:
                raise StoppedError(outcome.stop)

    def _fail(self, item: Item, outcome: Outcome) -> None:
        self.loading.register.final(item.row.ordinal)
        item.row = self.book.failed(item.row, outcome.message, outcome.words)
        self.pending.add(item)
        self._search.failed(item)

    def _lose(self, item: Item, outcome: Outcome) -> None:
        """Record a lost answer; nothing more is sent before a GET is answered (data rule 28)."""
        item.row = self.book.unknown(item.row, outcome.message, outcome.words)
        log_chunk(item.row, outcome)
        self._lost += 1
        self.keep(item)
        self.loading.waiting.answer()
        if self._lost >= MOST_LOST and not self._whole:
            self._settle()

    def _not_sent(self, item: Item, outcome: Outcome) -> None:
        """Stop, or fall back to single profiles where imports are refused as a whole before any was accepted (data rule 25).

        An open run that is finished gives up the refused chunk only (data rule 39).
        """
        self.loading.register.withdrawn(item.row.ordinal)
        refused = outcome.stop is not None and outcome.stop.code is StopCode.REFUSED
        log_chunk(item.row, outcome)
        item.row = self.book.unsent(item.row, outcome.message, outcome.words)
        if refused and self.loading.closes:
            self.parting.set_aside(item, RowState.ASIDE, Why("refused_by_api", "", outcome.words))
            return
        if refused and not self.sent and self.loading.falls_back and refuses_imports(outcome.words):
            self.loading.fall_back(outcome.message)
            self._method = "profiles"
            send_by_row(self, item)
            return
        self.keep(item)
        raise StoppedError(outcome.stop or Stop(StopCode.AWAY, outcome.message))

    def done(self, item: Item, rows: int, confirmed: pl.DataFrame | None = None) -> None:
        """Let a chunk go that is final, so many of whose rows were not counted yet; `confirmed` are its rows that are."""
        self.loading.register.final(item.row.ordinal)
        self.pending.remove(item)
        if confirmed is not None and confirmed.height:
            self._note_final(confirmed, self.loading.client.server_now())
        self.loading.advance(rows)

    def _note_final(self, rows: pl.DataFrame, at: datetime) -> None:
        if self._watched.len():
            keys = self._watched.filter(self._watched.is_in(rows["_key"].implode()))
            self.final_at |= dict.fromkeys(keys, at)

    # what is pending

    def _settle(self) -> None:
        """Do what can be done for the chunks that are not final, and wait for what cannot, until nothing is left.

        Raises StoppedError where the patience is over. In the middle of a run failed imports stay for later.
        """
        while any(self._settles(item) for item in self.pending):
            done = self._sweep()
            if len(self.loading.flight):
                self._land()
            elif not done:
                self._wait()

    def _settles(self, item: Item) -> bool:
        if not self.loading.sends and item.row.method == "profiles":
            return item.until is not None
        if not self.loading.sends:
            return item.row.state not in (ChunkState.UNSENT, ChunkState.FAILED)
        return self._whole or item.row.state is not ChunkState.FAILED

    def _sweep(self) -> bool:
        """Go over all pending chunks once, in the order of sending; returns whether anything was done."""
        done = False
        for item in self.pending:
            self.check()
            if item in self.pending and self._settles(item):
                done = self._step(item) or done
        return done

    def _wait(self) -> None:
        """Wait for the first moment at which something pending can go on."""
        times = [item.until for item in self.pending if item.until is not None]
        if not times:
            raise StoppedError(Stop(StopCode.WAITING, "rows wait for rows of their customers that are not settled"))
        self.loading.waiting.until(min(times), LOST)
        self._lost = 0

    @property
    def _settle_after(self) -> timedelta:
        return timedelta(seconds=self.loading.job.load.settle_after_s)

    def _until(self, row: ChunkRow) -> datetime:
        """Return when a chunk whose answer was lost cannot run any more."""
        since = datetime.fromisoformat(row.ended_at or "") if row.method == "profiles" else row.sent_at
        return since + self._settle_after

    def _read_back(self, item: Item) -> None:
        """Find out what became of a chunk that cannot run any more (data rule 28)."""
        self._lost = 0
        if item.row.method == "profiles":
            if not self.loading.sends:
                item.until = None
                return
            self.loading.records(item.row.ordinal).reopen()
            if not self.send(item):
                item.until = None
            return
        self.loading.doubtful(item.keys)
        judge(self, item, Reason.AGAIN, unsendable=self.loading.job.target.action == "add")


def _share(some: pl.Series, others: pl.Series) -> bool:
    return bool(some.is_in(others.implode()).any())
