"""All workers share one pace."""

from __future__ import annotations

import pytest

from pipeline.copernica.gate import RateGate


def test_without_a_limit_nobody_waits() -> None:
    """As long as nothing was refused."""
    gate = RateGate()
    assert [gate.reserve(0.0) for _ in range(100)] == [0.0] * 100


def test_a_limit_spaces_the_calls() -> None:
    """Four per second: one each quarter."""
    gate = RateGate(4.0)
    assert [gate.reserve(10.0) for _ in range(4)] == [0.0, 0.25, 0.5, 0.75]
    assert gate.reserve(20.0) == 0.0


def test_a_refusal_halves_the_pace_and_success_speeds_it_up() -> None:
    """Up to the limit, in small steps."""
    gate = RateGate(4.0)
    gate.slow_down(0.0)
    assert gate.pace == 2.0
    gate.speed_up()
    assert gate.pace == pytest.approx(2.1)
    for _ in range(100):
        gate.speed_up()
    assert gate.pace == 4.0


def test_refusals_of_one_moment_are_one() -> None:
    """Eight workers refused together halve the pace once."""
    gate = RateGate(8.0)
    for _ in range(8):
        gate.slow_down(0.5)
    assert gate.pace == 4.0
    gate.slow_down(1.5)
    assert gate.pace == 2.0


def test_the_pace_never_stands_still() -> None:
    """Some call has to find out that it is over."""
    gate = RateGate(1.0)
    for second in range(20):
        gate.slow_down(2.0 * second)
    assert gate.pace == 0.2


def test_an_unlimited_pace_is_halved_from_what_it_was() -> None:
    """Ten calls in the last second become five per second."""
    gate = RateGate()
    for tenth in range(10):
        gate.reserve(5.0 + tenth / 10)
    gate.slow_down(5.95)
    assert gate.pace == 5.0


def test_an_unlimited_pace_becomes_free_again() -> None:
    """When it has long been faster than when it was refused."""
    gate = RateGate()
    gate.reserve(0.0)
    gate.slow_down(0.0)
    assert gate.pace == 0.5
    for _ in range(36):
        gate.speed_up()
    assert gate.pace is None


@pytest.mark.parametrize("calls", [1, 9])
def test_the_first_calls_are_too_few_to_tell_a_pace(calls: int) -> None:
    """A refusal of the very first call makes a short run of twenty calls some seconds longer, not twenty."""
    gate = RateGate()
    for _ in range(calls):
        gate.reserve(0.0)
    gate.slow_down(0.0, 1.0)
    assert gate.pace == calls / 2
    now_s = 1.0
    for _ in range(20):
        now_s += gate.reserve(now_s)
        gate.speed_up()
    assert gate.pace is None
    assert now_s < 5.0


def test_a_pace_that_is_refused_again_was_no_bad_guess() -> None:
    """What comes after it is made of small steps."""
    gate = RateGate()
    gate.reserve(0.0)
    gate.slow_down(0.0)
    gate.speed_up()
    assert gate.pace == 1.0
    gate.slow_down(5.0)
    gate.speed_up()
    assert gate.pace == pytest.approx(0.6)


def test_retry_after_holds_everybody_back() -> None:
    """Not only the worker that was told."""
    gate = RateGate()
    gate.slow_down(100.0, 30.0)
    assert gate.reserve(110.0) == 20.0


def test_retry_after_counts_also_within_one_moment() -> None:
    """The longest of several."""
    gate = RateGate(10.0)
    gate.slow_down(0.0, 1.0)
    gate.slow_down(0.0, 9.0)
    gate.slow_down(0.0, 5.0)
    assert gate.reserve(0.0) == 9.0


@pytest.mark.parametrize("pace", [0.0, -1.0, float("nan")])
def test_a_limit_of_nothing_is_refused(pace: float) -> None:
    """It would never send."""
    with pytest.raises(ValueError, match="above 0"):
        RateGate(pace)
