"""Stop the per-profile way where it passes what the job allows (pure but for its lock; data rules 34, 35)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Protocol

from pipeline.copernica import ApiError


class Limits(Protocol):
    """What may not be passed while rows go; each says why nothing more may be sent, or nothing."""

    def unmatched(self, rows: int) -> str:
        """Take how many rows of an `update` found no record so far."""

    def deletes(self, taken: Mapping[str, int], noun: str, records: int) -> str:
        """Take the records that are about to be deleted: profiles, or subprofiles of the collection `noun`.

        `taken` has those of the run that went before them, by noun.
        """


class NoLimits:
    """Allow everything."""

    def unmatched(self, rows: int) -> str:  # noqa: ARG002 - the shape of Limits
        """Allow so many."""
        return ""

    def deletes(self, taken: Mapping[str, int], noun: str, records: int) -> str:  # noqa: ARG002 - the shape of Limits
        """Allow so many."""
        return ""


class TooManyDeletesError(ApiError):
    """The next deletes would be more than the job allows; they were not sent."""


class Deletes:
    """Count the records that a run deletes, by noun; `refused` is `Limits.deletes`."""

    def __init__(self, refused: Callable[[Mapping[str, int], str, int], str]) -> None:
        self._refused = refused
        self._taken: Counter[str] = Counter()
        self._lock = Lock()

    def go_on_from(self, taken: Mapping[str, int]) -> None:
        """Take over what earlier processes of the run have deleted."""
        self._taken = Counter(taken)

    def take(self, noun: str, records: int) -> None:
        """Count records that are about to be deleted; raises TooManyDeletesError, and then none of them is counted."""
        with self._lock:
            if records and (why := self._refused(self._taken, noun, records)):
                raise TooManyDeletesError(why)
            self._taken[noun] += records
