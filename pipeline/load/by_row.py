"""Send a chunk profile by profile, with an outcome for each of its rows (wiring)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from pipeline.load.choice import HARM
from pipeline.load.pending import OVERTAKEN, Item, log_chunk
from pipeline.log import get_logger
from pipeline.model.chunk import Chunk, ChunkState
from pipeline.model.outcome import Outcome, StoppedError
from pipeline.model.row_state import RowState, Why
from pipeline.state.row_records import RowRecords

if TYPE_CHECKING:
    from pipeline.load.loop import Loop

Counts = dict[str, int | None]


def send_by_row(loop: Loop, item: Item, blocked: frozenset[int] = frozenset()) -> bool:
    """Send a chunk profile by profile, or what is left of it; rows of `blocked` keys wait.

    Returns whether anything was done: where all that is left has to wait, asking again at once would change nothing.
    """
    loading, chunk = loop.loading, loop.parting.chunk_of(item)
    records = loading.records(chunk.ordinal)
    known = (item.row.confirmed, item.row.failed, item.row.unknown)
    _begin(loop, item, chunk, records)
    writes = loading.client.writes
    tried = loading.profiles.send(chunk.ordinal, chunk.rows, records, blocked)
    counts: Counts = {"confirmed": tried.confirmed, "failed": tried.failed, "unmatched": tried.unmatched}
    if tried.stop is not None and tried.rest == chunk.rows.height and writes == loading.client.writes:
        item.row = loop.book.unsent(item.row, tried.message)
        loading.register.withdrawn(chunk.ordinal)
        loop.keep(item)
        raise StoppedError(tried.stop)
    loop.sent = True
    if tried.stop is not None or (tried.rest and blocked):
        item.row = loop.book.so_far(item.row, tried.message, unknown=tried.unknown, **counts)
        loop.keep(item)
        if tried.stop is not None:
            raise StoppedError(tried.stop)
        return known != (item.row.confirmed, item.row.failed, item.row.unknown)
    if tried.unknown and loading.job.target.action != "add":
        item.row = loop.book.unknown(item.row, tried.message, "", rows=tried.unknown, **counts)
        loop.keep(item)
    else:
        _end_rows(loop, item, chunk, records, counts | {"unknown": tried.unknown})
    return True


def _begin(loop: Loop, item: Item, chunk: Chunk, records: RowRecords) -> None:
    """Record that rows of a chunk may be on the wire from now on; those that another run has overtaken are not sent."""
    loading = loop.loading
    if item.row.state is ChunkState.FAILED:
        reason = item.row.message or ""
        get_logger().warning("chunk.per_profile", chunk=chunk.ordinal, reason=reason, warning=HARM)
    loading.profiles.prepare()
    overtaken = chunk.rows.filter(loop.parting.overtaken(chunk))["_seq"]
    untouched = [seq for seq in overtaken if seq not in records.entries()] if overtaken.len() else []
    records.set_aside(untouched, RowState.ASIDE, OVERTAKEN)
    item.row = loop.book.sending(item.row, "profiles")
    loading.register.sending(chunk.ordinal, chunk.keys, loop.parting.columns(chunk), item.row.sent_at, None)
    loading.before(chunk)


def leave_by_row(loop: Loop, item: Item) -> bool:
    """Count what an earlier process recorded of a chunk; a POST that it left without an answer may still arrive."""
    entries = loop.loading.records(item.row.ordinal).entries().values()
    lost = sum(None in one.posts.values() or one.state is RowState.UNKNOWN for one in entries)
    counts: Counts = {
        "confirmed": sum(one.state.confirmed for one in entries),
        "failed": sum(one.state.failed for one in entries),
    }
    message = "the process ended while its rows were sent"
    if lost:
        item.row = loop.book.unknown(item.row, message, "", rows=lost, **counts)
    else:
        item.row = loop.book.so_far(item.row, message, unknown=0, **counts)
    loop.keep(item)
    return True


def _end_rows(loop: Loop, item: Item, chunk: Chunk, records: RowRecords, counts: Counts) -> None:
    """End a chunk whose rows all have an outcome; what follows a lost POST of an `add` is set aside."""
    entries = records.entries()
    left = [seq for seq in chunk.rows["_seq"] if seq not in entries or entries[seq].state is RowState.SENDING]
    records.set_aside(left, RowState.ASIDE, Why("not_sent", "", "its profile's own row got no answer"))
    item.row = loop.book.ended(item.row, None, **counts)
    done = [seq for seq, entry in entries.items() if entry.state.confirmed]
    confirmed = chunk.rows.filter(pl.col("_seq").is_in(done))
    log_chunk(item.row, Outcome(item.row.state, item.row.message or ""))
    loop.done(item, 0, confirmed)
