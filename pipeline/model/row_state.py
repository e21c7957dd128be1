"""Say what is recorded of single rows, and the ledger's verbs for them (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

# What the POST of a row's profile is called; other POSTs have names of their own.
PROFILE = "profile"


class RowState(StrEnum):
    """What became of a row: on its way, confirmed in one of several manners, failed, or unknown (data rules 3, 28, 31)."""

    SENDING = "sending"
    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"
    KEPT = "kept"  # `ignore or add`: everything was there; `add`: the profile was added by an earlier row
    UNMATCHED = "unmatched"
    SEVERAL = "several matches"
    FAILED = "failed"
    UNKNOWN = "unknown"

    @property
    def confirmed(self) -> bool:
        """Say whether nothing is left to be done for the row."""
        return self in _CONFIRMED

    @property
    def failed(self) -> bool:
        """Say whether the row counts as failed."""
        return self in (RowState.FAILED, RowState.SEVERAL)


_CONFIRMED = frozenset({RowState.CREATED, RowState.UPDATED, RowState.DELETED, RowState.KEPT, RowState.UNMATCHED})


@dataclass(frozen=True)
class RowEntry:
    """What the ledger has of a row; `posts` holds the id of everything that was POSTed for it, None where it is not known.

    `sent` says of the latter when they were sent: ISO 8601 in UTC by the API host's clock, empty where that is not known.
    `taken` are those that a person took for sent.
    """

    state: RowState
    message: str = ""
    posts: Mapping[str, int | None] = field(default_factory=dict)
    sent: Mapping[str, str] = field(default_factory=dict)
    taken: frozenset[str] = frozenset()
