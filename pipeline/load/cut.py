"""Cut lanes into chunks within row and byte limits, between two profile keys where possible (edge: staged rows)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import count
from typing import TypeVar

import polars as pl

from pipeline.model.chunk import Chunk, Reason
from pipeline.model.columns import Keys, Lane, Sets
from pipeline.stage.lanes import Lanes
from pipeline.stage.late import Late
from pipeline.threads import side_by_side

T = TypeVar("T")


@dataclass(frozen=True)
class ChunkLimits:
    """Most rows and most bytes of JSON of one chunk; a single row over the bytes is a chunk of its own (data rule 22)."""

    rows: int
    bytes: int


@dataclass(frozen=True)
class Shape:
    """Make chunks of staged rows: what their columns and keys are, by what they carry."""

    sets: Sets
    keys: Keys

    def chunk(self, lane: Lane, rows: pl.DataFrame, body: bytes = b"") -> Chunk:
        """Return the rows of a lane as a chunk without a number; `body` where it is known."""
        columns = self.sets.columns_of(lane.carried)
        key_fields = self.keys.of_set(self.sets.collections_of(lane.carried))
        body = body or rows_json(rows, columns)
        return Chunk(0, lane, columns, key_fields, rows, body, hashlib.sha256(body).hexdigest())

    def reduced(self, chunk: Chunk, rows: pl.DataFrame) -> Chunk:
        """Return a chunk with some of its rows only; its digest stays that of all of them."""
        if rows.height == chunk.rows.height:
            return chunk
        return replace(chunk, rows=rows, body=rows_json(rows, chunk.columns) if rows.height else b"[]")


def cut(lanes: Lanes, shape: Shape, limits: ChunkLimits, late: Late | None = None) -> Iterator[Chunk]:
    """Cut all lanes into chunks, in the order of sending, `late` rows last; the next ones are made while one is sent.

    The result is a function of the staged files and the limits, so that a later process cuts the same chunks again.
    """

    def pieces() -> Iterator[tuple[Lane, pl.DataFrame, Reason]]:
        for reason in (Reason.CUT,) if late is None else (Reason.CUT, Reason.LATE):
            for lane in lanes.lanes():
                frames = lanes.frames(lane)
                if late is not None:
                    frames = late.apart(frames, late=reason is Reason.LATE)
                for rows in _slices(frames, shape.sets.columns_of(lane.carried), limits):
                    yield lane, rows, reason

    def chunks_of(piece: tuple[Lane, pl.DataFrame, Reason]) -> list[Chunk]:
        lane, rows, reason = piece
        parts = _within_bytes(rows, shape.sets.columns_of(lane.carried), limits)
        return [replace(shape.chunk(lane, part, body), reason=reason) for part, body in parts]

    numbers = count(1)
    for made in side_by_side(chunks_of, pieces()):
        for chunk in made:
            yield replace(chunk, cut=next(numbers))


def with_last(items: Iterable[T]) -> Iterator[tuple[T, bool]]:
    """Pair every item with whether it is the last one."""
    iterator = iter(items)
    for item in iterator:
        for following in iterator:
            yield item, False
            item = following
        yield item, True


def pieces_of(rows: pl.DataFrame, most: int) -> list[pl.DataFrame]:
    """Cut rows into at most `most` pieces of about the same size, in their order, between two keys where possible."""
    size, found = -(-rows.height // most), []
    while rows.height > size:
        end = _key_boundary(rows["_key"], size)
        found.append(rows.slice(0, end))
        rows = rows.slice(end)
    return [*found, rows]


def rows_json(rows: pl.DataFrame, columns: tuple[str, ...]) -> bytes:
    """Write the JSON array for `source`: the same columns in the same order in every row, empty cells as ""."""
    body = BytesIO()
    rows.select(pl.col(columns).fill_null("")).write_json(body)
    return body.getvalue()


def _slices(frames: Iterable[pl.DataFrame], columns: tuple[str, ...], limits: ChunkLimits) -> Iterator[pl.DataFrame]:
    """Cut a lane into slices that end between two keys where that is possible.

    A key with more rows than a slice holds is spread over slices of its own order: a chain (data rule 22). Where it is bytes
    that bind, slices are cut by them, so that memory does not depend on how wide the rows are.
    """
    rest: pl.DataFrame | None = None
    for frame in frames:
        rows = frame if rest is None else pl.concat([rest, frame])
        sizes = _sizes(rows, columns) if _are_wide(rows, columns, limits) else None
        while (end := _end(rows, sizes, limits)) < rows.height:
            yield rows.slice(0, end)
            rows = rows.slice(end)
            sizes = None if sizes is None else sizes.slice(end)
        rest = rows
    if rest is not None and rest.height:
        yield rest


def _are_wide(rows: pl.DataFrame, columns: tuple[str, ...], limits: ChunkLimits) -> bool:
    """Return whether `limits.rows` average rows are about as many bytes as a chunk may have, or more."""
    labels = sum(len(name.encode()) + len('"":"",') for name in columns)
    texts = rows.select(pl.sum_horizontal(pl.col(columns).str.len_bytes().cast(pl.UInt64).sum())).item()
    return bool((texts + labels * rows.height) * limits.rows >= limits.bytes * rows.height)


def _sizes(rows: pl.DataFrame, columns: tuple[str, ...]) -> pl.Series:
    """Return the bytes of each row in a body, with what stands between two rows."""
    encoded = pl.struct(pl.col(columns).fill_null("")).struct.json_encode()
    return rows.select(encoded.str.len_bytes().cast(pl.UInt64) + 1).to_series()


def _end(rows: pl.DataFrame, sizes: pl.Series | None, limits: ChunkLimits) -> int:
    """Return the position up to which rows go in one chunk: at least one, and as many as both limits let in."""
    most = limits.rows
    if sizes is not None:
        most = min(most, max(1, int((sizes.cum_sum() + 1 <= limits.bytes).sum())))
    return rows.height if most >= rows.height else _key_boundary(rows["_key"], most)


def _key_boundary(keys: pl.Series, most_rows: int) -> int:
    """Return the last position up to `most_rows` at which a new key starts; `most_rows` itself inside one long key.

    `keys` is longer than `most_rows`. Key 0 means that the job has no profile key: any position will do.
    """
    if keys[most_rows] != keys[most_rows - 1] or keys[most_rows] == 0:
        return most_rows
    window = keys.slice(0, most_rows + 1)
    starts = (window != window.shift()).fill_null(False).arg_true()
    return int(starts[-1]) if starts.len() else most_rows


def _within_bytes(
    rows: pl.DataFrame, columns: tuple[str, ...], limits: ChunkLimits
) -> Iterator[tuple[pl.DataFrame, bytes]]:
    """Split a slice further until each part's JSON is within the limit or is a single row."""
    body = rows_json(rows, columns)
    if len(body) <= limits.bytes or rows.height == 1:
        yield rows, body
        return
    sizes = _sizes(rows, columns)
    while rows.height:
        end = _end(rows, sizes, limits)
        part = rows.slice(0, end)
        yield part, rows_json(part, columns)
        rows, sizes = rows.slice(end), sizes.slice(end)
