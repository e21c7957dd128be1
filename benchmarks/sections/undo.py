"""What does it cost to undo a run that changed 20,000 customers?"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from benchmarks.figure import Figure, at_most
from benchmarks.shop import Shop, opened

if TYPE_CHECKING:
    from benchmarks.bench import Setting

CUSTOMERS = 20_000
# What the undo reads: a count, and the database in pages of 1,000.
_READ_BACK = 1 + CUSTOMERS // 1_000
_FIELDS = [
    {"name": "Nr", "type": "text", "length": 20, "index": True},
    {"name": "City", "type": "text", "length": 50},
    {"name": "Street", "type": "text", "length": 50},
    {"name": "Points", "type": "integer"},
]
_SCHEMA = """\
import pandera.polars as pa
from pipeline.fields import Integer, Text

class Shop(pa.DataFrameModel):
    Nr: str = Text(20)
    City: str = Text(50, nullable=True)
    Street: str = Text(50, nullable=True)
    Points: int = Integer(nullable=True)
"""
_JOB = {
    "job": "undo",
    "source": {"files": ["dump.csv"], "delimiter": ","},
    "schema": "schema.py:Shop",
    "target": {
        "api": "v4", "database": "Shop", "action": "update or add", "key_fields": ["Nr"], "ignore_empty_fields": True,
        "followups": False, "rebuild": False,
    },
    "load": {"mode": "imports", "before": True},
}  # fmt: skip
Row = Callable[[int], str]


def study(setting: Setting) -> list[Figure]:
    """Change all customers, undo it, and hold the calls of the undo against those of the run."""
    full: Row = lambda at: f"{at},Ede,Dam {at},{at}"  # noqa: E731
    some: Row = lambda at: f"{at},{'Ede' if at % 2 else ''},Dam {at},{at}"  # noqa: E731
    found: list[Figure] = []
    for name, before in (("undo of 20,000 rows", full), ("the same, half of the cities were empty", some)):
        run, undo = _changed_and_undone(setting, before)
        most = run["api_calls"] + _READ_BACK
        found.append(at_most(f"{name}: API calls (of its run: {run['api_calls']})", undo["api_calls"], most))
        found.append(at_most(f"{name}: not restored", CUSTOMERS - undo["records"]["confirmed"], 0, "rows"))
        found.append(
            at_most(f"{name}: seconds (of its run: {run['seconds']:.1f})", undo["seconds"], 3 * run["seconds"])
        )
    return found


def _changed_and_undone(setting: Setting, before: Row) -> Iterator[dict[str, Any]]:
    """Yield the summaries of a run that changes every customer, and of its undo."""
    with opened(setting.python, _FIELDS, _SCHEMA, json.dumps(_JOB)) as shop:
        _dump(shop, before)
        shop.call("run", "job.yaml", "--set", "load.before=false")
        # Every third customer keeps its points, every second its street: four sets of columns.
        _dump(shop, lambda at: f"{at},Urk,{'Kade' if at % 2 else f'Dam {at}'},{at if at % 3 else at + 1}")
        run = shop.call("run", "job.yaml")
        yield run
        yield shop.call("undo", run["run"], "--yes", "--state-dir", str(shop.folder / ".copernica-import"))


def _dump(shop: Shop, row: Row) -> None:
    shop.dump("Nr,City,Street,Points", (row(at) for at in range(1, CUSTOMERS + 1)))
