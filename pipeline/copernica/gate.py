"""The pace that all workers share: slower at once after 429 and 503, faster again with success (pure but for its lock).

Additive increase, multiplicative decrease. Time is a parameter; the gate never sleeps.
"""

from __future__ import annotations

from collections import deque
from threading import Lock

# Ours, since no limit is documented (API sheet 18, ?U32).
LEAST_PER_S = 0.2
STEP_PER_S = 0.1  # faster by this with every success
CALM_S = 1.0  # several refusals within this time are one: they answer calls of the same pace
FEW_CALLS = 10  # fewer calls in the last second show no pace: each success doubles what was guessed from them
FREE_AT = 4.0  # a pace without a ceiling is dropped when it is this many times what it was when refused


class RateGate:
    """Assign the times at which calls may start. `most_per_s` is the ceiling, None for none."""

    def __init__(self, most_per_s: float | None = None) -> None:
        if most_per_s is not None and not most_per_s > 0:
            raise ValueError("max_calls_per_s must be above 0")
        self._most = most_per_s
        self._pace = most_per_s
        self._refused_at_pace = 0.0
        self._guessed = False
        self._next_s = float("-inf")
        self._held_until_s = float("-inf")
        self._slowed_s = float("-inf")
        self._recent: deque[float] = deque()
        self._lock = Lock()

    @property
    def pace(self) -> float | None:
        """Return the calls per second at present, None for unlimited."""
        return self._pace

    def held_s(self, now_s: float) -> float:
        """Return how long a `Retry-After` still holds everybody, in seconds."""
        return max(0.0, self._held_until_s - now_s)

    def reserve(self, now_s: float) -> float:
        """Take the next moment; return the seconds to wait for it, 0 for at once."""
        with self._lock:
            at_s = max(now_s, self._next_s)
            if self._pace is not None:
                self._next_s = at_s + 1.0 / self._pace
            self._recent.append(at_s)
            while self._recent[0] <= at_s - CALM_S:
                self._recent.popleft()
            return at_s - now_s

    def slow_down(self, now_s: float, retry_after_s: float | None = None) -> None:
        """Halve the pace after a 429 or 503, and let nobody start before `retry_after_s` is over."""
        with self._lock:
            if retry_after_s is not None:
                self._held_until_s = max(self._held_until_s, now_s + retry_after_s)
                self._next_s = max(self._next_s, self._held_until_s)
            if now_s - self._slowed_s < CALM_S:
                return
            self._slowed_s = now_s
            self._guessed = self._pace is None and len(self._recent) < FEW_CALLS
            had = self._pace if self._pace is not None else len(self._recent) / CALM_S
            self._refused_at_pace = max(had, LEAST_PER_S)
            self._pace = max(LEAST_PER_S, had / 2)

    def speed_up(self) -> None:
        """Take a success into account."""
        if self._pace == self._most:
            return
        with self._lock:
            if self._pace is None:
                return
            self._pace += self._pace if self._guessed else STEP_PER_S
            if self._most is not None:
                self._pace = min(self._pace, self._most)
            elif self._pace > max(1.0, FREE_AT * self._refused_at_pace):
                self._pace = None
