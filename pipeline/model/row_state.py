"""Hold what is recorded of single rows (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

# What the POST of a row's profile is called; other POSTs have names of their own.
PROFILE = "profile"


class RowState(StrEnum):
    """What became of a row: on its way, confirmed in one of several manners, failed, unknown, or set aside unsent."""

    SENDING = "sending"
    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"
    KEPT = "kept"  # `ignore or add`: everything was there; `add`: the profile was added by an earlier row
    UNMATCHED = "unmatched"
    SEVERAL = "several matches"
    FAILED = "failed"
    UNKNOWN = "unknown"  # sent, and what became of it is not known
    ASIDE = "set aside"  # not sent any more: somebody else was faster, or the run was closed

    @property
    def confirmed(self) -> bool:
        """Return whether nothing is left to be done for the row."""
        return self in _CONFIRMED

    @property
    def failed(self) -> bool:
        """Return whether the row counts as failed."""
        return self in (RowState.FAILED, RowState.SEVERAL)


_CONFIRMED = frozenset({RowState.CREATED, RowState.UPDATED, RowState.DELETED, RowState.KEPT, RowState.UNMATCHED})


@dataclass(frozen=True)
class Why:
    """Why a row is not confirmed: a code of the catalogue, the target column to blame or "", and a message.

    The message may quote the API: it stands in the ledger and in the file of the rows only.
    """

    code: str
    column: str = ""
    message: str = ""


@dataclass(frozen=True)
class RowEntry:
    """What the ledger has of a row; `posts` holds the id of everything that was POSTed for it, None where it is not known."""

    state: RowState
    message: str = ""
    posts: Mapping[str, int | None] = field(default_factory=dict)
