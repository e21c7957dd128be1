"""Values never fail: each type bends what it gets, and notes it (API sheet 13)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from pipeline.sandbox.model import Field
from pipeline.sandbox.values import coerce, folded, initial

NOW = datetime(2024, 5, 6, 7, 8, 9)
SELECT = "gold\nsilver *\n1\n lead\ntrail  "


def field(kind: str, value: str = "", length: int = 0) -> Field:
    """Make a field of a type."""
    return Field(key="1", id=1, name="F", type=kind, value=value, length=length)


@pytest.mark.parametrize(
    ("kind", "raw", "stored", "hazard"),
    [
        ("text", " x ", " x ", None),
        ("text", "", "", None),
        ("text", "123456", "12345", "text_too_long"),
        ("text", None, "", "value_null"),
        ("text", True, "1", "value_not_scalar"),
        ("text", False, "", "value_not_scalar"),
        ("text", ["a"], "", "value_not_scalar"),
        ("text", 17, "17", None),
        ("email", "no address", "no ad", "text_too_long"),
        ("big", "x" * 1000, "x" * 1000, None),
        ("integer", "17", "17", None),
        ("integer", "-017", "-17", None),
        ("integer", "   3 ", "3", "value_not_canonical"),
        ("integer", "2.99", "2", "value_not_canonical"),
        ("integer", "-2.99", "-2", "value_not_canonical"),
        ("integer", "1e3", "1000", "value_not_canonical"),
        ("integer", "abc", "0", "value_not_canonical"),
        ("integer", "", "0", "empty_becomes_zero"),
        ("integer", None, "0", "value_null"),
        ("integer", True, "1", "value_not_scalar"),
        ("integer", [], "0", "value_not_scalar"),
        ("integer", [0], "1", "value_not_scalar"),
        ("integer", "99999999999999999999", "9223372036854775807", "value_not_canonical"),
        ("float", "3.50", "3.5", None),
        ("float", ".5", "0.5", None),
        ("float", "3,50", "3", "value_not_canonical"),
        ("float", "1e2", "100", "value_not_canonical"),
        ("float", 3.25, "3.25", None),
        ("float", "", "0", "empty_becomes_zero"),
        ("select", "gold", "gold", None),
        ("select", "", "", None),
        ("select", "Gold", "", "select_not_a_member"),
        ("select", " lead", " lead", None),
        ("select", "lead", "", "select_not_a_member"),
        ("select", "trail  ", "", "select_not_a_member"),
        ("select", True, "1", "value_not_scalar"),
        ("date", "2020-01-02", "2020-01-02", None),
        ("date", "2020-01-02 00:00:00", "2020-01-02", None),
        ("date", "2020-01-02 03:04:05", "2020-01-02", "value_not_canonical"),
        ("date", "", "0000-00-00", "empty_becomes_zero"),
        ("date", "aa", "0000-00-00", "value_not_canonical"),
        ("empty_date", "", "", None),
        ("empty_date", "aa", "", "value_not_canonical"),
        ("empty_date", "0000-00-00", "", "value_not_canonical"),
        ("empty_date", "0000-00-01", "0000-00-00", "value_not_canonical"),
        ("empty_date", True, "", "value_not_scalar"),
        ("empty_date", "2020-02-30", "2020-03-01", "value_not_canonical"),
        ("datetime", "2020-01-02", "2020-01-02 00:00:00", None),
        ("datetime", "2020-01-02 03:04:05", "2020-01-02 03:04:05", None),
        ("datetime", "", "0000-00-00 00:00:00", "empty_becomes_zero"),
        ("empty_datetime", "", "", None),
        ("empty_datetime", "a", "2024-05-06 08:08:09", "value_not_canonical"),
        ("foreign_key", "12", "12", None),
    ],
)
def test_a_value_is_stored_as_the_type_bends_it(kind: str, raw: Any, stored: str, hazard: str | None) -> None:
    """Each type stores exactly this, with this hazard."""
    length = 5 if kind in ("text", "email") else 0
    assert coerce(field(kind, SELECT if kind == "select" else "", length), raw, NOW) == (stored, hazard)


def test_length_counts_characters() -> None:
    """A text of as many characters as its field holds is kept whole, however many bytes they take."""
    assert coerce(field("text", length=3), "é😀x", NOW) == ("é😀x", None)


def test_a_new_record_takes_the_default() -> None:
    """The default of a select is the starred option, of other types the value, bent into the type."""
    assert initial(field("select", SELECT), NOW) == "silver"
    assert initial(field("integer", "7"), NOW) == "7"
    assert initial(field("integer"), NOW) == "0"


def test_equality_is_without_case_but_for_selects() -> None:
    """Text compares without case, a select with it; accents matter unless the switch chooses otherwise."""
    assert folded(field("text"), "De LFT") == "de lft"
    assert folded(field("select"), "Gold") == "Gold"
    assert folded(field("text"), "Café ") == "café "
    assert folded(field("text"), "Café ", accents=True) == "cafe"
