"""Compare what a run is about to do with how much it may do: deletes and calls (edge: database counts; data rules 34, 35)."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.errors import Problem
from pipeline.guards.sending import Sending

# Data rule 35: a job that does not set how many calls it may make is given room for mishaps.
LEAST_CALLS = 1_000
ROOM = 5
CALLS_PER_IMPORT = 3  # the POST and two polls
SPARE_IMPORTS = 20


def max_deletes(sending: Sending) -> Iterator[Problem]:
    """Refuse more deletes than the job allows: a count of all, or a share of the profiles, or of each collection."""
    target, limit = sending.job.target, sending.job.guards.max_deletes
    if target.action != "delete" or limit is None:
        return
    whole = sending.deletes
    if limit.count is not None:
        noun = "profiles" if target.delete_target == "profile" else "subprofiles"
        found = {noun: (sum(whole.values()), 0)}
    elif target.delete_target == "profile":
        found = {"profiles": (sending.staged.accepted, sending.profiles_there)}
    else:
        found = {f"subprofiles of {name}": (count, sending.subprofiles_there(name)) for name, count in whole.items()}
    for noun, (count, of) in found.items():
        if not limit.allows(count, of):
            there = "" if limit.count is not None else f" of the {of:,}"
            what = f"about {count:,}{there} {noun} would be deleted, the job allows {limit}"
            do = "is the dump the right one? raise guards.max_deletes, or pass --force max_deletes, if it is"
            yield Problem(what, "guards.max_deletes", do, "max_deletes")


def planned_calls(sending: Sending, method: str) -> int:
    """Return how many calls a run needs: per import, or on the per-profile method per distinct profile and row."""
    if method == "imports":
        return CALLS_PER_IMPORT * sending.imports
    staged, carried = sending.staged, sending.carried
    return staged.profiles * (1 + len(carried)) + staged.accepted + sum(carried.values())


def call_limit(sending: Sending, method: str) -> int:
    """Return the most calls of a run: what the job sets, else five times what it needs, at least 1,000.

    With imports, what it needs is taken from its rows alone, so that rows which are scattered over many phases or sets, and
    need far more imports, are seen.
    """
    job = sending.job
    if job.guards.max_calls is not None:
        return job.guards.max_calls
    if method == "imports":
        needed = CALLS_PER_IMPORT * (-(-sending.staged.accepted // job.load.chunk_rows) + SPARE_IMPORTS)
    else:
        needed = planned_calls(sending, method)
    return max(LEAST_CALLS, ROOM * needed)


def max_calls(sending: Sending, method: str) -> Iterator[Problem]:
    """Refuse a run that needs more calls than it may make; calls are billed.

    What the job sets holds for those that were made already, too.
    """
    needed, limit = planned_calls(sending, method), call_limit(sending, method)
    needed += sending.client.limited_calls if sending.job.guards.max_calls is not None else 0
    if needed > limit:
        what = f"about {needed:,} calls are needed, at most {limit:,} may be made{scattered(sending, method)}"
        yield Problem(what, "guards.max_calls", "raise guards.max_calls, or pass --force max_calls", "max_calls")


def scattered(sending: Sending, method: str) -> str:
    """Return a clause on rows that are scattered over many imports, where that is why there are so many calls."""
    if method != "imports" or sending.scattered <= 1:
        return ""
    return (
        f"; the rows are scattered over {sending.scattered:,} phases or sets of columns, each with imports of its own"
    )
