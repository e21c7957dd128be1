"""Dates and date-times: ISO, named forms, offsets and zones."""

from __future__ import annotations

import datetime
import re

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.model.job import Source
from pipeline.validate.parse import parser
from tests.validate.making import spec


def read(kind, texts, *, dtype=None, **words):
    """Parse texts; per text its canonical form, or the code of its fault."""
    given_type = {} if dtype is None else {"dtype": dtype}
    parse = parser(spec("A", kind, **given_type), Source(files=("x",), **words))
    parsed = parse(pl.Series(texts, dtype=pl.String))
    codes = {} if parsed.bad is None else dict(zip(parsed.bad["_row"], parsed.bad["code"], strict=True))
    assert [text is None for text in parsed.text] == [value is None for value in parsed.typed]
    return [codes.get(row, text) for row, text in enumerate(parsed.text)]


def message(kind, text, **words):
    return parser(spec("A", kind), Source(files=("x",), **words))(pl.Series([text])).bad["message"][0]


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("2020-01-02", "2020-01-02"),
        ("2020-02-29", "2020-02-29"),
        ("1000-01-01", "1000-01-01"),
        ("9999-12-31", "9999-12-31"),
        ("2020-01-02 00:00", "2020-01-02"),
        ("2020-01-02T00:00:00", "2020-01-02"),
        ("2020-01-02 00:00:00.000", "2020-01-02"),
        ("2020-01-02T00:00:00+01:00", "2020-01-02"),
        ("2020-07-02T00:00:00+0200", "2020-07-02"),
        ("2020-01-02T00:00:00Z", "not_a_date"),
        ("2020-01-01T23:00:00Z", "not_a_date"),
        ("2020-01-02 00:00:00.5", "not_a_date"),
        ("2020-01-02 01:00:00", "not_a_date"),
        ("2020-01-02 00", "not_a_date"),
        ("10-02-03", "not_a_date"),
        ("0999-12-31", "not_a_date"),
        ("10000-01-01", "not_a_date"),
        ("2020-02-30", "not_a_date"),
        ("2019-02-29", "not_a_date"),
        ("2020-13-01", "not_a_date"),
        ("2020-00-01", "not_a_date"),
        ("0000-00-00", "not_a_date"),
        ("2020-1-2", "not_a_date"),
        ("2020- 1-02", "not_a_date"),
        (" 2020-1-02", "not_a_date"),
        ("+2020-1-02", "not_a_date"),
        ("2020-01-02\n", "not_a_date"),
        ("2020/01/02", "not_a_date"),
        ("20200102", "not_a_date"),
        ("２０２０-01-02", "not_a_date"),
        ("now", "not_a_date"),
    ],
)
def test_dates_follow_the_grammar_exactly(text, sent):
    """Data rule 10: dates exist, lie in years 1000 to 9999, and a time behind them is zero, also in Amsterdam."""
    assert read("date", [text, "2020-01-02"]) == [sent, "2020-01-02"]


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("2020-01-02 03:04:05", "2020-01-02 03:04:05"),
        ("2020-01-02T03:04:05", "2020-01-02 03:04:05"),
        ("2020-01-02 03:04", "2020-01-02 03:04:00"),
        ("2020-01-02T03:04:05.000", "2020-01-02 03:04:05"),
        ("2020-01-02T03:04:05Z", "2020-01-02 04:04:05"),
        ("2020-07-02T03:04:05Z", "2020-07-02 05:04:05"),
        ("2020-07-02T03:04:05.0+02:00", "2020-07-02 03:04:05"),
        ("2020-07-02T03:04+0200", "2020-07-02 03:04:00"),
        ("2020-07-02T03:04:05-05:30", "2020-07-02 10:34:05"),
        ("2020-12-31T23:30:00Z", "2021-01-01 00:30:00"),
        ("2024-03-31 02:30:00", "2024-03-31 02:30:00"),
        ("2024-10-27 02:30:00", "2024-10-27 02:30:00"),
        ("1000-01-01 00:00:00", "1000-01-01 00:00:00"),
        ("9999-12-31 23:59:59", "9999-12-31 23:59:59"),
        ("9999-12-31T23:30:00Z", "not_a_datetime"),
        ("2020-01-02", "not_a_datetime"),
        ("2020-01-02 03", "not_a_datetime"),
        ("2020-01-02 3:04:05", "not_a_datetime"),
        ("2020-01-02  03:04:05", "not_a_datetime"),
        ("2020-01-02 03:04:05.", "not_a_datetime"),
        ("2020-01-02 03:04.0", "not_a_datetime"),
        ("2020-01-02 03:04:05.5", "not_a_datetime"),
        ("2020-01-02 03:04:05 Z", "not_a_datetime"),
        ("2020-01-02 03:04:05+2", "not_a_datetime"),
        ("2020-01-02 03:04:05+15:00", "not_a_datetime"),
        ("2020-01-02 03:04:05CET", "not_a_datetime"),
        ("2020-01-02 24:00:00", "not_a_datetime"),
        ("2020-01-02 23:60:00", "not_a_datetime"),
        ("2016-12-31 23:59:60", "not_a_datetime"),
        ("2020-02-30 03:04:05", "not_a_datetime"),
        ("0999-01-02 03:04:05", "not_a_datetime"),
        ("2020-01-02 03:04:05\n", "not_a_datetime"),
    ],
)
def test_date_times_follow_the_grammar_exactly(text, sent):
    """Data rule 10: an offset is converted, a naive time of Amsterdam stays as it is, also where it does not exist."""
    assert read("datetime", [text, "2020-01-02 03:04:05"]) == [sent, "2020-01-02 03:04:05"]


def test_fractions_are_cut_where_the_job_says_so():
    """Otherwise only fractions of zero are read."""
    assert read("datetime", ["2020-01-02 03:04:05.999Z"], fractions="cut") == ["2020-01-02 04:04:05"]
    assert read("date", ["2020-01-02 00:00:00.5"], fractions="cut") == ["not_a_date"]


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("2024-01-15 12:00:00", "2024-01-15 18:00:00"),
        ("2024-03-31 02:30:00", "2024-03-31 08:30:00"),
        ("2024-03-10 02:30:00", "not_a_datetime"),
        ("2024-11-03 01:30:00", "not_a_datetime"),
        ("2024-01-15T12:00:00Z", "2024-01-15 13:00:00"),
    ],
)
def test_a_naive_time_is_taken_in_the_zone_of_the_source(text, sent):
    """What does not exist in that zone, or exists twice, is no date-time."""
    assert read("datetime", [text], timezone="America/New_York") == [sent]


def test_a_plain_date_has_no_zone():
    """Only times are converted."""
    assert read("date", ["2024-01-15", "2024-01-15 00:00:00"], timezone="America/New_York") == ["2024-01-15"] * 2


@pytest.mark.parametrize(
    ("forms", "text", "sent"),
    [
        (["%d-%m-%Y"], "31-12-2020", "2020-12-31"),
        (["%d-%m-%Y"], "2020-12-31", "2020-12-31"),
        (["%d-%m-%Y"], "1-2-2020", "not_a_date"),
        (["%-d-%-m-%Y"], "1-2-2020", "2020-02-01"),
        (["%-d-%-m-%Y"], "01-02-2020", "2020-02-01"),
        (["%d-%m-%Y"], "31-02-2020", "not_a_date"),
        (["%d-%m-%Y"], "10-02-0003", "not_a_date"),
        (["%d-%m-%Y"], "10-02-03", "not_a_date"),
        (["%Y-%m-%d"], "10-02-03", "not_a_date"),
        (["%Y-%m-%d"], "2020-1-2", "not_a_date"),
        (["%d%m%Y"], "31122020", "2020-12-31"),
        (["%-d%-m%Y"], "1122020", "not_a_date"),
        (["%d %b %Y"], "03 Jan 2020", "2020-01-03"),
        (["%e %B %Y"], "3 january 2020", "2020-01-03"),
        (["%A %d.%m.%Y"], "Friday 03.01.2020", "2020-01-03"),
        (["%A %d.%m.%Y"], "Monday 03.01.2020", "not_a_date"),
        (["%Y/%j"], "2020/060", "2020-02-29"),
        (["%m/%d/%Y", "%d/%m/%Y"], "02/01/2020", "2020-02-01"),
        (["%m/%d/%Y", "%d/%m/%Y"], "31/01/2020", "2020-01-31"),
        (["%d-%m-%Y %H:%M"], "31-12-2020 00:00", "2020-12-31"),
        (["%d-%m-%Y %H:%M"], "31-12-2020 00:01", "not_a_date"),
        (["%d-%m-%Y %H:%M:%S.%f"], "31-12-2020 00:00:00.000", "2020-12-31"),
        (["%d-%m-%Y %H:%M:%S.%f"], "31-12-2020 00:00:00.001", "not_a_date"),
        (["%Y-%d-%m"], "2020-02-01", "2020-01-02"),
        (["%Y-%d-%m"], "2020-12-31", "not_a_date"),
        (["%Y-%d-%m"], "2020-01-02 00:00:00", "not_a_date"),
        (["%Y-%d-%m %H:%M"], "2020-02-01", "not_a_date"),
    ],
)
def test_dates_are_read_as_the_job_names_them(forms, text, sent):
    """Named forms come first and in their order; ISO is read besides unless a form reads ISO texts as other days."""
    assert read("date", [text], dates=forms) == [sent]


@pytest.mark.parametrize(
    ("forms", "text", "sent"),
    [
        (["%d-%m-%Y %H:%M"], "31-12-2020 23:59", "2020-12-31 23:59:00"),
        (["%d-%m-%Y %H:%M"], "31-12-2020", "not_a_datetime"),
        (["%d-%m-%Y"], "31-12-2020", "2020-12-31 00:00:00"),
        (["%Y-%m-%d"], "2020-12-31", "2020-12-31 00:00:00"),
        (["%Y-%m-%d"], "2020-12-31 01:02:03", "2020-12-31 01:02:03"),
        (["%m/%d/%Y %I:%M %p"], "12/31/2020 03:04 pm", "2020-12-31 15:04:00"),
        (["%d-%m-%YT%H:%M:%S%z"], "02-07-2020T03:04:05-0100", "2020-07-02 06:04:05"),
        (["%d-%m-%YT%T%:z"], "02-07-2020T03:04:05-01:00", "2020-07-02 06:04:05"),
        (["%d-%m-%Y %H:%M:%S.%f"], "02-07-2020 03:04:05.9", "not_a_datetime"),
        (["%d-%m-%Y %H:%M:%S.%f"], "02-07-2020 03:04:05.00", "2020-07-02 03:04:05"),
        (["%d-%m-%Y %H:%M:%S"], "02-07-2020 03:04:60", "not_a_datetime"),
        (["%Y-%d-%m"], "2020-01-02 03:04:05", "not_a_datetime"),
        (["%Y-%m-%d %M:%H"], "2020-01-02 03:04:05", "not_a_datetime"),
    ],
)
def test_date_times_are_read_as_the_job_names_them(forms, text, sent):
    """A form without a time gives midnight; one that reads ISO texts differently leaves no room for ISO."""
    assert read("datetime", [text], dates=forms) == [sent]


def test_named_forms_are_taken_in_the_zone_of_the_source_and_cut():
    """They are naive times as others are."""
    words = {"dates": ["%d-%m-%Y %H:%M:%S.%f", "%d-%m-%Y"], "fractions": "cut", "timezone": "UTC"}
    assert read("datetime", ["02-07-2020 03:04:05.9", "02-07-2020"], **words) == [
        "2020-07-02 05:04:05",
        "2020-07-02 00:00:00",
    ]


def test_a_date_time_that_the_type_does_not_hold_is_out_of_range():
    """Nanoseconds end in 2262."""
    texts = ["2020-01-02 03:04:05", "9999-12-31 00:00:00"]
    assert read("datetime", texts, dtype=pl.Datetime("ns")) == ["2020-01-02 03:04:05", "out_of_range"]


def test_messages_say_what_would_be_right():
    """They name the forms that would be read, and what to say in the job."""
    assert message("date", "10-02-03") == "'10-02-03' is no existing date of the form YYYY-MM-DD"
    assert message("date", "x", dates=["%d-%m-%Y"]) == "'x' is no existing date of the form %d-%m-%Y or YYYY-MM-DD"
    assert message("date", "x", dates=["%Y-%d-%m"]) == "'x' is no existing date of the form %Y-%d-%m"
    assert message("datetime", "x") == "'x' is no existing date-time of the form YYYY-MM-DD hh:mm[:ss]"
    assert message("datetime", "2020-01-02") == (
        "'2020-01-02' has no time: name its form in dates to read it as midnight"
    )
    assert message("datetime", "2020-01-02 03:04:05.5") == (
        "'2020-01-02 03:04:05.5' has parts of a second: set fractions: cut to drop them"
    )


NOISE = st.text("0123456789-: T+.", max_size=3)
MOMENTS = st.datetimes(min_value=datetime.datetime(1000, 1, 1))


@settings(max_examples=200, derandomize=True)
@given(st.lists(st.tuples(MOMENTS, st.integers(0, 19), NOISE), min_size=1, max_size=10))
def test_what_is_read_as_a_date_has_the_exact_shape(parts):
    """Texts with a few characters put in place of others are dates only where the grammar says so."""
    texts = [f"{moment:%Y-%m-%d %H:%M:%S}"[:at] + noise for moment, at, noise in parts]
    for text, sent in zip(texts, read("date", texts), strict=True):
        shape = re.fullmatch(r"([0-9]{4}-[0-9]{2}-[0-9]{2})([ T]00:00(:00(\.0+)?)?)?", text)
        assert sent == (_iso(shape[1]) if shape else "not_a_date") or re.search("[+-][0-9:]*$", text[10:])


def _iso(text):
    try:
        day = datetime.date.fromisoformat(text)
    except ValueError:
        return "not_a_date"
    return text if day.year >= 1000 else "not_a_date"


@settings(max_examples=100, derandomize=True)
@given(st.lists(MOMENTS, min_size=1, max_size=20))
def test_canonical_date_times_do_not_change_again(moments):
    """ISO texts are sent as they stand."""
    texts = [f"{moment:%Y-%m-%d %H:%M:%S}" for moment in moments]
    assert read("datetime", texts) == texts
    assert read("datetime", [text.replace(" ", "T") for text in texts]) == texts
    assert read("date", [text[:10] for text in texts]) == [text[:10] for text in texts]
