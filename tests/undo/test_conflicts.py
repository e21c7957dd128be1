"""What somebody has changed since, and what a later run has sent, survives an undo and is listed."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.support.api_caller import Client
from tests.support.command import Ran
from tests.support.shop import Shop
from tests.undo.shop import ALL, BEFORE, HEADER, THEN, cities, edit, filled, made_since, undone

METHODS = pytest.mark.parametrize("method", ["imports", "profiles"])
CHANGED = ("load.send=changed", "source.dump=full")


def left(ran: Ran) -> list[tuple[str, str, str]]:
    """Return the conflicts that an undo has listed: key, field and why."""
    with Path(ran.document["undo"]["files"]["conflicts.csv"]).open(encoding="utf-8") as file:
        return [(row["key"], row["field"], row["why"]) for row in csv.DictReader(file)]


@METHODS
def test_an_edit_in_between_survives_and_is_listed(shop: Shop, method: str) -> None:
    """Data rule 45: column by column; the others of the record come back."""
    before = filled(shop)
    shop.dump(*THEN, header=HEADER)
    run = shop.done(*BEFORE, *ALL, f"load.mode={method}").document["run"]
    edit(shop, "1", {"City": "Meppel"})
    ran = undone(shop, run)
    assert left(ran) == [("Nr=1", "City", "changed_since")]
    before[0]["fields"]["City"] = "Meppel"
    assert sorted(made_since(shop, before), key=str) == sorted(before, key=str)


@METHODS
def test_a_later_run_in_between_survives_and_is_listed(shop: Shop, method: str) -> None:
    """Data rule 45: its keys are left, also where it sent the same value, or another column."""
    shop.dump("1,Ede", "2,Tiel", "3,Goes")
    shop.done()
    shop.dump("1,Urk", "2,Urk", "3,Urk")
    run = shop.done(*BEFORE, f"load.mode={method}").document["run"]
    shop.dump("1,Urk", "2,Breda")
    shop.done("job=other")
    ran = undone(shop, run)
    assert sorted(left(ran)) == [("Nr=1", "", "later_run"), ("Nr=2", "", "later_run")]
    assert cities(shop) == {"1": "Urk", "2": "Breda", "3": "Goes"}


def test_what_a_later_run_found_unchanged_is_left(shop: Shop) -> None:
    """It stands by these values, though it sent nothing."""
    shop.dump("1,Ede", "2,Tiel")
    shop.done()
    shop.dump("1,Urk", "2,Urk")
    run = shop.done(*BEFORE, *CHANGED).document["run"]
    shop.dump("1,Urk", "9,Assen")
    assert shop.done(*CHANGED).document["records"]["unchanged"] == 1
    assert left(undone(shop, run)) == [("Nr=1", "", "later_run")]
    assert cities(shop) == {"1": "Urk", "2": "Tiel", "9": "Assen"}


def test_the_latest_run_is_undone_first(shop: Shop) -> None:
    """Once it is undone it counts no more, and the one before can be undone."""
    for city in ("Ede", "Urk", "Goes"):
        shop.dump(f"1,{city}")
        last = shop.done(*BEFORE).document["run"]
    first = shop.ask("runs").document["runs"][1]["run"]
    assert left(undone(shop, first)) == [("Nr=1", "", "later_run")]
    undone(shop, last)
    assert cities(shop) == {"1": "Urk"}
    undone(shop, first)
    assert cities(shop) == {"1": "Ede"}


def test_records_that_others_took_or_doubled_are_left(shop: Shop) -> None:
    """A profile that is gone, one that was made anew, and a second one with the key."""
    shop.dump("1,Ede", "2,Tiel", "3,Goes", "4,Assen")
    shop.done()
    shop.dump("1,Urk", "2,Urk", "3,Urk", "4,Urk")
    run = shop.done(*BEFORE).document["run"]
    client = Client(shop.sandbox)
    ids = {one["fields"]["Nr"]: one["ID"] for one in shop.profiles("Shop")}
    for number in ("1", "2"):
        client("DELETE", f"profile/{ids[number]}")
    for number in ("2", "3"):
        client.made("database/1/profiles", {"fields": {"Nr": number, "City": "Urk"}})
    reasons = [("Nr=1", "", "gone_since"), ("Nr=2", "", "another_record"), ("Nr=3", "", "several_matches")]
    assert sorted(left(undone(shop, run))) == reasons
    assert [one["fields"]["City"] for one in shop.profiles("Shop")] == ["Urk", "Urk", "Urk", "Assen"]


def test_a_record_that_was_made_and_changed_since_is_not_listed_for_deletion(shop: Shop) -> None:
    """Somebody has worked with it."""
    shop.dump("1,Ede", "2,Tiel")
    run = shop.done(*BEFORE).document["run"]
    edit(shop, "1", {"City": "Meppel"})
    ran = undone(shop, run)
    assert left(ran) == [("Nr=1", "", "changed_since")]
    assert Path(ran.document["undo"]["files"]["created.csv"]).read_text() == "Nr\n2\n"


def test_rows_of_one_key_that_ended_in_between(shop: Shop) -> None:
    """Each value that the run has sent is its own: a superseded row may be what arrived."""
    shop.dump("1,Ede")
    shop.done()
    shop.dump("1,Urk", "1,Goes")
    run = shop.done(*BEFORE, "load.chunk_rows=1").document["run"]
    edit(shop, "1", {"City": "Urk"})
    undone(shop, run)
    assert cities(shop) == {"1": "Ede"}
