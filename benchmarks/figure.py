"""Compute figures of measured cases and hold them against their bars (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.bench import Result


@dataclass(frozen=True)
class Figure:
    """One figure beside its bar; `met` is None where there is no bar.

    `by_cpu` compares CPU seconds in place of the clock: it hides whether both cores were busy, but is steadier on a
    machine that is not idle.
    """

    name: str
    value: float
    unit: str
    bar: str
    met: bool | None
    by_median: float | None = None
    by_cpu: float | None = None


def at_most(name: str, value: float, most: float, unit: str = "", **also: float) -> Figure:
    """Return a figure with an upper bar."""
    bar = f"at most {most:g}" + (f" {unit}" if unit else "")
    return Figure(name, round(value, 3), unit, bar, value <= most, **{key: round(one, 3) for key, one in also.items()})


def speed(
    measured: Mapping[str, Result],
    name: str,
    pair: tuple[str, str],
    least: float | None = None,
    goal: float | None = None,
    note: str = "",
) -> list[Figure]:
    """Return by how much the first case of a pair does more rows per second than the second, where both were measured."""
    if not all(case in measured for case in pair):
        return []
    one, other = (measured[case] for case in pair)
    ratios = [
        (one.rows / ours) / (other.rows / theirs)
        for ours, theirs in (
            (one.best_s, other.best_s),
            (one.median_s, other.median_s),
            (one.cpu_s, other.cpu_s),
        )
    ]
    best, median, cpu = (round(ratio, 3) for ratio in ratios)
    bar = note if least is None else f"at least {least:g}" + (f", goal {goal:g}" if goal else "")
    return [Figure(name, best, "", bar, None if least is None else ratios[0] >= least, median, cpu)]


def time(measured: Mapping[str, Result], name: str, pair: tuple[str, str], most: float) -> list[Figure]:
    """Return how many times the seconds of the second case of a pair the first one takes, where both were measured."""
    if not all(case in measured for case in pair):
        return []
    one, other = (measured[case] for case in pair)
    also = {"by_median": one.median_s / other.median_s, "by_cpu": one.cpu_s / other.cpu_s}
    return [at_most(name, one.best_s / other.best_s, most, **also)]


def memory(measured: Mapping[str, Result], big: str, small: str, most_mb: float, growth: float = 1.25) -> list[Figure]:
    """Return the peak of a case with ten times the rows, and how many times that of the small one it is."""
    found = []
    if big in measured:
        peak = measured[big].peak_mb
        found.append(Figure(f"{big}, peak", round(peak), "MB", f"under {most_mb:g} MB", peak < most_mb))
    if big in measured and small in measured:
        found.append(at_most(f"{big} / {small}, peak", measured[big].peak_mb / measured[small].peak_mb, growth))
    return found
