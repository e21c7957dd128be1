"""Dates are read as forgivingly as PHP's strtotime reads them (API sheet 13).

`data/dates.json` holds what PHP itself makes of the texts in `data/dates.txt`, in winter and in summer; `data/dates.php`
wrote it.
"""

from __future__ import annotations

import json
import time
from datetime import datetime
from pathlib import Path

import pytest

from pipeline.sandbox.dates import canonical, parse

NOW = datetime(2024, 5, 6, 7, 8, 9)
DATA = json.loads((Path(__file__).parent / "data" / "dates.json").read_text(encoding="utf-8"))
# Read otherwise than PHP, each with the reason; docs/sandbox.md lists them.
OBSERVED = "Copernica stores no date, or the zero date"
NO_YEAR = "years before 1 are all the zero date"
NOT_READ = "not read here"
DEVIATIONS = {
    "0000-00-00": ("empty", OBSERVED), "0000-00-00 00:00:00": ("empty", OBSERVED), "0000-00-01": ("zero", OBSERVED),
    "0000-01-00": ("zero", OBSERVED), "00-00-0000": ("zero", OBSERVED), "00/00/0000": ("zero", OBSERVED),
    "-0001-01-01": ("zero", OBSERVED), "0000-01-01": ("zero", NO_YEAR), "0000-12-31": ("zero", NO_YEAR),
    "01-01-0000": ("zero", NO_YEAR), "1-1-0001": ("zero", "the first minutes of year 1 are year 0 in UTC"),
    "first monday of january 2025": ("empty", NOT_READ), "2 weekdays": ("empty", NOT_READ),
    "+1 weekday": ("empty", NOT_READ),
}  # fmt: skip


def read(text: str, now: str) -> str | None:
    """Read a text as the table writes it."""
    found = parse(text, datetime.fromisoformat(now))
    if isinstance(found, datetime):
        return found.isoformat(sep=" ")
    return None if found == "empty" else found


def test_the_table_of_php_is_large_enough() -> None:
    """It names its version, and has text for text what the list asks for."""
    texts = (Path(__file__).parent / "data" / "dates.txt").read_text(encoding="utf-8").splitlines()
    assert [text for text, *_ in DATA["texts"]] == texts
    assert (DATA["php"], DATA["timezone"]) == ("8.2.36", "Europe/Amsterdam")
    assert len(set(texts)) == len(texts) >= 150


@pytest.mark.parametrize(("text", "winter", "summer"), [one for one in DATA["texts"] if one[0] not in DEVIATIONS])
def test_a_text_means_what_it_means_to_php(text: str, winter: str | None, summer: str | None) -> None:
    """At a time in winter and at one in summer."""
    assert [read(text, now) for now in DATA["now"]] == [winter, summer]


@pytest.mark.parametrize("text", DEVIATIONS)
def test_a_deviation_is_as_it_is_listed(text: str) -> None:
    """And it is one: PHP reads the text otherwise."""
    kind = DEVIATIONS[text][0]
    assert parse(text, NOW) == kind
    expected = next(one[1] for one in DATA["texts"] if one[0] == text)
    assert expected != (None if kind == "empty" else kind)


@pytest.mark.parametrize(
    "text",
    ["", "  ", "\0", "\u00a02020-01-02", "2020-01-02\x1f", "+999999999 years", "+9999999999999 sec", "\u0662020"],
)
def test_what_is_no_date_is_empty(text: str) -> None:
    """Blanks of PHP only, digits 0 to 9 only, no year above 9999."""
    assert parse(text, NOW) == "empty"


@pytest.mark.parametrize("text", ["\0 2020-01-02\v", "\t2020-01-02\r\n"])
def test_what_php_trims_is_trimmed(text: str) -> None:
    """NUL and the vertical tab, too."""
    assert parse(text, NOW) == datetime(2020, 1, 2)


@pytest.mark.parametrize(
    ("text", "exists"),
    [
        ("2020-03-29 02:00:00", False),
        ("2020-03-29 02:59:59", False),
        ("2020-03-29 03:00:00", True),
        ("2020-10-25 02:30:00", True),
        ("1977-04-03 02:30:00", False),
        ("2020-03-29", True),
        ("0001-01-01 00:00:00", True),
        ("9999-12-31 23:59:59", True),
        ("2019-02-29", False),
    ],
)
def test_only_times_that_exist_are_canonical(text: str, exists: bool) -> None:
    """A time that the clocks of Amsterdam skip is moved, and so noted."""
    assert (canonical(text) is not None) == exists


@pytest.mark.parametrize("text", ["1" * 199, "jan " * 49, "+" * 200, "a" * 100_000, ". " * 50_000, "1 sec " * 30])
def test_a_long_text_is_read_at_once(text: str) -> None:
    """No text takes longer than its length allows."""
    began = time.perf_counter()
    parse(text, NOW)
    assert time.perf_counter() - began < 0.5
