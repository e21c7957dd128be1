"""Try what kinds of values a column may hold, by the same parsers as a run (pure)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars as pl

from pipeline.fields import are_emails, are_phones
from pipeline.model.columns import FieldSpec, Kind
from pipeline.model.job import ColumnReading
from pipeline.validate.parse import parser

# Day before month comes first: where both read every value, Europe's way is the likelier one.
DATE_FORMS = ("%d-%m-%Y", "%d/%m/%Y", "%d.%m.%Y", "%Y/%m/%d", "%Y%m%d", "%m/%d/%Y", "%m-%d-%Y", "%-d-%-m-%Y",
              "%-d/%-m/%Y", "%-d.%-m.%Y", "%-m/%-d/%Y", "%d %b %Y", "%d-%b-%Y", "%b %d, %Y")  # fmt: skip
# Names of columns with phone numbers; other numbers look the same.
_PHONE_NAME = r"(?i)phone|telefoon|telefon|\btel\b|mobile|mobiel|gsm|fax|handy"
TIMES = ("%H:%M:%S", "%H:%M")
# Vocabularies of yes and no, beside those that need no words in the job file.
YES_NO = ((("true",), ("false",)), (("yes",), ("no",)), (("y",), ("n",)), (("ja",), ("nee",)), (("j",), ("n",)),
          (("oui",), ("non",)), (("ja",), ("nein",)))  # fmt: skip
_DTYPES: dict[Kind, pl.DataType] = {
    "integer": pl.Int64(), "decimal": pl.Float64(), "date": pl.Date(), "datetime": pl.Datetime("us"),
    "yesno": pl.Boolean(),
}  # fmt: skip
PLAIN = ColumnReading()


@dataclass(frozen=True)
class Candidate:
    """A kind of values and the words of the job file that read it; `bad` counts the values that are not of it.

    `wider_than` is the place of a candidate in the list all of whose values this one reads as well. `named` is a pattern
    that the column's name must have, for kinds that many other values fit.
    """

    kind: str
    reading: ColumnReading
    bad: Callable[[pl.Series], int]
    wider_than: int | None = None
    named: str = ""

    @property
    def form(self) -> str | None:
        """Return the date form that the job file must name, None for ISO."""
        return self.reading.dates[0] if self.reading.dates else None


def candidates() -> tuple[Candidate, ...]:
    """List everything that is tried, the likelier first where two read the same values."""
    found = [_candidate("integer"), _candidate("date"), _candidate("datetime")]
    found.append(_candidate("datetime", wider_than=len(found) - 1, fractions="cut"))
    for decimal, thousands in ((".", None), (",", None), (",", "."), (".", ",")):
        found.append(_candidate("decimal", wider_than=0, decimal=decimal, thousands=thousands))
    found += [_candidate("date", dates=(form,)) for form in DATE_FORMS]
    found += [_candidate("datetime", dates=(f"{form} {time}",)) for form in DATE_FORMS for time in TIMES]
    found += [_yes_no(yes, no) for yes, no in YES_NO]
    found.append(Candidate("email", PLAIN, lambda cells: int((~are_emails(cells)).sum())))
    found.append(Candidate("phone", PLAIN, lambda cells: int((~are_phones(cells)).sum()), named=_PHONE_NAME))
    return tuple(found)


def _candidate(kind: Kind, wider_than: int | None = None, **words: object) -> Candidate:
    reading = PLAIN.model_copy(update=words)
    spec = FieldSpec("", kind, _DTYPES[kind], nullable=True, yes_no=("Yes", "No") if kind == "yesno" else None)
    parse = parser(spec, reading)

    def bad(cells: pl.Series) -> int:
        found = parse(cells).bad
        return 0 if found is None else found.height

    return Candidate(kind, reading, bad, wider_than)


def _yes_no(yes: tuple[str, ...], no: tuple[str, ...]) -> Candidate:
    """Try a vocabulary in lower and upper case; the job file names it only where it must."""
    words: dict[str, Any] = {"true_values": tuple(_cases(yes[0])), "false_values": tuple(_cases(no[0]))}
    options = {} if yes[0] in ("true", "yes", "y") else words
    tried = _candidate("yesno", **words)
    return Candidate("yesno", PLAIN.model_copy(update=options), tried.bad)


def _cases(word: str) -> list[str]:
    return list(dict.fromkeys((word, word.capitalize(), word.upper())))
