"""`load.in_flight`: chunks of different keys run at the same time, everything else is as with one."""

from __future__ import annotations

import csv
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from tests.faults.test_soak import STATE, fault_of
from tests.support.nights import Stop, flowing, last_run, leaping, run_apart
from tests.support.shop import ORDERS, Shop
from tests.support.soak import SOAK

pytestmark = pytest.mark.usefixtures("sockets")

OpenShop = Callable[..., Shop]
SLOW = {"kind": "delay", "seconds": 20}
POST = {"method": "POST", "path": "*/imports"}
POLL = {"method": "GET", "path": "*/import/*"}
# No import is final at its first poll.
POLLED = {"kind": "polls", "polls": 2}


@dataclass(frozen=True)
class Sent:
    """An import that was accepted: from its POST to its last poll by numbers of requests, and the keys of its rows."""

    begins: int
    ends: int
    keys: frozenset[str]
    rebuild: bool

    def meets(self, other: Sent) -> bool:
        """Return whether this one was sent while the other one was not known to be final."""
        return other.begins < self.begins < other.ends


def imports(shop: Shop) -> list[Sent]:
    """List the imports that the sandbox has accepted and answered, in the order of their POSTs."""
    url = f"{shop.sandbox.api_url}/_sandbox/journal"
    journal, found = requests.get(url, params={"full": "1"}, timeout=60).json(), []
    for entry in journal:
        if entry["method"] == "POST" and entry["path"].endswith("/imports") and entry["created"]:
            polls = [one["n"] for one in journal if one["path"].endswith(f"/import/{entry['created'][0]}")]
            body = entry["body"]
            keys = frozenset(row["Nr"].casefold().replace("é", "e") for row in body["source"])
            found.append(Sent(entry["n"], max(polls, default=entry["n"]), keys, bool(body.get("rebuild"))))
    return found


def most_at_once(sent: list[Sent]) -> int:
    """Return how many imports were on their way at one time."""
    return max(1 + sum(one.meets(other) for other in sent) for one in sent)


def demand_apart(sent: list[Sent]) -> None:
    """Demand that no key was in two imports at one time."""
    for one in sent:
        for other in sent:
            assert not (one.meets(other) and one.keys & other.keys)


def cities(shop: Shop) -> dict[str, str]:
    return {one["fields"]["Nr"]: one["fields"]["City"] for one in shop.profiles("Shop")}


def opened(open_shop: OpenShop, in_flight: int, **changes: Any) -> Shop:
    return open_shop(changes={"load.chunk_rows": 2, "load.in_flight": in_flight, **changes})


@pytest.mark.parametrize("in_flight", [1, 4])
def test_so_many_imports_are_on_their_way_at_one_time(open_shop: OpenShop, in_flight: int) -> None:
    """With a target that takes 20 s per import, as many as the job allows, and never more."""
    shop = opened(open_shop, in_flight)
    shop.dump(*(f"{number},Ede" for number in range(16)))
    shop.sandbox.set_faults([SLOW])
    with flowing(shop.sandbox):
        ran = shop.done()
    assert ran.document["imports"] == 8
    assert most_at_once(imports(shop)) == in_flight


def test_a_chain_and_phases_stay_in_order(open_shop: OpenShop) -> None:
    """Imports that share a customer follow each other; the others do not wait for them."""
    shop = opened(open_shop, 4)
    shop.dump(
        *(f"1,City {number},A{number}" for number in range(5)), "1,Last,", "2,x,", "2,y,B", *(f"{n},z,C" for n in range(3, 9)),
        header="Nr,City,Order.No",
    )  # fmt: skip
    shop.sandbox.set_faults([SLOW])
    with flowing(shop.sandbox):
        shop.done(*ORDERS)
    sent = imports(shop)
    demand_apart(sent)
    assert most_at_once(sent) > 1
    assert cities(shop) == {"1": "Last", "2": "y"} | {str(number): "z" for number in range(3, 9)}


def test_the_rebuild_goes_last_and_alone(open_shop: OpenShop) -> None:
    """Data rule 24: all others are final when the import that carries it is sent."""
    shop = opened(open_shop, 4, **{"target.rebuild": True})
    shop.dump(*(f"{number},Ede" for number in range(12)))
    shop.sandbox.set_faults([SLOW])
    with flowing(shop.sandbox):
        assert shop.done().document["rebuild"] == "done"
    sent = imports(shop)
    assert [one.rebuild for one in sent] == [False] * 5 + [True]
    assert not any(sent[-1].meets(other) for other in sent)


@pytest.mark.parametrize("in_flight", [1, 4])
def test_the_rebuild_goes_with_the_last_piece_of_a_failed_import(open_shop: OpenShop, in_flight: int) -> None:
    """Data rule 24: the row to blame is final when the last row is sent again."""
    shop = opened(open_shop, in_flight, **{"target.rebuild": True, "load.chunk_rows": 6})
    shop.dump(*(f"{number},{'Zwolle' if number == 9 else 'Ede'}" for number in range(12)))
    shop.sandbox.set_faults([{"kind": "fail", "cell": "Zwolle"}])
    ran = shop.run()
    assert (ran.exit_code, ran.records["failed"], ran.document["rebuild"]) == (6, 1, "done"), ran.stderr
    sent = imports(shop)
    assert [one.rebuild for one in sent] == [False, True] + [False] * 5 + [True]
    assert sent[-1].keys == {"11"}


def test_a_failed_import_is_searched_while_others_are_on_their_way(open_shop: OpenShop) -> None:
    """Data rule 26: the row to blame is named, all others arrive."""
    shop = opened(open_shop, 4)
    shop.dump(*(f"{number},{'Zwolle' if number == 3 else 'Ede'}" for number in range(24)))
    shop.sandbox.set_faults([{"kind": "fail", "cell": "Zwolle"}, {"kind": "polls", "polls": 3}])
    ran = shop.run()
    assert (ran.exit_code, ran.document["open"], ran.records["failed"]) == (6, False, 1), ran.stderr
    with (shop.state / "runs" / ran.document["run"] / "failed.csv").open(encoding="utf-8") as file:
        assert [row["Nr"] for row in csv.DictReader(file)] == ["3"]
    assert set(cities(shop)) == {str(number) for number in range(24) if number != 3}
    demand_apart(imports(shop))


def test_what_an_import_has_made_is_not_made_again_per_profile(open_shop: OpenShop) -> None:
    """Data rule 32: what was listed before an import is listed again after it."""
    shop = open_shop(changes={"load.chunk_rows": 1, "load.mode": "auto", "schema": "schema.py:All"})
    header = "Nr,City,Points,interest.news,Order.No,Order.Total"
    shop.dump("1,Zwolle,,,,", "1,Ede,,,P,1", "1,Zwolle,,,P,2", header=header)
    shop.sandbox.set_faults([{"kind": "fail", "cell": "Zwolle"}])
    shop.done("target.key_fields=[Nr, Order.No]")
    assert [one["orders"] for one in shop.contents()] == [[{"No": "P", "Total": "2"}]]


def test_two_failures_in_a_row_stop_the_sending_and_the_others_end(open_shop: OpenShop) -> None:
    """What is on its way when nothing more is sent is polled to its end: nothing stays submitted."""
    shop = opened(open_shop, 4)
    shop.dump(*(f"{number},Ede" for number in range(24)))
    shop.sandbox.set_faults([{"kind": "fail", "nth": [1, 2], "after_rows": 1}, {"kind": "polls", "polls": 4}])
    ran = shop.run()
    assert (ran.exit_code, ran.document["open"]) == (6, True), ran.stderr
    assert set(ran.document["chunks"]) <= {"failed", "confirmed", "total"}
    assert ran.document["imports"] <= 6
    shop.sandbox.set_faults([])
    assert shop.resume().exit_code == 0
    assert len(cities(shop)) == 24


def test_several_imports_that_a_stopped_run_left_are_polled_by_resume(open_shop: OpenShop) -> None:
    """Four are submitted when the API goes away; resume asks for each and sends none of them again."""
    shop = opened(open_shop, 4, **{"http.retry_budget_s": 0})
    shop.dump(*(f"{number},Ede" for number in range(12)))
    shop.sandbox.set_faults([{"kind": "502", **POLL}])
    ran = shop.run()
    assert (ran.exit_code, ran.document["chunks"]["submitted"]) == (6, 4), ran.stderr
    shop.sandbox.set_faults([])
    ran = shop.resume()
    assert (ran.exit_code, ran.document["imports"]) == (0, 6), ran.stderr
    assert len(imports(shop)) == 6


def test_a_lost_import_holds_its_keys_and_takes_no_slot(open_shop: OpenShop) -> None:
    """Data rule 28: the others go on, side by side; its rows are read back in the same run."""
    shop = opened(open_shop, 2)
    shop.dump(*(f"{number},Ede" for number in range(12)), "0,Delft")
    shop.sandbox.set_faults([{"kind": "cut", "nth": 1, **POST}, {"kind": "polls", "polls": 2}])
    with leaping(shop.sandbox):
        shop.done()
    demand_apart(imports(shop))
    assert cities(shop)["0"] == "Delft"


def rows_of(chance: random.Random, orders: bool) -> list[str]:
    """Draw rows of a few customers, spelled in several ways, each row with a city of its own."""
    spelled = ["a", "A", "é", "e", "b", "c", "d", "f", "g", "h"]
    rows = [f"{chance.choice(spelled)},City {number}" for number in range(chance.randint(8, 30))]
    return [f"{row},{chance.choice(('', 'O1', 'O2'))}" for row in rows] if orders else rows


@pytest.mark.parametrize("in_flight", [1, 2, 4])
@pytest.mark.parametrize("seed", range(2 * SOAK) or (1, 2))
def test_any_order_of_rows_ends_as_one_import_would(open_shop: OpenShop, in_flight: int, seed: int) -> None:
    """Random rows, faults and kills: the database is that of a quiet run, and no key was in two imports at one time."""
    chance = random.Random(seed)
    orders = chance.random() < 0.5
    rows = rows_of(chance, orders)
    changes: dict[str, Any] = {"http.retry_budget_s": 30, "load.chunk_rows": chance.randint(1, 4)}
    changes |= {"target.rebuild": chance.random() < 0.3}
    if orders:
        changes |= {"schema": "schema.py:Orders", "target.key_fields": ["Nr", "Order.No"]}
    shop = open_shop(changes=changes)
    shop.dump(*rows, header="Nr,City,Order.No" if orders else "Nr,City")
    shop.done("load.in_flight=1")
    quiet = shop.contents()
    shop.sandbox.reset()
    for name in STATE:
        shutil.rmtree(shop.folder / name, ignore_errors=True)
    faults = [one for one in (fault_of(chance) for _ in range(3)) if one["kind"] not in ("400", "fail")]
    shop.sandbox.set_faults([*faults, POLLED])
    shop.configure({**changes, "load.in_flight": in_flight})
    killed = chance.random() < 0.5
    step = Stop(f"{chance.choice(('ledger', 'wire'))}-{chance.choice(('before', 'after'))}", chance.randint(10, 60))
    run_apart(shop, stop=step if killed else None)
    with leaping(shop.sandbox):
        finish(shop)
    assert shop.contents() == quiet
    demand_apart(imports(shop))


def finish(shop: Shop) -> None:
    """Do what is left, in quiet: resume a run that is open, run again what was never begun."""
    shop.sandbox.set_faults([POLLED])
    last = last_run(shop)
    if last is not None and last["open"]:
        shop.resume()
    elif last is None or last["status"] != "done":
        shop.run()
    last = last_run(shop)
    assert last is not None
    assert last["status"] == "done"
