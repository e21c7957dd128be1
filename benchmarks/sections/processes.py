"""What do two processes gain that check the pieces of one large CSV file?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from benchmarks.case import Case, product
from benchmarks.figure import Figure, at_most

if TYPE_CHECKING:
    from benchmarks.bench import Result

MOST = 0.7
_JOB = ("validate", "csv.yaml")

CASES = tuple(
    Case(
        f"processes-{count}",
        f"validate, four times the rows, processes: {count}",
        "adjacent",
        product(*_JOB, "--set", f"engine.processes={count}"),
        scale=4,
        rounds=2,
        sends=False,
    )
    for count in (1, 2)
)


def figures(measured: Mapping[str, Result]) -> list[Figure]:
    """Return the time of two processes as a share of that of one, which uses both cores by its threads, too."""
    if not {"processes-1", "processes-2"} <= set(measured):
        return []
    one, two = measured["processes-1"], measured["processes-2"]
    return [at_most("two processes / one", two.best_s / one.best_s, MOST, by_cpu=two.cpu_s / one.cpu_s)]
