"""Find the guards that stand when some are overridden (edge: the log; data rule 36)."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.errors import Problem
from pipeline.log import get_logger


def unforced(problems: Iterable[Problem], forced: frozenset[str]) -> tuple[Problem, ...]:
    """Return the problems of guards that are not forced; those of forced ones become warnings in the log (data rule 36)."""
    found = []
    for problem in problems:
        if problem.guard in forced:
            get_logger().warning("guard.forced", guard=problem.guard, what=problem.what)
        else:
            found.append(problem)
    return tuple(found)
