"""The shop of the tests of undo: customers with orders, and a run over them that keeps what was there before."""

from __future__ import annotations

from typing import Any

from tests.support.api_caller import Client
from tests.support.command import Ran
from tests.support.shop import SCHEMA, Shop

BEFORE = ("load.before=true", "guards.max_rejects=10")
HEADER = "Nr,City,Points,interest.news,Order.No,Order.Total"
ALL = ("schema=schema.py:All", "target.key_fields=[Nr, Order.No]")
FIRST = ("1,Ede,5,Yes,A,1.50", "1,Ede,5,Yes,B,2.00", "2,Tiel,,No,,", "3,,7,,C,3.00")
THEN = ("1,Goes,6,No,A,9.50", "1,Goes,6,No,D,4.00", "2,,8,Yes,,", "3,Assen,7,Yes,C,1.00", "4,Urk,1,Yes,E,5.00")
# Numbers are never empty where empty cells are written.
WHOLE = SCHEMA.replace("Integer(nullable=True)", "Integer()").replace('Order.Total", nullable=True', 'Order.Total"')


def filled(shop: Shop) -> list[dict[str, Any]]:
    """Fill the shop with customers and orders; returns what it holds."""
    shop.dump(*FIRST, header=HEADER)
    shop.done(*ALL)
    return shop.contents()


def made_since(shop: Shop, before: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the database without the records that were not there before."""
    known = {one["fields"]["Nr"]: {order["No"] for order in one["orders"]} for one in before}
    kept = [one for one in shop.contents() if one["fields"]["Nr"] in known]
    return [
        one | {"orders": [order for order in one["orders"] if order["No"] in known[one["fields"]["Nr"]]]}
        for one in kept
    ]


def undone(shop: Shop, run: str, *words: str) -> Ran:
    """Undo a run without a question."""
    ran = shop.ask("undo", run, "--yes", *words)
    assert ran.exit_code == 0, ran.stderr
    return ran


def edit(shop: Shop, number: str, fields: dict[str, str]) -> None:
    """Change a profile, as somebody else does."""
    client = Client(shop.sandbox)
    (one,) = [one for one in shop.profiles("Shop") if one["fields"]["Nr"] == number]
    assert client("PUT", f"profile/{one['ID']}/fields", fields).status_code == 204


def cities(shop: Shop) -> dict[str, str]:
    """Return the city of each customer."""
    return {one["fields"]["Nr"]: one["fields"]["City"] for one in shop.profiles("Shop")}
