"""Undo brings back what was there, for every action and both methods."""

from __future__ import annotations

import pytest

from tests.support.shop import Shop

BEFORE = ("load.before=true", "guards.max_rejects=10")
HEADER = "Nr,City,Points,interest.news,Order.No,Order.Total"
ALL = ("schema=schema.py:All", "target.key_fields=[Nr, Order.No]")
FIRST = ("1,Ede,5,Yes,A,1.50", "1,Ede,5,Yes,B,2.00", "2,Tiel,,No,,", "3,,7,,C,3.00")
THEN = ("1,Goes,6,No,A,9.50", "1,Goes,6,No,D,4.00", "2,Breda,8,Yes,,", "3,Assen,7,Yes,C,", "4,Urk,1,Yes,E,5.00")
METHODS = pytest.mark.parametrize("method", ["imports", "profiles"])


def filled(shop: Shop) -> None:
    """Fill the shop with customers and orders."""
    shop.dump(*FIRST, header=HEADER)
    shop.done(*ALL)


def made_since(shop: Shop, before: list[dict]) -> list[dict]:
    """Return the database without the records that were not there before."""
    known = {one["fields"]["Nr"]: {order["No"] for order in one["orders"]} for one in before}
    kept = [one for one in shop.contents() if one["fields"]["Nr"] in known]
    return [
        one | {"orders": [order for order in one["orders"] if order["No"] in known[one["fields"]["Nr"]]]} for one in kept
    ]


@METHODS
@pytest.mark.parametrize("ignore", ["true", "false"])
@pytest.mark.parametrize("action", ["update", "update or add"])
def test_values_before_equal_values_after(shop: Shop, action: str, ignore: str, method: str) -> None:
    """Data rule 45: fields, interests and orders, empty values among them."""
    filled(shop)
    before = shop.contents()
    shop.dump(*THEN, header=HEADER)
    settings = (f"target.action={action}", f"target.ignore_empty_fields={ignore}", f"load.mode={method}")
    run = shop.done(*BEFORE, *ALL, *settings).document["run"]
    assert made_since(shop, before) != before
    undone = shop.ask("undo", run, "--yes")
    assert undone.exit_code == 0, undone.stderr
    assert undone.document["undo"]["conflicts"] == 0
    assert made_since(shop, before) == before
    again = shop.ask("undo", run, "--yes")
    assert (again.exit_code, again.document["undo"]["restore"]) == (0, 0)
