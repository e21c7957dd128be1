"""`init` with a token: columns are matched with the fields of the database, whatever their case, punctuation or language."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pipeline.run.init.names import field_name, job_name, likeness
from tests.support.journey import Journey
from tests.support.places import CONFIGS

SAMPLES = CONFIGS.parent / "sample_data"
BY_HAND = {
    "customer_no": "CustomerID", "email": "Email", "name": "Name", "city": "City", "phone": "Phone", "tier": "Tier",
    "born": "Birthday", "signed_up": "SignedUp", "points": "Points", "balance": "Balance", "likes_news": "interest.news",
    "likes_offers": "interest.offers", "order_no": "Order.OrderID", "order_total": "Order.Total",
    "order_placed": "Order.Placed", "order_status": "Order.Status", "visit_no": "Visit.VisitID", "page": "Visit.Page",
    "seen_at": "Visit.Seen",
}  # fmt: skip


def targets(document: dict[str, Any]) -> dict[str, str]:
    return {one["from"]: one["to"] for one in document["columns"]}


def test_the_sample_is_matched_as_a_colleague_did_by_hand(journey: Callable[..., Journey]) -> None:
    """Every column of configs/customers.yaml, with the same keys; the one without a partner is ignored. It checks."""
    here = journey(CONFIGS / "sandbox.yaml")
    words = ("--database", "Customers", "--out", str(here.folder))
    ran = here.call("init", SAMPLES / "customers-2026-11-18.csv", *words)
    assert ran.exit_code == 0, ran.stderr
    assert targets(ran.document) == BY_HAND
    assert [one["from"] for one in ran.document["ignored"]] == ["internal_note"]
    assert ran.document["key_fields"] == ["CustomerID", "Order.OrderID", "Visit.VisitID"]
    assert here.call("check", here.folder / "customers.yaml").exit_code == 0
    assert here.posted() == []


def test_nested_lists_go_to_the_collections_that_are_there(journey: Callable[..., Journey]) -> None:
    """`orders.order_no` is `Order.OrderID`, and `likes.news` the interest."""
    here = journey(CONFIGS / "sandbox.yaml")
    ran = here.call("init", SAMPLES / "customers.json", "--database", "1", "--out", here.folder)
    found = targets(ran.document)
    assert found["likes.news"] == "interest.news"
    assert {found[f"orders.{name}"] for name in ("order_no", "total", "placed", "status")} == {
        "Order.OrderID", "Order.Total", "Order.Placed", "Order.Status",
    }  # fmt: skip
    assert {found[f"visits.{name}"] for name in ("visit_no", "page", "seen_at")} == {
        "Visit.VisitID", "Visit.Page", "Visit.Seen",
    }  # fmt: skip
    assert here.call("check", here.folder / "customers.yaml").exit_code == 0


@pytest.mark.parametrize(
    ("column", "target"),
    [
        ("e-mail", "Email"), ("E-mailadres", "Email"), ("woonplaats", "City"), ("klantnummer", "CustomerID"),
        ("Klantnr", "CustomerID"), ("geboortedatum", "Birthday"), ("plz", "Postcode"), ("voornaam", "FirstName"),
        ("order_no", "Order.OrderID"), ("orders.order_no", "Order.OrderID"), ("likes_news", "interest.news"),
    ],
)  # fmt: skip
def test_names_that_mean_the_same(column: str, target: str) -> None:
    """By letters, by words, by language."""
    assert likeness(column, target) > 0


@pytest.mark.parametrize(("column", "target"), [("name", "City"), ("order_total", "Order.OrderID"), ("id", "Email")])
def test_names_that_do_not(column: str, target: str) -> None:
    """A wrong match is worse than none."""
    assert likeness(column, target) == 0


def test_names_that_copernica_takes() -> None:
    """A letter first, no names of its own, each once."""
    assert [field_name(one) for one in ("e-mail", "1st", "id", "Größe", "a.b")] == [
        "e_mail", "F_1st", "ExternalID", "Groe", "a_b",
    ]  # fmt: skip
    assert job_name("dumps/customers-2026-11-18.csv.gz") == "customers"


def test_a_key_that_the_database_lacks_becomes_a_field(journey: Callable[..., Journey]) -> None:
    """It is in the dump, so it is no wrong word: `setup` makes it; a column that cannot be one says why."""
    here = journey({"databases": [{"name": "People", "fields": [{"name": "Name", "type": "text", "length": 50}]}]})
    dump = here.write("people.csv", "id,name\n1,Ann\n2,Bob\n")
    ran = here.call("init", dump, "--database", "People", "--key", "id", "--out", here.folder)
    assert ran.exit_code == 0, ran.stderr
    assert (ran.document["key_fields"], ran.document["go_on"].split()[1]) == (["ExternalID"], "setup")
    assert here.call("setup", here.folder / "people.yaml", "--yes").exit_code == 0
    assert here.call("check", here.folder / "people.yaml").exit_code == 0
