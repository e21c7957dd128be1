"""Undo brings back what was there, for every action and both methods."""

from __future__ import annotations

import pytest

from tests.support.shop import SCHEMA, Shop
from tests.undo.shop import ALL, BEFORE, HEADER, THEN, WHOLE, filled, made_since, undone

METHODS = pytest.mark.parametrize("method", ["imports", "profiles"])


@METHODS
@pytest.mark.parametrize("ignore", ["true", "false"])
@pytest.mark.parametrize("action", ["update", "update or add"])
def test_values_before_equal_values_after(shop: Shop, action: str, ignore: str, method: str) -> None:
    """Data rule 45: fields, interests and orders, empty values among them; undone twice there is nothing to do."""
    before = filled(shop)
    if ignore == "false":
        shop.write("schema.py", WHOLE)
    shop.dump(*THEN, header=HEADER)
    settings = (f"target.action={action}", f"target.ignore_empty_fields={ignore}", f"load.mode={method}")
    run = shop.done(*BEFORE, *ALL, *settings).document["run"]
    assert made_since(shop, before) != before
    found = undone(shop, run).document
    assert (found["undo"]["conflicts"], found["undo"]["run"]) == (0, run)
    assert found["verify"]["different"] == 0
    assert made_since(shop, before) == before
    again = undone(shop, run).document
    assert (again["run"], again["undo"]["restore"]) == (None, 0)


@METHODS
def test_only_values_that_are_not_empty_go_in_one_import(shop: Shop, method: str) -> None:
    """Where nothing empty comes back, rows that restore different columns travel together."""
    rows = [f"{at},Ede,{at}" for at in range(1, 7)]
    shop.dump(*rows, header="Nr,City,Points")
    schema = ("schema=schema.py:Points",)
    shop.write("schema.py", SCHEMA + "\nclass Points(Shop):\n    Points: int = Integer(nullable=True)\n")
    shop.done(*schema)
    before = shop.contents()
    shop.dump("1,Goes,1", "2,Ede,9", "3,Goes,9", "4,Ede,4", header="Nr,City,Points")
    run = shop.done(*BEFORE, *schema, f"load.mode={method}").document["run"]
    found = undone(shop, run).document
    assert (found["undo"]["restore"], found["undo"]["fields"]) == (3, {"City": 2, "Points": 2})
    assert found["imports"] == (1 if method == "imports" else 0)
    assert shop.contents() == before


KEYS = """\
import pandera.polars as pa
from pipeline.fields import Text

class Key(pa.DataFrameModel):
    Nr: str = Text(20)

class Order(Key):
    no: str = Text(20, alias="Order.No")
"""
DELETE = ("target.action=delete", "guards.max_deletes=5", "guards.max_rejects=0")
PROFILES = (*DELETE, "target.delete_target=profile", "schema=keys.py:Key")
ORDERS = (*DELETE, "target.delete_target=subprofile", "target.key_fields=[Nr, Order.No]", "schema=keys.py:Order")


@METHODS
def test_what_was_made_is_listed_and_can_be_deleted(shop: Shop, method: str) -> None:
    """Data rule 45: created.csv is a valid input of a delete job; orders have a list of their own."""
    before = filled(shop)
    shop.dump(*THEN, "5,Urk,,,,", header=HEADER)
    run = shop.done(*BEFORE, *ALL, f"load.mode={method}").document["run"]
    files = undone(shop, run).document["undo"]["files"]
    created, orders = shop.folder / files["created.csv"], shop.folder / files["created-Order.csv"]
    assert sorted(created.read_text().splitlines()) == ["4", "5", "Nr"]
    assert orders.read_text() == "Nr,Order.No\n1,D\n"
    assert created.stat().st_mode & 0o777 == 0o600
    shop.write("keys.py", KEYS)
    shop.done("job=away", *PROFILES, files=(created,))
    shop.done("job=away", *ORDERS, files=(orders,))
    assert shop.contents() == before


@METHODS
def test_ignore_or_add_changes_nothing_that_was_there(shop: Shop, method: str) -> None:
    """What was there stayed as it was; only what was made is listed."""
    shop.dump("1,Ede")
    shop.done()
    before = shop.contents()
    shop.dump("1,Goes", "2,Urk")
    run = shop.done(*BEFORE, "target.action=ignore or add", f"load.mode={method}").document["run"]
    found = undone(shop, run).document["undo"]
    assert (found["restore"], found["created"], found["conflicts"]) == (0, 1, 0)
    assert made_since(shop, before) == before


@METHODS
def test_an_add_lists_what_it_made(shop: Shop, method: str) -> None:
    """A key that was there before would take the old profile along, so it is left."""
    shop.dump("1,Ede")
    shop.done()
    shop.dump("1,Goes", "2,Urk", "2,Ede")
    run = shop.done(*BEFORE, "target.action=add", f"load.mode={method}").document["run"]
    found = undone(shop, run).document["undo"]
    assert (found["restore"], found["created"], found["left"]) == (0, 1, {"several_matches": 1})
    assert (shop.folder / found["files"]["created.csv"]).read_text() == "Nr\n2\n"


@METHODS
def test_deleted_profiles_are_listed_with_their_values(shop: Shop, method: str) -> None:
    """Data rule 45: whole records, their orders in a list of their own."""
    filled(shop)
    shop.dump("1", "9", header="Nr")
    shop.write("keys.py", KEYS)
    run = shop.done(*BEFORE, *PROFILES, f"load.mode={method}").document["run"]
    found = undone(shop, run).document["undo"]
    assert (found["restore"], found["deleted"]) == (0, 3)
    files = {name: (shop.folder / path).read_text() for name, path in found["files"].items()}
    assert files["deleted.csv"] == "Nr,City,Points,interest.news\n1,Ede,5,Yes\n"
    assert sorted(files["deleted-Order.csv"].splitlines()) == ["1,A,1.5", "1,B,2", "Nr,Order.No,Order.Total"]


@METHODS
def test_deleted_orders_are_listed_with_their_values(shop: Shop, method: str) -> None:
    """Only those that the run named."""
    filled(shop)
    shop.dump("1,A", header="Nr,Order.No")
    shop.write("keys.py", KEYS)
    run = shop.done(*BEFORE, *ORDERS, f"load.mode={method}").document["run"]
    found = undone(shop, run).document["undo"]
    assert (shop.folder / found["files"]["deleted-Order.csv"]).read_text() == "Nr,Order.No,Order.Total\n1,A,1.5\n"
    assert found["deleted"] == 1


def test_the_spelling_of_a_key_comes_back(shop: Shop) -> None:
    """A key column is sent, too."""
    shop.dump("ab,Ede")
    shop.done()
    before = shop.contents()
    shop.dump("AB,Goes")
    run = shop.done(*BEFORE).document["run"]
    undone(shop, run)
    assert shop.contents() == before
