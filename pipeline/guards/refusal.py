"""Name a guard that refuses, and tell which refusals stand (edge: the log; data rule 36)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import structlog

from pipeline.errors import Problem


@dataclass(frozen=True)
class Refusal:
    """A guard that refuses, by its name in `--force`."""

    guard: str
    problem: Problem


def standing(refusals: Iterable[Refusal], forced: frozenset[str]) -> tuple[Problem, ...]:
    """Give the problems of the guards that are not forced; those that are become warnings in the log (data rule 36)."""
    found = []
    for refusal in refusals:
        if refusal.guard in forced:
            structlog.get_logger().warning("guard.forced", guard=refusal.guard, what=refusal.problem.what)
        else:
            found.append(refusal.problem)
    return tuple(found)
