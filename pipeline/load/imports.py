"""Send chunks by POST imports and ask until each import is final (edge: the API client)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from pipeline.copernica import ApiError, Client, ImportRequest, ImportStatus, RefusedError, UnsupportedError
from pipeline.load.methods import ChunkLog
from pipeline.model.chunk import Chunk, import_name
from pipeline.model.job import Poll
from pipeline.model.outcome import Ending, Outcome

# Of an import with an error and counters that stand still (data rule 26).
STILL_POLLS = 10
STILL_S = 600.0
# First wait after an immediate first look, and the least that is waited for; a guess, the API names no interval.
SHORTEST_WAIT_S = 0.1


@dataclass(frozen=True)
class ImportSettings:
    """What all imports of a run share."""

    run: str
    database_id: int
    action: str
    ignore_empty_fields: bool
    followups: bool
    rebuild: bool
    poll: Poll
    delete_target: str | None = None


@dataclass(frozen=True)
class Clock:
    """Time for polling: `now` in seconds from any start, `wait` sleeps and says True when the run was interrupted."""

    now: Callable[[], float]
    wait: Callable[[float], bool]


class Imports:
    """The way of POST imports: one request for a chunk, then polls until it is final."""

    name = "imports"

    def __init__(self, client: Client, settings: ImportSettings, clock: Clock) -> None:
        self._client = client
        self._settings = settings
        self._clock = clock
        self._last_import_s = 0.0
        self.accepted = 0

    def carry(self, chunk: Chunk, log: ChunkLog, *, last: bool) -> Outcome:
        """Post the chunk and ask until its import is final; only the last import of a run carries `rebuild` (rule 24)."""
        log.sending(self._client.server_now().isoformat())
        try:
            import_id = self._client.post_import(self._request(chunk, last), chunk.body)
        except ApiError as error:
            # A fault of the wire that certainly sent nothing, and any refusal, concern the imports to come as well.
            ending = Ending.UNKNOWN if error.maybe_sent else Ending.UNSENT
            outcome = Outcome.whole(ending, chunk, error.message, stop=not error.maybe_sent)
            outcome = replace(outcome, refused=isinstance(error, RefusedError | UnsupportedError))
        else:
            self.accepted += 1
            log.submitted(import_id)
            outcome = self.settle(import_id, chunk)
        log.ended(outcome)
        return outcome

    def _request(self, chunk: Chunk, last: bool) -> ImportRequest:
        settings = self._settings
        return ImportRequest(
            database_id=settings.database_id,
            name=import_name(settings.run, chunk.ordinal),
            action=settings.action,
            key_fields=chunk.key_fields,
            ignore_empty_fields=settings.ignore_empty_fields,
            delete_target=settings.delete_target,
            followups=settings.followups,
            rebuild=settings.rebuild and last,
        )

    def settle(self, import_id: int, chunk: Chunk) -> Outcome:
        """Ask for the import until it is final (data rule 26), the job's patience ends, or the run is interrupted."""
        started = self._clock.now()
        still = Stillness()
        message = f"import {import_id} was not final after {self._settings.poll.give_up_s:g} s"
        try:
            for wait_s in waits(self._settings.poll, self._last_import_s):
                if self._clock.wait(wait_s):
                    return Outcome.whole(Ending.SUBMITTED, chunk, f"interrupted, import {import_id} goes on", stop=True)
                status = self._client.import_status(import_id)
                elapsed_s = self._clock.now() - started
                verdict = judge(status, chunk.rows.height, stuck=still.seen(status, elapsed_s))
                if verdict is not None:
                    self._last_import_s = elapsed_s
                    return Outcome.whole(verdict[0], chunk, verdict[1])
                if elapsed_s >= self._settings.poll.give_up_s:
                    break
        except ApiError as error:
            message = f"import {import_id} was taken, but asking for it failed: {error.message}"
        return Outcome.whole(Ending.SUBMITTED, chunk, message, stop=True)


@dataclass
class Stillness:
    """Notice an import with an error whose counters have stood still for ten polls and ten minutes (data rule 26)."""

    _counters: tuple[int, int] | None = None
    _polls: int = 0
    _since_s: float = 0.0

    def seen(self, status: ImportStatus, elapsed_s: float) -> bool:
        """Take one poll; say whether the import is stuck."""
        counters = (status.total, status.processed)
        if status.last_error is None or counters != self._counters:
            self._counters, self._polls, self._since_s = counters, 0, elapsed_s
            return False
        self._polls += 1
        return self._polls >= STILL_POLLS and elapsed_s - self._since_s >= STILL_S


def judge(status: ImportStatus, rows: int, *, stuck: bool) -> tuple[Ending, str] | None:
    """Say how the import ended, None while it is not final (data rule 26; never by the status word)."""
    if status.last_run is None and not stuck:
        return None
    counters = f"{status.processed} of {status.total} lines processed, {rows} rows sent"
    if status.last_error is not None:
        return Ending.FAILED, f"import {status.id}: Copernica says {status.last_error!r}; {counters}"
    if not status.total == status.processed == rows:
        return Ending.FAILED, f"import {status.id}: the counters do not add up: {counters}"
    return Ending.CONFIRMED, ""


def waits(poll: Poll, last_import_s: float) -> Iterator[float]:
    """Give the waits before each poll, in seconds, without end: `first_s`, then growing by `factor` up to `most_s`."""
    auto = poll.first_s == "auto"
    wait_s = min(last_import_s / 2 if poll.first_s == "auto" else poll.first_s, poll.most_s)
    yield 0 if auto and wait_s < SHORTEST_WAIT_S else wait_s
    wait_s = max(wait_s / 4 if auto else wait_s, SHORTEST_WAIT_S)
    while True:
        yield min(wait_s, poll.most_s)
        wait_s = min(wait_s * poll.factor, poll.most_s)
