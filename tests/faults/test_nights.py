"""Faults × nights: whatever went wrong on the first night, three nights end with the database of three quiet ones."""

from __future__ import annotations

import csv
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.command import Ran
from tests.support.nights import leaping
from tests.support.shop import Shop
from tests.support.soak import SOAK

pytestmark = pytest.mark.usefixtures("sockets")

OpenShop = Callable[..., Shop]
CHUNK = 4
# The dump of each night: who moves where. A full dump has all customers, a delta the new and the changed ones.
CITIES = ("Ede", "Delft", "Gouda")
CUSTOMERS = 12


def rows_of(night: int, dump: str) -> list[str]:
    """Return the rows of a night's dump."""
    if dump == "full":
        return [f"{number},{CITIES[night]}" for number in range(CUSTOMERS)]
    return [f"{number},{CITIES[night]}" for number in range(night * 3, night * 3 + CUSTOMERS)]


def shop_of(open_shop: OpenShop, mode: str, dump: str, action: str = "update or add") -> Shop:
    """Open a shop whose imports have four rows."""
    changes: dict[str, Any] = {"load.mode": mode, "load.chunk_rows": CHUNK, "source.dump": dump}
    changes |= {"target.action": action, "http.retry_budget_s": 30}
    return open_shop(changes=changes)


def night(shop: Shop, number: int, dump: str, faults: list[dict[str, Any]]) -> Ran:
    """Run one night with a fresh dump."""
    shop.dump(*rows_of(number, dump))
    shop.sandbox.set_faults(faults)
    with leaping(shop.sandbox):
        return shop.run()


def cities(shop: Shop) -> dict[str, str]:
    """Return the city of every customer."""
    found = {one["fields"]["Nr"]: one["fields"]["City"] for one in shop.profiles("Shop")}
    assert len(found) == len(shop.profiles("Shop"))  # nobody is there twice
    return found


def expected(dump: str) -> dict[str, str]:
    """Return what three quiet nights leave."""
    left: dict[str, str] = {}
    for number in range(len(CITIES)):
        left |= dict(row.split(",") for row in rows_of(number, dump))
    return left


def wrong(kind: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, **more}


POST = {"method": "POST", "path": "*/imports"}
POLL = {"method": "GET", "path": "*/import/*"}
# Each is healed within the night: exit 0, nobody does anything.
HEALED: dict[str, list[dict[str, Any]]] = {
    **{f"POST {kind}": [wrong(kind, nth=2, **POST)] for kind in ("empty", "cut", "502", "503", "504", "html", "429")},
    **{f"poll {kind}": [wrong(kind, nth=2, **POLL)] for kind in ("empty", "cut", "400", "502", "503", "html")},
    **{f"poll {kind}": [wrong(kind, nth=[2, 3])] for kind in ("false_counters", "late_counters", "extra_lines")},
    "POST done and 503": [wrong("503", nth=2, done=True, **POST)],
    "POST done and html": [wrong("html", nth=2, done=True, **POST)],
    "two lost in a row": [wrong("cut", nth=[1, 2], **POST)],
    "lost and late": [wrong("cut", nth=2, **POST), wrong("delay", nth=2, seconds=1800)],
    "an import fails": [wrong("fail", nth=2, after_rows=2)],
    "an import fails at its start": [wrong("fail", nth=2, after_rows=0)],
    "the last import fails": [wrong("fail", nth=3, after_rows=1)],
    "an import hangs": [wrong("hang", nth=2)],
    "the token expires": [wrong("expire", nth=2, **POST)],
}


WAYS = [("imports", "full"), ("auto", "delta"), ("imports", "delta"), ("auto", "full")]
# Each fault with both modes and both kinds of dump: in two of the four ways, the next fault in the other two. A soak has all.
TRIED = [
    (name, mode, dump)
    for at, name in enumerate(HEALED)
    for mode, dump in (WAYS if SOAK else WAYS[:2] if at % 2 else WAYS[2:])
]


@pytest.mark.parametrize(("name", "mode", "dump"), TRIED)
def test_a_fault_that_passes_is_healed_in_the_same_night(open_shop: OpenShop, name: str, mode: str, dump: str) -> None:
    """Exit 0 in all three nights, and nothing lost, doubled or old."""
    shop = shop_of(open_shop, mode, dump)
    first = night(shop, 0, dump, HEALED[name])
    assert (first.exit_code, first.document["open"]) == (0, False), first.stderr
    assert first.records["confirmed"] == CUSTOMERS
    for number in (1, 2):
        ran = night(shop, number, dump, [])
        assert ran.exit_code == 0, ran.stderr
    assert cities(shop) == expected(dump)


# Each stops the first night; the second heals it.
STOPPED: dict[str, list[dict[str, Any]]] = {
    "a refusal in the middle": [wrong("400", nth=2, message="Source too large", **POST)],
    "polls are down": [wrong("502", nth=list(range(2, 2000)), **POLL)],
    "everything is down": [wrong("502", path="/v4/import*", nth=list(range(3, 2000)))],
    "imports fail one after the other": [wrong("fail", nth=[2, 3], after_rows=1)],
}


@pytest.mark.parametrize("dump", ["full", "delta"])
@pytest.mark.parametrize("name", STOPPED)
def test_a_night_that_stops_is_healed_by_the_next(open_shop: OpenShop, name: str, dump: str) -> None:
    """Exit 6 and open; then 0 and 0 without a person, and nothing lost, doubled or old."""
    shop = shop_of(open_shop, "imports", dump)
    shop.configure({"load.mode": "imports", "load.chunk_rows": CHUNK, "source.dump": dump, "http.retry_budget_s": 1})
    first = night(shop, 0, dump, STOPPED[name])
    assert (first.exit_code, first.document["open"]) == (6, True), first.stderr
    for number in (1, 2):
        ran = night(shop, number, dump, [])
        assert (ran.exit_code, ran.document["open"]) == (0, False), ran.stderr
    assert cities(shop) == expected(dump)
    assert shop.ledger("SELECT count(*) FROM run WHERE is_open") == [(0,)]


def test_an_order_that_a_full_dump_no_longer_has_is_set_aside(open_shop: OpenShop) -> None:
    """A newer dump that has the customer has not the order: what was not sent of it is written to open.csv."""
    orders = {"schema": "schema.py:Orders", "target.key_fields": ["Nr", "Order.No"], "source.dump": "full"}
    shop = open_shop(changes={"load.chunk_rows": 1, "http.retry_budget_s": 1, **orders})
    shop.dump("1,Ede,A", "2,Ede,A", "2,Ede,B", header="Nr,City,Order.No")
    shop.sandbox.set_faults(STOPPED["everything is down"])
    with leaping(shop.sandbox):
        first = shop.run()
    assert (first.exit_code, first.document["open"]) == (6, True), first.stderr
    shop.sandbox.set_faults([])
    shop.dump("1,Delft,A", "2,Delft,B", header="Nr,City,Order.No")
    with leaping(shop.sandbox):
        ran = shop.run()
    assert ran.exit_code == 0, ran.stderr
    with (shop.state / "runs" / first.document["run"] / "open.csv").open(encoding="utf-8") as file:
        assert [(row["Nr"], row["Order.No"]) for row in csv.DictReader(file)] == [("2", "A")]


# On the per-profile method, by action: what goes wrong with a request, once.
REQUESTS = {
    "update or add": {"method": "PUT", "path": "*/profiles"},
    "ignore or add": {"method": "POST", "path": "*/profiles"},
    "update": {"method": "PUT", "path": "*/profile/*"},
}


@pytest.mark.parametrize("kind", ["empty", "cut", "502", "503", "html", "429"])
@pytest.mark.parametrize("action", REQUESTS)
def test_single_requests_are_healed_in_the_same_night(open_shop: OpenShop, action: str, kind: str) -> None:
    """A request that may be repeated is; one that may not is looked up once it cannot arrive any more."""
    shop = shop_of(open_shop, "profiles", "full", action)
    if action == "update":
        shop.dump(*(f"{number},Old" for number in range(CUSTOMERS)))
        shop.done("target.action=update or add")
    ran = night(shop, 0, "full", [wrong(kind, nth=3, **REQUESTS[action])])
    assert (ran.exit_code, ran.document["open"]) == (0, False), ran.stderr
    ran = night(shop, 1, "full", [])
    assert ran.exit_code == 0, ran.stderr
    last = CITIES[0] if action == "ignore or add" else CITIES[1]
    assert cities(shop) == {str(number): last for number in range(CUSTOMERS)}


@pytest.mark.parametrize("faults", [[wrong("empty", nth=1, **POST)], [wrong("cut", nth=1, **POST)]])
def test_a_lost_delete_is_settled_in_the_same_night(open_shop: OpenShop, faults: list[dict[str, Any]]) -> None:
    """Data rule 28: absent is confirmed, what is left goes with a chunk of its own."""
    shop = shop_of(open_shop, "imports", "full")
    night(shop, 0, "full", [])
    shop.sandbox.advance(60)  # a record made in the second of the delete counts as made after it
    shop.dump(*(f"{number}" for number in range(6)), header="Nr")
    shop.sandbox.set_faults(faults)
    words = ("target.action=delete", "target.delete_target=profile", "guards.max_deletes=100%", "schema=schema.py:Shop")
    with leaping(shop.sandbox):
        ran = shop.run(*words, "job=gone", "ignore=[]")
    if ran.exit_code == 4:  # the schema wants a city
        shop.dump(*(f"{number},x" for number in range(6)))
        shop.sandbox.set_faults(faults)
        with leaping(shop.sandbox):
            ran = shop.run(*words, "job=gone")
    assert (ran.exit_code, ran.document["open"]) == (0, False), ran.stderr
    assert sorted(cities(shop), key=int) == [str(number) for number in range(6, CUSTOMERS)]
