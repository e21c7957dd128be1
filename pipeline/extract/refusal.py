"""Carry why a file is refused, and group many such reasons into a readable few (pure)."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.errors import Problem

# Causes that are listed, and places that are named per cause; more would hide the first ones.
_MOST_CAUSES = 20
_MOST_PLACES = 5


class Refused(Exception):  # noqa: N818 - a verdict over one file, never seen outside of extract
    """Stop the reading of one file with its problems; the other files are still looked at (data rule 7)."""

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        super().__init__("; ".join(map(str, problems)))


def grouped(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Join problems of one cause into one that names the first places, at most 20 causes and a count of the rest."""
    causes: dict[tuple[str, str], list[str]] = {}
    for problem in problems:
        causes.setdefault((problem.what, problem.do), []).append(problem.where)
    joined = [Problem(what, _places(places), do) for (what, do), places in causes.items()]
    if len(joined) > _MOST_CAUSES:
        rest = len(joined) - _MOST_CAUSES
        joined[_MOST_CAUSES:] = [Problem(f"and {rest} more problems in the input", do="mend these first")]
    return tuple(joined)


def _places(places: list[str]) -> str:
    named = list(dict.fromkeys(place for place in places if place))
    more = len(named) - _MOST_PLACES
    return ", ".join(named[:_MOST_PLACES]) + (f" and {more} more" if more > 0 else "")


def listed(names: Iterable[str], most: int = 20) -> str:
    """List names for a message, shortened each and cut after `most` with a count of the rest."""
    every = list(names)
    text = ", ".join(name if len(name) <= 60 else name[:59] + "…" for name in every[:most])
    return text + (f" and {len(every) - most} more" if len(every) > most else "")
