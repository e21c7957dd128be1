"""Send chunks one after another with the ledger ahead of the wire, and settle in the same run what went wrong (wiring).

The same loop loads a new run, resumes one that stopped, and finishes an open one on the night after: what the ledger has
of a chunk decides its next step. `failures` searches imports that failed, `settle` reads back those that were lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import Event
from typing import TypeVar

import polars as pl

from pipeline.copernica import ApiError
from pipeline.errors import Problem, RunDamagedError
from pipeline.load.choice import HARM, refuses_imports
from pipeline.load.cut import Shape
from pipeline.load.failures import Search
from pipeline.load.imports import Imports, stop_of
from pipeline.load.pending import NO_KEYS, Item, Pending
from pipeline.load.profiles.method import Profiles
from pipeline.load.settle import Reader
from pipeline.load.waiting import Waiting
from pipeline.log import get_logger
from pipeline.model.chunk import Chunk, ChunkState, Reason
from pipeline.model.job import Job
from pipeline.model.outcome import Outcome, Stop, StopCode, StoppedError
from pipeline.model.row_state import RowState, Why
from pipeline.stage.parts import Parts
from pipeline.state.chunk_records import ChunkBook, ChunkRow
from pipeline.state.register import RunRegister
from pipeline.state.row_records import RowRecords

T = TypeVar("T")

# Imports whose answers were lost one after the other before no more is sent until they are settled (data rule 28).
MOST_LOST = 2
LOST = "the answer to an import was lost, and it may still run"


@dataclass(frozen=True)
class Hooks:
    """What is called as chunks go: `before` anything of one is on the wire, `confirmed` with its rows once that is on disk.

    `doubtful` takes the keys of an import that is presumed dead, and might walk one day.
    """

    before: Callable[[Chunk], None] = lambda _chunk: None
    confirmed: Callable[[Chunk, pl.DataFrame], None] = lambda _chunk, _rows: None
    doubtful: Callable[[pl.Series], None] = lambda _keys: None


@dataclass(frozen=True)
class Loading:
    """What the loop works with.

    `cut` yields the chunks, the same ones each time. `method` is how the run sends; `falls_back` says that rows may go per
    profile where imports do not serve, after `fall_back` was called with the reason. `older` are the keys of open runs that
    are older: their rows come first. `again` says that others may have sent something since the rows were staged. With
    `sends` False nothing is sent, what is on its way is settled. `closes` gives up chunks that Copernica refuses.
    """

    job: Job
    shape: Shape
    cut: Callable[[], Iterator[Chunk]]
    book: ChunkBook
    records: Callable[[int], RowRecords]
    parts: Parts
    register: RunRegister
    imports: Imports
    profiles: Profiles
    reader: Reader
    waiting: Waiting
    interrupted: Event
    now: Callable[[], datetime]
    method: str
    falls_back: bool
    fall_back: Callable[[str], None]
    advance: Callable[[int], None] = lambda _rows: None
    hooks: Hooks = Hooks()
    older: pl.Series = field(default_factory=lambda: NO_KEYS)
    again: bool = False
    sends: bool = True
    closes: bool = False


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
        self._next = max((row.ordinal for row in self._rows), default=0) + 1
        self._sent = any(row.sending_at is not None for row in self._rows)
        self._search = Search(self)
        self._lost = 0
        self._whole = False  # all cut chunks were taken up

    def run(self) -> Stop | None:
        """Load; returns why it stopped, None where everything was tried."""
        try:
            self._take_up_parts()
            cuts = {row.cut: row for row in self._rows if row.reason is Reason.CUT}
            for chunk, last in with_last(self.loading.cut()):
                self.check()
                self._whole = last
                self._take_up(chunk, cuts.get(chunk.cut))
            self._whole = True
            self._settle()
        except StoppedError as error:
            return error.stop
        return None

    def check(self) -> None:
        """Raise StoppedError where the run was interrupted."""
        if self.loading.interrupted.is_set():
            raise StoppedError(Stop(StopCode.INTERRUPTED, "interrupted"))

    # what the ledger has

    def _take_up_parts(self) -> None:
        """Take up the chunks of their own that an earlier process left; base chunks come with their rows."""
        for row in self._rows:
            if row.reason is not Reason.CUT and not row.state.final:
                self._keep(Item(row, self.loading.parts.read(row.ordinal)["_key"].unique()))

    def _keep(self, item: Item) -> None:
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
        parts = [one.ordinal for one in self._rows if one.cut == row.cut and one.ordinal != row.ordinal]
        own = chunk.rows.filter(~pl.col("_seq").is_in(self.loading.parts.positions(parts).implode()))
        chunk = replace(self.loading.shape.reduced(chunk, own), ordinal=row.ordinal)
        self._step(Item(row, chunk.keys, chunk))

    def _begin(self, chunk: Chunk) -> None:
        """Record a chunk that is new to the ledger, and send it."""
        chunk = replace(chunk, ordinal=self._number())
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

    def _number(self) -> int:
        self._next += 1
        return self._next - 1

    def _step(self, item: Item) -> bool:
        """Do the next step of a chunk, if there is one at present; returns whether there was."""
        row = item.row
        if row.state is ChunkState.SENDING and row.method == "imports":
            item.row = self.book.unknown(row, "the process ended while the import was sent")
            self._keep(item)
            return True
        if row.state is ChunkState.SUBMITTED:
            self._poll(item)
            return True
        if row.state is ChunkState.UNKNOWN:
            self._keep(item)
            if item.until is None or self.loading.now() < item.until:
                return False
            self._read_back(item)
            return True
        if row.state is ChunkState.FAILED:
            self._keep(item)
            return self._whole and self.loading.sends and self._search.search(item)
        return self.send(item)

    # sending

    @property
    def rebuilds(self) -> bool:
        """Return whether the last import of the run carries the rebuild."""
        return self.loading.job.target.rebuild and self._method == "imports"

    def send(self, item: Item) -> bool:
        """Send what may go of a chunk by the run's method; returns False where all of it has to wait."""
        chunk = self.chunk_of(item)
        if not self.loading.sends or self._lost >= MOST_LOST:
            self._keep(item)
            return False
        waits = self._waits(item, chunk)
        if waits.all():
            return self._hold_all(item, chunk)
        if self._method == "profiles" or item.row.method == "profiles":
            return self.per_profile(item, frozenset(chunk.rows.filter(waits)["_key"]))
        chunk = self._without_overtaken(item, self._without(item, chunk, waits))
        if chunk.rows.height:
            self._import(item, chunk)
        return True

    def chunk_of(self, item: Item) -> Chunk:
        """Return the rows of a chunk; those of one of its own are read from disk."""
        if item.chunk is None:
            row = item.row
            made = self.loading.shape.chunk(row.lane, self.loading.parts.read(row.ordinal))
            if made.digest != row.digest:
                what = f"the rows of chunk {row.ordinal} are not those that the ledger knows: they have changed on disk"
                raise RunDamagedError(Problem(what, "the run's folder"))
            item.chunk = replace(made, ordinal=row.ordinal, cut=row.cut, start=row.start, reason=row.reason)
        return item.chunk

    def _waits(self, item: Item, chunk: Chunk) -> pl.Series:
        """Return which rows wait: for earlier rows of their keys, or for an import of another run (data rules 23, 38)."""
        keys = chunk.rows["_key"]
        before = self.pending.keys_before(item)
        held = self.loading.register.held(keys, self.loading.now())
        item.until = held.until if held.rows.any() else None
        earlier: pl.Series = keys.is_in(before.implode()) | keys.is_in(self.loading.older.implode())
        return earlier & (keys != 0) | held.rows

    def _hold_all(self, item: Item, chunk: Chunk) -> bool:
        """Let a whole chunk wait; one that was cut becomes a chunk of its own, so that its rows need not stay in memory."""
        if item.row.reason is Reason.CUT and item.row.method != "profiles":
            self.set_apart(item, [chunk.rows], Reason.HELD)
            return False
        self._keep(item)
        return False

    def _without(self, item: Item, chunk: Chunk, waits: pl.Series) -> Chunk:
        """Take the rows that have to wait out of a chunk."""
        if not waits.any():
            return chunk
        until = item.until
        (held,) = self.set_apart(item, [chunk.rows.filter(waits)], Reason.HELD)
        held.until = until
        return self.chunk_of(item)

    def _without_overtaken(self, item: Item, chunk: Chunk) -> Chunk:
        """Take the rows out that another run has overtaken meanwhile: they are not sent any more (data rule 40)."""
        overtaken = self._overtaken(chunk)
        if not overtaken.any():
            return chunk
        (part,) = self.set_apart(item, [chunk.rows.filter(overtaken)], Reason.HELD)
        self._set_aside(part, RowState.ASIDE, Why("overtaken", "", "another run has sent this key since"))
        return self.chunk_of(item)

    def _overtaken(self, chunk: Chunk) -> pl.Series:
        keys = chunk.rows["_key"]
        if not (self.loading.again or self.loading.waiting.waited):
            return pl.repeat(False, keys.len(), eager=True)
        found: pl.Series = self.loading.register.overtaken(keys, self._columns(chunk))
        return found & (keys != 0)

    def _columns(self, chunk: Chunk) -> tuple[str, ...] | None:
        """Return the columns that a chunk writes; None for a delete, which takes the whole record."""
        if self.loading.job.target.action == "delete":
            return None
        return tuple(name for name in chunk.columns if name not in self.loading.shape.keys.profile)

    def _set_aside(self, item: Item, state: RowState, why: Why, **counts: int) -> None:
        """End a chunk none of whose rows is sent any more."""
        chunk = self.chunk_of(item)
        self.loading.records(item.row.ordinal).set_aside(chunk.rows["_seq"], state, why)
        item.row = self.book.ended(item.row, None, **counts)
        self._done(item, chunk)

    def refuse(self, item: Item, why: Why) -> None:
        """End a chunk whose rows Copernica refused for good; they hold nothing any more (data rule 23)."""
        self._set_aside(item, RowState.FAILED, why, failed=item.row.rows)

    def set_apart(
        self, item: Item, parts: Iterable[pl.DataFrame], reason: Reason, confirmed: int | None = None
    ) -> list[Item]:
        """Make chunks of their own of some rows of a chunk; they are pending, and it is left with the others.

        `confirmed` counts those that are confirmed, in a chunk that was read back.
        """
        chunk, items, start = self.chunk_of(item), [], item.row.start
        seqs = chunk.rows["_seq"]
        for rows in parts:
            made = self.loading.shape.chunk(chunk.lane, rows)
            at = start + int(seqs.index_of(rows["_seq"][0]) or 0)
            made = replace(made, ordinal=self._number(), cut=chunk.cut, start=at, reason=reason)
            self.loading.parts.write(made.ordinal, rows)
            items.append(Item(ChunkRow.of(made, "imports"), made.keys))
        row = self.book.set_apart(item.row, [one.row for one in items], confirmed)
        gone = pl.concat([part["_seq"] for part in parts])
        item.row, item.chunk = row, self.loading.shape.reduced(chunk, chunk.rows.filter(~seqs.is_in(gone.implode())))
        item.keys = item.chunk.keys
        if row.state.final:
            self.pending.remove(item)
        for one in items:
            self._keep(one)
        return items

    # imports

    def _import(self, item: Item, chunk: Chunk) -> None:
        loading = self.loading
        rebuild = self.rebuilds and self._whole and all(one is item for one in self.pending)
        item.row = self.book.sending(item.row, "imports", rebuild=rebuild)
        sent_at = item.row.sent_at
        loading.register.sending(chunk.ordinal, chunk.keys, self._columns(chunk), sent_at, sent_at + self._settle_after)
        loading.hooks.before(chunk)
        sent = loading.imports.send(chunk, rebuild=rebuild)
        if isinstance(sent, int):
            self._sent = True
            item.row = self.book.submitted(item.row, sent)
            until = sent_at + max(self._settle_after, timedelta(seconds=loading.job.load.poll.give_up_s))
            loading.register.sending(chunk.ordinal, chunk.keys, self._columns(chunk), sent_at, until)
            self._lost = 0
            self._poll(item)
        elif sent.state is ChunkState.UNKNOWN:
            self._sent = True
            self._lose(item, sent)
        else:
            self._not_sent(item, sent)

    def _poll(self, item: Item) -> None:
        """Poll an import that was accepted until it is final."""
        row = item.row
        outcome = self.loading.imports.settle(row.import_id or 0, row.rows, row.sent_at)
        _log(row, outcome)
        if outcome.state is ChunkState.CONFIRMED:
            chunk = self.chunk_of(item)
            item.row = self.book.confirmed(row)
            self._done(item, chunk, chunk.rows)
            self._search.succeeded(item)
        elif outcome.state is ChunkState.FAILED:
            self._fail(item, outcome)
        elif outcome.state is ChunkState.UNKNOWN:
            item.row = self.book.unknown(row, outcome.message, outcome.words)
            self._keep(item)
        else:
            item.row = self.book.so_far(row, outcome.message)
            self._keep(item)
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
        _log(item.row, outcome)
        self._lost += 1
        self._keep(item)
        self.loading.waiting.answer()
        if self._lost >= MOST_LOST and not self._whole:
            self._settle()

    def _not_sent(self, item: Item, outcome: Outcome) -> None:
        """Stop, or fall back to single profiles where imports are refused as a whole before any was accepted (data rule 25).

        An open run that is finished gives up the refused chunk only (data rule 39).
        """
        self.loading.register.withdrawn(item.row.ordinal)
        refused = outcome.stop is not None and outcome.stop.code is StopCode.REFUSED
        _log(item.row, outcome)
        item.row = self.book.unsent(item.row, outcome.message, outcome.words)
        if refused and self.loading.closes:
            self._set_aside(item, RowState.ASIDE, Why("refused_by_api", "", outcome.words))
            return
        if refused and not self._sent and self.loading.falls_back and refuses_imports(outcome.words):
            self.loading.fall_back(outcome.message)
            self._method = "profiles"
            self.per_profile(item)
            return
        self._keep(item)
        raise StoppedError(outcome.stop or Stop(StopCode.AWAY, outcome.message))

    def _done(self, item: Item, chunk: Chunk, confirmed: pl.DataFrame | None = None) -> None:
        """Let a chunk go that is final; `confirmed` are its rows that are."""
        self.loading.register.final(item.row.ordinal)
        self.pending.remove(item)
        if confirmed is not None and confirmed.height:
            self.loading.hooks.confirmed(chunk, confirmed)
            self._note_final(confirmed, self.loading.now())
        self.loading.advance(chunk.rows.height)

    def _note_final(self, rows: pl.DataFrame, at: datetime) -> None:
        if self._watched.len():
            keys = self._watched.filter(self._watched.is_in(rows["_key"].implode()))
            self.final_at |= dict.fromkeys(keys, at)

    # row by row

    def per_profile(self, item: Item, blocked: frozenset[int] = frozenset()) -> bool:
        """Send a chunk profile by profile, or what is left of it; rows of `blocked` keys wait."""
        loading, chunk = self.loading, self.chunk_of(item)
        records = loading.records(chunk.ordinal)
        if item.row.state is ChunkState.FAILED:
            reason = item.row.message or ""
            get_logger().warning("chunk.per_profile", chunk=chunk.ordinal, reason=reason, warning=HARM)
        loading.profiles.prepare()
        overtaken = chunk.rows.filter(self._overtaken(chunk))["_seq"]
        untouched = [seq for seq in overtaken if seq not in records.entries()] if overtaken.len() else []
        records.set_aside(untouched, RowState.ASIDE, Why("overtaken", "", "another run has sent this key since"))
        item.row = self.book.sending(item.row, "profiles")
        loading.register.sending(chunk.ordinal, chunk.keys, self._columns(chunk), item.row.sent_at, None)
        loading.hooks.before(chunk)
        self._sent = True
        tried = loading.profiles.send(chunk.ordinal, chunk.rows, records, blocked)
        counts: dict[str, int | None] = {
            "confirmed": tried.confirmed,
            "failed": tried.failed,
            "unmatched": tried.unmatched,
        }
        if tried.stop is not None or (tried.rest and blocked):
            item.row = self.book.so_far(item.row, tried.message, unknown=tried.unknown, **counts)
            self._keep(item)
            if tried.stop is not None:
                raise StoppedError(tried.stop)
        elif tried.unknown and loading.job.target.action != "add":
            item.row = self.book.unknown(item.row, tried.message, "", rows=tried.unknown, **counts)
            self._keep(item)
        else:
            self._end_rows(item, chunk, records, tried.unknown, counts)
        return True

    def _end_rows(
        self, item: Item, chunk: Chunk, records: RowRecords, unknown: int, counts: dict[str, int | None]
    ) -> None:
        """End a chunk whose rows all have an outcome; what follows a lost POST of an `add` is set aside."""
        entries = records.entries()
        left = [seq for seq in chunk.rows["_seq"] if seq not in entries or entries[seq].state is RowState.SENDING]
        records.set_aside(left, RowState.ASIDE, Why("not_sent", "", "its profile's own row got no answer"))
        item.row = self.book.ended(item.row, None, unknown=unknown, **counts)
        done = [seq for seq, entry in entries.items() if entry.state.confirmed]
        confirmed = chunk.rows.filter(pl.col("_seq").is_in(done))
        _log(item.row, Outcome(item.row.state, item.row.message or ""))
        self._done(item, replace(chunk, rows=chunk.rows.clear()), confirmed)

    # what is pending

    def _settle(self) -> None:
        """Do what can be done for the chunks that are not final, and wait for what cannot, until nothing is left.

        Raises StoppedError where the patience is over. In the middle of a run failed imports stay for later.
        """
        while any(self._settles(item) for item in self.pending):
            if not self._sweep():
                self._wait()

    def _settles(self, item: Item) -> bool:
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
            self.loading.records(item.row.ordinal).reopen()
            if not self.send(item):
                item.until = None
            return
        self.loading.hooks.doubtful(item.keys)
        self.judge(item, Reason.AGAIN, unsendable=self.loading.job.target.action == "add")

    def judge(self, item: Item, reason: Reason, *, unsendable: bool, failed: bool = False) -> None:
        """Read a chunk back and record what became of its rows; missing ones become a chunk of their own.

        Where they are `unsendable` they are unknown, or `failed`.
        """
        chunk, row = self.chunk_of(item), item.row
        records = self.loading.records(row.ordinal)
        try:
            found = self.loading.reader.read(chunk, row.sent_at)
        except ApiError as error:
            raise StoppedError(stop_of(error)) from None
        if found.unread:
            self._set_aside(item, RowState.UNKNOWN, Why("answer_lost", "", found.unread), unknown=row.rows)
            get_logger().warning("chunk.not_read_back", chunk=row.ordinal, rows=row.rows, why=found.unread)
            return
        records.set_aside(
            found.contested, RowState.ASIDE, Why("changed_since", "", "somebody else has changed it since")
        )
        gone = pl.concat([found.missing, found.contested])
        confirmed = chunk.rows.filter(~pl.col("_seq").is_in(gone.implode()))
        missing = chunk.rows.filter(pl.col("_seq").is_in(found.missing.implode()))
        log = get_logger().info
        log("chunk.read_back", chunk=row.ordinal, confirmed=confirmed.height, missing=missing.height,
            changed_by_others=found.contested.len())  # fmt: skip
        if unsendable or not missing.height:
            state, code = (RowState.FAILED, "refused_by_api") if failed else (RowState.UNKNOWN, "answer_lost")
            records.set_aside(found.missing, state, Why(code, "", row.words or row.message or ""))
            counts = {"failed" if failed else "unknown": missing.height}
            item.row = self.book.ended(row, None, confirmed=confirmed.height, **counts)
        else:
            self.set_apart(item, [missing], reason, confirmed.height)
        self._done(item, replace(chunk, rows=gone_rows(chunk, confirmed)), confirmed)


def gone_rows(chunk: Chunk, confirmed: pl.DataFrame) -> pl.DataFrame:
    """Return the rows that a progress bar moves on by."""
    return confirmed if confirmed.height else chunk.rows.clear()


def with_last(items: Iterable[T]) -> Iterator[tuple[T, bool]]:
    """Pair every item with whether it is the last one."""
    iterator = iter(items)
    for item in iterator:
        for following in iterator:
            yield item, False
            item = following
        yield item, True


def _log(row: ChunkRow, outcome: Outcome) -> None:
    log = get_logger()
    say = log.info if outcome.state is ChunkState.CONFIRMED else log.warning
    why = {"message": outcome.message} if outcome.message else {}
    word = row.word if outcome.state is ChunkState.ENDED else outcome.state
    say(f"chunk.{word}", chunk=row.ordinal, rows=row.rows, phase=row.phase, **why)
