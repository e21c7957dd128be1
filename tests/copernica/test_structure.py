"""Fields, collections and databases are read as they are, and found whatever the case."""

from __future__ import annotations

import pytest

from pipeline.copernica.structure import Collection, Database, Field, field_of, interest_of, truth, whole

ROW = {
    "ID": "12",
    "name": "Gender",
    "type": "select",
    "value": "male \r\nfemale*\r\n  other\r\n",
    "displayed": True,
    "ordered": False,
    "length": "0",
    "textlines": "0",
    "hidden": False,
    "index": True,
}


def test_a_select_field_is_read_with_its_choices() -> None:
    """Options by line, blanks behind do not count, blanks before do, the star marks the default (API sheet 13)."""
    assert field_of(ROW) == Field(12, "Gender", "select", None, True, ("male", "female", "  other"), "female")


def test_a_text_field_is_read_with_its_length() -> None:
    """The length is a text on the wire (API sheet 4.3); a star in a default is only a star."""
    row = {"ID": "1", "name": "Email", "type": "email", "value": "a*", "length": "160", "index": False}
    assert field_of(row) == Field(1, "Email", "email", 160, False, (), "a*")


def test_a_field_may_say_little() -> None:
    """The documents list only id, name and type for a collection's fields (API sheet 8)."""
    assert field_of({"ID": 3, "name": "No", "type": "Text"}) == Field(3, "No", "text")


@pytest.mark.parametrize("row", [{}, {"ID": "1"}, {"ID": "x", "name": "a"}, {"ID": None, "name": "a"}])
def test_what_is_no_field_is_told(row: dict[str, object]) -> None:
    """A row without id or name cannot be used."""
    with pytest.raises((KeyError, ValueError)):
        field_of(row)


def test_an_interest_is_read() -> None:
    """Id, name, group."""
    assert interest_of({"ID": "4", "name": "news", "group": None}).name == "news"


def test_names_are_found_in_any_case_and_given_back_exactly() -> None:
    """Copernica's names have no case; its headers may (API sheet 11.4)."""
    email, orders = Field(1, "Email", "email"), Collection(3, "Orders", {"No": Field(1, "No", "text")})
    database = Database(
        7, "Customers", {"Email": email}, {"Orders": orders}, {"news": interest_of({"ID": 1, "name": "news"})}
    )
    assert database.field("EMAIL") is email
    assert database.field("mail") is None
    assert database.collection("orders") is orders
    assert orders.field("NO") == Field(1, "No", "text")
    assert database.interest("News") == interest_of({"ID": 1, "name": "news"})


def test_of_two_spellings_the_exact_one_is_found() -> None:
    """Where a database has both."""
    upper, lower = Field(1, "EMAIL", "text"), Field(2, "email", "text")
    assert Database(7, "D", {"EMAIL": upper, "email": lower}).field("email") is lower


@pytest.mark.parametrize(("value", "number"), [("12", 12), (12, 12), ("00", 0)])
def test_numbers_may_be_texts(value: object, number: int) -> None:
    """Ids and counters are texts on the wire (API sheet 4.3)."""
    assert whole(value) == number


@pytest.mark.parametrize("value", [True, False, None, 1.0, "", "x", "1_0", " 1", [1]])
def test_what_is_no_whole_number_is_refused(value: object) -> None:
    """Also a boolean, which Python takes for a number."""
    with pytest.raises(ValueError, match="no whole number"):
        whole(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, True),
        (1, True),
        ("1", True),
        ("yes", True),
        (None, False),
        (0, False),
        ("0", False),
        ("false", False),
        ("", False),
    ],
)
def test_booleans_come_in_many_spellings(value: object, expected: bool) -> None:
    """API sheet 3.3 and ⚠C10."""
    assert truth(value) is expected
