"""pandera's checks over collected batches: who is blamed, for what, in which words."""

from __future__ import annotations

import datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import Exit, JobError, shown
from pipeline.validate.checks import FAILURES_SCHEMA, SchemaChecks, quoted
from pipeline.validate.spec import TargetSchema
from tests.support.schemas import Load

ORDERS = """
S = pa.DataFrameSchema({
    "CustomerID": pa.Column(str, [pa.Check.str_length(max_value=4), pa.Check.str_matches("^C")]),
    "Country": pa.Column(str, pa.Check.isin(["NL", "BE"]), nullable=True),
    "Order.OrderID": pa.Column(str, pa.Check.str_length(2, 3)),
    "Order.Total": pa.Column(float, pa.Check.ge(0)),
    "Visit.Page": pa.Column(str, pa.Check(lambda d: d.lazyframe.select(pl.col(d.key) != "no"))),
})
"""


def _faults(schema: TargetSchema, frame: pl.DataFrame, **carried: list[bool]) -> list[tuple[int, str, str, str]]:
    groups = {name: pl.Series(rows, dtype=pl.Boolean) for name, rows in carried.items()}
    found = SchemaChecks(schema, frame.columns).faults(frame, groups)
    assert found.schema == FAILURES_SCHEMA
    return found.rows()


def test_each_failing_value_is_named_with_its_row_code_and_words(load: Load) -> None:
    """Column by column, row by row within; the collection's failures keep the row of the batch."""
    frame = pl.DataFrame(
        {
            "CustomerID": ["C1", "C2345", "X3", "C4"],
            "Country": ["NL", "nl", None, "DE"],
            "Order.OrderID": [None, "O", "O2", "O1234"],
            "Order.Total": [None, -1.5, 0.0, -0.01],
            "Visit.Page": ["no", None, "no", "yes"],
        }
    )
    found = _faults(load(ORDERS), frame, Order=[False, True, True, True], Visit=[True, False, True, True])
    assert found == [
        (1, "CustomerID", "too_long", "'C2345' has 5 characters, at most 4 are allowed"),
        (2, "CustomerID", "check_failed", "'X3' fails str_matches('^C')"),
        (1, "Country", "not_in_choices", "'nl' is none of 'BE', 'NL'"),
        (3, "Country", "not_in_choices", "'DE' is none of 'BE', 'NL'"),
        (1, "Order.OrderID", "check_failed", "'O' fails str_length(2, 3)"),
        (3, "Order.OrderID", "too_long", "'O1234' has 5 characters, at most 3 are allowed"),
        (1, "Order.Total", "check_failed", "'-1.5' fails greater_than_or_equal_to(0)"),
        (3, "Order.Total", "check_failed", "'-0.01' fails greater_than_or_equal_to(0)"),
        (0, "Visit.Page", "check_failed", "'no' fails a check of the schema"),
        (2, "Visit.Page", "check_failed", "'no' fails a check of the schema"),
    ]


def test_columns_of_a_collection_that_a_row_does_not_carry_are_not_checked(load: Load) -> None:
    """Data rule 17: only rows that carry the collection are looked at, even where there are values."""
    frame = pl.DataFrame({"Order.Total": [-1.0, -2.0, -3.0]})
    assert [row for row, *_ in _faults(load(ORDERS), frame, Order=[False, True, False])] == [1]
    assert _faults(load(ORDERS), frame, Order=[False, False, False]) == []


def test_nulls_are_never_blamed(load: Load) -> None:
    """Empty values are for the nullability of the schema, faulty ones are named already: a check sees neither."""
    schema = load(
        """
S = pa.DataFrameSchema({
    "a": pa.Column(str, pa.Check(lambda d: d.lazyframe.select(pl.col(d.key).is_not_null()), ignore_na=False)),
    "b": pa.Column(str, pa.Check(lambda d: d.lazyframe.select(pl.col(d.key).fill_null("x") == "y")), nullable=True),
})
"""
    )
    assert _faults(schema, pl.DataFrame({"a": [None, "1"], "b": [None, "y"]}, schema_overrides={"a": pl.String})) == []


def test_a_value_is_blamed_once_for_the_first_check_that_it_fails(load: Load) -> None:
    """One fault per column: the first check of the column in the order of the schema."""
    schema = load('S = pa.DataFrameSchema({"a": pa.Column(int, [pa.Check.ge(0), pa.Check.ge(10), pa.Check.ne(20)])})')
    assert _faults(schema, pl.DataFrame({"a": [-1, 5, 20, 30]})) == [
        (0, "a", "check_failed", "'-1' fails greater_than_or_equal_to(0)"),
        (1, "a", "check_failed", "'5' fails greater_than_or_equal_to(10)"),
        (2, "a", "check_failed", "'20' fails not_equal_to(20)"),
    ]


def test_every_failing_row_is_blamed_whatever_pandera_would_report(load: Load) -> None:
    """`n_failure_cases` limits what pandera lists, not what is wrong."""
    schema = load('S = pa.DataFrameSchema({"a": pa.Column(int, pa.Check.ge(0, n_failure_cases=1))})')
    assert [row for row, *_ in _faults(schema, pl.DataFrame({"a": [-1, 1, -2, -3]}))] == [0, 2, 3]


def test_an_environment_variable_of_pandera_switches_nothing_off(load: Load) -> None:
    """Validation that someone disabled in pandera's settings is still done here."""
    from pandera.config import config_context

    schema = load(ORDERS)
    with config_context(validation_enabled=False, validation_depth="SCHEMA_ONLY"):
        found = _faults(schema, pl.DataFrame({"Country": ["XX"]}))
    assert found == [(0, "Country", "not_in_choices", "'XX' is none of 'BE', 'NL'")]


def test_methods_and_element_wise_checks_are_named_by_their_author(load: Load) -> None:
    """error= where it is said, else the function's name."""
    schema = load(
        """
class S(pa.DataFrameModel):
    a: str
    b: int
    @pa.check("a")
    def is_lower(cls, data):
        return data.lazyframe.select(pl.col(data.key).str.to_lowercase() == pl.col(data.key))
    @pa.check("b", element_wise=True, error="the rule of even numbers")
    def even(cls, value):
        return value % 2 == 0
"""
    )
    assert _faults(schema, pl.DataFrame({"a": ["x", "X"], "b": [2, 3]})) == [
        (1, "a", "check_failed", "'X' fails is_lower"),
        (1, "b", "check_failed", "'3' fails the rule of even numbers"),
    ]


def test_columns_that_the_job_does_not_have_are_left_out(load: Load) -> None:
    """Only the columns of the run are checked; what pandera requires beside is for the link to say."""
    assert _faults(load(ORDERS), pl.DataFrame({"CustomerID": ["C1"]})) == []


def test_dates_and_times_are_shown_as_they_are_written(load: Load) -> None:
    """No fraction of a second that nobody wrote."""
    schema = load(
        """
S = pa.DataFrameSchema({
    "a": pa.Column(datetime.date, pa.Check.ge(datetime.date(1900, 1, 1))),
    "b": pa.Column(datetime.datetime, pa.Check.ge(datetime.datetime(1900, 1, 1))),
})
"""
    )
    frame = pl.DataFrame({"a": [datetime.date(1899, 12, 31)], "b": [datetime.datetime(1899, 12, 31, 23, 59, 1)]})
    assert [message for *_, message in _faults(schema, frame)] == [
        "'1899-12-31' fails greater_than_or_equal_to(1900-01-01)",
        "'1899-12-31 23:59:01' fails greater_than_or_equal_to(1900-01-01 00:00:00)",
    ]


def test_choices_are_listed_up_to_five(load: Load) -> None:
    """A long list of choices does not fill the rejects file."""
    schema = load('S = pa.DataFrameSchema({"a": pa.Column(str, pa.Check.isin(list("hgfedcba")))})')
    ((*_, message),) = _faults(schema, pl.DataFrame({"a": ["z"]}))
    assert message == "'z' is none of 'a', 'b', 'c', 'd', 'e' … (8 in all)"


@pytest.mark.parametrize(
    ("check", "what"),
    [
        ("pa.Check(lambda x: int(x) > 3, element_wise=True, name='f')", "the check f of column a raised ValueError"),
        (
            "pa.Check(lambda d: d.lazyframe.select(pl.col(d.key).str.to_integer(strict=True) > 3), name='f')",
            "the check f of column a raised ComputeError",
        ),
        (
            "pa.Check(lambda d: d.lazyframe.filter(pl.col(d.key).ne_missing('secret'))"
            ".select(pl.col(d.key) > ''), name='f')",
            "the check f of column a does not give one boolean per row",
        ),
    ],
)
def test_a_check_that_cannot_answer_stops_the_command_and_rejects_nothing(load: Load, check: str, what: str) -> None:
    """A failure without a row is never a reject (data rule 13), and the message holds no value."""
    schema = load(f'S = pa.DataFrameSchema({{"a": pa.Column(str, {check})}})')
    with pytest.raises(JobError) as raised:
        SchemaChecks(schema, ["a"]).faults(pl.DataFrame({"a": ["5", "secret"]}), {})
    assert (raised.value.exit_code, raised.value.problems[0].what) == (Exit.JOB, what)
    assert "secret" not in str(raised.value)


def test_a_batch_without_rows_passes(load: Load) -> None:
    """An empty batch is no fault."""
    frame = pl.DataFrame(schema={"CustomerID": pl.String, "Order.Total": pl.Float64})
    assert _faults(load(ORDERS), frame, Order=[]) == []


@settings(max_examples=200, derandomize=True)
@given(st.lists(st.text(max_size=60), min_size=1, max_size=5))
def test_values_are_quoted_as_in_every_other_message(texts: list[str]) -> None:
    """The vectorised quoting and `errors.shown` give the same text, invisible characters and all."""
    assert quoted(pl.Series(texts, dtype=pl.String)).to_list() == [shown(text) for text in texts]
