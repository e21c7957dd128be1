"""Faults that meet in one row or one column, each told as what it is."""

from __future__ import annotations

from typing import Any

from pipeline.model.columns import LiveField
from pipeline.validate.batch import Validator
from tests.validate.making import batch, job, spec, validator


def faults(validating: Validator, columns: dict[str, list[str]]) -> list[tuple[int, str, str, str]]:
    found: list[dict[str, Any]] = validating.check(batch(columns)).faults.to_dicts()
    return [(one["_row"], one["_code"], one["_column"], one["_message"]) for one in found]


def test_a_text_too_long_for_schema_and_field_is_told_once_by_its_code():
    """Two causes for one column of one row: the first one stands, code and message each in its place."""
    specs = [spec("CustomerID"), spec("City", max_length=3)]
    live = {"City": LiveField("text", 4)}
    assert faults(validator(specs, live=live), {"CustomerID": ["1"], "City": ["Delft"]}) == [
        (0, "too_long", "City", "'Delft' has 5 characters, at most 3 are allowed")
    ]


def test_two_columns_at_fault_keep_codes_columns_and_messages_in_one_order():
    """The three lists of a reject agree position by position."""
    specs = [spec("CustomerID"), spec("Points", "integer"), spec("City", max_length=3)]
    assert faults(validator(specs), {"CustomerID": ["1"], "Points": ["x"], "City": ["Delft"]}) == [
        (
            0,
            "not_an_integer | too_long",
            "Points | City",
            "'x' is no integer, digits with an optional sign | 'Delft' has 5 characters, at most 3 are allowed",
        )
    ]


def test_a_key_that_is_no_integer_is_not_called_blank():
    """What does not parse is there all the same."""
    found = faults(validator([spec("CustomerID", "integer")]), {"CustomerID": ["12a", "+5"]})
    assert [(row, code) for row, code, *_ in found] == [(0, "not_an_integer")]


def test_a_value_that_must_be_there_and_does_not_parse_is_not_called_empty():
    """The same for a column that may not be empty."""
    specs = [spec("CustomerID"), spec("Points", "integer", nullable=False)]
    found = faults(validator(specs), {"CustomerID": ["1", "2"], "Points": ["12a", ""]})
    assert [(row, code) for row, code, *_ in found] == [(0, "not_an_integer"), (1, "blank_value")]


def test_a_row_carries_a_collection_by_a_value_that_does_not_parse():
    """A total that is no number still wants an order to belong to."""
    specs = [spec("CustomerID"), spec("Order.OrderID"), spec("Order.Total", "decimal")]
    target = {"key_fields": ["CustomerID", "Order.OrderID"]}
    found = faults(
        validator(specs, job(target=target)), {"CustomerID": ["1"], "Order.OrderID": [""], "Order.Total": ["x"]}
    )
    assert [(row, code, column) for row, code, column, _ in found] == [
        (0, "key_blank | not_a_decimal", "Order.OrderID | Order.Total")
    ]
