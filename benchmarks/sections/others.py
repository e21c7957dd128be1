"""How fast are other ways of doing it: a small script, and dlt?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from benchmarks.case import HERE, Call, Case, Command, script
from benchmarks.figure import Figure, speed

if TYPE_CHECKING:
    from benchmarks.bench import Result


def _dlt(how: str) -> Command:
    def command(call: Call) -> list[str]:
        words = [how, str(call.dump), f"{call.url}/v4/imports", str(call.scratch)]
        return [call.other_python, str(HERE / "with_dlt.py"), *words]

    return command


CASES = (
    Case("plain", "csv + json + requests, one regex", "adjacent", script("plain.py"), product=False),
    Case("dlt-arrow", "dlt custom destination, Arrow", "adjacent", _dlt("arrow"), product=False),
    # Half a minute for a million rows: once is enough.
    Case("dlt-dicts", "dlt custom destination, dicts", "adjacent", _dlt("dicts"), product=False, rounds=1),
)


def figures(measured: Mapping[str, Result]) -> list[Figure]:
    """Compare `run` with the others."""
    return [
        *speed(measured, "run / plain script", ("run", "plain"), note="about 2 expected"),
        *speed(measured, "run / dlt Arrow", ("run", "dlt-arrow"), note="about 2 expected"),
        *speed(measured, "run / dlt dicts", ("run", "dlt-dicts"), note="about 8 expected"),
    ]
