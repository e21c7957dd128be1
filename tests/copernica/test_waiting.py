"""Waiting is counted once for all, and an interrupt ends it."""

from __future__ import annotations

from threading import Event, Thread

import pytest

from pipeline.copernica.failures import CancelledError
from pipeline.copernica.waiting import Budget, Outage, Waiter


def test_waits_one_after_the_other_add_up() -> None:
    """Ten seconds, of which seven are used."""
    budget = Budget(10.0)
    budget.spend(0.0, 3.0)
    budget.spend(5.0, 4.0)
    assert budget.left_s(100.0) == 3.0


def test_waits_at_the_same_time_count_once() -> None:
    """Four workers in one outage of 8 s have used 8 s."""
    budget = Budget(10.0)
    for start in (0.0, 1.0, 2.0, 4.0):
        budget.spend(start, 4.0)
    assert budget.left_s(100.0) == 2.0


def test_a_wait_inside_another_costs_nothing() -> None:
    """So it is also allowed when the budget is used up."""
    budget = Budget(10.0)
    budget.spend(0.0, 10.0)
    assert budget.left_s(4.0) == 6.0
    assert budget.left_s(10.0) == 0.0


def test_an_interrupt_wakes_who_waits() -> None:
    """A wait of a day ends at once."""
    cancelled, ended = Event(), Event()

    def wait() -> None:
        with pytest.raises(CancelledError):
            Waiter(None, cancelled).wait(86_400.0)
        ended.set()

    thread = Thread(target=wait)
    thread.start()
    cancelled.set()
    thread.join(5.0)
    assert ended.is_set()


def test_who_is_interrupted_does_not_begin_to_wait() -> None:
    """With a sleep of the caller's own, too."""
    cancelled, slept = Event(), []
    cancelled.set()
    with pytest.raises(CancelledError):
        Waiter(slept.append, cancelled).wait(1.0)
    assert slept == []


def test_no_wait_is_no_question() -> None:
    """A call that need not wait goes on, also after an interrupt: the run still has to put things in order."""
    cancelled, slept = Event(), []
    cancelled.set()
    Waiter(slept.append, cancelled).wait(0.0)
    assert slept == []


def test_lost_answers_in_a_row_are_counted_until_one_comes() -> None:
    """Those of requests that were under way together are one."""
    outage = Outage()
    both = outage.begin()
    outage.lost(both)
    outage.lost(both)
    assert outage.in_a_row == 1
    outage.lost(outage.begin())
    assert outage.in_a_row == 2
    outage.over()
    outage.lost(outage.begin())
    assert outage.in_a_row == 1
