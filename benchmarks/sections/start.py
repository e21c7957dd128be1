"""What does a process cost that has next to nothing to do?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from benchmarks.case import SMALL_ROWS, Case
from benchmarks.figure import Figure, at_most
from benchmarks.sections.speed import RUN_CSV

if TYPE_CHECKING:
    from benchmarks.bench import Result

MOST_S = 0.6

CASES = (Case("small", "run, a dump of 1,000 rows", "adjacent", RUN_CSV, rows=SMALL_ROWS),)


def figures(measured: Mapping[str, Result]) -> list[Figure]:
    """Return the seconds of the whole process."""
    if "small" not in measured:
        return []
    small = measured["small"]
    return [at_most("1,000 rows", small.best_s, MOST_S, "s", by_median=small.median_s, by_cpu=small.cpu_s)]
