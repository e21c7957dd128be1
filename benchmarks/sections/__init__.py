"""What is measured, a section per module: its `CASES`, and `figures` of them with their bars (wiring).

A section that no case fits (its own server, several processes) has `study(setting)` instead, which returns its figures. Both
are listed in SECTIONS, in the order in which they are measured and printed.
"""

from __future__ import annotations

from types import ModuleType

from benchmarks.case import Case
from benchmarks.sections import (
    big,
    changed,
    in_flight,
    linear,
    month,
    others,
    processes,
    readers,
    shapes,
    speed,
    start,
    undo,
)

SECTIONS: tuple[ModuleType, ...] = (
    speed,
    start,
    changed,
    month,
    undo,
    in_flight,
    linear,
    shapes,
    processes,
    readers,
    others,
    big,
)
CASES: tuple[Case, ...] = tuple(case for section in SECTIONS for case in getattr(section, "CASES", ()))
BY_NAME = {case.name: case for case in CASES}


def name_of(section: ModuleType) -> str:
    """Return the name of a section."""
    return section.__name__.rpartition(".")[2]


def chosen(only: str | None, everything: bool) -> tuple[tuple[Case, ...], tuple[ModuleType, ...]]:
    """Choose cases and studies by a list of names, of sections or cases; else all, `big` only with `everything`.

    Raises ValueError with the names that there are.
    """
    names = [name.strip() for name in (only or "").split(",") if name.strip()]
    sections = {name_of(section): section for section in SECTIONS}
    if not names:
        names = [name for name in sections if everything or name != "big"]
    unknown = [name for name in names if name not in BY_NAME and name not in sections]
    if unknown:
        raise ValueError(f"no such section: {', '.join(unknown)}; there are {', '.join((*sections, *BY_NAME))}")
    whole = [section for name, section in sections.items() if name in names]
    of_sections = {case.name for section in whole for case in getattr(section, "CASES", ())}
    cases = tuple(case for case in CASES if case.name in of_sections or case.name in names)
    return cases, tuple(section for section in whole if hasattr(section, "study"))
