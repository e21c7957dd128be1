"""Say what is recorded of single rows, and the ledger's verbs for them (pure)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

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


class RowLog(Protocol):
    """The ledger's verbs for the rows of one chunk; each is on disk when it returns (invariant 7).

    Rows are named by their `_seq`. Many threads may call them at once.
    """

    def entries(self) -> dict[int, RowEntry]:
        """Read what is recorded of the chunk's rows."""

    def window(self, positions: Sequence[int]) -> None:
        """Record that repeatable requests for these rows may be on the wire from now on."""

    def posting(self, position: int, kind: str, sent_at: str) -> None:
        """Record that one POST, named by `kind`, may be on the wire from `sent_at` on (see `RowEntry`)."""

    def posted(self, position: int, kind: str, remote_id: int) -> None:
        """Record the id of what that POST made."""

    def unposted(self, position: int, kind: str) -> None:
        """Record that the POST certainly made nothing."""

    def deleting(self, position: int, noun: str, records: int) -> None:
        """Record how many records of `noun` are deleted for a row; it counts once the row has ended as deleted."""

    def ended(self, position: int, state: RowState, message: str = "", *, later: bool = False) -> None:
        """Record what became of a row; `later` it is on disk with the next change, or by `flush`."""

    def flush(self) -> None:
        """Put on disk what was to be there later."""

    def has_posted_profiles(self) -> bool:
        """Say whether a profile was, or may have been, POSTed for any row of the run, in this process or an earlier one."""

    def profiles_taken_since(self) -> str | None:
        """Give when the first POST of a profile was sent that was taken for sent and has no id, None where there is none.

        Other lost POSTs hold the rows behind them.
        """

    def made_among(self, kind: str, ids: Collection[int]) -> set[int]:
        """Tell which of these records were made by a POST of this kind for a row of the run."""
