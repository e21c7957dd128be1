"""Lay out what was measured as tables (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.bench import Result
from benchmarks.figure import Figure
from benchmarks.sections import SECTIONS


def figures(results: Sequence[Result]) -> list[Figure]:
    """Compute every figure whose cases were measured."""
    measured = {result.case.name: result for result in results if result.ok}
    return [figure for section in SECTIONS if hasattr(section, "figures") for figure in section.figures(measured)]


def tables(results: Sequence[Result], found: Sequence[Figure]) -> str:
    """Lay out what was measured, then what it means."""
    return "\n".join([_sections(results), *(["", _bars(found)] if found else []), *_errors(results)])


def page(results: Sequence[Result], found: Sequence[Figure]) -> str:
    """Return the same two tables in Markdown, as docs/performance.md has them."""
    return "\n\n".join(_in_markdown(rows) for rows in (_section_rows(results), _bar_rows(found))) + "\n"


def _in_markdown(rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])


def _sections(results: Sequence[Result]) -> str:
    return _aligned(_section_rows(results), left=(0, 8))


def _section_rows(results: Sequence[Result]) -> list[tuple[str, ...]]:
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
    return rows


def _bars(found: Sequence[Figure]) -> str:
    return _aligned(_bar_rows(found), left=(0, 4, 5))


def _bar_rows(found: Sequence[Figure]) -> list[tuple[str, ...]]:
    rows = [("figure", "best", "by median", "by CPU", "bar", "")]
    for one in found:
        verdict = "" if one.met is None else "met" if one.met else "BELOW" if "least" in one.bar else "ABOVE"
        unit = f" {one.unit}" if one.unit else ""
        median = "" if one.by_median is None else f"{one.by_median:g}{unit}"
        cpu = "" if one.by_cpu is None else f"{one.by_cpu:g}"
        rows.append((one.name, f"{one.value:g}{unit}", median, cpu, one.bar, verdict))
    return rows


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
