"""What is measured: each section with its dump, its command and the rows that must arrive (pure)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.data import changed, damaged

HERE = Path(__file__).parent
ROOT = HERE.parent
SMALL_ROWS = 1_000


@dataclass(frozen=True)
class Call:
    """What a command is made from. `python` is the project's, `other_python` the one that has the other tools.

    `night_before` is the dump that was loaded before.
    """

    python: str
    other_python: str
    dump: Path
    url: str
    scratch: Path
    night_before: Path | None = None


@dataclass(frozen=True)
class Case:
    """One section. `scale` multiplies the rows, `rows` replaces them; `sends` is False where nothing reaches the sink.

    `before` is run first and not measured, on the dump of the variant `adjacent`; `arrives` counts the rows that the measured
    command then sends.
    """

    name: str
    about: str
    variant: str
    command: Callable[[Call], list[str]]
    scale: int = 1
    rows: int | None = None
    sends: bool = True
    before: Callable[[Call], list[str]] | None = None
    arrives: Callable[[int], int] | None = None

    def rows_of(self, rows: int) -> int:
        """Return the rows of its dump when `rows` are asked for."""
        return self.rows or rows * self.scale

    def accepted(self, rows: int) -> int:
        """Return the rows that must be accepted, or arrive, of a dump of `rows`."""
        return rows - damaged(self.variant, rows)

    @property
    def checks(self) -> bool:
        """Return whether the rows of a damaged dump are told apart: the product does, the others send what they get."""
        return self.command in (_run_csv, _run_changed, _run_json, _validate)


def _limit(call: Call) -> list[str]:
    return [call.python, str(HERE / "limit.py"), str(call.dump), f"{call.url}/v4/imports"]


def _plain(call: Call) -> list[str]:
    return [call.python, str(HERE / "plain.py"), str(call.dump), f"{call.url}/v4/imports"]


def _dlt(way: str) -> Callable[[Call], list[str]]:
    def command(call: Call) -> list[str]:
        script = str(HERE / "with_dlt.py")
        return [call.other_python, script, way, str(call.dump), f"{call.url}/v4/imports", str(call.scratch)]

    return command


def _run_csv(call: Call) -> list[str]:
    return _product(call, "run", "csv.yaml")


def _run_changed(call: Call) -> list[str]:
    return [*_run_csv(call), "--set", "load.send=changed"]


def _night_before(call: Call) -> list[str]:
    return _run_changed(replace(call, dump=call.night_before or call.dump))


def _run_json(call: Call) -> list[str]:
    return _product(call, "run", "json.yaml")


def _validate(call: Call) -> list[str]:
    return _product(call, "validate", "csv.yaml")


def _product(call: Call, word: str, job: str) -> list[str]:
    tool = str(Path(call.python).parent / "copernica-import")
    return [tool, word, str(HERE / "jobs" / job), str(call.dump), "--json", "--state-dir", str(call.scratch)]


CASES = (
    Case("limit", "polars scan, JSON, POST; no checks", "adjacent", _limit),
    Case("run", "copernica-import run, each key's rows adjacent", "adjacent", _run_csv),
    Case("scattered", "copernica-import run, keys scattered", "scattered", _run_csv),
    Case("validate", "copernica-import validate", "adjacent", _validate, sends=False),
    Case("blank", "run, 20 % of the rows with a blank key", "blank", _run_csv),
    Case("unparsed", "run, 20 % of the rows with a bad value", "unparsed", _run_csv),
    Case("ndjson", "run, NDJSON", "ndjson", _run_json),
    Case("json", "run, one JSON array", "json", _run_json),
    Case("small", "run, a dump of 1,000 rows", "adjacent", _run_csv, rows=SMALL_ROWS),
    Case("changed-first", "send: changed, first night", "adjacent", _run_changed),
    Case(
        "changed-same",
        "send: changed, second night, nothing changed",
        "adjacent",
        _run_changed,
        before=_night_before,
        arrives=lambda _: 0,
    ),
    Case(
        "changed-2%",
        "send: changed, second night, 2 % changed",
        "changed",
        _run_changed,
        before=_night_before,
        arrives=changed,
    ),
    Case("plain", "csv + json + requests, one regex", "adjacent", _plain),
    Case("dlt-arrow", "dlt custom destination, Arrow", "adjacent", _dlt("arrow")),
    Case("dlt-dicts", "dlt custom destination, dicts", "adjacent", _dlt("dicts")),
    Case("run-10x", "ten times the rows: run, adjacent", "adjacent", _run_csv, scale=10),
    Case(
        "changed-2%-10x",
        "ten times the rows: send: changed, second night",
        "changed",
        _run_changed,
        scale=10,
        before=_night_before,
        arrives=changed,
    ),
    Case("scattered-10x", "ten times the rows: run, scattered", "scattered", _run_csv, scale=10),
    Case("unparsed-10x", "ten times the rows: run, bad values", "unparsed", _run_csv, scale=10),
    Case("ndjson-10x", "ten times the rows: run, NDJSON", "ndjson", _run_json, scale=10),
    Case("json-10x", "ten times the rows: run, JSON array", "json", _run_json, scale=10),
)
BY_NAME = {case.name: case for case in CASES}


def chosen(only: str | None, big: bool) -> tuple[Case, ...]:
    """Choose sections by a list of names, else all, those with ten times the rows only when `big`.

    Raises ValueError with the names that there are.
    """
    if not only:
        return tuple(case for case in CASES if big or case.scale == 1)
    names = [name.strip() for name in only.split(",") if name.strip()]
    unknown = [name for name in names if name not in BY_NAME]
    if unknown:
        raise ValueError(f"no such section: {', '.join(unknown)}; there are {', '.join(BY_NAME)}")
    return tuple(case for case in CASES if case.name in names)
