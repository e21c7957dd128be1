"""Hold the figures against the bars, and lay both out as tables (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.bench import Result


@dataclass(frozen=True)
class Bar:
    """A quotient of two sections: of their speed, or of their peak memory; bars are None where nothing is asked."""

    name: str
    section: str
    over: str
    least: float | None = None
    goal: float | None = None
    note: str = ""


SPEED_BARS = (
    Bar("run / limit", "run", "limit", 0.45, 0.7),
    Bar("run with scattered keys / limit", "scattered", "limit", 0.33, 0.5),
    Bar("validate / limit", "validate", "limit", 0.6, 0.9),
    Bar("NDJSON run / CSV run", "ndjson", "run", 0.35),
    Bar("JSON array run / CSV run", "json", "run", 0.35),
    Bar("20 % blank keys / none", "blank", "run", 0.6),
    Bar("20 % bad values / none", "unparsed", "run", 0.6),
    Bar("run / plain script", "run", "plain", note="about 2 expected"),
    Bar("run / dlt Arrow", "run", "dlt-arrow", note="about 2 expected"),
    Bar("run / dlt dicts", "run", "dlt-dicts", note="about 8 expected"),
)
MEMORY_PAIRS = (
    ("run-10x", "run"),
    ("scattered-10x", "scattered"),
    ("unparsed-10x", "unparsed"),
    ("ndjson-10x", "ndjson"),
    ("json-10x", "json"),
)
MOST_GROWTH = 1.25
MOST_PEAK_MB = 800.0
MOST_SMALL_S = 1.5


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


def figures(results: Sequence[Result]) -> list[Figure]:
    """Compute every figure whose sections were measured."""
    by_name = {result.case.name: result for result in results if result.ok}
    return [*_speeds(by_name), *_small(by_name), *_memory(by_name)]


def _speeds(by_name: Mapping[str, Result]) -> list[Figure]:
    found = []
    for bar in SPEED_BARS:
        if bar.section not in by_name or bar.over not in by_name:
            continue
        one, other = by_name[bar.section], by_name[bar.over]
        value = (one.rows / one.best_s) / (other.rows / other.best_s)
        by_median = (one.rows / one.median_s) / (other.rows / other.median_s)
        words = bar.note
        if bar.least is not None:
            words = f"at least {bar.least:g}" + (f", goal {bar.goal:g}" if bar.goal else "")
        met = None if bar.least is None else value >= bar.least
        by_cpu = (one.rows / one.cpu_s) / (other.rows / other.cpu_s)
        found.append(Figure(bar.name, round(value, 3), "", words, met, round(by_median, 3), round(by_cpu, 3)))
    return found


def _small(by_name: Mapping[str, Result]) -> list[Figure]:
    if "small" not in by_name:
        return []
    small = by_name["small"]
    met = small.best_s <= MOST_SMALL_S
    return [
        Figure("1,000 rows", round(small.best_s, 2), "s", f"at most {MOST_SMALL_S:g} s", met, round(small.median_s, 2))
    ]


def _memory(by_name: Mapping[str, Result]) -> list[Figure]:
    found = []
    for big, small in MEMORY_PAIRS:
        if big in by_name:
            peak = by_name[big].peak_mb
            found.append(Figure(f"{big}, peak", round(peak), "MB", f"under {MOST_PEAK_MB:g} MB", peak < MOST_PEAK_MB))
        if big in by_name and small in by_name:
            growth = by_name[big].peak_mb / by_name[small].peak_mb
            bar = f"at most {MOST_GROWTH:g}"
            found.append(Figure(f"{big} / {small}, peak", round(growth, 3), "", bar, growth <= MOST_GROWTH))
    return found


def tables(results: Sequence[Result]) -> str:
    """Lay out what was measured, then what it means."""
    found = figures(results)
    return "\n".join([_sections(results), *(["", _bars(found)] if found else []), *_errors(results)])


def _sections(results: Sequence[Result]) -> str:
    limit = next((one for one in results if one.case.name == "limit" and one.ok), None)
    rows = [("section", "rows", "best s", "median s", "rows/s", "CPU s", "peak MB", "of limit", "what")]
    for one in results:
        if not one.ok:
            rows.append((one.case.name, f"{one.rows:,}", "failed", "", "", "", "", "", one.case.about))
            continue
        share = f"{(one.rows / one.best_s) / (limit.rows / limit.best_s):.2f}" if limit and not one.case.rows else ""
        speed = f"{one.rows / one.best_s:,.0f}"
        times = (f"{one.best_s:.2f}", f"{one.median_s:.2f}", speed, f"{one.cpu_s:.2f}")
        rows.append((one.case.name, f"{one.rows:,}", *times, f"{one.peak_mb:.0f}", share, one.case.about))
    return _aligned(rows, left=(0, 8))


def _bars(found: Sequence[Figure]) -> str:
    rows = [("figure", "best", "by median", "by CPU", "bar", "")]
    for one in found:
        verdict = "" if one.met is None else "met" if one.met else "BELOW" if "least" in one.bar else "ABOVE"
        unit = f" {one.unit}" if one.unit else ""
        median = "" if one.by_median is None else f"{one.by_median:g}{unit}"
        cpu = "" if one.by_cpu is None else f"{one.by_cpu:g}"
        rows.append((one.name, f"{one.value:g}{unit}", median, cpu, one.bar, verdict))
    return _aligned(rows, left=(0, 4, 5))


def _errors(results: Sequence[Result]) -> list[str]:
    return [f"\n{one.case.name} failed: {one.error}" for one in results if one.error]


def _aligned(rows: Sequence[Sequence[str]], left: Sequence[int]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            text.ljust(width) if at in left else text.rjust(width)
            for at, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
