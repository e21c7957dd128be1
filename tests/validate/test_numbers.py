"""Integers and decimals: exact texts, and laws that hold for every number."""

from __future__ import annotations

import re
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.model.job import Source
from pipeline.validate.parse import parser
from tests.validate.making import spec


def read(kind, texts, *, exponents=False, dtype=None, **words):
    """Parse texts; per text its canonical form, or the code of its fault."""
    given_type = {} if dtype is None else {"dtype": dtype}
    parse = parser(spec("A", kind, exponents=exponents, **given_type), Source(files=("x",), **words))
    parsed = parse(pl.Series(texts, dtype=pl.String))
    codes = {} if parsed.bad is None else dict(zip(parsed.bad["_row"], parsed.bad["code"], strict=True))
    assert [text is None for text in parsed.text] == [value is None for value in parsed.typed]
    assert not any(parsed.text[row] is not None for row in codes)
    return [codes.get(row, text) for row, text in enumerate(parsed.text)]


def message(kind, text, **words):
    bad = parser(spec("A", kind, **words), Source(files=("x",)))(pl.Series([text])).bad
    return bad["message"][0]


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("0", "0"),
        ("-0", "0"),
        ("+0", "0"),
        ("000", "0"),
        ("007", "7"),
        ("-007", "-7"),
        ("+5", "5"),
        ("-5", "-5"),
        ("17850.0", "17850"),
        ("17850.00", "17850"),
        ("-12.0", "-12"),
        ("+1.0", "1"),
        ("-0.0", "0"),
        ("9223372036854775807", "9223372036854775807"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("9223372036854775808", "out_of_range"),
        ("-9223372036854775809", "out_of_range"),
        ("99999999999999999999999999", "out_of_range"),
        ("", "not_an_integer"),
        ("17850.", "not_an_integer"),
        (".0", "not_an_integer"),
        ("1.5", "not_an_integer"),
        ("1.01", "not_an_integer"),
        ("1e5", "not_an_integer"),
        ("1,000", "not_an_integer"),
        ("1_000", "not_an_integer"),
        ("--1", "not_an_integer"),
        ("+", "not_an_integer"),
        (" 1", "not_an_integer"),
        ("1\n", "not_an_integer"),
        ("٣", "not_an_integer"),
        ("0x1", "not_an_integer"),
        ("1.0.0", "not_an_integer"),
        ("12.000", "not_an_integer"),
        ("-12.000", "not_an_integer"),
        ("0.000", "not_an_integer"),
        ("12.00", "12"),
        ("12.0000", "12"),
        ("inf", "not_an_integer"),
    ],
)
def test_integers_follow_the_grammar_exactly(text, sent):
    """Data rule 10: `[+-]?[0-9]+`, also with `.0…` behind, within 64 bit; sent as digits."""
    assert read("integer", [text, "1"]) == [sent, "1"]


def test_the_zeros_behind_an_integer_stand_behind_the_mark_of_the_job():
    """With a decimal comma `1.000` may be one thousand, so it is no integer."""
    assert read("integer", ["1,0", "1.000", "1.0"], decimal=",") == ["1", "not_an_integer", "not_an_integer"]


def test_thousands_marks_are_no_part_of_an_integer():
    """Data rule 10 gives them to decimals only."""
    assert read("integer", ["1 000"], thousands=" ") == ["not_an_integer"]


@pytest.mark.parametrize(
    ("dtype", "text", "sent"),
    [
        (pl.Int8(), "127", "127"),
        (pl.Int8(), "128", "out_of_range"),
        (pl.UInt8(), "-1", "out_of_range"),
        (pl.UInt64(), "18446744073709551615", "18446744073709551615"),
        (pl.UInt64(), "18446744073709551616", "out_of_range"),
        (pl.Int128(), "9223372036854775808", "out_of_range"),
    ],
)
def test_integers_fit_the_type_of_the_schema(dtype, text, sent):
    """A narrower type narrows the range; a wider one does not widen it beyond 64 bit."""
    assert read("integer", [text], dtype=dtype) == [sent]


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("1.50", "1.50"),
        ("+1.50", "1.50"),
        (".5", "0.5"),
        ("5.", "5"),
        ("007.5", "7.5"),
        ("000", "0"),
        ("-0", "0"),
        ("-0.00", "0.00"),
        ("-.5", "-0.5"),
        ("-0.05", "-0.05"),
        ("0.000", "0.000"),
        ("1234567890123456.7", "1234567890123456.7"),
        ("0.1234567890123456789012345", "0.1234567890123456789012345"),
        ("1" + "0" * 308, "1" + "0" * 308),
        ("2" + "0" * 308, "out_of_range"),
        ("-2" + "0" * 400, "out_of_range"),
        ("", "not_a_decimal"),
        (".", "not_a_decimal"),
        ("-", "not_a_decimal"),
        ("+-1", "not_a_decimal"),
        ("1e5", "not_a_decimal"),
        ("1,5", "not_a_decimal"),
        ("1 000", "not_a_decimal"),
        ("1_0", "not_a_decimal"),
        ("inf", "not_a_decimal"),
        ("-Infinity", "not_a_decimal"),
        ("nan", "not_a_decimal"),
        ("1.5.5", "not_a_decimal"),
        ("0x1p3", "not_a_decimal"),
        (" 1.5", "not_a_decimal"),
        ("1.5\n", "not_a_decimal"),
        ("١.٥", "not_a_decimal"),
    ],
)
def test_decimals_follow_the_grammar_exactly(text, sent):
    """Data rule 10: plain notation cut from the text; no exponents, inf, nan or underscores."""
    assert read("decimal", [text, "1.5"]) == [sent, "1.5"]


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("1.234,56", "1234.56"),
        ("1234,56", "1234.56"),
        ("1.234.567", "1234567"),
        ("-1.234", "-1234"),
        (",5", "0.5"),
        ("5,", "5"),
        ("1.23,4", "not_a_decimal"),
        ("1.2345", "not_a_decimal"),
        ("1234.567", "not_a_decimal"),
        ("1.5", "not_a_decimal"),
        ("0.234", "not_a_decimal"),
        ("1..234", "not_a_decimal"),
        (".234", "not_a_decimal"),
    ],
)
def test_comma_and_thousands_are_read_as_the_job_says(text, sent):
    """Thousands stand in groups of three, and a group never starts with a zero."""
    assert read("decimal", [text], decimal=",", thousands=".") == [sent]


def test_a_blank_or_an_apostrophe_may_separate_thousands():
    """Any character that is no part of a number may."""
    assert read("decimal", ["1 234.5", "1234.5"], thousands=" ") == ["1234.5", "1234.5"]
    assert read("decimal", ["1'234.5"], thousands="'") == ["1234.5"]


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("1e2", "100"),
        ("1E+2", "100"),
        ("1.5e-3", "0.0015"),
        ("1.50e1", "15.0"),
        ("-1.25e1", "-12.5"),
        ("12.345e2", "1234.5"),
        ("1.e3", "1000"),
        (".5e1", "5"),
        ("1e0", "1"),
        ("0e5", "0"),
        ("0.00e1", "0.0"),
        ("-0e3", "0"),
        ("2.5", "2.5"),
        ("1e308", "1" + "0" * 308),
        ("1e309", "out_of_range"),
        ("1e99999999999999999999", "out_of_range"),
        ("1e-99999999999999999999", "out_of_range"),
        ("1e-401", "out_of_range"),
        ("1e", "not_a_decimal"),
        ("e5", "not_a_decimal"),
        ("1e5.0", "not_a_decimal"),
        ("1e 5", "not_a_decimal"),
    ],
)
def test_exponents_are_written_out_from_the_text(text, sent):
    """Where the schema allows them; a number of more than 400 digits is out of range."""
    assert read("decimal", [text], exponents=True) == [sent]


def test_a_decimal_of_the_schema_keeps_its_digits_whatever_its_type_holds():
    """The type is for checks; sent is the text. What has more digits behind the point than the type does not fit it."""
    texts = ["1.55", "1.5500", "1.555", "1.005", "12345.6", "-0.001"]
    assert read("decimal", texts, dtype=pl.Decimal(5, 2)) == ["1.55", "1.5500", *["out_of_range"] * 4]
    assert read("decimal", ["12", "12.0", "12.5"], dtype=pl.Decimal(5, 0)) == ["12", "12.0", "out_of_range"]
    assert read("decimal", ["1e39".replace("e39", "0" * 39)], dtype=pl.Float32()) == ["out_of_range"]


def test_messages_say_what_would_be_right():
    """A value is quoted and shortened to 40 characters."""
    assert message("integer", "abc") == "'abc' is no integer, digits with an optional sign"
    assert message("integer", "9" * 50) == "'" + "9" * 39 + "…' does not fit Int64"
    assert message("integer", "12.000").startswith("'12.000' may be a thousand times as much")
    assert message("decimal", "1,5") == "'1,5' is no decimal number such as 1234.50"
    assert message("decimal", "1e5") == "'1e5' has an exponent, which the schema does not allow"
    assert message("integer", "a\nb") == r"'a\nb' is no integer, digits with an optional sign"


DIGITS = st.text("0123456789", max_size=25)
SIGN = st.sampled_from(["", "+", "-"])
INTEGERS = st.builds(
    lambda sign, digits, zeros: f"{sign}{digits}{zeros}",
    SIGN,
    st.text("0123456789", min_size=1, max_size=18),
    st.sampled_from(["", ".0", ".00", ".0000"]),
)
DECIMALS = st.builds(
    lambda sign, whole, rest: sign + whole + rest, SIGN, DIGITS, DIGITS.map(lambda text: f".{text}")
).filter(lambda text: re.search("[0-9]", text) is not None)
NUMERIC_NOISE = st.text("0123456789+-.,eE_ infa\n", max_size=12)


@settings(max_examples=150, derandomize=True)
@given(st.lists(INTEGERS, min_size=1, max_size=20))
def test_canonical_integers_keep_the_value_and_do_not_change_again(texts):
    """The canonical text has the same value, and is its own canonical text."""
    sent = read("integer", texts)
    assert [Decimal(text) for text in sent] == [Decimal(text) for text in texts]
    assert all(re.fullmatch("0|-?[1-9][0-9]*", text) for text in sent)
    assert read("integer", sent) == sent


@settings(max_examples=150, derandomize=True)
@given(st.lists(DECIMALS, min_size=1, max_size=20))
def test_canonical_decimals_keep_the_value_and_do_not_change_again(texts):
    """The canonical text has the same value and as many digits behind the point, and is its own canonical text."""
    sent = read("decimal", texts)
    assert [Decimal(text) for text in sent] == [Decimal(text) for text in texts]
    assert all(re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?", text) for text in sent)
    assert [text.partition(".")[2] for text in sent] == [text.partition(".")[2] for text in texts]
    assert read("decimal", sent) == sent


@settings(max_examples=40, derandomize=True)
@given(st.lists(st.tuples(DECIMALS, st.integers(-60, 60)), min_size=1, max_size=20))
def test_exponents_keep_the_value(parts):
    """Writing a number out does not change it."""
    texts = [f"{mantissa}e{power}" for mantissa, power in parts]
    assert [Decimal(text) for text in read("decimal", texts, exponents=True)] == [Decimal(text) for text in texts]


@settings(max_examples=200, derandomize=True)
@given(st.lists(NUMERIC_NOISE, min_size=1, max_size=20))
@example(["+1", "-1", "1.", ".1", "", "-", "01", "-01"])
def test_the_cheap_test_and_the_grammar_agree(texts):
    """What is accepted is exactly what the grammar of data rule 10 says, in company or alone."""
    integers = [re.fullmatch(r"[+-]?[0-9]+(\.(?!000$)0+)?", text) is not None for text in texts]
    decimals = [re.fullmatch(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)", text) is not None for text in texts]
    assert [sent != "not_an_integer" for sent in read("integer", texts)] == integers
    assert [sent != "not_a_decimal" for sent in read("decimal", texts)] == decimals
