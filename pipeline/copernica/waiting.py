"""Waiting that is counted, shared and ends at once when the run is interrupted (edge: sleep)."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Lock

from pipeline.copernica.failures import CancelledError


class Budget:
    """How long a run may wait for other attempts, in seconds.

    Time in which several workers wait counts once: what is limited is how long the run stands in an outage, not how
    many workers it has.
    """

    def __init__(self, budget_s: float) -> None:
        self.budget_s = budget_s
        self._spent_s = 0.0
        self._covered_s = float("-inf")
        self._lock = Lock()

    def left_s(self, now_s: float) -> float:
        """Return the longest wait that may start now."""
        with self._lock:
            return self.budget_s - self._spent_s + max(0.0, self._covered_s - now_s)

    def spend(self, now_s: float, wait_s: float) -> None:
        """Count a wait from now on."""
        with self._lock:
            self._spent_s += max(0.0, now_s + wait_s - max(now_s, self._covered_s))
            self._covered_s = max(self._covered_s, now_s + wait_s)


class Outage:
    """Count the changing requests in a row whose answer was lost and that may not simply go again.

    No wait for another attempt ever bounds those: each leaves a record whose state nobody knows, and the next request
    would make another. One is an accident; from the second on the requests that follow wait, longer each time. Requests
    that were under way when an answer was lost belong to the same moment and do not count anew.
    """

    def __init__(self) -> None:
        self.in_a_row = 0
        self._moment = 0
        self._lock = Lock()

    def begin(self) -> int:
        """Return the moment in which a request starts."""
        return self._moment

    def lost(self, began: int) -> None:
        """Take a lost answer into account."""
        with self._lock:
            if began == self._moment:
                self._moment += 1
                self.in_a_row += 1

    def over(self) -> None:
        """Take a change that was answered into account."""
        self.in_a_row = 0


class Waiter:
    """Sleep, unless cancelled. Without `sleep` it waits on the event itself, so that an interrupt wakes it."""

    def __init__(self, sleep: Callable[[float], None] | None = None, cancelled: Event | None = None) -> None:
        self._cancelled = cancelled or Event()
        self._sleep = sleep or self._cancelled.wait

    def wait(self, seconds: float) -> None:
        """Wait; raises CancelledError where the run was interrupted before or meanwhile."""
        if seconds <= 0:
            return
        if not self._cancelled.is_set():
            self._sleep(seconds)
        if self._cancelled.is_set():
            raise CancelledError("interrupted while waiting")
