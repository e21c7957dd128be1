"""What does a night cost that sends only what changed?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks.case import Call, Case, product
from benchmarks.data import changed
from benchmarks.figure import Figure, at_most, memory, time

if TYPE_CHECKING:
    from benchmarks.bench import Result

_RUN = product("run", "csv.yaml", "--set", "load.send=changed")
MOST_STATE_BYTES, MOST_SENT, MOST_CALLS = 48, 0.022, 25


def _night_before(call: Call) -> list[str]:
    return _RUN(replace(call, dump=call.night_before or call.dump))


def _nothing(_rows: int) -> int:
    return 0


_SECOND = "send: changed, second night"
CASES = (
    Case("changed-first", "send: changed, first night", "adjacent", _RUN),
    Case("changed-same", f"{_SECOND}, nothing changed", "adjacent", _RUN, before=_night_before, arrives=_nothing),
    Case("changed-2%", f"{_SECOND}, 2 % changed", "changed", _RUN, before=_night_before, arrives=changed),
    Case(
        "changed-2%-10x",
        f"ten times the rows: {_SECOND}",
        "changed",
        _RUN,
        scale=10,
        before=_night_before,
        arrives=changed,
    ),
)


def figures(measured: Mapping[str, Result]) -> list[Figure]:
    """Hold the nights against each other and against `validate`, `run`, and the size of the state against its keys."""
    found: list[Figure] = []
    if "changed-same" in measured:
        same = measured["changed-same"].summary
        found.append(at_most("nothing changed: imports", same["imports"], 0))
        found.append(at_most("nothing changed: API calls", same["api_calls"], MOST_CALLS))
    if "changed-2%" in measured:
        one = measured["changed-2%"]
        found.append(at_most("2 % changed: share of the rows sent", one.arrived / one.rows, MOST_SENT))
    found += time(measured, "2 % changed / validate, time", ("changed-2%", "validate"), 1.5)
    found += time(measured, "nothing changed / validate, time", ("changed-same", "validate"), 1.5)
    found += time(measured, "first night / run, time", ("changed-first", "run"), 1.15)
    if "changed-first" in measured:
        first = measured["changed-first"]
        # Customers have two orders on average; each of both is a key.
        found.append(
            at_most("confirmed state per key", first.state_bytes / (1.5 * first.rows), MOST_STATE_BYTES, "bytes")
        )
    return found + memory(measured, "changed-2%-10x", "changed-2%", 600)
