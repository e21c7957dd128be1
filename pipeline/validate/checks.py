"""Run the checks of a pandera schema over a collected batch and name every value that fails (pure).

pandera's own Check objects decide, one boolean per row. They are called directly, not through `schema.validate`: what
validate adds (types, missing columns, nullability) our own parse has settled, its frames of failure cases cost more
than the checks, and an environment variable of pandera could switch all of it off.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import pandera.polars as pa
import polars as pl
from pandera.constants import CHECK_OUTPUT_KEY

from pipeline.errors import JobError, Problem, shown
from pipeline.model.columns import FieldSpec

if TYPE_CHECKING:
    from pipeline.validate.spec import TargetSchema

FAILURES_SCHEMA: Mapping[str, pl.DataType] = {
    "_row": pl.UInt32(),  # position in the batch's frame
    "column": pl.String(),  # target column
    "code": pl.String(),  # check_failed, not_in_choices or too_long
    "message": pl.String(),
}

_SHOWN_CHARS = 40  # as errors.shown
_OPTIONS_SHOWN = 5
# What repr() would escape: quotes, backslashes, control and format characters, blanks other than the space.
_NEEDS_REPR = r"['\\\p{C}]|[\p{Z}--[ ]]"


class SchemaChecks:
    """The checks of a schema over the columns of one job, for batch after batch."""

    def __init__(self, schema: TargetSchema, columns: Sequence[str]) -> None:
        """Take the checks of `columns` (target names); those that the schema does not have are ignored."""
        self._where = schema.reference
        self._checked: dict[str | None, list[tuple[FieldSpec, tuple[pa.Check, ...]]]] = {}
        for name in columns:
            spec = schema.spec(name)
            if spec is not None and schema.checks(name):
                self._checked.setdefault(spec.collection, []).append((spec, schema.checks(name)))

    def faults(self, typed: pl.DataFrame, groups: Mapping[str, pl.Series]) -> pl.DataFrame:
        """Name every value of a batch that fails a check of its column.

        `typed` holds the target columns in the dtypes of their FieldSpec, null where the cell is empty or has a fault
        already; nulls are never blamed here. `groups` has per collection which rows carry it (Boolean, as long as
        `typed`); the columns of a collection are checked in those rows only (data rule 17).

        Gives FAILURES_SCHEMA, column by column in the order of the job and row by row within, at most one failure per
        value: that of the first check of the column that fails. Raises JobError when a check does not answer with one
        boolean per row; that is never a reject (data rule 13).
        """
        found: list[pl.DataFrame] = []
        for collection, columns in self._checked.items():
            if collection is None:
                found += self._failures(typed, columns, None)
            elif (rows := groups[collection].arg_true()).len():
                found += self._failures(typed[rows], columns, rows)
        return pl.concat(found) if found else pl.DataFrame(schema=FAILURES_SCHEMA)

    def _failures(
        self,
        frame: pl.DataFrame,
        columns: list[tuple[FieldSpec, tuple[pa.Check, ...]]],
        rows: pl.Series | None,
    ) -> Iterator[pl.DataFrame]:
        for spec, checks in columns:
            values = frame[spec.name]
            unblamed = values.is_not_null()
            for check in checks:
                failed = unblamed & ~self._answers(check, frame, spec.name)
                if failed.any():
                    unblamed &= ~failed
                    places = failed.arg_true()
                    at = places if rows is None else rows.gather(places)
                    yield _blame(spec, check, at.cast(pl.UInt32), values.gather(places))

    def _answers(self, check: pa.Check, frame: pl.DataFrame, column: str) -> pl.Series:
        try:
            answers = run_check(check, frame, column)
        except Exception as error:  # noqa: BLE001 - the check is the user's code, and may raise anything
            raise self._unusable(f"raised {type(error).__name__}", check, column) from None
        if answers.len() != frame.height or answers.dtype != pl.Boolean:
            raise self._unusable("does not give one boolean per row", check, column)
        return answers

    def _unusable(self, what: str, check: pa.Check, column: str) -> JobError:
        return JobError(
            Problem(
                f"the check {words(check)} of column {column} {what}",
                self._where,
                "a check that cannot be run rejects no record and passes none: mend it in the schema",
            )
        )


def run_check(check: pa.Check, frame: pl.DataFrame, column: str) -> pl.Series:
    """Return the answer of a check for each row: true where it passes or, unless `ignore_na` is off, answers null.

    Raises whatever the check raises. A check that gives one value gives a Series of length 1.
    """
    # A check of pandera's own reads its column alone; in a wide frame the others would cost time for each column.
    seen = frame if built_in(check) is None else frame.select(column)
    result: pl.DataFrame = check(seen.lazy(), column).check_output.select(CHECK_OUTPUT_KEY).collect()
    return result[CHECK_OUTPUT_KEY]


def words(check: pa.Check) -> str:
    """Name a check as its author did: its error text, or its function's name."""
    name = check.error if isinstance(check.error, str) and check.error else str(check.name)
    return name if len(name) <= 120 else name[:119] + "…"


def built_in(check: pa.Check) -> str | None:
    """Return the name of a check of pandera's own, None for a custom one."""
    function = getattr(check._check_fn, "__name__", "")
    return function if pa.Check.is_builtin_check(function) else None


def longest(check: pa.Check) -> int | None:
    """Return the most characters that a `str_length` check allows; None for other checks and for a lower bound alone."""
    if built_in(check) != "str_length":
        return None
    found = check.statistics or {}
    exact, most = found.get("exact_value"), found.get("max_value")
    bound = most if exact is None else exact
    return None if bound is None else int(bound)


def allowed(check: pa.Check) -> tuple[str, ...]:
    """Return the texts that an `isin` check allows; empty for other checks."""
    if built_in(check) != "isin":
        return ()
    return tuple(value for value in (check.statistics or {})["allowed_values"] if isinstance(value, str))


def quoted(values: pl.Series) -> pl.Series:
    """Quote values as `errors.shown` does, without a Python call per value where that makes no difference."""
    text = values.dt.to_string("%Y-%m-%d %H:%M:%S") if values.dtype == pl.Datetime else values.cast(pl.String)
    whole = text.str.len_chars() <= _SHOWN_CHARS
    short = text.str.slice(0, _SHOWN_CHARS - 1) + "…"
    text = text.zip_with(whole, short)
    plain = "'" + text + "'"
    odd = text.str.contains(_NEEDS_REPR)
    if not odd.any():
        return plain
    return plain.zip_with(~odd, text.map_elements(repr, return_dtype=pl.String))


def _blame(spec: FieldSpec, check: pa.Check, rows: pl.Series, values: pl.Series) -> pl.DataFrame:
    """Lay out the failures of one check: each value quoted, then what is wrong with it in words."""
    value, name = pl.col("value"), words(check)
    name = "a check of the schema" if name == "<lambda>" else name
    code, message = pl.lit("check_failed"), value + f" fails {name}"
    most, options = longest(check), allowed(check)
    if options:
        code, message = pl.lit("not_in_choices"), value + f" is none of {_listed(options)}"
    elif most is not None and values.dtype == pl.String:
        # A lower bound may be what failed; only the upper one is a length that is too long.
        over = pl.col("chars") > most
        counted = pl.format("{} has {} characters, at most {} are allowed", value, pl.col("chars"), most)
        code = pl.when(over).then(pl.lit("too_long")).otherwise(code)
        message = pl.when(over).then(counted).otherwise(message)
    chars = values.str.len_chars() if values.dtype == pl.String else pl.lit(None, pl.UInt32)
    return (
        pl.DataFrame({"_row": rows, "value": quoted(values)})
        .with_columns(chars=chars)
        .select("_row", pl.lit(spec.name).alias("column"), code.alias("code"), message.alias("message"))
    )


def _listed(options: Sequence[str]) -> str:
    first = ", ".join(shown(option, 20) for option in sorted(options)[:_OPTIONS_SHOWN])
    return first if len(options) <= _OPTIONS_SHOWN else f"{first} … ({len(options)} in all)"
