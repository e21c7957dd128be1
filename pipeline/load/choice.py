"""Choose the method that a run loads by, or refuse the one that the job names (pure; data rule 25)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pipeline.errors import ApiRefusedError, Problem
from pipeline.model.job import Job

# The words of an API that has no imports for this account or version, as far as it is known (API sheet 2, 4.2, 11); a guess.
_NO_IMPORTS = re.compile(
    r"invalid method|not (allowed|approved|permitted|available|authori[sz]ed)|no (access|permission|rights)|restricted"
    r"|forbidden|denied|may not import|cannot import",
    re.IGNORECASE,
)
# Whoever speaks of these speaks of what was sent, not of the right to send it.
_OUR_DATA = re.compile(r"\b(column|field|value|row|line|key|source|record|profile)s?\b", re.IGNORECASE)
# What an operator has to know of the per-profile method (data rule 25).
HARM = "automations set on changes over REST may fire, which an import with followups: false keeps quiet"


@dataclass(frozen=True)
class Choice:
    """The method of a run and the reason; with `falls_back` rows may go per profile where imports do not serve."""

    method: Literal["imports", "profiles"]
    reason: str
    falls_back: bool = False


def choose(job: Job, columns: Sequence[str]) -> Choice:
    """Take imports where they are known to be right; raises ApiRefusedError where the job insists on them wrongly."""
    if job.load.mode == "profiles":
        return Choice("profiles", "set in the job")
    unfit = _unfit(job, columns)
    if job.load.mode == "auto":
        if unfit is not None:
            return Choice("profiles", unfit.what)
        return Choice("imports", "imports are right for this job", falls_back=True)
    if unfit is not None:
        raise ApiRefusedError(unfit)
    return Choice("imports", "set in the job")


def _unfit(job: Job, columns: Sequence[str]) -> Problem | None:
    """Return why imports are not right for a job, None where they are (data rule 25 a, b)."""
    action = job.target.action
    do = "set load.mode to profiles or auto"
    if job.target.api in ("v1", "v2"):
        return Problem(f"api {job.target.api} has no imports", "load.mode", f"use api v3 or v4, or {do}")
    dotted = next((name for name in columns if "." in name and not name.startswith("interest.")), None)
    if dotted is None or action not in ("add", "ignore or add"):
        return None
    harm = (
        "makes a profile for every row, so that a customer with three orders becomes three customers"
        if action == "add"
        else "may drop the subprofiles of profiles that exist"
    )
    return Problem(f"an import with action {action!r} and columns of a collection ({dotted}) {harm}", "load.mode", do)


def refuses_imports(message: str) -> bool:
    """Return whether a refusal of the first import is about imports as a whole, not about our data (data rule 25 c)."""
    return _NO_IMPORTS.search(message) is not None and _OUR_DATA.search(message) is None
