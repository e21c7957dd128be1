"""Stages that work at the same time keep the order of what they work on, and lose nothing to an error."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Barrier, Event

import pytest

from pipeline.threads import WORKERS, side_by_side


def test_results_come_in_the_order_of_the_items() -> None:
    second_done = Event()

    def work(item: int) -> int:
        if item == 0:
            assert second_done.wait(10)
        if item == 1:
            second_done.set()
        return item * item

    assert list(side_by_side(work, range(9))) == [item * item for item in range(9)]


def test_as_many_items_as_there_are_workers_are_worked_on_at_once() -> None:
    together = Barrier(WORKERS, timeout=10)
    assert list(side_by_side(lambda _: together.wait() >= 0, range(2 * WORKERS))) == [True] * 2 * WORKERS


def test_what_came_before_an_error_is_given_first() -> None:
    def items() -> Iterator[int]:
        yield from (1, 2, 3)
        raise OSError("the file broke off")

    results = side_by_side(str, items())
    assert [next(results) for _ in range(3)] == ["1", "2", "3"]
    with pytest.raises(OSError, match="broke off"):
        next(results)


def test_an_error_of_the_work_comes_in_its_place() -> None:
    def work(item: int) -> int:
        return 1 // (2 - item)

    results = side_by_side(work, range(5))
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_whoever_stops_early_leaves_nothing_behind() -> None:
    results = side_by_side(str, iter(range(100)))
    assert next(results) == "0"
    results.close()
    assert list(results) == []
