"""Hold the rows that are sent and recorded together: one import, or a part of the per-profile method (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

from pipeline.model.columns import Lane
from pipeline.model.counts import Place

if TYPE_CHECKING:
    import polars as pl


class ChunkState(StrEnum):
    """Where a chunk is; `unknown` means that its answer was lost, `failed` that its rows are still to be sent in pieces."""

    UNSENT = "unsent"
    SENDING = "sending"
    SUBMITTED = "submitted"
    UNKNOWN = "unknown"
    FAILED = "failed"
    CONFIRMED = "confirmed"
    ENDED = "ended"  # final, and its counts are what became of its rows
    SPLIT = "split"  # all its rows are in other chunks

    @property
    def final(self) -> bool:
        """Return whether nothing can change the outcome of its rows any more."""
        return self in (ChunkState.CONFIRMED, ChunkState.ENDED, ChunkState.SPLIT)


class Reason(StrEnum):
    """Why rows are a chunk of their own."""

    CUT = "cut"  # cut from the staged rows
    HELD = "held"  # they waited for earlier rows of their keys (data rule 23)
    AGAIN = "again"  # a read-back has shown that they are missing (28)
    ONCE = "once"  # the same after a failure of an import that may not be searched in pieces (26)
    PIECE = "piece"  # a piece of an import that failed (26)
    LATE = "late"  # cut last: refused in an earlier run (26)

    @property
    def is_cut(self) -> bool:
        """Return whether they were cut from the staged rows; others have a file of their own."""
        return self in (Reason.CUT, Reason.LATE)


@dataclass(frozen=True)
class Chunk:
    """The rows of one import, or some of the per-profile method, in the staged layout with `_seq`.

    `ordinal` is its number within the run, `cut` that of the chunk that was cut from the staged rows (its own, or that of
    which it is a part), `start` the position of its first row in that one. `body` is the JSON of the rows, `digest` its
    SHA-256, which proves the content; it names the columns too.
    """

    ordinal: int
    lane: Lane
    columns: tuple[str, ...]
    key_fields: tuple[str, ...]
    rows: pl.DataFrame
    body: bytes
    digest: str
    cut: int = 0
    start: int = 0
    reason: Reason = Reason.CUT

    @cached_property
    def keys(self) -> pl.Series:
        """Return the distinct `_key`s by which its rows and others wait for each other; none where the job has no key."""
        keys = self.rows["_key"].unique()
        return keys.filter(keys != 0)

    @property
    def places(self) -> tuple[Place, Place]:
        """Return (file, line) of the row that comes first in the input and of the one that comes last."""
        seqs, places = self.rows["_seq"], self.rows.select("_file", "_line")
        (first_file, first_line), (last_file, last_line) = (
            places.row(int(at or 0)) for at in (seqs.arg_min(), seqs.arg_max())
        )
        return (first_file, first_line), (last_file, last_line)


def import_name(run: str, ordinal: int) -> str:
    """Return the label that the import of a chunk has in Copernica, by which a person finds it."""
    return f"{run}/{ordinal:06d}"
