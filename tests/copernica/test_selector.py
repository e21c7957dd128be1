"""A selector that Copernica could misread cannot be made."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.copernica.selector import Selector, query_of, survives
from pipeline.copernica.structure import Database, Field

TEXT = Field(1, "CustNo", "text")


def test_a_selector_is_name_operator_value() -> None:
    """Nothing else is ever sent."""
    assert Selector.equals(TEXT, "17").expression == "CustNo==17"


def test_a_value_may_look_like_an_operator() -> None:
    """The first operator splits, so what follows is value (API sheet 6)."""
    assert Selector.equals(TEXT, "=<x>").expression == "CustNo===<x>"


@pytest.mark.parametrize(
    "value", ["", " ", "\t", "\u00a0", " a", "a ", "a\n", "a\nb", "a\x00b", "a\x7f", "a\u2028b", "\ud800"]
)
def test_values_that_match_nothing_or_everything_are_refused(value: str) -> None:
    """Empty ones select all blank records, outer blanks never match, control characters break the line."""
    with pytest.raises(ValueError, match="value for 'CustNo'"):
        Selector.equals(TEXT, value)


def test_a_refused_value_is_not_repeated() -> None:
    """It may be the address of a customer."""
    with pytest.raises(ValueError, match="outer blanks") as caught:
        Selector.equals(TEXT, "ann@x.test ")
    assert "ann" not in str(caught.value)


@pytest.mark.parametrize("name", ["id", "ID", "code", "Modified"])
def test_special_names_are_refused(name: str) -> None:
    """`id`, `code` and `modified` have a meaning of their own in `fields` (API sheet 6)."""
    with pytest.raises(ValueError, match="own meaning"):
        Selector.equals(Field(1, name, "text"), "x")


@pytest.mark.parametrize("name", ["", " a", "a ", "a=b", "a!", "a<", "a~b", "a\nb"])
def test_names_that_split_elsewhere_are_refused(name: str) -> None:
    """They would be an unknown field, and be dropped (API sheet 1, trap 3)."""
    with pytest.raises(ValueError, match="cannot be selected by"):
        Selector.equals(Field(1, name, "text"), "x")


@pytest.mark.parametrize(
    ("type_", "good", "bad"),
    [
        ("integer", "-12", "abc"),
        ("integer", "0", "1.5"),
        ("float", "3.50", "3,50"),
        ("date", "2020-01-02", "yesterday"),
        ("empty_date", "2020-01-02", "a"),
        ("datetime", "2020-01-02 03:04:05", "2020-01-02"),
        ("empty_datetime", "2020-01-02 03:04:05", "now"),
        ("foreign_key", "5", "x"),
    ],
)
def test_values_that_would_be_cast_to_another_are_refused(type_: str, good: str, bad: str) -> None:
    """`==abc` on an integer means 0 (API sheet 6)."""
    field = Field(1, "F", type_)
    assert Selector.equals(field, good).expression == f"F=={good}"
    with pytest.raises(ValueError, match=f"no plain {type_}"):
        Selector.equals(field, bad)


@settings(derandomize=True, max_examples=300)
@given(st.text(max_size=20), st.text(max_size=20))
def test_every_selector_that_can_be_made_is_read_as_it_was_meant(name: str, value: str) -> None:
    """Copernica's own way to split (API sheet 6) gives back name, operator and value."""
    try:
        expression = Selector.equals(Field(1, name, "text"), value).expression
    except ValueError:
        return
    found = re.fullmatch(r"(.+?)([=<>!~]{1,2})(.*)", expression.strip())
    assert found is not None
    assert found.groups() == (name, "==", value)


def test_a_selector_on_a_field_of_another_database_is_refused(customers: Database) -> None:
    """Names are checked against what was read; an unknown one would select everything."""
    with pytest.raises(ValueError, match="not one of the fields"):
        query_of([Selector.equals(Field(99, "Klantnr", "text"), "17")], customers.fields)


def test_selectors_follow_one_another(customers: Database) -> None:
    """They are ANDed."""
    chosen = [Selector.equals(customers.fields["CustNo"], "17"), Selector.equals(customers.fields["Age"], "3")]
    assert query_of(chosen, customers.fields) == (("fields[]", "CustNo==17"), ("fields[]", "Age==3"))


def test_a_put_may_be_repeated_only_when_it_keeps_the_selector_true() -> None:
    """API sheet 18: else the second time hits others."""
    chosen = [Selector.equals(TEXT, "17")]
    assert survives(chosen, {"City": "Delft"})
    assert survives(chosen, {"custno": "17"})
    assert not survives(chosen, {"CUSTNO": "18"})


def test_a_selector_does_not_show_its_value() -> None:
    """It may be the address of a customer."""
    assert repr(Selector.equals(TEXT, "ann@x.test")) == "Selector(CustNo==…)"
