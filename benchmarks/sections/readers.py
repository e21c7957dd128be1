"""How slow are the readers in Python, which work where there is no compiler?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from benchmarks.case import Case
from benchmarks.figure import Figure, speed
from benchmarks.sections.speed import RUN_CSV, RUN_JSON

if TYPE_CHECKING:
    from benchmarks.bench import Result

# Enough to see the speed behind what the start of a process costs.
_ROWS = 100_000
_IN_PYTHON = {"COPERNICA_READERS": "python"}

CASES = tuple(
    Case(name, about, variant, command, rows=_ROWS, rounds=1, environment=environment)
    for name, about, variant, command, environment in (
        ("csv-100k", "run, CSV, 100,000 rows", "adjacent", RUN_CSV, {}),
        ("csv-100k-python", "the same with the reader in Python", "adjacent", RUN_CSV, _IN_PYTHON),
        ("ndjson-100k", "run, NDJSON, 100,000 rows", "ndjson", RUN_JSON, {}),
        ("ndjson-100k-python", "the same with the reader in Python", "ndjson", RUN_JSON, _IN_PYTHON),
    )
)


def figures(measured: Mapping[str, Result]) -> list[Figure]:
    """Compare the readers in Python with the compiled ones, by whole runs."""
    return [
        *speed(measured, "CSV reader in Python / compiled, whole run", ("csv-100k-python", "csv-100k")),
        *speed(measured, "JSON reader in Python / compiled, whole run", ("ndjson-100k-python", "ndjson-100k")),
    ]
