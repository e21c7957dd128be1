"""Parse a column of texts by the kind that the schema gives it: canonical text, typed value, faults (pure).

A cheap test proves most values canonical as they stand; only the others go through the exact grammar of data rule 10.
No value is made from a parsed number: the canonical text is cut from the text itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from pipeline.model.columns import FieldSpec
from pipeline.model.job import ColumnReading
from pipeline.validate import dates, numbers
from pipeline.validate.checks import quoted
from pipeline.validate.grammar import TEXT, Grammar, Way

Reading = ColumnReading

# What is found wrong with single values of one column:
BAD_SCHEMA = {"_row": pl.UInt32(), "code": pl.String(), "message": pl.String()}

# Data rule 10, yes/no; compared in lower case unless the job names its own texts.
_YES = ("true", "yes", "y", "1")
_NO = ("false", "no", "n", "0")


def canonical_reading(spec: FieldSpec) -> ColumnReading:
    """Return how a column of canonical text is read: only what this program writes itself (data rule 10)."""
    yes_no = ("Yes", "No") if spec.interest or spec.yes_no is None else spec.yes_no
    return ColumnReading(
        # A text that is sent in place of an empty value is empty again.
        null_values=() if spec.empty is None else (spec.empty,),
        decimal=".",
        thousands=None,
        dates=(),
        timezone=dates.COPERNICA_ZONE,
        true_values=yes_no[:1],
        false_values=yes_no[1:],
        fractions="zero",
        trim=False,
    )


@dataclass(frozen=True)
class Parsed:
    """A column after parsing; every value is null, or canonical in `text` and `typed`, or in `bad` (and null in both).

    `text` String, `typed` in the dtype of the FieldSpec, `bad` BAD_SCHEMA or None where nothing is wrong.
    """

    text: pl.Series
    typed: pl.Series
    bad: pl.DataFrame | None = None

    def repeated(self, height: int) -> Parsed:
        """Return the first value as a column of `height` rows."""
        return Parsed(self.text.new_from_index(0, height), self.typed.new_from_index(0, height))


Parser = Callable[[pl.Series], Parsed]


def parser(spec: FieldSpec, reading: Reading) -> Parser:
    """Return the function that parses the cells of one column (data rule 10).

    It takes a String Series in which empty cells are null already.
    """
    if spec.kind == "text":
        return lambda cells: Parsed(cells, cells if spec.dtype == pl.String else cells.cast(spec.dtype))
    grammar = _grammar(spec, reading)
    return lambda cells: _parse(cells, grammar)


def _grammar(spec: FieldSpec, reading: Reading) -> Grammar:
    match spec.kind:
        case "integer":
            return numbers.integer(spec, reading)
        case "decimal":
            return numbers.decimal(spec, reading)
        case "date":
            return dates.date(spec, reading)
        case "datetime":
            return dates.datetime(spec, reading)
        case "yesno":
            return _yes_no(spec, reading)
        case _:
            return _choice(spec)


def _parse(cells: pl.Series, grammar: Grammar) -> Parsed:
    typed = grammar.typed(cells)
    doubtful = cells.is_not_null() & ~(grammar.is_canonical(cells) & typed.is_not_null()).fill_null(False)
    if not doubtful.any():
        return Parsed(cells, typed)
    rows = doubtful.arg_true()
    raw = cells.gather(rows)
    exact = _canonical(raw, grammar)
    values = grammar.typed(exact)
    fits = values.is_not_null()
    bad = None
    if not fits.all():
        wrong = ~fits
        bad = _bad(rows.filter(wrong), raw.filter(wrong), exact.filter(wrong), grammar)
        exact = exact.set(wrong, None)
    # scatter writes where it stands, and the cells are asked for blanks after this.
    return Parsed(cells.clone().scatter(rows, exact), typed.clone().scatter(rows, values), bad)


def _canonical(raw: pl.Series, grammar: Grammar) -> pl.Series:
    """Return the texts to send, null for what is not of the grammar."""
    found = pl.repeat(None, raw.len(), dtype=pl.String, eager=True)
    for way in grammar.ways:
        left = found.is_null()
        if not left.any():
            break
        if way.pattern is not None:
            left &= raw.str.contains(way.pattern)
        if left.all():
            found = raw.to_frame(TEXT).select(way.canonical).to_series()
        elif left.any():
            text = raw.filter(left).to_frame(TEXT).select(way.canonical).to_series()
            found = found.scatter(left.arg_true(), text)
    return found


def _bad(rows: pl.Series, raw: pl.Series, text: pl.Series, grammar: Grammar) -> pl.DataFrame:
    """Lay out values that are not of the grammar (no canonical text) or do not fit the type (no typed value)."""
    beyond = text.is_not_null()
    frame = pl.DataFrame({"_row": rows, TEXT: raw, "shown": quoted(raw), "beyond": beyond})
    code, tail = pl.lit(grammar.code), grammar.complaint
    if beyond.any():
        code = pl.when("beyond").then(pl.lit("out_of_range")).otherwise(code)
        tail = pl.when("beyond").then(pl.lit(grammar.beyond_complaint)).otherwise(tail)
    message = pl.concat_str("shown", pl.lit(" "), tail)
    return frame.select(pl.col("_row").cast(pl.UInt32), code.alias("code"), message.alias("message"))


def _yes_no(spec: FieldSpec, reading: Reading) -> Grammar:
    """Build the grammar of yes/no: the table of data rule 10 in any case, or the job's own texts in theirs."""
    yes, no = ("Yes", "No") if spec.interest or spec.yes_no is None else spec.yes_no
    own = bool(reading.true_values or reading.false_values)
    trues, falses = (reading.true_values, reading.false_values) if own else (_YES, _NO)
    words = {**dict.fromkeys(trues, yes), **dict.fromkeys(falses, no)}
    text = pl.col(TEXT) if own else pl.col(TEXT).str.to_lowercase()
    sent = {yes: True, no: False}
    return Grammar(
        is_canonical=lambda cells: pl.repeat(False, cells.len(), dtype=pl.Boolean, eager=True),
        ways=(Way(text.replace_strict(words, default=None, return_dtype=pl.String)),),
        typed=lambda cells: _typed(cells.replace_strict(sent, default=None, return_dtype=pl.Boolean), cells, spec),
        code="not_yes_no",
        complaint=pl.lit(f"is neither yes ({', '.join(trues)}) nor no ({', '.join(falses)})"),
    )


def _typed(values: pl.Series, text: pl.Series, spec: FieldSpec) -> pl.Series:
    if spec.dtype == pl.String:
        return text.set(values.is_null(), None)
    return values if values.dtype == spec.dtype else values.cast(spec.dtype)


def _choice(spec: FieldSpec) -> Grammar:
    """Build the grammar of a choice: exactly one of the schema's texts (data rule 10)."""
    choices = pl.Series(spec.choices, dtype=pl.String)
    listed = ", ".join(spec.choices[:5]) + (" …" if len(spec.choices) > 5 else "")
    return Grammar(
        is_canonical=lambda cells: cells.is_in(choices.implode()),
        ways=(),
        typed=lambda cells: cells if spec.dtype == pl.String else cells.cast(spec.dtype, strict=False),
        code="not_in_choices",
        complaint=pl.lit(f"is none of {listed}"),
    )
