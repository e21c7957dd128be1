"""Waiting that is counted, shared and ends at once when the run is interrupted (edge: sleep)."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Lock

from pipeline.copernica.failures import CancelledError


class Budget:
    """How long a run may wait for retries in all, in seconds.

    Waits of several workers at one time count once: the budget limits the length of an outage, not the number of workers.
    """

    def __init__(self, budget_s: float) -> None:
        self.budget_s = budget_s
        self._spent_s = 0.0
        self._covered_s = float("-inf")  # the time up to which waits are counted
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
    """Count the changing requests in a row whose answer was lost and that may not be sent again.

    They are not retried, so that no retry slows them down, and each may leave a record of which nothing is known. One is an
    accident. From the second on every following request waits first, longer each time. Requests that were under way
    together when their answers were lost count once.
    """

    def __init__(self) -> None:
        self.in_a_row = 0
        self._losses = 0
        self._lock = Lock()

    def begin(self) -> int:
        """Return the number of losses that are known when a request starts, for `lost`."""
        return self._losses

    def lost(self, began: int) -> None:
        """Count a lost answer, unless another one was lost since the request began."""
        with self._lock:
            if began == self._losses:
                self._losses += 1
                self.in_a_row += 1

    def over(self) -> None:
        """Begin at nothing again: a change was answered."""
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
