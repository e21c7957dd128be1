"""Name what a method of loading must offer, and the verbs of the ledger that it uses (pure)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from pipeline.model.chunk import Chunk
from pipeline.model.outcome import Outcome
from pipeline.model.row_state import RowEntry, RowState


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


class ChunkLog(Protocol):
    """The ledger's verbs for one chunk; each is on disk when it returns (invariant 7)."""

    @property
    def rows(self) -> RowLog:
        """Give the verbs for the chunk's single rows, for the per-profile way."""

    def sending(self, sent_at: str) -> None:
        """Record that the chunk may be on the wire from `sent_at` on (ISO 8601 in UTC, by the API host's clock)."""

    def submitted(self, import_id: int) -> None:
        """Record that Copernica took the import."""

    def ended(self, outcome: Outcome) -> None:
        """Record how the chunk ended; `submitted` and `unsent` leave it to be gone on with."""


class Way(Protocol):
    """A way of loading: imports or profiles. Neither knows the other (data rule 25)."""

    name: str

    def carry(self, chunk: Chunk, log: ChunkLog, *, last: bool) -> Outcome:
        """Send a chunk and wait for its end, with `log` a step ahead of the wire; never raises ApiError."""
