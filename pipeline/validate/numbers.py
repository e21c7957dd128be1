"""Read integers and decimals: plain notation cut from the text, never made from the number (pure, data rule 10)."""

from __future__ import annotations

import re

import polars as pl

from pipeline.model.columns import FieldSpec
from pipeline.model.job import ColumnReading
from pipeline.validate.grammar import TEXT, Grammar, Way

# A number written out with more digits than this came from an exponent that nobody meant; a double ends at 1.8e308.
_MOST_DIGITS = 400
# Stands for a number that is too long to write out; no double holds it, so it is out of range for every type.
_TOO_LONG = "1" + "0" * _MOST_DIGITS


def integer(spec: FieldSpec, reading: ColumnReading) -> Grammar:
    """Build the grammar of integers: digits with a sign, also with zeros behind the job's decimal mark.

    Sent are digits without plus and leading zeros, `-0` as `0`. Exactly three zeros behind the mark are refused: `12.000` is
    twelve to one reader and twelve thousand to another. Thousands marks are not read. Beyond 64 bit, or a narrower type
    of the schema, is `out_of_range`.
    """
    return Grammar(
        is_canonical=_starts_canonically,
        ways=(_point_zero(reading.decimal), _signed_digits(reading.decimal)),
        typed=lambda cells: _whole(cells, spec),
        code="not_an_integer",
        complaint=pl.when(pl.col(TEXT).str.contains(rf"^[+-]?[0-9]+{re.escape(reading.decimal)}000$"))
        .then(pl.lit("may be a thousand times as much: three zeros behind a mark; write the digits alone"))
        .otherwise(pl.lit("is no integer, digits with an optional sign")),
        beyond_complaint=f"does not fit {spec.dtype}",
    )


def _point_zero(mark: str) -> Way:
    """Read `17850.0`, which whole columns hold when a tool took integers with gaps for floats; cheaper than a match."""
    digits = pl.col(TEXT).str.strip_suffix(f"{mark}0")
    starts = (digits >= "1") | (digits == "0") | ((digits >= "-1") & (digits < "-:"))
    return Way(pl.when(digits.cast(pl.Int64, strict=False).is_not_null() & starts).then(digits))


def _signed_digits(mark: str) -> Way:
    pattern = rf"^[+-]?0*([0-9]+?)(?:{re.escape(mark)}(?:0{{1,2}}|0{{4,}}))?$"
    digits = pl.col(TEXT).str.extract(pattern, 1)
    minus = pl.col(TEXT).str.starts_with("-") & (digits != "0")
    return Way(pl.when(minus).then(pl.concat_str(pl.lit("-"), digits)).otherwise(digits), pattern)


def _whole(cells: pl.Series, spec: FieldSpec) -> pl.Series:
    if spec.dtype in (pl.Int128, pl.UInt128):
        return cells.cast(pl.Int64, strict=False).cast(spec.dtype, strict=False)
    return cells.cast(spec.dtype, strict=False)


def _starts_canonically(cells: pl.Series) -> pl.Series:
    """Return which texts start with 1-9, with a minus and 1-9, or are 0; polars compares texts byte by byte.

    What casts to an integer is `[+-]?[0-9]+`, so this is all that is left to prove.
    """
    plain = cells >= "1"
    if plain.all():
        return plain
    return plain | (cells == "0") | ((cells >= "-1") & (cells < "-:"))


def decimal(spec: FieldSpec, reading: ColumnReading) -> Grammar:
    """Build the grammar of decimals in the notation of the job.

    Sent is plain notation with a point: no plus, no leading zeros but the one before the point, no thousands marks,
    digits behind the point as they stand, a zero without its minus. Exponents, where the schema allows them, are
    written out. A number that no double holds is `out_of_range`.
    """
    exponent = r"[eE][+-]?[0-9]+"
    whole = "[0-9]+" if reading.thousands is None else _grouped(reading.thousands)
    mark = re.escape(reading.decimal)
    tail = f"(?:{exponent})?" if spec.exponents else ""
    exact = rf"^[+-]?(?:{whole}(?:{mark}[0-9]*)?|{mark}[0-9]+){tail}$"
    plain_point = reading.decimal == "." and reading.thousands != "."
    complaint = pl.lit(f"is no decimal number such as 1234{reading.decimal}50")
    if not spec.exponents:
        has_exponent = pl.col(TEXT).str.contains(rf"^[0-9.,+-]+{exponent}$")
        hint = pl.lit("has an exponent, which the schema does not allow")
        complaint = pl.when(has_exponent).then(hint).otherwise(complaint)
    return Grammar(
        is_canonical=_is_plain if plain_point else _is_plain_whole,
        ways=(Way(_written_out(reading, spec.exponents), exact),),
        typed=lambda cells: _number(cells, spec),
        code="not_a_decimal",
        complaint=complaint,
        beyond_complaint=f"does not fit {spec.dtype}",
    )


def _grouped(thousands: str) -> str:
    # Groups never start with a zero: `0,234` is a decimal in another notation, not 234.
    return rf"(?:[1-9][0-9]{{0,2}}(?:{re.escape(thousands)}[0-9]{{3}})+|[0-9]+)"


def _is_plain(cells: pl.Series) -> pl.Series:
    return cells.str.contains(r"^(?:-?[1-9][0-9]*(?:\.[0-9]+)?|0(?:\.[0-9]+)?|-0\.[0-9]*[1-9][0-9]*)$")


def _is_plain_whole(cells: pl.Series) -> pl.Series:
    return cells.str.contains(r"^(?:-?[1-9][0-9]*|0)$")


def _written_out(reading: ColumnReading, exponents: bool) -> pl.Expr:
    """Write a text that is known to be of the grammar as plain notation."""
    body = pl.col(TEXT).str.strip_prefix("+").str.strip_prefix("-")
    if reading.thousands is not None:
        body = body.str.replace_all(reading.thousands, "", literal=True)
    if reading.decimal != ".":
        body = body.str.replace(reading.decimal, ".", literal=True)
    if exponents:
        body = _shifted(body)
    whole = body.str.extract(r"^0*([0-9]*)", 1)
    whole = pl.when(whole == "").then(pl.lit("0")).otherwise(whole)
    digits = body.str.extract(r"\.([0-9]+)$", 1)
    plain = pl.concat_str(
        whole, pl.when(digits.is_not_null()).then(pl.concat_str(pl.lit("."), digits)).otherwise(pl.lit(""))
    )
    minus = pl.col(TEXT).str.starts_with("-") & plain.str.contains("[1-9]")
    return pl.when(minus).then(pl.concat_str(pl.lit("-"), plain)).otherwise(plain)


def _shifted(body: pl.Expr) -> pl.Expr:
    """Move the point by the exponent, in the text; too many digits give a number that no type holds."""
    whole = body.str.extract("^([0-9]*)", 1)
    digits = pl.concat_str(whole, body.str.extract(r"\.([0-9]*)", 1).fill_null(""))
    power = body.str.extract("[eE]([+-]?[0-9]+)$", 1)
    shift = power.cast(pl.Int64, strict=False).clip(-10 * _MOST_DIGITS, 10 * _MOST_DIGITS)
    point = whole.str.len_bytes().cast(pl.Int64) + shift
    length = digits.str.len_bytes().cast(pl.Int64)
    zeros = pl.lit("0" * _MOST_DIGITS)
    inside = pl.concat_str(digits.str.slice(0, point), pl.lit("."), digits.str.slice(point))
    above = pl.concat_str(digits, zeros.str.slice(0, point - length))
    below = pl.concat_str(pl.lit("0."), zeros.str.slice(0, -point), digits)
    fits = shift.is_not_null() & (pl.max_horizontal(point, length, length - point) <= _MOST_DIGITS)
    written = pl.when(point <= 0).then(below).when(point >= length).then(above).otherwise(inside)
    return pl.when(power.is_null()).then(body).when(fits).then(written).otherwise(pl.lit(_TOO_LONG))


def _number(cells: pl.Series, spec: FieldSpec) -> pl.Series:
    """Turn plain notation into the type of the schema, for checks only; what is too large for it becomes null."""
    values = cells.cast(spec.dtype, strict=False)
    if isinstance(spec.dtype, pl.Decimal):
        # A cast would round what has more digits behind the point than the type.
        finer = cells.str.contains(rf"\.[0-9]{{{spec.dtype.scale}}}0*[1-9]")
        return values.set(finer.fill_null(False), None)
    if not spec.dtype.is_float():
        return values
    beyond = values.is_infinite()
    return values.set(beyond, None) if beyond.any() else values
