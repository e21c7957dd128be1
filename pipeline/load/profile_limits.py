"""Stop the per-profile way where it passes what the job allows (pure but for its lock; data rules 34, 35)."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Protocol

from pipeline.copernica import ApiError


class Limits(Protocol):
    """What may not be passed while rows go; each says why nothing more may be sent, or nothing."""

    def unmatched(self, rows: int) -> str:
        """Take how many rows of an `update` found no record so far."""

    def deletes(self, records: int) -> str:
        """Take how many records are deleted so far, those about to be included."""


class NoLimits:
    """Allow everything."""

    def unmatched(self, rows: int) -> str:  # noqa: ARG002 - the shape of Limits
        """Allow so many."""
        return ""

    def deletes(self, records: int) -> str:  # noqa: ARG002 - the shape of Limits
        """Allow so many."""
        return ""


class TooManyDeletesError(ApiError):
    """The next deletes would be more than the job allows; they were not sent."""


class Deletes:
    """Count the records that a run deletes; `refused` says why so many are too many, or nothing."""

    def __init__(self, refused: Callable[[int], str]) -> None:
        self._refused = refused
        self._taken = 0
        self._lock = Lock()

    def take(self, records: int) -> None:
        """Count records that are about to be deleted; raises TooManyDeletesError, and then none of them is counted."""
        with self._lock:
            if why := self._refused(self._taken + records):
                raise TooManyDeletesError(why)
            self._taken += records
