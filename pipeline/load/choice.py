"""Choose the way that a run loads by, or refuse the one that the job names (pure; data rule 25)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.errors import ApiRefusedError, Problem
from pipeline.job import Job


@dataclass(frozen=True)
class Choice:
    """The way (`imports`) and why it was taken."""

    way: str
    reason: str


def choose(job: Job, columns: Sequence[str]) -> Choice:
    """Take imports where they are known to be right; raises ApiRefusedError where they are not (data rule 25)."""
    action = job.target.action
    dotted = [name for name in columns if "." in name and not name.startswith("interest.")]
    if job.target.api in ("v1", "v2"):
        raise ApiRefusedError(Problem(f"api {job.target.api} has no imports", where="load.mode", do="use api v3 or v4"))
    if action in ("add", "ignore or add") and dotted:
        harm = (
            "makes a profile for every row, so a customer with three orders becomes three customers"
            if action == "add"
            else "may drop the subprofiles of profiles that exist"
        )
        raise ApiRefusedError(
            Problem(
                f"an import with action {action!r} and columns of a collection ({dotted[0]}) {harm}",
                where="target.action",
                do="use action 'update or add', or send the collection's columns in a job of their own",
            )
        )
    return Choice("imports", "imports are right for this job" if job.load.mode == "auto" else "the job says so")
