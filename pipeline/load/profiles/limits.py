"""Stop the per-profile method where it passes what the job allows (pure but for its lock; data rules 34, 35)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock

from pipeline.model.outcome import Stop, StoppedError


@dataclass(frozen=True)
class Limits:
    """What may not be passed while rows go; each function returns why nothing more may be sent, or None.

    `unmatched` takes how many rows of an `update` found no record so far. `deletes` takes the records that the run has
    deleted by noun (profiles, or subprofiles of a collection), then the noun and number of those that are next.
    """

    unmatched: Callable[[int], Stop | None] = lambda _rows: None
    deletes: Callable[[Mapping[str, int], str, int], Stop | None] = lambda _taken, _noun, _records: None


class Deletes:
    """Count the records that a run deletes, by noun; `taken` are those of earlier processes."""

    def __init__(self, limits: Limits, taken: Mapping[str, int]) -> None:
        self._limits = limits
        self._taken = Counter(taken)
        self._lock = Lock()

    def take(self, noun: str, records: int) -> None:
        """Count records that are about to be deleted; raises StoppedError, and then none of them is counted."""
        with self._lock:
            if records and (stop := self._limits.deletes(self._taken, noun, records)) is not None:
                raise StoppedError(stop)
            self._taken[noun] += records
