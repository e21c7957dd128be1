"""Dates are read as forgivingly as PHP's strtotime reads them (API sheet 13)."""

from __future__ import annotations

from datetime import datetime

import pytest

from pipeline.sandbox.dates import parse

NOW = datetime(2024, 5, 6, 7, 8, 9)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2020-01-02", "2020-01-02 00:00:00"),
        ("2020-01-02 03:04:05", "2020-01-02 03:04:05"),
        ("  2020-01-02t03:04:05 ", "2020-01-02 03:04:05"),
        ("2020-01-02 03:04:05.678", "2020-01-02 03:04:05"),
        ("2020-01-02 03:04", "2020-01-02 03:04:00"),
        ("2020-2", "2020-02-01 00:00:00"),
        ("20200102", "2020-01-02 00:00:00"),
        ("2020-02-30", "2020-03-01 00:00:00"),
        ("03/09/1980", "1980-03-09 00:00:00"),
        ("03-09-1980", "1980-09-03 00:00:00"),
        ("3.9.1980", "1980-09-03 00:00:00"),
        ("2 January 2020", "2020-01-02 00:00:00"),
        ("January 2, 2020", "2020-01-02 00:00:00"),
        ("2020-01-02 03:04:05Z", "2020-01-02 04:04:05"),
        ("2020-07-02 03:04:05 utc", "2020-07-02 05:04:05"),
        ("2020-01-02 03:04:05+03:00", "2020-01-02 01:04:05"),
        ("@1577934245", "2020-01-02 04:04:05"),
        ("now", "2024-05-06 07:08:09"),
        ("a", "2024-05-06 07:08:09"),
        ("yesterday", "2024-05-05 00:00:00"),
        ("+1 day", "2024-05-07 07:08:09"),
        ("2 weeks ago", "2024-04-22 07:08:09"),
        ("1959", "2024-05-06 19:59:00"),
        ("1960", "1960-05-06 07:08:09"),
    ],
)
def test_a_readable_text_becomes_this_moment(text: str, expected: str) -> None:
    """Each notation becomes the moment that strtotime makes of it, in Amsterdam time."""
    assert str(parse(text, NOW)) == expected


@pytest.mark.parametrize(
    "text",
    ["", "  ", "aa", "true", "2020 2", "2020-01-02 03:", "1577934245", "2020-13-01", "2020-01-32", "13/09/1980",
     "0000-00-00", "0000-00-00 12:00:00", "+999999999 years"],
)  # fmt: skip
def test_an_unreadable_text_is_empty(text: str) -> None:
    """What strtotime refuses, and anything that starts with the zero date, counts as empty."""
    assert parse(text, NOW) == "empty"


def test_a_date_before_year_one_is_zero() -> None:
    """A readable date of a negative year is the zero date, which is not the same as empty."""
    assert parse("0000-00-01", NOW) == "zero"
