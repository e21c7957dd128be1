"""Which records are read back: half at random, half the riskiest (data rule 27)."""

from __future__ import annotations

import re

from tests.support.shop import Shop


def read_back(shop: Shop) -> set[str]:
    """List the keys that were looked up after the last changing request."""
    last = max(entry["n"] for entry in shop.posted())
    asked = [str(entry["query"]) for entry in shop.sandbox.journal() if entry["n"] > last]
    return {key for query in asked for key in re.findall(r"Nr==(\w+)", query)}


def test_the_riskiest_rows_are_read_back_and_as_many_at_random(shop: Shop) -> None:
    """A 4-byte character, the longest key and text, the last row of a repeated key; the others change from run to run."""
    cities = {150: "Ede \U0001f600", 250: "x" * 49}
    rows = [f"{number},{cities.get(number, 'Delft')}" for number in range(100, 600)]
    shop.dump(*rows, "123456,Delft", "350,Urk")
    risky = {"150", "250", "350", "123456"}
    random = []
    for _ in range(2):
        ran = shop.done("load.verify_sample=8", "guards.unique_keys=off")
        assert ran.document["verify"] == {"checked": 8, "equal": 8, "different": 0}
        keys = read_back(shop)
        assert risky <= keys
        assert len(keys) == 8
        random.append(keys - risky)
    assert random[0] != random[1]
    shop.done("load.verify_sample=4", "guards.unique_keys=off")
    assert len(read_back(shop) & risky) == 2
