"""Try the checks of a schema before any data is read, and report those that do not answer per value (pure, data rule 13).

A check sees one batch at a time, cut where nobody chose. One that looks at its neighbours would accept a value in one batch
and reject it in another. So each is run over the same rows in several orders and pieces, and over a frame longer than a batch:
its answer for a row must always be the same.
"""

from __future__ import annotations

import datetime
import random
from collections.abc import Iterator, Mapping, Sequence

import pandera.polars as pa
import polars as pl

from pipeline import fields
from pipeline.errors import shown
from pipeline.model.columns import FieldSpec
from pipeline.validate.checks import built_in, run_check, words

# Rows of the long frame: more than a batch holds (100,000), for checks that count rows.
_LONG_ROWS = 120_000

# Values that differ in size, order and form, with doubles, so that neighbours, ranks and means make a difference.
_TEXTS = ("1", "b", "a@example.com", "2020-01-01", "b", "Zoë", "0612345678", "31612345678", "x" * 30, "B", "a")
_NUMBERS = (1, 5, 2, 2, 100, 0, -7, 3, 120, 1_000_000, 1)
_DAYS = (0, 400, -3000, 1, 1, 9000, 35, -1, 365, 12_000, 7)
_START = datetime.datetime(2020, 1, 1)

Complaint = tuple[str, str]


class Probe:
    """Tries checks on typed rows that are not alike, to find those that cannot be used."""

    def __init__(self, specs: Sequence[FieldSpec]) -> None:
        """Prepare the rows for a schema of these columns."""
        columns = [_column(spec, at) for at, spec in enumerate(specs)]
        self._rows = pl.DataFrame(columns)
        self._nulls = self._rows.clear(3)
        # A check of several columns may bear none of the mixed rows: every column alike, value by value.
        self._alike = [pl.DataFrame([column.new_from_index(at, 3) for column in columns]) for at in range(3)]

    def complaint(self, check: pa.Check, column: str) -> Complaint | None:
        """Return what is wrong with a check of `column` and what to do about it, None when it answers per row."""
        raised = ""
        for frame in (self._nulls, *self._alike):
            try:
                answers = run_check(check, frame, column)
                alone = answers[:1] if _per_value(check) else run_check(check, frame[:1], column)
            except Exception as error:  # noqa: BLE001 - the check is the user's code, and may raise anything
                raised = f"{type(error).__name__}: {shown(' '.join(str(error).split()), 120)}"
                continue
            return _shape_complaint(check, answers, alone) or self._neighbours(check, column)
        do = "a check takes a pa.PolarsData: return data.lazyframe.select(pl.col(data.key) > 0)"
        return f"check {words(check)} cannot be run: {raised}", do

    def _neighbours(self, check: pa.Check, column: str) -> Complaint | None:
        """Compare the answer of a check for each row alone with its answer among others."""
        if _per_value(check):
            return None
        alone: list[bool] = []
        kept: list[int] = []
        for at in range(self._rows.height):
            try:
                answer = run_check(check, self._rows[at : at + 1], column)
            except Exception:  # noqa: BLE001, S112 - it does not bear this value; the data will show whether it must
                continue
            alone += answer.to_list()
            kept.append(at)
        rows, expected = self._rows[kept], pl.Series(alone, dtype=pl.Boolean)
        for order in _orders(len(kept)):
            try:
                same = run_check(check, rows[order], column).equals(expected.gather(order))
            except Exception:  # noqa: BLE001 - one row at a time it raised nothing
                same = False
            if not same:
                what = f"check {words(check)} looks at other rows, but sees one batch only"
                return what, "check single values, with nothing computed over the column"
        return None


def _per_value(check: pa.Check) -> bool:
    """Return whether a check is known to answer per value: pandera's own and ours do."""
    return built_in(check) is not None or getattr(check._check_fn, "__module__", "") == fields.__name__


def _orders(count: int) -> Iterator[list[int]]:
    """Yield arrangements of `count` rows: as they are, reversed, shuffled, halves, doubled, and one longer than a batch."""
    if not count:
        return
    plain = list(range(count))
    yield plain
    yield plain[::-1]
    for seed in range(3):
        mixed = plain.copy()
        random.Random(seed).shuffle(mixed)  # noqa: S311 - an arrangement, no secret
        yield mixed
    yield plain[: count // 2 + 1]
    yield plain[count // 2 :]
    yield [at for at in plain for _ in range(2)]
    yield plain * (_LONG_ROWS // count)


def _shape_complaint(check: pa.Check, answers: pl.Series, alone: pl.Series) -> Complaint | None:
    per_row = "return one boolean per row: data.lazyframe.select(pl.col(data.key) > 0)"
    if answers.len() == 1:
        return f"check {words(check)} gives one value for the whole batch, not one per row", per_row
    if answers.len() != 3 or alone.len() != 1:
        return f"check {words(check)} gives {answers.len()} values for 3 rows", per_row
    if answers.dtype != pl.Boolean:
        return f"check {words(check)} gives {answers.dtype}, not true or false", per_row
    return None


def _column(spec: FieldSpec, at: int) -> pl.Series:
    """Return the values of a column, each column beginning at another one; nothing that its type does not hold."""
    values = [*_values(spec), None]
    series = pl.Series(spec.name, values, strict=False).cast(spec.dtype, strict=False)
    series = pl.concat([series.drop_nulls(), series.filter(series.is_null())[:1]])
    order = [(place + at) % series.len() for place in range(len(_TEXTS) + 1)]
    return series.gather(order)


def _values(spec: FieldSpec) -> Sequence[object]:
    if spec.kind in ("text", "choice"):
        return [*spec.choices, *spec.choices[:1]] or _TEXTS
    days = [_START + datetime.timedelta(days=day, minutes=day) for day in _DAYS]
    values: Mapping[str, Sequence[object]] = {
        "integer": _NUMBERS,
        "decimal": [number * 1.25 for number in _NUMBERS],
        "date": [day.date() for day in days],
        "datetime": days,
        "yesno": [True, False, False, True, True],
    }
    return values[spec.kind]
