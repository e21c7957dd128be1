"""Refuse what is too long for the schema, for the live field or for one row (pure; data rules 12 and 22)."""

from __future__ import annotations

import json
from collections.abc import Iterator

import polars as pl

from pipeline.model.columns import LiveField, Sets
from pipeline.validate.checks import quoted

# Live types whose length in characters binds; `big` holds 16 million and has no length of its own (API sheet 13).
_WITH_LENGTH = frozenset({"text", "email", "phone", "phone_fax", "phone_gsm"})
# The most bytes that one byte of text takes in JSON: a control character as \u0001.
_MOST_JSON_BYTES = 6


def too_long(text: pl.Series, most_chars: int | None) -> pl.DataFrame | None:
    """Name the texts of more than `most_chars` characters (code points), None for no bound or none of them."""
    if most_chars is None or (text.str.len_bytes().max() or 0) <= most_chars:  # type: ignore[operator]
        return None
    chars = text.str.len_chars()
    over = (chars > most_chars).arg_true()
    if not over.len():
        return None
    message = pl.format("{} has {} characters, at most {} are allowed", "shown", "chars", pl.lit(most_chars))
    frame = pl.DataFrame(
        {"_row": over.cast(pl.UInt32), "shown": quoted(text.gather(over)), "chars": chars.gather(over)}
    )
    return frame.select("_row", pl.lit("too_long").alias("code"), message.alias("message"))


def live_faults(text: pl.Series, live: LiveField | None) -> pl.DataFrame | None:
    """Name the texts that the live field would cut or drop: over its length, or none of its choices (data rule 12)."""
    if live is None:
        return None
    if live.type == "select" and live.choices:
        return _not_in(text, live.choices)
    return too_long(text, live.length) if live.type in _WITH_LENGTH else None


def _not_in(text: pl.Series, choices: tuple[str, ...]) -> pl.DataFrame | None:
    other = (~text.is_in(pl.Series(choices, dtype=pl.String).implode())).fill_null(False).arg_true()
    if not other.len():
        return None
    message = quoted(text.gather(other)) + " is no choice of the live field"
    return pl.DataFrame({"_row": other.cast(pl.UInt32), "message": message}).select(
        "_row", pl.lit("not_in_choices").alias("code"), "message"
    )


def size_faults(
    frame: pl.DataFrame, rejected: pl.Series, sets: Sets, most_bytes: int
) -> Iterator[tuple[str, pl.DataFrame]]:
    """Name the rows whose JSON object is bigger than `most_bytes`, with the column that has most of it (data rule 22).

    `frame` holds the target columns and `_set`; rows that are `rejected` already are ignored.
    """
    columns = [name for name in frame.columns if name != "_set"]
    around = {name: len(json.dumps(name, ensure_ascii=False).encode()) + len(':"",') for name in columns}
    longest = frame.select(pl.col(columns).str.len_bytes().max().fill_null(0)).row(0)
    if 2 + sum(around.values()) + _MOST_JSON_BYTES * sum(longest) <= most_bytes:
        return
    # Rows that cannot be big: without escapes, and with every byte escaped.
    raw = pl.sum_horizontal(pl.col(columns).str.len_bytes().fill_null(0).cast(pl.UInt64))
    bound = 2 + sum(around.values()) + _MOST_JSON_BYTES * raw
    suspects = frame.with_row_index("_row").filter(~rejected & (bound > most_bytes))
    for (carried,), rows in suspects.partition_by("_set", as_dict=True, maintain_order=True).items():
        yield from _too_big(rows, list(sets.columns_of(int(carried))), most_bytes)


def _too_big(rows: pl.DataFrame, columns: list[str], most_bytes: int) -> Iterator[tuple[str, pl.DataFrame]]:
    if not columns:
        return
    texts = [pl.col(name).fill_null("") for name in columns]
    encoded = rows.select(pl.struct(texts).struct.json_encode().str.len_bytes().alias("bytes")).to_series()
    lengths = pl.concat_list([text.str.len_bytes() for text in texts])
    big = (
        rows.select("_row", lengths.list.arg_max().alias("widest"))
        .with_columns(encoded)
        .filter(pl.col("bytes") > most_bytes)
    )
    message = pl.format("the row takes {} bytes as JSON, at most {} are allowed", "bytes", pl.lit(most_bytes))
    bad = big.select(
        pl.col("_row").cast(pl.UInt32), pl.lit("row_too_big").alias("code"), message.alias("message"), "widest"
    )
    for (widest,), found in bad.partition_by("widest", as_dict=True, maintain_order=True).items():
        yield columns[int(widest)], found.drop("widest")
