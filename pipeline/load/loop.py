"""Send chunks one after another with the ledger ahead of the wire, holding what must wait (wiring).

The same loop loads a new run and goes on with one that stopped: what the ledger says of a chunk decides its next step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import polars as pl

from pipeline.errors import NotResumableError, Problem
from pipeline.load.choice import HARM
from pipeline.load.imports import Imports
from pipeline.load.load_report import LoadReport, Trouble
from pipeline.load.lost_imports import Settler
from pipeline.load.methods import Way
from pipeline.log import get_logger
from pipeline.model.chunk import Chunk
from pipeline.model.outcome import Ending, Outcome
from pipeline.model.row_state import RowState
from pipeline.state.chunk_records import ChunkEntry, ChunkRecord, ChunkRow, ChunkState
from pipeline.state.ledger import Ledger

T = TypeVar("T")


@dataclass(frozen=True)
class Decisions:
    """What a person, or the job, has decided for chunks in trouble (data rules 25 d, 28).

    `failed`: leave them, send their rows per profile, or skip them so that nothing waits for them. `rows_again` sends rows
    again that failed on the per-profile way. `unknown`: look, take them for sent, or send what is missing without waiting
    for a second look.
    """

    failed: Literal["leave", "profiles", "skip"] = "leave"
    unknown: Literal["look", "sent", "resend"] = "look"
    rows_again: bool = False


@dataclass(frozen=True)
class Loading:
    """What the loop works with: the run's id, its ledger, the way, and the outside (progress, interrupt).

    `imports` is asked about imports that were taken before. `profiles` is the per-profile way, for the rows of failed and
    unknown imports; None where it may not be used. `rebuilds` says that the last import carries the rebuild. `halt` is
    asked after each chunk why nothing more may be sent.
    """

    run: str
    ledger: Ledger
    way: Way
    imports: Imports
    settler: Settler
    advance: Callable[[int], None]
    interrupted: Callable[[], bool]
    profiles: Way | None = None
    rebuilds: bool = False
    decisions: Decisions = Decisions()
    halt: Callable[[LoadReport], str] = lambda _: ""


def load(chunks: Callable[[], Iterable[Chunk]], loading: Loading) -> LoadReport:
    """Send the chunks in order, one at a time; `chunks` cuts them, the same ones each time.

    A chunk that shares a profile key with one that is not confirmed is held: later values must not be followed by
    earlier ones (data rule 23). A fault that concerns the whole run (token, budget, refusal) ends the loop.
    """
    report = LoadReport()
    past = {row.ordinal: row for row in loading.ledger.chunks(loading.run)}
    passed = overtaken(chunks, past, loading)
    waiting: list[pl.Series] = []
    for chunk, last in with_last(chunks()):
        if loading.interrupted():
            break
        before = _known(past.pop(chunk.ordinal, None), chunk)
        record = loading.ledger.chunk(loading.run, entry_of(chunk), _way(loading, before).name)
        waits = _shares_a_key(chunk, waiting) or (last and loading.rebuilds and not report.all_final)
        if (before is None or before.state is ChunkState.HELD) and waits:
            record.hold()
            outcome = Outcome.whole(Ending.HELD, chunk)
        else:
            outcome = Step(loading, chunk, record, before, passed.get(chunk.ordinal)).take(last=last)
        report.rebuilt = last and outcome.ending is Ending.CONFIRMED and not outcome.per_profile
        _count(report, chunk, outcome, before)
        loading.advance(chunk.rows.height)
        if outcome.open_keys is not None:
            waiting.append(outcome.open_keys)
        halt = outcome.message if outcome.stop else loading.halt(report)
        if outcome.stop or halt:
            report.stopped, report.refused = halt, outcome.refused
            break
    else:
        report.whole = True
    for row in past.values():  # those that it did not come to
        report.count(recorded_outcome(row))
    report.refused = report.refused and not report.anything_sent
    report.interrupted = loading.interrupted()
    return report


def _known(before: ChunkRow | None, chunk: Chunk) -> ChunkRow | None:
    """Give what the ledger has of a chunk; raises NotResumableError where that has other rows (data rule 22)."""
    if before is not None and before.digest != chunk.digest:
        what = f"the staged rows of chunk {chunk.ordinal} are not those that the ledger knows: they have changed on the disk"
        raise NotResumableError(Problem(what, "the run's folder", "run the job again with --force unfinished_run"))
    return before


def _count(report: LoadReport, chunk: Chunk, outcome: Outcome, before: ChunkRow | None) -> None:
    """Count and log how a chunk ended, and name its place where a person has to know of it."""
    report.count(outcome)
    if before is None or before.state is not ChunkState.CONFIRMED:
        report.worked = True
        _log(chunk, outcome)
    if outcome.open_keys is not None and outcome.ending not in (Ending.HELD, Ending.CONFIRMED):
        place = (chunk.ordinal, chunk.rows.height, *chunk.places)
        report.troubles.append(Trouble(*place, outcome.ending, outcome.message, outcome.per_profile))


def overtaken(chunks: Callable[[], Iterable[Chunk]], past: Mapping[int, ChunkRow], loading: Loading) -> dict[int, int]:
    """Name the failed chunks whose rows must never be sent again, each with a later chunk that has gone before them.

    It was skipped, and that chunk may have sent later values of a profile that is open in it (data rule 23).
    """
    begun = [at for at, row in past.items() if row.state not in (ChunkState.UNSENT, ChunkState.HELD)]
    failed = {at for at in begun if past[at].state is ChunkState.FAILED and at < max(begun)}
    found: dict[int, int] = {}
    open_keys: dict[int, pl.Series] = {}
    for chunk in chunks() if failed else ():
        if chunk.ordinal in begun:
            for at in open_keys.keys() - found.keys():
                if _shares_a_key(chunk, [open_keys[at]]):
                    found[at] = chunk.ordinal
        if chunk.ordinal in failed:
            entries = loading.ledger.chunk(loading.run, entry_of(chunk), past[chunk.ordinal].way).rows.entries()
            done = [at for at, entry in entries.items() if entry.state.confirmed]
            open_keys[chunk.ordinal] = chunk.only(chunk.rows.filter(~pl.col("_seq").is_in(done))).keys
    return found


@dataclass(frozen=True)
class Step:
    """One chunk's next step, by what the ledger says of it; `passed_by` is a later chunk that has overtaken it."""

    loading: Loading
    chunk: Chunk
    record: ChunkRecord
    before: ChunkRow | None
    passed_by: int | None = None

    def take(self, *, last: bool) -> Outcome:
        """Do the next step and give where the chunk stands then."""
        before, way = self.before, _way(self.loading, self.before)
        state = ChunkState.UNSENT if before is None else before.state
        if state is ChunkState.CONFIRMED and before is not None:
            done = Outcome.whole(Ending.CONFIRMED, self.chunk)
            if before.looks and before.way == "imports":
                done = self._unless_it_may_still_run(done, before)
            return replace(done, unmatched=before.unmatched, per_profile=way.name == "profiles")
        if before is not None and self.passed_by is not None:
            return self._left_behind(before)
        if way.name == "profiles":
            return self._row_by_row(way, state, () if before is None else before.looks)
        if before is None or state in (ChunkState.UNSENT, ChunkState.HELD):
            return self._after_failure(way.carry(self.chunk, self.record, last=last))
        if state is ChunkState.SENDING:
            self.record.ended(Outcome.whole(Ending.UNKNOWN, self.chunk, "the process ended while the import was sent"))
            return self._settle(before)
        if state is ChunkState.SUBMITTED:
            outcome = self.loading.imports.settle(before.import_id or 0, self.chunk)
            self.record.ended(outcome)
            return self._after_failure(outcome)
        if state is ChunkState.UNKNOWN:
            return self._settle(before)
        return self._after_failure(Outcome.whole(Ending.FAILED, self.chunk, before.message or ""))

    def _left_behind(self, before: ChunkRow) -> Outcome:
        """Leave a skipped chunk for good; nothing waits for it (data rule 23)."""
        said = f"it was skipped, and chunk {self.passed_by} has sent later rows of its customers: it stays as it is"
        rest = self.chunk.rows.height - before.confirmed - before.failed - before.unknown
        return Outcome(
            Ending.FAILED,
            before.confirmed,
            before.failed + rest,
            before.unknown,
            unmatched=before.unmatched,
            message=f"{before.message}; {said}" if before.message else said,
            open_keys=pl.Series("_key", [], dtype=pl.UInt64),
            per_profile=before.way == "profiles",
        )

    def _row_by_row(self, way: Way, state: ChunkState, looks: tuple[tuple[str, str], ...]) -> Outcome:
        """Send a chunk per profile, or go on with it: what is recorded of a row is counted and not sent again."""
        decisions, rows = self.loading.decisions, self.record.rows
        if state is ChunkState.UNKNOWN:
            self._settle_rows(looks)
        if state is ChunkState.FAILED and decisions.rows_again:
            rows.reopen([RowState.FAILED, RowState.SEVERAL])
        outcome = replace(way.carry(self.chunk, self.record, last=False), per_profile=True)
        return replace(outcome, open_keys=None) if self._skipped(outcome) else outcome

    def _settle_rows(self, looks: tuple[tuple[str, str], ...]) -> None:
        """Find out about rows whose answer was lost on the per-profile way (data rule 28), and record what is known now."""
        loading, rows = self.loading, self.record.rows
        lost = {at for at, entry in rows.entries().items() if entry.state is RowState.UNKNOWN}
        if loading.settler.terms.action == "add":
            self._settle_added(lost)
            return
        missing: set[int] = set()
        resend = False
        if loading.decisions.unknown != "sent":
            look = loading.settler.look(self.chunk.only(self.chunk.rows.filter(pl.col("_seq").is_in(sorted(lost)))))
            if look.missing is None:
                return
            self.record.looked(look.at, look.digest)
            missing = set(look.missing["_seq"])
            resend = loading.decisions.unknown == "resend" or loading.settler.stands_still(looks, look)
        for at in sorted(lost - missing):
            rows.ended(at, RowState.UPDATED, "found when it was looked for")
        if resend and missing and loading.profiles is not None:
            rows.reopen([RowState.UNKNOWN])

    def _settle_added(self, lost: set[int]) -> None:
        """Let the way look for what the lost POSTs of an `add` made; no POST goes out twice (data rule 28).

        Values alone prove nothing here: the way knows when each POST was sent, and what other rows have made.
        """
        loading, rows = self.loading, self.record.rows
        calls = len(lost) * (1 + len(loading.settler.sets.collections))
        if loading.decisions.unknown == "sent":
            for at in sorted(lost):
                rows.take_for_sent(at)
        elif calls > loading.settler.most_calls:
            return
        rows.reopen([RowState.UNKNOWN])

    def _skipped(self, outcome: Outcome) -> bool:
        return outcome.ending is Ending.FAILED and self.loading.decisions.failed == "skip"

    def _after_failure(self, outcome: Outcome) -> Outcome:
        """Send the rows of a failed import per profile where that is allowed, or let nothing wait for them (rule 25 d)."""
        loading = self.loading
        if self._skipped(outcome):
            return replace(outcome, open_keys=None)
        if outcome.ending is not Ending.FAILED or loading.decisions.failed != "profiles" or loading.profiles is None:
            return outcome
        get_logger().warning("chunk.per_profile", chunk=self.chunk.ordinal, reason=outcome.message, warning=HARM)
        return replace(loading.profiles.carry(self.chunk, self._as_profiles(), last=False), per_profile=True)

    def _settle(self, before: ChunkRow) -> Outcome:
        """Find out about an unknown import, and do what was decided or what two equal looks allow (data rule 28)."""
        loading = self.loading
        if loading.decisions.unknown == "sent":
            outcome = Outcome.whole(Ending.CONFIRMED, self.chunk, "taken for sent by a person")
            self.record.ended(outcome)
            return outcome
        look = loading.settler.look(self.chunk, before.sending_at or "")
        outcome, missing = look.outcome, look.missing
        if missing is None:
            self.record.ended(outcome)
            return outcome
        self.record.looked(look.at, look.digest)
        resend = loading.decisions.unknown == "resend" or loading.settler.stands_still(before.looks, look)
        if not resend or loading.profiles is None or missing.is_empty():
            self.record.ended(outcome)
            return self._unless_it_may_still_run(outcome, before)
        rest = self.chunk.only(missing)
        arrived = self.chunk.rows.height - rest.rows.height
        sent = loading.profiles.carry(rest, self._as_profiles(arrived), last=False)
        return replace(sent, confirmed=sent.confirmed + arrived, per_profile=True)

    def _unless_it_may_still_run(self, outcome: Outcome, before: ChunkRow) -> Outcome:
        """Let later rows of the same customers wait for an import that reads back equal but may not have run (rule 23)."""
        if outcome.ending is not Ending.CONFIRMED or not self.loading.settler.may_still_run(
            self.chunk, before.sending_at or ""
        ):
            return outcome
        what = "its rows were there before it was sent, and it may still run: later rows of its customers wait"
        get_logger().warning("chunk.may_still_run", chunk=self.chunk.ordinal, what=what)
        return replace(outcome, open_keys=self.chunk.keys)

    def _as_profiles(self, arrived: int = 0) -> ChunkRecord:
        """Give the chunk's record for the per-profile way; `arrived` of its rows are confirmed already."""
        return self.loading.ledger.chunk(self.loading.run, entry_of(self.chunk), "profiles", arrived)


def _way(loading: Loading, before: ChunkRow | None) -> Way:
    """Give the way that a chunk goes: the one that it was sent by, or the run's."""
    if before is not None and before.way == "profiles" and loading.profiles is not None:
        return loading.profiles
    return loading.way


def _shares_a_key(chunk: Chunk, waiting: Iterable[pl.Series]) -> bool:
    return any(chunk.rows["_key"].is_in(keys.implode()).any() for keys in waiting)


def recorded(rows: Iterable[ChunkRow]) -> LoadReport:
    """Give what the ledger knows of a load that broke off."""
    report = LoadReport(worked=True)
    for row in rows:
        report.count(recorded_outcome(row))
    return report


def recorded_outcome(row: ChunkRow) -> Outcome:
    """Give how a chunk stands by the ledger alone.

    An import that was being sent may have arrived, so its rows are unknown; `Ledger.chunks` counts those of the other way,
    which is to be gone on with.
    """
    if row.state is not ChunkState.SENDING:
        ending, unknown = Ending(row.state.value), row.unknown
    elif row.way == "imports":
        ending, unknown = Ending.UNKNOWN, row.rows
    else:
        ending, unknown = Ending.SUBMITTED, row.unknown
    unsent = row.rows - row.confirmed - row.failed - unknown
    return Outcome(ending, row.confirmed, row.failed, unknown, unsent, unmatched=row.unmatched)


def entry_of(chunk: Chunk) -> ChunkEntry:
    """Give what the ledger keeps of a chunk."""
    first, last = chunk.places
    return ChunkEntry(chunk.ordinal, chunk.lane.phase, chunk.lane.carried, chunk.rows.height, chunk.digest, first, last)


def with_last(items: Iterable[T]) -> Iterator[tuple[T, bool]]:
    """Pair every item with whether it is the last one."""
    iterator = iter(items)
    for item in iterator:
        for following in iterator:
            yield item, False
            item = following
        yield item, True


def _log(chunk: Chunk, outcome: Outcome) -> None:
    log = get_logger()
    say = log.info if outcome.ending is Ending.CONFIRMED else log.warning
    why = {"message": outcome.message} if outcome.message else {}
    say(f"chunk.{outcome.ending}", chunk=chunk.ordinal, rows=chunk.rows.height, phase=chunk.lane.phase, **why)
