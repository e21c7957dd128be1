"""The vocabulary of field types, in models and in columns."""

from __future__ import annotations

import datetime

import pandera.polars as pa
import polars as pl
import pytest

from pipeline.fields import Choice, Date, DateTime, Decimal, Email, Integer, Interest, Phone, Text, YesNo, column
from pipeline.model.columns import FieldSpec
from tests.support.schemas import Load

MODEL = """
class S(pa.DataFrameModel):
    CustomerID: str = Text(20)
    Email: str = Email(nullable=True)
    Phone: str = Phone(nullable=True, required=False)
    Country: str = Choice("NL", "BE", empty="NL", nullable=True)
    Points: int = Integer(ge=0, empty="0", nullable=True)
    Member: bool = YesNo("member", "guest", nullable=True)
    Birthday: datetime.date = Date(nullable=True, empty="1900-01-01")
    Seen: datetime.datetime = DateTime(nullable=True)
    order: str = Text(20, alias="Order.OrderID", nullable=True)
    total: float = Decimal(exponents=True, alias="Order.Total", nullable=True)
    news: bool = Interest(alias="interest.news", nullable=True)
"""

COLUMNS = """
S = pa.DataFrameSchema({
    "CustomerID": column(Text(20)),
    "Email": column(Email(nullable=True)),
    "Phone": column(Phone(nullable=True, required=False)),
    "Country": column(Choice("NL", "BE", empty="NL", nullable=True)),
    "Points": column(Integer(ge=0, empty="0", nullable=True)),
    "Member": column(YesNo("member", "guest", nullable=True)),
    "Birthday": column(Date(nullable=True, empty="1900-01-01")),
    "Seen": column(DateTime(nullable=True)),
    "Order.OrderID": column(Text(20, nullable=True)),
    "Order.Total": column(Decimal(exponents=True, nullable=True)),
    "interest.news": column(Interest(nullable=True)),
})
"""

SPECS = (
    FieldSpec("CustomerID", "text", pl.String(), nullable=False, max_length=20),
    FieldSpec("Email", "text", pl.String(), nullable=True, max_length=254),
    FieldSpec("Phone", "text", pl.String(), nullable=True, required=False, max_length=40),
    FieldSpec("Country", "choice", pl.String(), nullable=True, choices=("NL", "BE"), empty="NL"),
    FieldSpec("Points", "integer", pl.Int64(), nullable=True, empty="0"),
    FieldSpec("Member", "yesno", pl.Boolean(), nullable=True, yes_no=("member", "guest")),
    FieldSpec("Birthday", "date", pl.Date(), nullable=True, empty="1900-01-01"),
    FieldSpec("Seen", "datetime", pl.Datetime("us"), nullable=True),
    FieldSpec("Order.OrderID", "text", pl.String(), nullable=True, max_length=20),
    FieldSpec("Order.Total", "decimal", pl.Float64(), nullable=True, exponents=True),
    FieldSpec("interest.news", "yesno", pl.Boolean(), nullable=True, yes_no=("Yes", "No")),
)


@pytest.mark.parametrize("body", [MODEL, COLUMNS], ids=["model", "columns"])
def test_every_field_says_the_same_in_a_model_and_in_a_column(load: Load, body: str) -> None:
    """A field type means one FieldSpec, whichever of pandera's two forms it stands in."""
    assert load(body).specs == SPECS


def test_dotted_aliases_work_in_pandera_itself() -> None:
    """The fields are plain pandera: a model with dotted aliases validates a frame and blames the right column."""

    class Orders(pa.DataFrameModel):
        total: float = Decimal(alias="Order.Total", ge=0)

        @pa.check("Order.Total")
        def below_100(cls, data: pa.PolarsData) -> pl.LazyFrame:
            return data.lazyframe.select(pl.col(data.key) < 100)

    with pytest.raises(pa.errors.SchemaErrors) as raised:
        Orders.validate(pl.DataFrame({"Order.Total": [1.0, -1.0, 200.0]}), lazy=True)
    cases = raised.value.failure_cases.select("column", "check", "index").rows()
    assert cases == [("Order.Total", "greater_than_or_equal_to(0)", 1), ("Order.Total", "below_100", 2)]


def test_own_metadata_and_description_stay() -> None:
    """What a user says to pandera beside our words is kept."""
    made = column(Text(5, metadata={"owner": "shop"}, description="what it is"))
    assert made.metadata == {"owner": "shop", "copernica": {"kind": "text", "function": "Text", "empty": None}}
    assert made.description == "what it is"


def _passes(field: object, texts: list[str]) -> list[bool]:
    checked = column(field)
    frame = pl.DataFrame({"value": texts}).lazy()
    answers = [check(frame, "value").check_output.collect().to_series() for check in checked.checks]
    return pl.DataFrame([answer.alias(str(at)) for at, answer in enumerate(answers)]).select(
        pl.all_horizontal(pl.all())
    ).to_series().to_list()  # fmt: skip


@pytest.mark.parametrize(
    "address",
    [
        "a@x.test",
        "O'Neil+news@mail.x-y.example",
        "é@münchen.de",
        "a@xn--p1ai.xn--p1ai",
        "x" * 64 + "@example.com",
        "a.b.c@" + "x" * 63 + ".nl",
        "a@" + ".".join(["x" * 61] * 4) + ".info",
    ],
)
def test_an_email_address_passes(address: str) -> None:
    """Addresses that people have, up to 254 characters, pass."""
    assert _passes(Email(), [address]) == [True]


@pytest.mark.parametrize(
    "address",
    [
        "a",
        "a@b",
        "a@@b.nl",
        "a@b@c.nl",
        "a b@c.nl",
        "a@b .nl",
        " a@b.nl",
        "a@b.nl\n",
        "a@b.nl.",
        "a@.nl",
        "a@b..nl",
        "a@-b.nl",
        "a@b-.nl",
        "@b.nl",
        "a@1.2.3.4",
        "a@b.nl, c@d.nl",
        "<a@b.nl>",
        "a\u200b@b.nl",
        "x" * 65 + "@example.com",
        "a..b@x.nl",
        ".a@x.nl",
        "a.@x.nl",
        "é..b@x.nl",
        "a@" + "x" * 64 + ".nl",
        "a@b." + "x" * 64,
        "a@" + ".".join(["x" * 61] * 4) + ".info.nl",
    ],
)
def test_what_is_no_email_address_fails(address: str) -> None:
    """Two @, blanks, invisible characters, a domain without a dot, lists and over-long addresses fail."""
    assert _passes(Email(), [address]) == [False]


def test_phone_numbers_are_digits_with_the_usual_marks() -> None:
    """Digits with blanks, brackets, points, slashes and hyphens pass; letters, few digits or other marks fail."""
    good = ["030-0074321", "(5) 555-4729", "26.47.15.10", "+31 20 520 61 90", "112"]
    bad = [
        "12",
        "none",
        "06-1234567 (home)",
        "1" * 21,
        "12345;67",
        "020+5206190",
        "06 1234 5678\n",
        "31612345678.0",
        "+31612345678.00",
    ]
    assert _passes(Phone(), good) == [True] * 5
    assert _passes(Phone(), bad) == [False] * 9


def test_passed_checks_come_behind_the_fields_own() -> None:
    """Extra checks go to pandera as they are."""
    names = [check.error for check in column(Text(20, str_matches="^[A-Z]")).checks]
    assert names == ["str_length(None, 20)", "str_matches('^[A-Z]')"]


def test_every_field_defaults_to_not_nullable() -> None:
    """A cell that may be empty is one only where the field has nullable=True."""
    fields = [
        Text(1),
        Email(),
        Phone(),
        Choice("a"),
        Interest(),
        YesNo("1", "0"),
        Integer(),
        Decimal(),
        Date(),
        DateTime(),
    ]
    assert [column(field).nullable for field in fields] == [False] * 10


def test_dates_take_bounds() -> None:
    """Bounds of dates are checked as dates."""
    made = column(Date(ge=datetime.date(1900, 1, 1)))
    frame = pl.DataFrame({"value": [datetime.date(1899, 12, 31), datetime.date(1900, 1, 1)]}).lazy()
    assert made.checks[0](frame, "value").check_output.collect().to_series().to_list() == [False, True]


def test_a_field_called_like_its_function_hides_nothing(load: Load) -> None:
    """`Email: str = Email()` twice was a TypeError: the second call found the first field."""
    body = (
        "\nclass S(pa.DataFrameModel):\n    Email: str = Email()\n    Email2: str = Email(nullable=True)\n"
        "    Text: str = Text(5)\n    Text2: str = Text(6)\n"
    )
    specs = load(body).specs
    assert [(spec.name, spec.max_length, spec.nullable) for spec in specs] == [
        ("Email", 254, False), ("Email2", 254, True), ("Text", 5, False), ("Text2", 6, False),
    ]  # fmt: skip
