"""How fast is `run` beside the limit, with every kind of dump?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from benchmarks.case import Case, product, script
from benchmarks.figure import Figure, speed

if TYPE_CHECKING:
    from benchmarks.bench import Result

RUN_CSV, RUN_JSON = product("run", "csv.yaml"), product("run", "json.yaml")

CASES = (
    Case("limit", "polars scan, JSON, POST; no checks", "adjacent", script("limit.py"), product=False),
    Case("run", "copernica-import run, each key's rows adjacent", "adjacent", RUN_CSV),
    Case("scattered", "copernica-import run, keys scattered", "scattered", RUN_CSV),
    Case("validate", "copernica-import validate", "adjacent", product("validate", "csv.yaml"), sends=False),
    Case("blank", "run, 20 % of the rows with a blank key", "blank", RUN_CSV),
    Case("unparsed", "run, 20 % of the rows with a bad value", "unparsed", RUN_CSV),
    Case("ndjson", "run, NDJSON", "ndjson", RUN_JSON),
    Case("json", "run, one JSON array", "json", RUN_JSON),
)


def figures(measured: Mapping[str, Result]) -> list[Figure]:
    """Compare with the limit, and dumps with each other."""
    return [
        *speed(measured, "run / limit", ("run", "limit"), 0.45, 0.7),
        *speed(measured, "run with scattered keys / limit", ("scattered", "limit"), 0.33, 0.5),
        *speed(measured, "validate / limit", ("validate", "limit"), 0.6, 0.9),
        *speed(measured, "NDJSON run / CSV run", ("ndjson", "run"), 0.35, 0.5),
        *speed(measured, "JSON array run / CSV run", ("json", "run"), 0.35, 0.5),
        *speed(measured, "20 % blank keys / none", ("blank", "run"), 0.6),
        *speed(measured, "20 % bad values / none", ("unparsed", "run"), 0.6),
    ]
