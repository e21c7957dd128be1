"""Job and schema against the live structure (data rules 11, 12, 14, 16)."""

from __future__ import annotations

import pytest

from pipeline.errors import Problem
from pipeline.model.columns import LiveField
from pipeline.validate.fit import Fit, fit
from tests.support.schemas import Load, job_of

ID = LiveField("text", 20)


def _fit(load: Load, column: str, live: LiveField, name: str = "a", **target: object) -> Fit:
    schema = load(f'S = pa.DataFrameSchema({{"CustNo": column(Text(20)), "{name}": {column}}})')
    return fit(job_of(["CustNo"], **target), schema, ["CustNo", name], {"CustNo": ID, name: live})


FITTING = [
    ("column(Text(9))", LiveField("text", 9)),
    ("column(Text(9))", LiveField("email", 9)),
    ("column(Text(9))", LiveField("phone", 9)),
    ("column(Text(9))", LiveField("phone_fax", 9)),
    ("column(Text(9))", LiveField("phone_gsm", 9)),
    ("column(Text())", LiveField("big")),
    ("column(Choice('x', 'y'))", LiveField("select", None, ("x", "y", "z"))),
    ("column(Choice('x', 'y'))", LiveField("text", 1)),
    ("pa.Column(str, pa.Check.isin(['x']))", LiveField("select", None, ("x",))),
    ("pa.Column(int)", LiveField("integer")),
    ("pa.Column(int)", LiveField("text", 20)),
    ("pa.Column(int)", LiveField("foreign_key")),
    ("pa.Column(float)", LiveField("float")),
    ("pa.Column(pl.Decimal(10, 2))", LiveField("float")),
    ("pa.Column(datetime.date)", LiveField("date")),
    ("pa.Column(datetime.date)", LiveField("empty_date")),
    ("pa.Column(datetime.datetime)", LiveField("datetime")),
    ("pa.Column(datetime.datetime)", LiveField("empty_datetime")),
    ("column(YesNo('ja', 'nee'))", LiveField("select", None, ("ja", "nee"))),
    ("column(YesNo('ja', 'nee'))", LiveField("text", 3)),
    ("column(YesNo('1', '0'))", LiveField("integer")),
]


@pytest.mark.parametrize(("column", "live"), FITTING)
def test_types_that_fit_say_nothing(load: Load, column: str, live: LiveField) -> None:
    """Every pair of data rule 14 passes without a word."""
    assert _fit(load, column, live) == Fit((), ())


@pytest.mark.parametrize(
    ("column", "type_", "do"),
    [
        ("column(Text(9))", "integer", "make it integer or yesno in the schema"),
        ("column(Text(9))", "date", "make it date in the schema"),
        ("column(Text(9))", "interest", "make it yesno in the schema"),
        ("column(Text(9))", "foreign_key", "make it integer in the schema"),
        ("pa.Column(int)", "float", "make it decimal in the schema"),
        ("pa.Column(int)", "select", "make it text or choice or yesno in the schema"),
        ("pa.Column(float)", "integer", "make it integer or yesno in the schema"),
        ("pa.Column(float)", "text", "make it text or choice or integer or yesno in the schema"),
        ("pa.Column(datetime.date)", "datetime", "make it datetime in the schema"),
        ("pa.Column(datetime.datetime)", "date", "make it date in the schema"),
        ("column(YesNo('1', '0'))", "float", "make it decimal in the schema"),
        ("column(YesNo('1', '0'))", "interest", "make it yesno in the schema"),
        ("column(Text(9))", "country", "leave the field out, or change its type"),
    ],
)
def test_types_that_do_not_fit_are_refused(load: Load, column: str, type_: str, do: str) -> None:
    """Every other pair is a problem that says what would fit."""
    found = _fit(load, column, LiveField(type_))
    kind = load(f'S = pa.DataFrameSchema({{"a": {column}}})').specs[0].kind
    what = f"the schema has {kind}, the field in Copernica is of type {type_}"
    assert found == Fit((Problem(what, "target column a", do),), ())


def test_an_interest_takes_a_bool(load: Load) -> None:
    """`interest.NAME` is found among the live names like every other column."""
    assert _fit(load, "pa.Column(bool)", LiveField("interest"), "interest.news") == Fit((), ())


def test_names_are_looked_up_with_exact_spelling(load: Load) -> None:
    """What is missing is named, with the name that was probably meant; a collection is named once."""
    schema = load(
        'S = pa.DataFrameSchema({name: pa.Column(str) for name in ("custno", "Citty", "Zzz", "Orders.OrderID", '
        '"Orders.Total", "Visit.page")} | {"interest.New": pa.Column(bool)})'
    )
    live = {name: LiveField("text", 20) for name in ("CustNo", "City", "Order.OrderID", "Visit.Page")}
    live["interest.news"] = LiveField("interest")
    found = fit(job_of(["custno"]), schema, [spec.name for spec in schema.specs], live)
    assert found.problems == (
        Problem("the database has no such field", "target column custno", "did you mean CustNo? case counts"),
        Problem("the database has no such field", "target column Citty", "did you mean City?"),
        Problem(
            "the database has no such field",
            "target column Zzz",
            "make the field in Copernica, or correct the schema and the job",
        ),
        Problem("the database has no such field", "target column Visit.page", "did you mean Visit.Page? case counts"),
        Problem("the database has no interest New", "target column interest.New", "did you mean interest.news?"),
        Problem("the database has no collection Orders", "target columns OrderID, Total", "did you mean Order?"),
    )


def test_an_interest_in_another_case_is_no_collection(load: Load) -> None:
    """`Interest.news` is a column of a collection called Interest, but was hardly meant to be."""
    schema = load('S = pa.DataFrameSchema({"Interest.news": pa.Column(str)})')
    found = fit(job_of([]), schema, ["Interest.news"], {"interest.news": LiveField("interest")})
    assert found.problems == (
        Problem("the database has no collection Interest", "target columns news", "did you mean interest? case counts"),
    )


@pytest.mark.parametrize("type_", ["big", "float", "foreign_key"])
def test_a_key_of_a_type_that_cannot_be_one_is_refused(load: Load, type_: str) -> None:
    """Data rule 16, by the live type."""
    column = {"big": "str", "float": "float", "foreign_key": "int"}[type_]
    schema = load(f'S = pa.DataFrameSchema({{"CustNo": pa.Column({column})}})')
    found = fit(job_of(["CustNo"]), schema, ["CustNo"], {"CustNo": LiveField(type_)})
    what = f"the key CustNo is of type {type_}, which cannot be a key"
    assert found.problems == (Problem(what, "target.key_fields", "take a text or integer field, with an index"),)


def test_an_integer_key_does_not_go_to_a_text_field(load: Load) -> None:
    """007 and 7 are one integer but two texts (data rule 14); beside a key it may go there."""
    schema = load('S = pa.DataFrameSchema({"CustNo": pa.Column(int)})')
    found = fit(job_of(["CustNo"]), schema, ["CustNo"], {"CustNo": LiveField("text", 20)})
    assert [problem.do for problem in found.problems] == ["make it a str"]


@pytest.mark.parametrize("name", ["ID", "Modified", "code"])
def test_a_key_that_cannot_be_looked_up_is_refused(load: Load, name: str) -> None:
    """API sheet 6: selectors have their own meaning for it, so neither the guards nor resume could look for a record."""
    schema = load(f'S = pa.DataFrameSchema({{"{name}": pa.Column(str, pa.Check.str_length(max_value=20))}})')
    (problem,) = fit(job_of([name]), schema, [name], {name: ID}).problems
    assert problem.what == f"a field called {name!r} cannot be selected by: Copernica has its own meaning for it"
    assert problem.where == "target.key_fields"


def test_a_key_that_no_column_gives_is_refused(load: Load) -> None:
    """API sheet 11.3: a key field missing from the columns is undefined."""
    schema = load('S = pa.DataFrameSchema({"CustNo": pa.Column(str, pa.Check.str_length(max_value=20))})')
    found = fit(job_of(["CustNo", "Kind"]), schema, ["CustNo"], {"CustNo": ID, "Kind": ID})
    assert found.problems == (
        Problem("no column of the job gives the key Kind", "target.key_fields", "add it to the columns"),
    )


@pytest.mark.parametrize(
    ("column", "type_", "stored"),
    [
        ("column(Integer(nullable=True))", "integer", "0"),
        ("column(Decimal(nullable=True))", "float", "0"),
        ("column(Date(nullable=True))", "date", "0000-00-00"),
        ("column(DateTime(nullable=True))", "datetime", "0000-00-00 00:00:00"),
        ("column(YesNo('1', '0', nullable=True))", "integer", "0"),
    ],
)
def test_emptiness_for_a_field_that_cannot_be_empty_is_refused(
    load: Load, column: str, type_: str, stored: str
) -> None:
    """Data rule 11: only where empty cells overwrite, and unless the schema has a text to send."""
    live = LiveField(type_)
    what = f"an empty value would be stored as {stored}: a field of type {type_} cannot be empty"
    do = f'set empty="{stored}" in the schema where that is meant, nullable=False, or ignore_empty_fields: true'
    assert _fit(load, column, live, ignore_empty_fields=False) == Fit((Problem(what, "target column a", do),), ())
    assert _fit(load, column, live, ignore_empty_fields=True) == Fit((), ())
    said = column.replace("nullable=True", f"nullable=True, empty='{stored}'")
    assert _fit(load, said, live, ignore_empty_fields=False) == Fit((), ())
    required = column.replace("nullable=True", "nullable=False")
    assert _fit(load, required, live, ignore_empty_fields=False) == Fit((), ())


def test_emptiness_is_fine_where_the_field_can_be_empty_or_the_value_cannot(load: Load) -> None:
    """empty_date keeps empty; a key is never empty, a constant says its value, a delete sends keys only."""
    dates = _fit(load, "column(Date(nullable=True))", LiveField("empty_date"), ignore_empty_fields=False)
    schema = load(
        'S = pa.DataFrameSchema({"CustNo": pa.Column(int, nullable=True), "a": pa.Column(int, nullable=True)})'
    )
    live = {"CustNo": LiveField("integer"), "a": LiveField("integer")}
    constant = fit(job_of(["CustNo"], constants={"a": "3"}, ignore_empty_fields=False), schema, ["CustNo", "a"], live)
    delete = job_of(["CustNo"], action="delete", delete_target="profile", ignore_empty_fields=False)
    assert (dates, constant, fit(delete, schema, ["CustNo", "a"], live)) == (Fit((), ()),) * 3


@pytest.mark.parametrize(
    ("column", "live", "what"),
    [
        (
            "column(YesNo('ja', 'nee'))",
            LiveField("select", None, ("Ja", "nee")),
            "'ja' is no choice of the select",
        ),
        (
            "column(YesNo('ja', '0'))",
            LiveField("integer"),
            "'ja' is no whole number, and the field is of type integer",
        ),
        ("column(YesNo('j', 'nee'))", LiveField("text", 2), "'nee' is longer than the field (2 characters)"),
        (
            "column(Choice('a', 'b', empty='b'))",
            LiveField("select", None, ("a",)),
            "'b' is no choice of the select",
        ),
        ("column(Text(3, empty='abc'))", LiveField("text", 2), "'abc' is longer than the field (2 characters)"),
    ],
)
def test_texts_that_the_field_would_not_keep_are_refused(load: Load, column: str, live: LiveField, what: str) -> None:
    """What the schema itself sends, for yes, no and empty, must be a value of the live field (data rule 14)."""
    assert [problem.what for problem in _fit(load, column, live).problems] == [what]


@pytest.mark.parametrize(
    ("column", "live", "what", "do"),
    [
        ("column(Text(30))", LiveField("text", 20), "the schema allows 30 characters, the field 20", "use Text(20)"),
        ("pa.Column(str)", LiveField("text", 20), "the schema allows text of any length, the field 20", "use Text(20)"),
        ("column(Choice('abc'))", LiveField("text", 2), "the schema allows 3 characters, the field 2", "use Text(2)"),
        (
            "pa.Column(str)",
            LiveField("select", None, ("a", "b")),
            "the schema takes any text, the select only its choices",
            "use Choice('a', 'b')",
        ),
        (
            "column(Choice('a', 'c', 'd'))",
            LiveField("select", None, ("a", "b")),
            "the schema allows 'c', 'd', the select does not",
            "make the two lists equal",
        ),
    ],
)
def test_a_schema_wider_than_the_field_is_a_warning(
    load: Load, column: str, live: LiveField, what: str, do: str
) -> None:
    """Data rule 12: rows are checked against the live field anyway."""
    assert _fit(load, column, live) == Fit((), (Problem(what, "target column a", do),))
