"""Describe what is measured: a case with its dump, its command and the rows that must arrive (pure)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

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


Command = Callable[[Call], list[str]]


@dataclass(frozen=True)
class Case:
    """One command that is measured, on the dump of a variant (`benchmarks.data`).

    `scale` multiplies the rows that were asked for, `rows` replaces them. `rounds` is how often it is run, None for all of
    them. `sends` is False where nothing reaches the sink; `product` says that it is ours, which rejects damaged rows.
    `before` is run first and not measured, on the dump of the variant `adjacent`; `arrives` counts the rows that the measured
    command then sends. `environment` is added to the command's.
    """

    name: str
    about: str
    variant: str
    command: Command
    scale: int = 1
    rows: int | None = None
    rounds: int | None = None
    sends: bool = True
    product: bool = True
    before: Command | None = None
    arrives: Callable[[int], int] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    def rows_of(self, rows: int) -> int:
        """Return the rows of its dump when `rows` are asked for."""
        return self.rows or rows * self.scale


def product(word: str, job: str, *more: str) -> Command:
    """Return the command that runs a word of `copernica-import` with a job of `jobs/`."""

    def command(call: Call) -> list[str]:
        tool = str(Path(call.python).parent / "copernica-import")
        named = [str(HERE / "jobs" / job), str(call.dump)]
        return [tool, word, *named, "--json", "--state-dir", str(call.scratch), *more]

    return command


def script(name: str) -> Command:
    """Return the command that runs a script of this folder with the project's Python: FILE URL."""
    return lambda call: [call.python, str(HERE / name), str(call.dump), f"{call.url}/v4/imports"]
