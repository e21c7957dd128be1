"""Hold how sending a chunk ended, and why a run sends nothing more (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pipeline.model.chunk import ChunkState


class StopCode(StrEnum):
    """Why a run sends nothing more."""

    INTERRUPTED = "interrupted"
    AWAY = "away"  # the API cannot be reached, or not within the calls or the time that the job allows
    WAITING = "waiting"  # an import may still run, and the time for waiting is over
    REFUSED = "refused"  # Copernica answered no to the request itself
    FAILING = "failing"  # one import after the other failed
    GUARD = "guard"  # a limit of the job is passed
    UNTRUSTED = "untrusted"  # an answer does not fit the question


# What passes by itself: these leave the run open on the nights after as well (data rule 39).
PASSING = frozenset({StopCode.INTERRUPTED, StopCode.AWAY, StopCode.WAITING})


@dataclass(frozen=True)
class Stop:
    """Why a run sends nothing more; `message` holds no words of the API, `guard` names the guard that stopped it."""

    code: StopCode
    message: str
    guard: str = ""

    @property
    def passing(self) -> bool:
        """Return whether another attempt may go further."""
        return self.code in PASSING


class StoppedError(Exception):
    """Send nothing more."""

    def __init__(self, stop: Stop) -> None:
        self.stop = stop
        super().__init__(stop.message)


@dataclass(frozen=True)
class Outcome:
    """How sending a chunk ended.

    `message` may be logged, `words` (the API's own) may not. `stop` is why nothing more can be sent.
    """

    state: ChunkState
    message: str = ""
    words: str = ""
    stop: Stop | None = None
