"""Read a chunk back and record what became of its rows (wiring; data rules 26, 28)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from pipeline.copernica import ApiError
from pipeline.load.imports import stop_of
from pipeline.load.pending import Item
from pipeline.log import get_logger
from pipeline.model.chunk import Reason
from pipeline.model.outcome import StoppedError
from pipeline.model.row_state import RowState, Why

if TYPE_CHECKING:
    from pipeline.load.loop import Loop


def judge(loop: Loop, item: Item, reason: Reason, *, unsendable: bool, failed: bool = False) -> None:
    """Read a chunk back and record what became of its rows; missing ones become a chunk of their own.

    Where they are `unsendable` they are unknown, or `failed`.
    """
    chunk, row = loop.parting.chunk_of(item), item.row
    records = loop.loading.records(row.ordinal)
    try:
        found = loop.loading.reader.read(chunk, row.sent_at)
    except ApiError as error:
        raise StoppedError(stop_of(error)) from None
    if found.unread:
        loop.parting.set_aside(item, RowState.UNKNOWN, Why("answer_lost", "", found.unread), unknown=row.rows)
        get_logger().warning("chunk.not_read_back", chunk=row.ordinal, rows=row.rows, why=found.unread)
        return
    records.set_aside(found.contested, RowState.ASIDE, Why("changed_since", "", "somebody else has changed it since"))
    gone = pl.concat([found.missing, found.contested])
    confirmed = chunk.rows.filter(~pl.col("_seq").is_in(gone.implode()))
    missing = chunk.rows.filter(pl.col("_seq").is_in(found.missing.implode()))
    log = get_logger().info
    log("chunk.read_back", chunk=row.ordinal, confirmed=confirmed.height, missing=missing.height,
        changed_by_others=found.contested.len())  # fmt: skip
    if unsendable or not missing.height:
        state, code = (RowState.FAILED, "refused_by_api") if failed else (RowState.UNKNOWN, "answer_lost")
        records.set_aside(found.missing, state, Why(code, "", row.words or row.message or ""))
        counts = {"failed" if failed else "unknown": missing.height}
        item.row = loop.book.ended(row, None, confirmed=confirmed.height, **counts)
    else:
        loop.parting.set_apart(item, [missing], reason, confirmed.height)
    loop.done(item, confirmed.height, confirmed)
