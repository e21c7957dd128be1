"""Sequences of nights with random faults and kills: nothing lost, doubled or old, and no run open at the end."""

from __future__ import annotations

import csv
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.support.nights import Stop, last_run, leaping, open_runs, run_apart, was_taken
from tests.support.shop import DELETE, SCHEMA, Shop
from tests.support.soak import SOAK

pytestmark = pytest.mark.usefixtures("sockets")

CUSTOMERS = 12
# The seed of a plain run: a short sequence with a kill.
PLAIN = (3,)
# Of the state beside the job: what a run in a fresh folder must not find.
STATE = (".copernica-import", "host", "user-state")

# The other jobs: one that writes customers alone, and one that deletes them.
KEY = "\n\nclass Key(pa.DataFrameModel):\n    Nr: str = Text(20)\n"
OTHER = ("job=other", "schema=schema.py:Shop", "target.key_fields=[Nr]", "source.dump=delta")
GONE = ("job=gone", "schema=schema.py:Key", "target.key_fields=[Nr]", "source.dump=delta", "load.send=all", *DELETE)
GONE = (*GONE, "guards.max_deletes=100%")

REQUESTS: list[dict[str, str]] = [
    {},
    {"method": "GET"},
    {"method": "POST", "path": "*/imports"},
    {"method": "GET", "path": "*/import/*"},
    {"method": "PUT", "path": "*/profiles"},
    {"method": "PUT"},
    {"method": "GET", "path": "*/profiles"},
    {"method": "GET", "path": "*/identity"},
]
LOST: list[dict[str, Any]] = [
    *({"kind": kind} for kind in ("refuse", "empty", "cut", "502", "503", "504", "429", "html", "expire")),
    *({"kind": kind, "done": True} for kind in ("502", "503", "504", "html")),
]
# A refusal for good, and an import that fails: the only two that may set rows of a delta aside.
REFUSED: list[dict[str, Any]] = [
    {"kind": "400", "message": "Not this one", "method": "POST", "path": "*/imports"},
    {"kind": "400", "message": "Not this one", "method": "PUT", "path": "*/profiles"},
    {"kind": "fail", "after_rows": 0},
    {"kind": "fail", "after_rows": 2},
]
IMPORTS: list[dict[str, Any]] = [
    {"kind": "hang"},
    {"kind": "delay", "seconds": 600},
    {"kind": "delay", "seconds": 3000},
    {"kind": "polls", "polls": 3},
    {"kind": "false_counters"},
    {"kind": "late_counters"},
    {"kind": "extra_lines"},
]


@dataclass(frozen=True, order=True)
class Row:
    """A row of a dump; its city names the night, so that an older one is known by it. Without a city it is deleted."""

    number: str
    city: str
    order: str = ""


@dataclass
class Night:
    """What happens in one night: its dump, its faults, and where the process is killed; then what other jobs send."""

    rows: list[Row]
    faults: list[dict[str, Any]]
    stop: Stop | None
    other: list[Row] = field(default_factory=list)
    deleted: list[Row] = field(default_factory=list)

    @property
    def all_rows(self) -> list[Row]:
        """Return all rows, in the order of sending."""
        return [*self.rows, *self.other, *self.deleted]


@dataclass
class Sequence:
    """Nights of one job, and of the others that write to its database."""

    changes: dict[str, Any]
    orders: bool
    nights: list[Night]

    @property
    def alone(self) -> bool:
        """Return whether no other job writes."""
        return not any(night.other or night.deleted for night in self.nights)

    @property
    def may_refuse(self) -> bool:
        """Return whether a fault refuses a row or an import for good."""
        return any(fault["kind"] in ("400", "fail") for night in self.nights for fault in night.faults)


def fault_of(chance: random.Random) -> dict[str, Any]:
    """Draw a fault, and which requests it hits: one, a few in a row, or all from one on."""
    first = chance.randint(1, 8)
    hits = list(range(first, first + chance.choice((1, 1, 2, 4, 2000))))
    kinds = chance.choices((LOST, IMPORTS, REFUSED), (6, 3, 1))[0]
    where = chance.choice(REQUESTS) if kinds is LOST else {}
    return {**chance.choice(kinds), **where, "nth": hits if kinds is LOST else hits[:2]}


def night_of(chance: random.Random, number: int, full: bool, orders: bool, healthy: bool) -> Night:
    """Draw a night. A full dump has all customers but for a few who have left, a delta has some of them."""
    share = 0.9 if full else 0.5
    customers = [str(one) for one in range(CUSTOMERS + number) if chance.random() < share] or ["0"]
    rows = [Row(one, f"night {number}", f"O{number}" if orders else "") for one in customers]
    if orders:
        rows += [Row(one, f"night {number} again", f"P{number}") for one in customers[:3]]
    if healthy:
        return Night(rows, [], None)
    faults = [fault_of(chance) for _ in range(chance.randint(0, 3))]
    where = "-".join((chance.choice(("ledger", "wire")), chance.choice(("before", "after"))))
    return Night(rows, faults, Stop(where, chance.randint(1, 40)) if chance.random() < 0.5 else None)


def sequence_of(seed: int) -> Sequence:
    """Draw three to five nights, the last of them healthy."""
    chance = random.Random(20_261_121 + seed)
    mode, full, orders = ("imports", "auto", "profiles")[seed % 3], chance.random() < 0.5, chance.random() < 0.5
    changes: dict[str, Any] = {
        "load.mode": mode,
        "load.chunk_rows": chance.choice((1, 3, 4)),
        "source.dump": "full" if full else "delta",
        "load.send": chance.choice(("all", "changed")),
        "load.in_flight": chance.choice((1, 3)),
        "http.retry_budget_s": 1,
    }
    if orders:
        changes |= {"schema": "schema.py:Orders", "target.key_fields": ["Nr", "Order.No"]}
    many = chance.randint(3, 5)
    nights = [night_of(chance, number, full, orders, number == many - 1) for number in range(many)]
    if chance.random() < 0.5:
        for number, night in enumerate(nights[:-1]):
            night.other = [Row(str(one), f"other {number}") for one in chance.sample(range(CUSTOMERS), 2)]
            night.deleted = [] if orders else [Row(str(one), "") for one in chance.sample(range(CUSTOMERS), 1)]
    return Sequence(changes, orders, nights)


def dump(shop: Shop, rows: list[Row], orders: bool) -> None:
    """Write the dump of a night."""
    if orders:
        shop.dump(*(f"{row.number},{row.city},{row.order}" for row in rows), header="Nr,City,Order.No")
    else:
        shop.dump(*(f"{row.number},{row.city}" for row in rows))


def bring(shop: Shop, night: Night, orders: bool) -> None:
    """Run a night with its faults; a dump that no run has taken is brought again, as its error asks for."""
    dump(shop, night.rows, orders)
    before = last_run(shop)
    shop.sandbox.set_faults(night.faults)
    if night.stop is None:
        with leaping(shop.sandbox):
            ran = shop.run()
        assert ran.exit_code in (0, 5, 6), ran.stderr
    else:
        run_apart(shop, stop=night.stop)
    shop.sandbox.set_faults([])
    if not was_taken(before, last_run(shop)):
        with leaping(shop.sandbox):
            shop.run()
    others(shop, night)


def others(shop: Shop, night: Night) -> None:
    """Run the other jobs of a night; they may have to wait for what is still on its way."""
    with leaping(shop.sandbox):
        if night.other:
            shop.dump(*(f"{row.number},{row.city}" for row in night.other))
            shop.done(*OTHER)
        if night.deleted:
            shop.dump(*(row.number for row in night.deleted), header="Nr")
            shop.done(*GONE)


def set_aside(shop: Shop) -> set[Row]:
    """Read the rows that runs have put into files for a person."""
    found = set()
    for name in ("open", "failed", "unknown"):
        for path in (shop.state / "runs").glob(f"*/{name}.csv"):
            with path.open(encoding="utf-8") as file:
                rows = csv.DictReader(file)
                found |= {Row(row["Nr"], row.get("City") or "", row.get("Order.No") or "") for row in rows}
    return found


def standing(rows: list[Row], aside: set[Row], full: bool) -> Iterator[str | None]:
    """Yield the cities that a customer may have: the newest, or an older one where all newer ones were set aside.

    A row that a newer full dump has replaced is nowhere: of those only the newest is set aside.
    """
    replaced = False
    for row in reversed(rows):
        yield row.city or None
        if row not in aside and not replaced:
            return
        replaced = full
    yield None


def demand_whole(shop: Shop, sequence: Sequence, quiet: list[dict[str, Any]]) -> None:
    """Demand the database of quiet nights, but for newest rows that a file for a person has and no later night brought."""
    aside, full = set_aside(shop), sequence.changes["source.dump"] == "full"
    found = shop.contents()
    if not aside:
        assert found == quiet
    numbers = [one["fields"]["Nr"] for one in found]
    assert len(numbers) == len(set(numbers))  # nobody is there twice
    cities = {one["fields"]["Nr"]: one["fields"]["City"] for one in found}
    rows = [row for night in sequence.nights for row in night.all_rows]
    for number in {row.number for row in rows}:
        theirs = [row for row in rows if row.number == number]
        assert cities.get(number) in list(standing(theirs, aside, full)), (number, theirs, aside)
    assert set(numbers) <= {row.number for row in rows}
    for one in found if sequence.orders else []:
        bought = [order["No"] for order in one["orders"]]
        assert len(bought) == len(set(bought))  # no order is there twice
        wanted = {row for row in rows if row.number == one["fields"]["Nr"] and row.order}
        assert {row.order for row in wanted - aside} <= set(bought) <= {row.order for row in wanted}
    assert not aside & set(sequence.nights[-1].rows)
    if not full and not sequence.may_refuse and sequence.alone:
        assert aside == set()


@pytest.mark.parametrize("seed", range(4 * SOAK) or PLAIN)
@pytest.mark.provokes("delete")
def test_nights_of_faults_and_kills_end_as_quiet_ones(open_shop: Callable[..., Shop], seed: int) -> None:
    """One sequence, or four times SOAK; the seed makes the sequence."""
    sequence = sequence_of(seed)
    shop = open_shop(changes=sequence.changes)
    shop.write("schema.py", SCHEMA + KEY)
    for night in sequence.nights:
        dump(shop, night.rows, sequence.orders)
        shop.done()
        others(shop, night)
    quiet = shop.contents()
    shop.sandbox.reset()
    for name in STATE:
        shutil.rmtree(shop.folder / name, ignore_errors=True)
    for night in sequence.nights:
        bring(shop, night, sequence.orders)
        shop.sandbox.advance(20 * 3600)  # the night after
    last = last_run(shop)
    assert last is not None
    assert last["status"] == "done"
    assert open_runs(shop) == []
    demand_whole(shop, sequence, quiet)
    shop.sandbox.settle(10)
    demand_whole(shop, sequence, quiet)  # nothing comes late


@pytest.mark.parametrize("seed", range(SOAK) or PLAIN)
def test_nights_of_an_add_make_nobody_twice(open_shop: Callable[..., Shop], seed: int) -> None:
    """Each customer comes once, in one dump: made once, or in a file for a person and then not there."""
    chance = random.Random(20_261_122 + seed)
    changes = {"load.mode": ("imports", "profiles")[seed % 2], "load.chunk_rows": 3, "http.retry_budget_s": 1}
    shop = open_shop(changes={**changes, "target.action": "add"})
    nights = [night_of(chance, number, True, False, number == 3) for number in range(4)]
    for number, night in enumerate(nights):
        night.rows = [Row(f"{number}-{row.number}", row.city) for row in night.rows]
        bring(shop, night, False)
        shop.sandbox.advance(20 * 3600)
    shop.sandbox.settle(10)
    assert open_runs(shop) == []
    numbers, aside = shop.numbers(), {row.number for row in set_aside(shop)}
    assert len(numbers) == len(set(numbers))
    assert {*numbers} | aside == {row.number for night in nights for row in night.rows}
    assert not aside & {row.number for row in nights[-1].rows}
