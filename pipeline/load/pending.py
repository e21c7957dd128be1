"""Hold the chunks that are not final, in the order of sending, and the keys that wait for them (pure; data rule 23)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from pipeline.log import get_logger
from pipeline.model.chunk import Chunk, ChunkState
from pipeline.model.outcome import Outcome
from pipeline.model.row_state import Why
from pipeline.state.chunk_records import ChunkRow

NO_KEYS = pl.Series("_key", [], dtype=pl.UInt64)
OVERTAKEN = Why("overtaken", "", "another run has sent this key since")


@dataclass
class Item:
    """A chunk that is not final: its record, the keys of its rows, and the chunk itself where it is in memory.

    `until` is when an import whose answer was lost cannot run any more, or when another run holds its keys no longer.
    """

    row: ChunkRow
    keys: pl.Series
    chunk: Chunk | None = None
    until: datetime | None = None


class Pending:
    """The items that are not final. Later rows of a key wait for every item before them that has the key."""

    def __init__(self) -> None:
        self._items: list[Item] = []

    def __bool__(self) -> bool:
        return bool(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, item: Item) -> bool:
        return any(one is item for one in self._items)

    def __iter__(self) -> Iterator[Item]:
        return iter(sorted(self._items, key=lambda item: item.row.order))

    def add(self, item: Item) -> None:
        """Take in a chunk that is not final."""
        if item not in self:
            self._items.append(item)

    def remove(self, item: Item) -> None:
        """Let a chunk go that is final."""
        if item in self:
            self._items = [one for one in self._items if one is not item]

    def keys_before(self, item: Item) -> pl.Series:
        """Return the keys of the items that come before one in the order of sending."""
        before = [one.keys for one in self._items if one.row.order < item.row.order]
        return pl.concat([NO_KEYS, *before])


def log_chunk(row: ChunkRow, outcome: Outcome) -> None:
    """Log what became of a chunk, without the words of the API."""
    log = get_logger()
    write = log.info if outcome.state is ChunkState.CONFIRMED else log.warning
    why = {"message": outcome.message} if outcome.message else {}
    word = row.word if outcome.state is ChunkState.ENDED else outcome.state
    write(f"chunk.{word}", chunk=row.ordinal, rows=row.rows, phase=row.phase, **why)
