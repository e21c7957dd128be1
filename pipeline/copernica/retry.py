"""When a failed request goes out again: one table, one function (pure; API sheet 18)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.copernica.answers import Failure
from pipeline.copernica.wire import Kind

# Full jitter: a draw between 0 and FIRST_S doubled per attempt, at most MOST_S. Ours; outages last minutes (sheet 18).
FIRST_S = 1.0
MOST_S = 60.0


@dataclass(frozen=True)
class Again:
    """Send it again after a wait."""

    after_s: float


@dataclass(frozen=True)
class LookUp:
    """Do not send it again before it is known whether the first one worked."""


@dataclass(frozen=True)
class GiveUp:
    """Do not send it again. `spent`: it would have been right to, but the budget is used up."""

    spent: bool = False


Step = Again | LookUp | GiveUp


@dataclass(frozen=True)
class Tries:
    """What has been tried so far.

    `attempt` is that of the failed one, from 1; `elapsed_s` since the first one started; `left_s` of the run's budget;
    `draw` a random number from 0 to 1; `renewed` means that the token cannot be exchanged anew (again, or at all).
    """

    attempt: int
    elapsed_s: float
    left_s: float
    budget_s: float
    draw: float
    retry_after_s: float | None = None
    renewed: bool = True


_AGAIN, _LOOK, _NO = "again", "look up", "no"
# Per kind: nothing sent | 503 | outcome unknown (502, 504, timeout, reset, empty answer).
RULES: Mapping[Kind, tuple[str, str, str]] = {
    Kind.READ: (_AGAIN, _AGAIN, _AGAIN),
    Kind.SAME_STATE: (_AGAIN, _AGAIN, _AGAIN),
    Kind.UPDATE_MANY: (_AGAIN, _AGAIN, _AGAIN),
    Kind.UPDATE_MOVING: (_AGAIN, _AGAIN, _LOOK),
    Kind.UPSERT: (_AGAIN, _LOOK, _LOOK),
    Kind.CREATE: (_AGAIN, _LOOK, _LOOK),
    Kind.DELETE: (_AGAIN, _AGAIN, _AGAIN),
    Kind.IMPORT: (_AGAIN, _NO, _NO),
    Kind.SET_UP: (_LOOK, _LOOK, _LOOK),
}


def decide(kind: Kind, failure: Failure, tries: Tries) -> Step:
    """Decide what follows on a failed attempt (API sheet 18).

    - refused, or cannot be sent at all (certificate, proxy): never again;
    - token not accepted: at once, once, where it can be exchanged anew;
    - 429: again, whatever it was (it was not carried out);
    - else by the table of this module.

    `Retry-After` wins over our own backoff. Without room in the budget, of the run or of this request (both
    `budget_s`), an Again becomes GiveUp(spent).
    """
    if failure in (Failure.REFUSED, Failure.UNSENDABLE):
        return GiveUp()
    if failure is Failure.AUTH:
        return GiveUp() if tries.renewed else Again(0.0)
    if failure is not Failure.THROTTLED:
        column = {Failure.NOT_SENT: 0, Failure.BUSY: 1, Failure.LOST: 2}[failure]
        rule = RULES[kind][column]
        if rule == _LOOK:
            return LookUp()
        if rule == _NO:
            return GiveUp()
    after_s = backoff_s(tries.attempt, tries.draw) if tries.retry_after_s is None else tries.retry_after_s
    if after_s > tries.left_s or tries.elapsed_s + after_s > tries.budget_s:
        return GiveUp(spent=True)
    return Again(after_s)


def backoff_s(attempt: int, draw: float) -> float:
    """Return the wait after the failed attempt number `attempt` (from 1), in seconds."""
    return draw * min(MOST_S, FIRST_S * 2.0 ** min(attempt - 1, 30))
