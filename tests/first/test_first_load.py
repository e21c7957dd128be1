"""From a strange file to a trusted load: `init`, `setup --yes` on an empty account, `check`, `run`, no line by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.first import samples
from tests.support.command import call
from tests.support.journey import Journey
from tests.support.places import ROOT, SHARED

SAMPLES = ROOT / "sample_data"
Start = Callable[..., Journey]


def loaded(here: Journey, dump: Path, *words: str) -> dict[str, Any]:
    """Do what a new user does, and return the summary of the run."""
    written = here.call("init", dump, "--out", here.folder / "job", *words)
    assert written.exit_code == 0, written.stderr
    job = Path(written.document["job_file"])
    made = here.call("setup", job, "--yes")
    assert made.exit_code == 0, made.stderr
    assert made.document["created"] == made.document["lacks"] != []
    checked = here.call("check", job)
    assert checked.exit_code == 0, checked.stderr
    assert here.call("setup", job).document["lacks"] == []
    plan = here.call("plan", job)
    assert (plan.exit_code, plan.document["status"]) == (0, "planned"), plan.stderr
    assert plan.document["plan"]["create"] == plan.records["accepted"] > 0
    assert len(here.posted()) == len(made.document["created"])  # the plan sent nothing
    state = job.parent / ".copernica-import"
    ran = call("apply", plan.document["run"], "--state-dir", state, environment=here.environment())
    assert ran.exit_code == 0, ran.stderr
    assert ran.records["confirmed"] == ran.records["accepted"]
    again = here.call("plan", job).document
    assert again["plan"]["unchanged"] == again["records"]["accepted"]
    return {**ran.document, "job_file": job, "init": written.document}


NORTHWIND = [
    ("customers.csv", (), 91, 67), ("orders.csv", (), 830, 654), ("order-details.csv", (), 2155, 2155),
    ("customer-orders-dotted.csv", (), 654, 654), ("customers-with-orders.json", (), 654, 654),
    ("orders.ndjson", (), 654, 654),
]  # fmt: skip


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data is absent")
@pytest.mark.parametrize(("name", "words", "read", "good"), NORTHWIND, ids=[one[0] for one in NORTHWIND])
def test_northwind(journey: Start, name: str, words: tuple[str, ...], read: int, good: int) -> None:
    """Each file of the sample company goes in as it is; only what is ragged is set aside."""
    ran = loaded(journey(None), SHARED / "northwind" / name, *words)
    assert ran["records"]["read"] == read
    assert ran["records"]["confirmed"] == good


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data is absent")
def test_a_day_of_the_shop(journey: Start) -> None:
    """Order lines have no key of one column; the proposed pair holds, and the person may name another."""
    here = journey(None)
    ran = loaded(here, SHARED / "retail" / "2010-12-01.csv")
    assert ran["init"]["key_fields"] == ["InvoiceNo", "StockCode"]
    assert ran["records"]["confirmed"] == ran["records"]["accepted"]


@pytest.mark.parametrize(
    "name",
    ["customers-2026-11-18.csv", "customers-2026-11-19.csv", "customers.json", "visits.ndjson", "withdrawn-visits.csv"],
)
def test_our_samples(journey: Start, name: str) -> None:
    """Our own samples hold a bad record of every kind; what is good arrives all the same."""
    ran = loaded(journey(None), SAMPLES / name)
    assert ran["records"]["confirmed"] == ran["records"]["accepted"] > 0


def test_dutch_customers(journey: Start) -> None:
    """Latin-1, semicolons, decimal commas with points between thousands, and Dutch dates arrive as they are meant."""
    here = journey(None)
    dump = here.write("klanten.csv", samples.dutch())
    ran = loaded(here, dump)
    assert ran["init"]["key_fields"] == ["klantnr"]
    first = next(one["fields"] for one in here.profiles("klanten") if one["fields"]["klantnr"] == "00001")
    assert first == {
        "klantnr": "00001", "naam": "Zoë van 't Hof", "woonplaats": "'s-Hertogenbosch", "saldo": "1001.11",
        "geboren": "1941-02-02", "ingeschreven": "2025-03-02 10:01:00",
    }  # fmt: skip
    assert ran["records"]["confirmed"] == 200


def test_an_export_of_mysql(journey: Start) -> None:
    r"""Backslashes before quotes and line ends are taken away, and `\\N` is nothing."""
    here = journey(None)
    ran = loaded(here, here.write("people.csv", samples.mysql()))
    assert ran["records"]["confirmed"] == 100
    person = next(one["fields"] for one in here.profiles("people") if one["fields"]["ExternalID"] == "4")
    assert (person["name"], person["note"], person["balance"]) == ('Piet "P" Puk', "one\ntwo, three", "4.5")


def test_nested_customers(journey: Start) -> None:
    """Two lists become two collections, an object in the customer dotted fields, and interests interests."""
    here = journey(None)
    ran = loaded(here, here.write("people.json", samples.nested()))
    assert ran["init"]["key_fields"] == ["customer_no", "orders.order_no", "visits.visit_no"]
    people = here.profiles("people")
    assert len(people) == 40
    assert [one["interests"] for one in people[:2]] == [[], ["news"]]
