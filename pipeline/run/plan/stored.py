"""Compare texts as Copernica would store them, by the type of the live field (pure; API sheet 13)."""

from __future__ import annotations

import polars as pl

from pipeline.load.compare import NOT_COMPARED
from pipeline.model.columns import LiveField

_DATES = ("date", "empty_date")
_TIMES = ("datetime", "empty_datetime")


def is_compared(field: LiveField) -> bool:
    """Return whether anything can be demanded of what is stored: phones and foreign keys are rewritten."""
    return field.type not in NOT_COMPARED


def stored(text: pl.Expr, field: LiveField) -> pl.Expr:
    """Return what a text becomes in a field, in a form in which equal values are equal texts.

    Integers are cast (`2.99` is `2`), floats are doubles, dates lose a time of zero and zero dates are "".
    """
    text = text.fill_null("")
    if field.type == "integer":
        return text.str.extract(r"^\s*([+-]?[0-9]+)").cast(pl.Int64, strict=False).fill_null(0).cast(pl.String)
    if field.type == "float":
        # + 0.0 takes the sign off a negative zero.
        return (text.str.strip_chars().cast(pl.Float64, strict=False).fill_null(0.0) + 0.0).cast(pl.String)
    if field.type in _DATES:
        day = text.str.slice(0, 10)
        return pl.when(day == "0000-00-00").then(pl.lit("")).otherwise(day)
    if field.type in _TIMES:
        moment = pl.when(text.str.len_bytes() == 10).then(text + " 00:00:00").otherwise(text)
        return pl.when(moment.str.starts_with("0000-00-00")).then(pl.lit("")).otherwise(moment)
    if field.type == "select":
        return pl.when(text.is_in(list(field.choices))).then(text).otherwise(pl.lit(""))
    return text


def differs(new: pl.Expr, old: pl.Expr, field: LiveField) -> pl.Expr:
    """Return whether sending `new` (null: nothing is sent) would change what is stored as `old`."""
    if not is_compared(field):
        return pl.lit(False)
    return (new.is_not_null() & (stored(new, field) != stored(old, field))).fill_null(False)


def surely_same(ours: pl.Expr, theirs: pl.Expr, field: LiveField) -> pl.Expr:
    """Return whether a key is the same in any collation: by value, or spelled alike but for the case; selects exactly."""
    if not is_compared(field):
        return pl.lit(True)
    one, other = stored(ours, field), stored(theirs, field)
    if field.type == "select":
        return one == other
    return one.str.to_lowercase() == other.str.to_lowercase()
