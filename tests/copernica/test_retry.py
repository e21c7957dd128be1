"""What may go again after a failure (API sheet 18)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.copernica.answers import Failure
from pipeline.copernica.retry import Again, GiveUp, LookUp, Tries, backoff_s, decide
from pipeline.copernica.wire import Kind

TRIES = Tries(attempt=1, elapsed_s=0.0, left_s=900.0, budget_s=900.0, draw=0.5)
AGAIN, LOOK, NO = Again(0.5), LookUp(), GiveUp()


# Twice is as once: repeated whatever became of it.
SAME_TWICE = {Kind.READ, Kind.SAME_STATE, Kind.UPDATE_MANY, Kind.DELETE}
# May make a record: never repeated on the chance that it did not arrive.
MAKES = {Kind.UPSERT, Kind.CREATE, Kind.IMPORT, Kind.SET_UP}


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.SET_UP])
def test_what_never_left_goes_again(kind: Kind) -> None:
    """Nothing can have come of it."""
    assert decide(kind, Failure.NOT_SENT, TRIES) == AGAIN


@pytest.mark.parametrize("failure", [Failure.BUSY, Failure.LOST])
@pytest.mark.parametrize("kind", sorted(SAME_TWICE, key=str))
def test_what_leaves_the_same_state_twice_goes_again(kind: Kind, failure: Failure) -> None:
    """Reading, one record by id, a selector that stays true, a removal."""
    assert decide(kind, failure, TRIES) == AGAIN


@pytest.mark.parametrize("failure", [Failure.BUSY, Failure.LOST])
@pytest.mark.parametrize("kind", sorted(MAKES, key=str))
def test_what_may_make_a_record_is_never_repeated_blindly(kind: Kind, failure: Failure) -> None:
    """It is looked up by its key or name; an import has nothing to be found by (invariant 8)."""
    assert decide(kind, failure, TRIES) == (NO if kind is Kind.IMPORT else LOOK)


def test_a_selector_that_the_change_breaks_is_looked_up_only_when_the_answer_was_lost() -> None:
    """503 says that it was not carried out; after a lost answer the selector may match nothing any more."""
    assert decide(Kind.UPDATE_MOVING, Failure.BUSY, TRIES) == AGAIN
    assert decide(Kind.UPDATE_MOVING, Failure.LOST, TRIES) == LOOK


def test_every_kind_is_of_one_sort() -> None:
    """A new kind needs a decision."""
    assert SAME_TWICE | MAKES | {Kind.UPDATE_MOVING} == set(Kind)


@pytest.mark.parametrize("kind", Kind)
def test_429_may_always_go_again(kind: Kind) -> None:
    """It was not carried out."""
    assert decide(kind, Failure.THROTTLED, TRIES) == AGAIN


@pytest.mark.parametrize("failure", [Failure.REFUSED, Failure.UNSENDABLE])
@pytest.mark.parametrize("kind", Kind)
def test_a_refusal_is_final(kind: Kind, failure: Failure) -> None:
    """A 400 is permanent, and so is a certificate that is not trusted."""
    assert decide(kind, failure, replace(TRIES, retry_after_s=1.0, renewed=False)) == NO


@pytest.mark.parametrize("kind", Kind)
def test_a_refused_token_is_renewed_once(kind: Kind) -> None:
    """At once and without budget, where it can be renewed; it was not carried out."""
    assert decide(kind, Failure.AUTH, replace(TRIES, renewed=False, left_s=0.0)) == Again(0.0)
    assert decide(kind, Failure.AUTH, replace(TRIES, renewed=True)) == NO


@pytest.mark.parametrize("failure", [Failure.BUSY, Failure.THROTTLED])
def test_retry_after_wins_over_backoff(failure: Failure) -> None:
    """Longer or shorter."""
    assert decide(Kind.READ, failure, replace(TRIES, retry_after_s=70.0)) == Again(70.0)
    assert decide(Kind.READ, failure, replace(TRIES, retry_after_s=0.0)) == Again(0.0)


def test_backoff_doubles_up_to_a_minute_with_full_jitter() -> None:
    """The draw spreads from 0 to the whole."""
    assert [backoff_s(attempt, 1.0) for attempt in range(1, 9)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert backoff_s(5, 0.25) == 4.0
    assert backoff_s(10_000, 0.0) == 0.0


def test_without_room_in_the_budget_of_the_run_it_gives_up() -> None:
    """And says that this was the reason."""
    assert decide(Kind.READ, Failure.LOST, replace(TRIES, left_s=0.4)) == GiveUp(spent=True)
    assert decide(Kind.READ, Failure.THROTTLED, replace(TRIES, retry_after_s=901.0)) == GiveUp(spent=True)


def test_without_room_in_its_own_time_it_gives_up() -> None:
    """Attempts that each time out use it up, too."""
    assert decide(Kind.READ, Failure.LOST, replace(TRIES, elapsed_s=899.6)) == GiveUp(spent=True)
    assert decide(Kind.READ, Failure.LOST, replace(TRIES, elapsed_s=899.5)) == AGAIN


def test_what_may_not_be_repeated_is_not_a_question_of_budget() -> None:
    """An import after a lost answer is unknown, not out of time."""
    assert decide(Kind.IMPORT, Failure.LOST, replace(TRIES, left_s=0.0)) == NO
    assert decide(Kind.CREATE, Failure.BUSY, replace(TRIES, left_s=0.0)) == LOOK
