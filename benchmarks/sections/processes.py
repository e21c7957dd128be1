"""What do two processes gain that check two files, or the pieces of one large CSV file?"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.bench import dump
from benchmarks.case import HERE
from benchmarks.figure import Figure, at_most
from benchmarks.measure import Measured, measure

if TYPE_CHECKING:
    from benchmarks.bench import Setting

MOST = 0.7
ROUNDS = 2
_LIMIT_S = 300.0


@dataclass(frozen=True)
class Kind:
    """An input: so many files, each with `share` times the rows that were asked for; `bar`: two processes must be faster."""

    name: str
    job: str
    variant: str
    files: int
    share: float
    bar: bool


KINDS = (
    Kind("two CSV files", "csv.yaml", "adjacent", 2, 2, bar=True),
    Kind("one CSV file", "csv.yaml", "adjacent", 1, 4, bar=False),
    Kind("two files of JSON objects with lists", "nested.yaml", "nested", 2, 0.1, bar=True),
)


def study(setting: Setting) -> Iterator[Figure]:
    """Validate each kind of input by one process, which uses both cores by its threads, too, and by two."""
    scratch = setting.data / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    for kind in KINDS:
        with tempfile.TemporaryDirectory(dir=scratch) as name:
            folder = Path(name)
            files = _files(setting, kind, folder)
            one, two = (_best(setting, kind, (folder, files), count) for count in (1, 2))
        ratio, by_cpu = two.seconds / one.seconds, two.cpu_s / one.cpu_s
        yield Figure(f"{kind.name}, one process", round(one.seconds, 2), "s", "", None, by_cpu=round(one.cpu_s, 2))
        name = f"{kind.name}, two processes / one"
        if kind.bar:
            yield at_most(name, ratio, MOST, by_cpu=by_cpu)
        else:
            yield Figure(name, round(ratio, 3), "", "", None, by_cpu=round(by_cpu, 3))


def _best(setting: Setting, kind: Kind, at: tuple[Path, Sequence[Path]], processes: int) -> Measured:
    """Return the fastest of some rounds; raises RuntimeError where a command fails."""
    folder, files = at
    tool, job = Path(setting.python).parent / "copernica-import", HERE / "jobs" / kind.job
    command = [tool, "validate", job, *files, "--json", "--set", f"engine.processes={processes}"]
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "PYTHONPATH") if name in os.environ}
    found = [measure([str(word) for word in command], environment, folder, _LIMIT_S) for _ in range(ROUNDS)]
    for one in found:
        if one.exit_code:
            raise RuntimeError(f"{kind.name}: exit code {one.exit_code}: {one.stderr_tail[-200:]}")
    return min(found, key=lambda one: one.seconds)


def _files(setting: Setting, kind: Kind, folder: Path) -> Sequence[Path]:
    """Make a dump and copies of it in a folder: the same rows twice are as much work as others."""
    made = dump(setting.data, kind.variant, max(1, int(setting.rows * kind.share)))
    first, *others = (folder / f"{number}{made.suffix}" for number in range(kind.files))
    shutil.move(made, first)
    for path in others:
        shutil.copy(first, path)
    return (first, *others)
