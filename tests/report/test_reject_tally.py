"""Rejects are counted by code and column, with a few places and the shapes of values, never the values."""

from __future__ import annotations

import pytest

from pipeline.model.counts import SetAside
from pipeline.report.reject_tally import RejectTally, masked
from tests.support.batches import csv_batch, faults


def test_each_fault_of_a_row_counts_in_its_own_column():
    """198 dates that do not parse do not hide that the amounts failed, too."""
    tally = RejectTally()
    batch = csv_batch({"born": ["x", "y", "z"], "total": ["1,5", "2,50", "3"]}, [1, 2, 4], (4, 3, "nul", "m", "r"))
    tally.add(
        batch,
        faults(
            (0, "not_a_date | not_a_decimal", "born | total", "m | m"),
            (1, "not_a_date | not_a_decimal", "born | total", "m | m"),
            (2, "not_a_date", "born", "m"),
        ),
    )
    assert tally.set_aside == (
        SetAside("not_a_date", "born", 3, (("a.csv", 2), ("a.csv", 3), ("a.csv", 5)), ("x",)),
        SetAside("not_a_decimal", "total", 2, (("a.csv", 2), ("a.csv", 3)), ("9,9", "9,99")),
        SetAside("nul", "", 1, (("a.csv", 4),)),
    )


def test_only_the_first_places_are_kept():
    """A million rejects take no more room than five."""
    tally = RejectTally()
    for start in (1, 11):
        batch = csv_batch({"a": ["é7"] * 10}, list(range(start, start + 10)))
        tally.add(batch, faults(*((at, "c", "a", "m") for at in range(10))))
    assert tally.set_aside == (SetAside("c", "a", 20, tuple(("a.csv", line) for line in range(2, 7)), ("x9",)),)


def test_a_column_whose_name_holds_the_separator_is_not_split():
    """Such a row counts under its codes, without a column."""
    tally = RejectTally()
    tally.add(csv_batch({"a | b": ["1"], "c": ["2"]}, [1]), faults((0, "k | l", "a | b | c", "m | n")))
    assert [(one.code, one.column, one.count) for one in tally.set_aside] == [("k", "", 1), ("l", "", 1)]


@pytest.mark.parametrize(
    ("value", "shape"),
    [("Jan de Vries", "Xxx xx Xxxxx"), ("j@x.nl", "x@x.xx"), ("12.50-Ω", "99.99-X"), ("a" * 41, "x" * 39 + "…")],
)
def test_a_shape_shows_no_letter_and_no_digit(value, shape):
    """Enough to see what is wrong, nothing of the customer."""
    assert masked(value) == shape
