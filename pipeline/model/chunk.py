"""Hold the rows that are sent and recorded together: one import, or a part of the per-profile way (pure)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipeline.model.columns import Lane
from pipeline.model.counts import Place

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Chunk:
    """The rows of one import, or some of the per-profile way: `ordinal` from 1 within the run, its lane, and the rows in the
    staged layout with `_seq`.

    `places` says where its first and its last row stand in the input. `digest` proves the content: SHA-256 over the JSON of
    the rows (`body`), which names the columns too.
    """

    ordinal: int
    lane: Lane
    columns: tuple[str, ...]
    key_fields: tuple[str, ...]
    rows: pl.DataFrame
    places: tuple[Place, Place]
    body: bytes
    digest: str = ""

    @property
    def keys(self) -> pl.Series:
        """Give the distinct `_key`s by which its rows and others wait for each other; none where the job has no profile key."""
        keys = self.rows["_key"].unique()
        return keys.filter(keys != 0)

    def only(self, rows: pl.DataFrame) -> Chunk:
        """Give the chunk with some of its rows only, for the per-profile way, which needs no body."""
        return replace(self, rows=rows, body=b"")


def places_of(rows: pl.DataFrame) -> tuple[Place, Place]:
    """Give (file, line) of the row that comes first in the input and of the one that comes last; `rows` is not empty."""
    ordered = rows.select("_seq", "_file", "_line")
    first = ordered.row(int(rows["_seq"].arg_min() or 0))
    last = ordered.row(int(rows["_seq"].arg_max() or 0))
    return (first[1], first[2]), (last[1], last[2])


def import_name(run: str, ordinal: int) -> str:
    """Give the label that the import of a chunk carries in Copernica, by which a person finds it."""
    return f"{run}/{ordinal:06d}"
