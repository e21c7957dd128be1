"""Poll the imports that are not final yet, several side by side (edge: the API client; data rule 26)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from pipeline.copernica import ApiError, Client, ImportStatus, RefusedError, UnexpectedResponseError
from pipeline.load.imports import stop_of
from pipeline.model.chunk import ChunkState
from pipeline.model.job import Poll
from pipeline.model.outcome import Outcome, Stop, StopCode

T = TypeVar("T")

# Of an import with an error and counters that do not move (data rule 26).
STILL_POLLS = 10
STILL_S = 600.0
# Counters of a finished import that do not fit are asked for again so long (data rule 26).
COUNTERS_S = 120.0
# First wait after an immediate first poll, and the least that is waited for; a guess, the API names no interval.
SHORTEST_WAIT_S = 0.1


@dataclass(frozen=True)
class Clock:
    """Time for polling: `now` in UTC by the API host's clock, `wait` sleeps and returns True when the run was interrupted."""

    now: Callable[[], datetime]
    wait: Callable[[float], bool]


@dataclass(eq=False)
class _Import(Generic[T]):
    """One import: whose it is, what judges it, and when it is polled next."""

    of: T
    id: int
    sent_at: datetime
    watch: _Watch
    waits: Iterator[float]
    due: datetime


class Flight(Generic[T]):
    """The imports that Copernica has accepted and that are not final, each for something of the caller's (`T`)."""

    def __init__(self, client: Client, poll: Poll, clock: Clock) -> None:
        self._client, self._poll, self._clock = client, poll, clock
        self._imports: list[_Import[T]] = []
        self._last_import_s = 0.0

    def __len__(self) -> int:
        return len(self._imports)

    def __iter__(self) -> Iterator[T]:
        return iter([one.of for one in self._imports])

    def __contains__(self, of: T) -> bool:
        return any(one.of is of for one in self._imports)

    def add(self, of: T, import_id: int, rows: int, sent_at: datetime) -> None:
        """Take in an import of so many rows; what an earlier process has polled of it since `sent_at` counts, too."""
        watch = _Watch(self._poll.give_up_s, rows, self._client.public)
        one = _Import(of, import_id, sent_at, watch, waits(self._poll, self._last_import_s), self._clock.now())
        one.due += timedelta(seconds=next(one.waits))
        self._imports.append(one)

    def land(self) -> tuple[T, Outcome]:
        """Poll in turn until one import is final or presumed dead, the API is away, or the run is interrupted; let it go.

        One odd answer is asked for again. An import whose counters do not move for `give_up_s` is presumed dead. There is
        an import.
        """
        outcome = None
        while outcome is None:
            one = min(self._imports, key=lambda other: other.due)
            outcome = self._polled(one)
        self._imports.remove(one)
        return one.of, outcome

    def _polled(self, one: _Import[T]) -> Outcome | None:
        """Poll an import when its time has come; None while it may still go on."""
        if self._clock.wait(max((one.due - self._clock.now()).total_seconds(), 0.0)):
            stop = Stop(StopCode.INTERRUPTED, f"interrupted while import {one.id} runs")
            return Outcome(ChunkState.SUBMITTED, stop.message, stop=stop)
        try:
            status = self._client.import_status(one.id)
        except (RefusedError, UnexpectedResponseError):
            status = None
        except ApiError as error:
            message = f"import {one.id} was accepted, but asking for it failed: {error.message}"
            return Outcome(ChunkState.SUBMITTED, message, stop=Stop(stop_of(error).code, message))
        now = self._clock.now()
        one.due = now + timedelta(seconds=next(one.waits))
        elapsed_s = (now - one.sent_at).total_seconds()
        outcome = one.watch.judge(one.id, status, elapsed_s)
        if outcome is not None:
            self._last_import_s = elapsed_s
        return outcome


class _Watch:
    """Judge one import by its polls: final, still running, or stalled. Times are seconds since it was sent."""

    def __init__(self, give_up_s: float, rows: int, public: Callable[[str], str]) -> None:
        self._give_up_s, self._rows, self._public = give_up_s, rows, public
        self._counters: tuple[int, int] | None = None
        self._polls, self._moved_s = 0, 0.0
        self._misfit_s: float | None = None

    def judge(self, import_id: int, status: ImportStatus | None, elapsed_s: float) -> Outcome | None:
        """Return how the import ended, None while it may still go on; `status` None is an odd answer."""
        counters = self._counters if status is None else (status.total, status.processed)
        self._polls += 1
        if counters != self._counters:
            if self._counters is not None:
                self._polls, self._moved_s = 0, elapsed_s
            self._counters = counters
        if status is not None and (status.last_run or status.last_error):
            outcome = self._final(status, elapsed_s)
            if outcome is not None:
                return outcome
        if self._polls >= STILL_POLLS and elapsed_s - self._moved_s >= self._give_up_s:
            message = f"import {import_id} has not moved for {self._give_up_s:g} s and is presumed dead"
            return Outcome(ChunkState.UNKNOWN, message)
        return None

    def _final(self, status: ImportStatus, elapsed_s: float) -> Outcome | None:
        counters = f"{status.processed} of {status.total} lines processed, {self._rows} rows sent"
        if status.last_error is not None:
            stalled = self._polls >= STILL_POLLS and elapsed_s - self._moved_s >= STILL_S
            if status.last_run is None and not stalled:
                return None
            message = f"import {status.id} failed: {self._public(status.last_error)}; {counters}"
            return Outcome(ChunkState.FAILED, message, status.last_error)
        if status.total == status.processed == self._rows:
            return Outcome(ChunkState.CONFIRMED)
        self._misfit_s = elapsed_s if self._misfit_s is None else self._misfit_s
        if elapsed_s - self._misfit_s < COUNTERS_S:
            return None
        message = f"import {status.id}: the counters do not add up: {counters}"
        return Outcome(ChunkState.FAILED, message, message)


def waits(poll: Poll, last_import_s: float) -> Iterator[float]:
    """Yield the waits before each poll, in seconds, without end: `first_s`, then growing by `factor` up to `most_s`."""
    auto = poll.first_s == "auto"
    wait_s = min(last_import_s / 2 if poll.first_s == "auto" else poll.first_s, poll.most_s)
    yield 0 if auto and wait_s < SHORTEST_WAIT_S else wait_s
    wait_s = max(wait_s / 4 if auto else wait_s, SHORTEST_WAIT_S)
    while True:
        yield min(wait_s, poll.most_s)
        wait_s = min(wait_s * poll.factor, poll.most_s)
