"""Random nights, undone from the last to the first, leave what was there at the start."""

from __future__ import annotations

import random

import pytest

from tests.support.shop import Shop
from tests.support.soak import SOAK
from tests.undo.shop import ALL, BEFORE, HEADER, WHOLE, made_since, undone

CITIES, ORDERS = ("Ede", "Urk", "Goes", ""), ("A", "B", "C", "")


def night(chance: random.Random) -> list[str]:
    """Return the rows of a random dump: customers that were there and new ones, some of them twice."""
    rows = []
    for _ in range(chance.randrange(2, 9)):
        order = chance.choice(ORDERS)
        total = f"{chance.randrange(9)}.50" if order else ""
        switch = chance.choice(("Yes", "No", ""))
        cells = (chance.choice("123456"), chance.choice(CITIES), str(chance.randrange(9)), switch, order, total)
        rows.append(",".join(cells))
    return rows


@pytest.mark.parametrize("seed", range(6 * SOAK or 3))
def test_nights_are_undone_in_reverse(shop: Shop, seed: int) -> None:
    """Whatever was sent over what: an undone run is no later run, and neither is an undo."""
    chance = random.Random(seed)
    shop.write("schema.py", WHOLE)
    before = whole(shop)
    runs = []
    for _ in range(4):
        shop.dump(*night(chance), header=HEADER)
        settings = (
            f"load.mode={chance.choice(('imports', 'profiles'))}",
            f"target.ignore_empty_fields={chance.choice(('true', 'false'))}",
            f"load.send={chance.choice(('all', 'changed'))}",
            f"load.chunk_rows={chance.choice((1, 3, 100))}",
        )
        runs.append(shop.done(*BEFORE, *ALL, *settings).document["run"])
    for run in reversed(runs):
        assert undone(shop, run).document["undo"]["conflicts"] == 0
    assert made_since(shop, before) == before


def whole(shop: Shop) -> list[dict]:
    """Fill the shop with customers who have a value everywhere; returns what it holds."""
    shop.dump(*(f"{at},Ede,{at},Yes,A,1.50" for at in range(1, 5)), header=HEADER)
    shop.done(*ALL)
    return shop.contents()
