"""Send chunks by POST imports and poll until each import is final (edge: the API client)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from pipeline.copernica import (
    ApiError,
    CancelledError,
    Client,
    ImportRequest,
    ImportStatus,
    RefusedError,
    UnexpectedResponseError,
    UnsupportedError,
)
from pipeline.model.chunk import Chunk, ChunkState, import_name
from pipeline.model.job import Job, Poll
from pipeline.model.outcome import Outcome, Stop, StopCode

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


class Imports:
    """The method of POST imports: one request for a chunk, then polls until it is final."""

    name = "imports"

    def __init__(self, client: Client, job: Job, run: str, database_id: int, clock: Clock) -> None:
        self._client, self._target, self._poll = client, job.target, job.load.poll
        self._run, self._database_id, self._clock = run, database_id, clock
        self._last_import_s = 0.0
        self.accepted = 0

    def send(self, chunk: Chunk, *, rebuild: bool) -> int | Outcome:
        """Post a chunk; returns the id of its import, or how it ended without one."""
        target = self._target
        request = ImportRequest(
            database_id=self._database_id,
            name=import_name(self._run, chunk.ordinal),
            action=target.action,
            key_fields=chunk.key_fields,
            ignore_empty_fields=target.ignore_empty_fields,
            delete_target=target.delete_target,
            followups=target.followups,
            rebuild=rebuild,
        )
        try:
            import_id = self._client.post_import(request, chunk.body)
        except ApiError as error:
            if error.maybe_sent:
                return Outcome(ChunkState.UNKNOWN, error.message, error.words)
            stop = stop_of(error)
            return Outcome(ChunkState.UNSENT, error.message, error.words, stop)
        self.accepted += 1
        return import_id

    def settle(self, import_id: int, rows: int, sent_at: datetime) -> Outcome:
        """Poll an import until it is final or presumed dead, the API is away, or the run is interrupted (data rule 26).

        One odd answer is asked for again. An import whose counters do not move for `give_up_s` is presumed dead; after
        `sent_at` an earlier process may have polled it, so that time counts, too.
        """
        watch = _Watch(self._poll.give_up_s, rows, self._client.public)
        for wait_s in waits(self._poll, self._last_import_s):
            if self._clock.wait(wait_s):
                stop = Stop(StopCode.INTERRUPTED, f"interrupted while import {import_id} runs")
                return Outcome(ChunkState.SUBMITTED, stop.message, stop=stop)
            try:
                status = self._client.import_status(import_id)
            except (RefusedError, UnexpectedResponseError):
                status = None
            except ApiError as error:
                message = f"import {import_id} was accepted, but asking for it failed: {error.message}"
                return Outcome(ChunkState.SUBMITTED, message, stop=Stop(stop_of(error).code, message))
            elapsed_s = (self._clock.now() - sent_at).total_seconds()
            outcome = watch.judge(import_id, status, elapsed_s)
            if outcome is not None:
                self._last_import_s = elapsed_s
                return outcome
        raise AssertionError("waits never end")


def stop_of(error: ApiError) -> Stop:
    """Return why a run cannot send anything more after an error that sent nothing."""
    if isinstance(error, CancelledError):
        return Stop(StopCode.INTERRUPTED, error.message)
    if isinstance(error, RefusedError | UnsupportedError):
        return Stop(StopCode.REFUSED, error.message)
    if isinstance(error, UnexpectedResponseError):
        return Stop(StopCode.UNTRUSTED, error.message)
    return Stop(StopCode.AWAY, error.message)


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
