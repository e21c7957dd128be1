"""Does memory grow with the rows? Ten times of them, with every kind of dump: only when asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks.figure import Figure, memory
from benchmarks.sections import speed

if TYPE_CHECKING:
    from benchmarks.bench import Result

MOST_PEAK_MB = 800.0
_OF = ("run", "scattered", "unparsed", "ndjson", "json")

CASES = tuple(
    replace(case, name=f"{case.name}-10x", about=f"ten times the rows: {case.about}", scale=10)
    for case in speed.CASES
    if case.name in _OF
)


def figures(measured: Mapping[str, Result]) -> list[Figure]:
    """Compare the peaks."""
    return [figure for name in _OF for figure in memory(measured, f"{name}-10x", name, MOST_PEAK_MB)]
