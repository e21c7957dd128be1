"""A row that Copernica refuses costs one night its chunk; on the nights after it travels last, in an import of its own."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from tests.support.command import Ran
from tests.support.nights import leaping
from tests.support.shop import Shop

pytestmark = pytest.mark.usefixtures("sockets")

# Imports end at the row of this city.
POISON = "Zwolle"
FAULT = {"kind": "fail", "cell": POISON, "message": "Row refused"}
CUSTOMERS = 40
CHUNK = 20


@pytest.fixture
def shop(open_shop: Callable[..., Shop]) -> Shop:
    """A shop whose Copernica refuses one city, with imports of twenty rows."""
    shop = open_shop(changes={"load.chunk_rows": CHUNK, "source.dump": "full"})
    shop.sandbox.set_faults([FAULT])
    return shop


def night(shop: Shop, city: str, poison: str = POISON, *more: str) -> Ran:
    """Run a night with a fresh dump in which one customer has the city that is refused."""
    shop.dump(*(f"{number},{poison if number == 7 else city}" for number in range(CUSTOMERS)), *more)
    with leaping(shop.sandbox):
        ran = shop.run()
    shop.sandbox.advance(20 * 3600)
    return ran


def imports(shop: Shop, run: str) -> list[tuple[str, int]]:
    """List the imports of a run, in the order of sending: why their rows are a chunk, and how many."""
    return shop.ledger(
        "SELECT reason, rows FROM chunk WHERE run = ? AND sending_at IS NOT NULL ORDER BY sending_at, ordinal", run
    )


def failed(shop: Shop, ran: Ran) -> list[str]:
    """Return the customers in the failed.csv of a run."""
    with (shop.state / "runs" / ran.document["run"] / "failed.csv").open(encoding="utf-8") as file:
        return [row["Nr"] for row in csv.DictReader(file)]


def change(shop: Shop, statement: str, *values: object) -> None:
    """Change the ledger behind the program's back."""
    with closing(sqlite3.connect(shop.state / "ledger.sqlite")) as connection, connection:
        connection.execute(statement, values)


def cities(shop: Shop) -> dict[str, str]:
    return {one["fields"]["Nr"]: one["fields"]["City"] for one in shop.profiles("Shop")}


def test_a_refused_row_travels_last_the_next_night(shop: Shop) -> None:
    """The first night searches its chunk; the second sends three imports, and only that of the one row fails."""
    first = night(shop, "Ede")
    assert (first.exit_code, first.document["open"], failed(shop, first)) == (6, False, ["7"]), first.stderr
    assert first.document["imports"] > 3
    second = night(shop, "Delft")
    assert (second.exit_code, second.document["open"], failed(shop, second)) == (6, False, ["7"]), second.stderr
    assert second.document["records"]["confirmed"] == CUSTOMERS - 1
    assert imports(shop, second.document["run"]) == [("cut", 20), ("cut", 19), ("late", 1)]
    assert second.document["imports"] == 3
    third = night(shop, "Gouda")
    assert third.document["imports"] == 3
    assert {city for number, city in cities(shop).items() if number != "7"} == {"Gouda"}


def test_all_rows_of_its_customer_travel_with_it_in_order(shop: Shop) -> None:
    """Data rule 23: the later row of the customer does not go before the one that is refused."""
    night(shop, "Ede", POISON, "7,Arnhem")
    second = night(shop, "Delft", POISON, "7,Breda")
    assert [reason for reason, _ in imports(shop, second.document["run"])] == ["cut", "cut", "late", "piece", "piece"]
    assert cities(shop)["7"] == "Breda"
    assert failed(shop, second) == ["7"]


def test_other_values_travel_with_the_others(shop: Shop) -> None:
    """A row that was mended is a row like any other; the next one with the refused values is remembered all the same."""
    night(shop, "Ede")
    second = night(shop, "Delft", "Breda")
    assert (second.exit_code, second.document["imports"]) == (0, 2), second.stderr
    assert night(shop, "Gouda").document["imports"] == 3


def test_what_is_accepted_after_all_is_forgotten(shop: Shop) -> None:
    """Copernica takes the row: the night after it travels with the others again."""
    night(shop, "Ede")
    shop.sandbox.set_faults([])
    assert night(shop, "Delft").exit_code == 0
    assert shop.ledger("SELECT count(*) FROM refused") == [(0,)]
    assert night(shop, "Gouda").document["imports"] == 2


def test_the_memory_has_hashes_and_no_values(shop: Shop) -> None:
    """Private, salted, and gone with the run that saw the row last."""
    run = night(shop, "Ede").document["run"]
    assert shop.ledger("SELECT job, run, typeof(hash) FROM refused") == [("shop", run, "integer")]
    assert POISON.encode() not in (shop.state / "ledger.sqlite").read_bytes()
    change(shop, "UPDATE run SET started_at = '2020-01-01T00:00:00.000+00:00' WHERE id = ?", run)
    assert shop.ask("prune").exit_code == 0
    assert shop.ledger("SELECT count(*) FROM refused") == [(0,)]


def test_a_run_that_is_resumed_cuts_the_same_chunks(shop: Shop) -> None:
    """What travels last is kept with the staged rows, whatever is remembered meanwhile."""
    night(shop, "Ede")
    down: dict[str, Any] = {"kind": "502", "path": "/v4/import*", "nth": list(range(2, 500))}
    shop.sandbox.set_faults([down, FAULT])
    shop.dump(*(f"{number},{POISON if number == 7 else 'Delft'}" for number in range(CUSTOMERS)))
    with leaping(shop.sandbox):
        ran = shop.run("http.retry_budget_s=1")
    assert (ran.exit_code, ran.document["open"]) == (6, True), ran.stderr
    change(shop, "DELETE FROM refused")
    shop.sandbox.set_faults([FAULT])
    shop.sandbox.advance(3700)
    with leaping(shop.sandbox):
        ran = shop.resume()
    assert (ran.exit_code, ran.document["open"]) == (6, False), json.dumps(ran.document)
    assert [(reason, rows) for reason, rows in imports(shop, ran.document["run"]) if reason == "late"] == [("late", 1)]
    assert {city for number, city in cities(shop).items() if number != "7"} == {"Delft"}
