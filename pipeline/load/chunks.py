"""Cut lanes into chunks within row and byte limits, between two profile keys where possible (edge: staged rows)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import count

import polars as pl

from pipeline.load import _body
from pipeline.load.chunk import Chunk, places_of
from pipeline.overlap import side_by_side
from pipeline.records import Keys, Lane, Sets
from pipeline.stage.lanes import Lanes


@dataclass(frozen=True)
class Limits:
    """Most rows and most bytes of JSON of one chunk; a single row over the bytes is a chunk of its own (data rule 22)."""

    rows: int
    bytes: int


def cut(lanes: Lanes, sets: Sets, keys: Keys, limits: Limits) -> Iterator[Chunk]:
    """Cut all lanes into chunks, in the order of sending; the next ones are made while one is sent.

    The result is a function of the staged files and the limits, so that a later process cuts the same chunks again.
    """

    def chunks_of(piece: tuple[Lane, pl.DataFrame]) -> list[Chunk]:
        lane, rows = piece
        columns = sets.columns_of(lane.carried)
        key_fields = keys.of_set(sets.collections_of(lane.carried))
        return [
            Chunk(0, lane, columns, key_fields, part, places_of(part), body, hashlib.sha256(body).hexdigest())
            for part, body in _within_bytes(rows, columns, limits.bytes)
        ]

    pieces = ((lane, rows) for lane in lanes.lanes() for rows in _slices(lanes.frames(lane), limits.rows))
    numbers = count(1)
    for made in side_by_side(chunks_of, pieces):
        for chunk in made:
            yield replace(chunk, ordinal=next(numbers))


def rows_json(rows: pl.DataFrame, columns: tuple[str, ...]) -> bytes:
    """Write the JSON array for `source`: the same columns in the same order in every row, empty cells as ""."""
    numbered = rows.select(pl.col(name).alias(str(at)) for at, name in enumerate(columns))
    return _body.rows_json(numbered, columns)


def _slices(frames: Iterable[pl.DataFrame], most_rows: int) -> Iterator[pl.DataFrame]:
    """Cut a lane into slices of at most `most_rows` rows that end between two keys where that is possible.

    A key with more rows than a slice holds is spread over slices of its own order: a chain (data rule 22).
    """
    rest: pl.DataFrame | None = None
    for frame in frames:
        rows = frame if rest is None else pl.concat([rest, frame])
        while rows.height > most_rows:
            end = _key_boundary(rows["_key"], most_rows)
            yield rows.slice(0, end)
            rows = rows.slice(end)
        rest = rows
    if rest is not None and rest.height:
        yield rest


def _key_boundary(keys: pl.Series, most_rows: int) -> int:
    """Give the last position up to `most_rows` at which a new key starts; `most_rows` itself inside one long key.

    `keys` is longer than `most_rows`. Key 0 means that the job has no profile key: any position will do.
    """
    if keys[most_rows] != keys[most_rows - 1] or keys[most_rows] == 0:
        return most_rows
    window = keys.slice(0, most_rows + 1)
    starts = (window != window.shift()).fill_null(False).arg_true()
    return int(starts[-1]) if starts.len() else most_rows


def _within_bytes(
    rows: pl.DataFrame, columns: tuple[str, ...], most_bytes: int
) -> Iterator[tuple[pl.DataFrame, bytes]]:
    """Split a slice further until each part's JSON is within the limit or is a single row."""
    body = rows_json(rows, columns)
    if len(body) <= most_bytes or rows.height == 1:
        yield rows, body
        return
    sizes = rows.select(
        pl.struct(pl.col(columns).fill_null("")).struct.json_encode().str.len_bytes().cast(pl.UInt64) + 1
    ).to_series()
    fits = int((sizes.cum_sum() + 1 <= most_bytes).sum())
    end = 1 if fits == 0 else fits if fits == rows.height else _key_boundary(rows["_key"], fits)
    end = min(max(end, 1), rows.height - 1)
    yield from _within_bytes(rows.slice(0, end), columns, most_bytes)
    yield from _within_bytes(rows.slice(end), columns, most_bytes)
