"""Compare what a run is about to do with how much it may do: deletes and calls (edge: database counts; data rules 34, 35)."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.errors import Problem
from pipeline.guards.record_counts import Survey
from pipeline.guards.staged import Planned
from pipeline.model.job import Job

# Data rule 35: a job that does not say how many calls it may make is given room for mishaps.
LEAST_CALLS = 1_000
ROOM = 5
CALLS_PER_IMPORT = 3  # the POST and two polls
SPARE_IMPORTS = 20


def max_deletes(job: Job, planned: Planned, survey: Survey) -> Iterator[Problem]:
    """Refuse more deletes than the job allows: a count of all, or a share of the profiles, or of each collection."""
    limit = job.guards.max_deletes
    if job.target.action != "delete" or limit is None:
        return
    whole = planned.deletes(job.target.delete_target)
    if limit.count is not None:
        noun = "profiles" if job.target.delete_target == "profile" else "subprofiles"
        found = {noun: (sum(whole.values()), 0)}
    elif job.target.delete_target == "profile":
        found = {"profiles": (planned.rows, survey.profiles)}
    else:
        found = {f"subprofiles of {name}": (count, survey.subprofiles(name)) for name, count in whole.items()}
    for noun, (count, of) in found.items():
        if not limit.allows(count, of):
            there = "" if limit.count is not None else f" of the {of:,}"
            what = f"about {count:,}{there} {noun} would be deleted, the job allows {limit}"
            do = "is the dump the right one? raise guards.max_deletes, or pass --force max_deletes, if it is"
            yield Problem(what, "guards.max_deletes", do, "max_deletes")


def planned_calls(planned: Planned, way: str) -> int:
    """Say how many calls a run needs: per import, or on the per-profile way per distinct profile and row."""
    if way == "imports":
        return CALLS_PER_IMPORT * planned.imports
    looked_up = planned.profiles * (1 + len(planned.carried))
    return looked_up + planned.rows + sum(planned.carried.values())


def call_limit(job: Job, planned: Planned, way: str) -> int:
    """Give the most calls of a run: what the job says, else five times what it needs, at least 1,000.

    On the way of imports what it needs is reckoned by its rows alone, so that rows which are scattered over many phases
    or sets, and need far more imports, are seen.
    """
    if job.guards.max_calls is not None:
        return job.guards.max_calls
    if way == "imports":
        needed = CALLS_PER_IMPORT * (-(-planned.rows // job.load.chunk_rows) + SPARE_IMPORTS)
    else:
        needed = planned_calls(planned, way)
    return max(LEAST_CALLS, ROOM * needed)


def spare_calls(job: Job, planned: Planned, way: str, *, begun: bool) -> int:
    """Give calls that a run may make beyond its plan, where the job does not say how many it may make in all.

    In mode auto one failed import may go per profile (data rule 25 d); when every import fails, the limit is to be seen.
    Who resumes a run that was `begun` looks on, and may have decided that everything goes per profile.
    """
    per_profile = planned_calls(planned, "profiles")
    if begun:
        return ROOM * per_profile + job.load.max_settle_calls
    if way == "profiles" or job.load.mode != "auto" or job.target.action == "add":
        return 0
    return 2 * per_profile * min(job.load.chunk_rows, planned.rows) // max(planned.rows, 1)


def max_calls(job: Job, planned: Planned, way: str, made: int) -> Iterator[Problem]:
    """Refuse a run that needs more calls than it may make; calls are billed.

    What the job says holds for those `made` already, too.
    """
    needed, limit = planned_calls(planned, way), call_limit(job, planned, way)
    needed += made if job.guards.max_calls is not None else 0
    if needed > limit:
        what = f"about {needed:,} calls are needed, at most {limit:,} may be made{scattered(planned, way)}"
        yield Problem(what, "guards.max_calls", "raise guards.max_calls, or pass --force max_calls", "max_calls")


def scattered(planned: Planned, way: str) -> str:
    """Say that rows are scattered over many imports, where that is why there are so many calls."""
    if way != "imports" or planned.lanes <= 1:
        return ""
    return f"; the rows are scattered over {planned.lanes:,} phases or sets of columns, each with imports of its own"
