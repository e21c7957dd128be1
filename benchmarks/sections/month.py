"""What does a month of nights cost in calls: only what changed, everything, and one PUT per row?

A hundredth of a million customers in imports of a hundredth of their rows, so that the calls are those of the million. The
sandbox ends an import at once: one that takes minutes is polled more often.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from benchmarks.figure import Figure, at_most
from benchmarks.shop import opened

if TYPE_CHECKING:
    from benchmarks.bench import Setting

SCALE = 100
CUSTOMERS, CHUNK_ROWS = 1_000_000 // SCALE, 10_000 // SCALE
NIGHTS = 30
CHANGED, NEW, GONE = 0.02, 0.001, 0.0005
_FIELDS = [
    {"name": "Nr", "type": "text", "length": 20, "index": True},
    {"name": "City", "type": "text", "length": 50},
]
_SCHEMA = """\
import pandera.polars as pa
from pipeline.fields import Text

class Shop(pa.DataFrameModel):
    Nr: str = Text(20)
    City: str = Text(50)
"""
_JOB = {
    "job": "month",
    "source": {"files": ["dump.csv"], "delimiter": ",", "dump": "full"},
    "schema": "schema.py:Shop",
    "target": {
        "api": "v4", "database": "Shop", "action": "update or add", "key_fields": ["Nr"], "ignore_empty_fields": True,
        "followups": False, "rebuild": False, "gone": "report",
    },
    "load": {"mode": "imports", "send": "changed", "chunk_rows": CHUNK_ROWS, "poll": {"first_s": 0}},
}  # fmt: skip


def study(setting: Setting) -> list[Figure]:
    """Count the calls and rows of thirty nights behind a first one."""
    first, *nights = _nights(setting, NIGHTS)
    everything = first["api_calls"] * NIGHTS
    changed, rows = (sum(night[name] for night in nights) for name in ("api_calls", "rows"))
    per_row = sum(night["accepted"] for night in nights) * SCALE
    return [
        Figure("one PUT per row: API calls", per_row, "", "", None),
        Figure("everything each night: API calls", everything, "", "", None),
        Figure("only what changed: API calls", changed, "", "", None),
        Figure("the same and each key once more (full_every)", changed + first["api_calls"], "", "", None),
        Figure("only what changed: rows sent", rows * SCALE, "", "", None),
        at_most("only what changed: share of the calls of everything", changed / everything, 0.25),
    ]


def _nights(setting: Setting, many: int) -> Iterator[dict[str, Any]]:
    """Yield what each night has cost, the first one with an empty database."""
    chance, customers, next_one = random.Random(1), dict.fromkeys(range(CUSTOMERS), 0), CUSTOMERS
    with opened(setting.python, _FIELDS, _SCHEMA, json.dumps(_JOB)) as shop:
        for night in range(many + 1):
            if night:
                for one in chance.sample(sorted(customers), round(len(customers) * CHANGED)):
                    customers[one] = night
                for one in chance.sample(sorted(customers), round(len(customers) * GONE)):
                    del customers[one]
                new = range(next_one, next_one + round(CUSTOMERS * NEW))
                customers |= dict.fromkeys(new, night)
                next_one = new.stop
            shop.dump("Nr,City", (f"{one},City {since}" for one, since in customers.items()))
            found = shop.call("run", "job.yaml")
            records = found["records"]
            yield {
                "api_calls": found["api_calls"],
                "imports": found["imports"],
                "rows": records["confirmed"],
                "accepted": records["accepted"],
            }
