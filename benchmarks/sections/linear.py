"""Do runs in which things fail cost four times as much for four times as many rows, or more?

CPU seconds of the program, without the sandbox, and without what a run of one row takes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks.figure import Figure, at_most
from benchmarks.shop import Shop, opened

if TYPE_CHECKING:
    from benchmarks.bench import Setting

TIMES = 4
# Linear is 4; the rest is for a machine that is not idle.
MOST = 4.8
FIELDS = [{"name": "Nr", "length": 20, "index": True}, {"name": "City"}]
SCHEMA = """\
import pandera.polars as pa
from pipeline.fields import Text

class Customers(pa.DataFrameModel):
    Nr: str = Text(20)
    City: str = Text(50)
"""
JOB = """\
job: linear
source: {files: [dump.csv], delimiter: ","}
schema: schema.py:Customers
target:
  {api: v4, database: Shop, action: update or add, key_fields: [Nr], ignore_empty_fields: true, followups: false,
    rebuild: false}
load: {mode: imports, verify_sample: 0, settle_after_s: 1, poll: {first_s: 0, factor: 1, most_s: 0.05}}
guards: {max_calls: 10000000, unique_keys: "off"}
http: {retry_budget_s: 0}
"""
PUT = {"method": "PUT", "path": "*/profiles"}
# Open or with rows that failed.
NOT_ALL = 6


@dataclass(frozen=True)
class Kind:
    """A run in which something fails; with `resumes` its second half is measured, which a healthy API has."""

    name: str
    rows: int
    settings: tuple[str, ...]
    fault: Mapping[str, Any] = field(default_factory=dict)
    resumes: bool = False


KINDS = (
    Kind(
        "every row refused, one by one", 400, ("load.mode=profiles", "load.chunk_rows=1"),
        {"kind": "400", "message": "no", **PUT},
    ),
    Kind("every second import fails", 100, ("load.chunk_rows=1",), {"kind": "fail", "cell": "Bad"}),
    Kind(
        "a resume, one by one", 2500, ("load.mode=profiles",),
        {"kind": "502", "nth": list(range(10, 100_000)), **PUT}, resumes=True,
    ),
)  # fmt: skip


def study(setting: Setting) -> Iterator[Figure]:
    """Run each kind with one row, with its rows, and with four times as many."""
    for kind in KINDS:
        yield from quadrupled(kind.name, kind.rows, partial(cpu_s, setting.python, kind))


def quadrupled(name: str, size: int, cpu_s: Callable[[int], float]) -> Iterator[Figure]:
    """Compare the CPU seconds of a size with those of four times as much; what the smallest one takes counts for neither."""
    least_s, some_s, many_s = (cpu_s(one) for one in (1, size, TIMES * size))
    yield Figure(f"{name}: {size:,}", round(some_s, 2), "CPU s", "", None)
    yield Figure(f"the same: {TIMES * size:,}", round(many_s, 2), "CPU s", "", None)
    yield at_most("four times as large, time", (many_s - least_s) / (some_s - least_s), MOST)


def cpu_s(python: str, kind: Kind, rows: int) -> float:
    """Return the CPU seconds of the program for a dump of so many rows."""
    with opened(python, FIELDS, SCHEMA, JOB, faults=[kind.fault]) as shop:
        shop.dump("Nr,City", (f"{number},{'Bad' if number % 2 else 'Delft'}" for number in range(rows)))
        words = [word for setting in kind.settings for word in ("--set", setting)]
        first_s = spent(shop, "run", "job.yaml", *words)
        if not kind.resumes:
            return first_s
        shop.sandbox.set_faults([])
        return spent(shop, "resume")


def spent(shop: Shop, *words: str, may_end: Collection[int] = (0, NOT_ALL)) -> float:
    """Call a command of the program; returns its CPU seconds."""
    before = os.times()
    shop.call(*words, may_end=may_end)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system
