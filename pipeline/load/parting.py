"""Make chunks of their own of rows that wait, that are missing, or that are not sent any more (edge: staged rows, ledger)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from pipeline.errors import Problem, RunDamagedError
from pipeline.load.pending import OVERTAKEN, Item
from pipeline.model.chunk import Chunk, Reason
from pipeline.model.row_state import RowState, Why
from pipeline.state.chunk_records import ChunkRow

if TYPE_CHECKING:
    from pipeline.load.loop import Loop


class Parting:
    """Split chunks for one loop; rows that leave a chunk are pending in a chunk of their own."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop

    def chunk_of(self, item: Item) -> Chunk:
        """Return the rows of a chunk; those of one of its own are read from disk."""
        if item.chunk is None:
            row = item.row
            made = self._loop.loading.shape.chunk(row.lane, self._loop.loading.parts.read(row.ordinal))
            if made.digest != row.digest:
                what = f"the rows of chunk {row.ordinal} are not those that the ledger knows: they have changed on disk"
                raise RunDamagedError(Problem(what, "the run's folder"))
            item.chunk = replace(made, ordinal=row.ordinal, cut=row.cut, start=row.start, reason=row.reason)
        return item.chunk

    def waits(self, item: Item, chunk: Chunk) -> pl.Series:
        """Return which rows wait: for earlier rows of their keys, or for an import of another run (data rules 23, 38)."""
        keys = chunk.rows["_key"]
        before = pl.concat([self._loop.pending.keys_before(item), self._loop.loading.older])
        held = self._loop.loading.register.held(keys, self._loop.loading.client.server_now())
        item.until = held.until if held.rows.any() else None
        if before.is_empty():
            return held.rows
        return keys.is_in(before.implode()) & (keys != 0) | held.rows

    def hold_all(self, item: Item, chunk: Chunk) -> bool:
        """Let a whole chunk wait; one that was cut becomes a chunk of its own, so that its rows need not stay in memory."""
        if item.row.reason.is_cut and item.row.method != "profiles":
            self.set_apart(item, [chunk.rows], Reason.HELD)
            return False
        self._loop.keep(item)
        return False

    def without(self, item: Item, chunk: Chunk, waits: pl.Series) -> Chunk:
        """Take the rows that have to wait out of a chunk."""
        if not waits.any():
            return chunk
        until = item.until
        (held,) = self.set_apart(item, [chunk.rows.filter(waits)], Reason.HELD)
        held.until = until
        return self.chunk_of(item)

    def without_overtaken(self, item: Item, chunk: Chunk) -> Chunk:
        """Take the rows out that another run has overtaken meanwhile: they are not sent any more (data rule 40)."""
        overtaken = self.overtaken(chunk)
        if not overtaken.any():
            return chunk
        (part,) = self.set_apart(item, [chunk.rows.filter(overtaken)], Reason.HELD)
        self.set_aside(part, RowState.ASIDE, OVERTAKEN)
        return self.chunk_of(item)

    def overtaken(self, chunk: Chunk) -> pl.Series:
        """Return which rows another run has overtaken, where others may have sent something meanwhile (data rule 40)."""
        keys = chunk.rows["_key"]
        if not (self._loop.loading.again or self._loop.loading.waiting.waited):
            return pl.repeat(False, keys.len(), eager=True)
        found: pl.Series = self._loop.loading.register.overtaken(keys, self.columns(chunk))
        return found & (keys != 0)

    def columns(self, chunk: Chunk) -> tuple[str, ...] | None:
        """Return the columns that a chunk writes; None for a delete, which takes the whole record."""
        if self._loop.loading.job.target.action == "delete":
            return None
        return tuple(name for name in chunk.columns if name not in self._loop.loading.shape.keys.profile)

    def set_aside(self, item: Item, state: RowState, why: Why, **counts: int) -> None:
        """End a chunk none of whose rows is sent any more."""
        chunk = self.chunk_of(item)
        self._loop.loading.records(item.row.ordinal).set_aside(chunk.rows["_seq"], state, why)
        item.row = self._loop.book.ended(item.row, None, **counts)
        self._loop.done(item, chunk.rows.height)

    def set_apart(
        self, item: Item, parts: Sequence[pl.DataFrame], reason: Reason, confirmed: int | None = None
    ) -> list[Item]:
        """Make chunks of their own of some rows of a chunk; they are pending, and it is left with the others.

        `confirmed` counts those that are confirmed, in a chunk that was read back.
        """
        chunk, items, start = self.chunk_of(item), [], item.row.start
        seqs = chunk.rows["_seq"]
        for rows in parts:
            made = self._loop.loading.shape.chunk(chunk.lane, rows)
            at = start + int(seqs.index_of(rows["_seq"][0]) or 0)
            made = replace(made, ordinal=self._loop.number(), cut=chunk.cut, start=at, reason=reason)
            self._loop.loading.parts.write(made.ordinal, rows)
            items.append(Item(ChunkRow.of(made, "imports"), made.keys))
        row = self._loop.book.set_apart(item.row, [one.row for one in items], confirmed)
        gone = pl.concat([part["_seq"] for part in parts])
        item.row = row
        item.chunk = self._loop.loading.shape.reduced(chunk, chunk.rows.filter(~seqs.is_in(gone.implode())))
        item.keys = item.chunk.keys
        if row.state.final:
            self._loop.pending.remove(item)
        for one in items:
            self._loop.keep(one)
        return items
