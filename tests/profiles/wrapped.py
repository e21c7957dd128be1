"""The records of a chunk's rows with something happening before or after chosen verbs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Happening = Callable[[], object]


class Wrapped:
    """Pass every verb on; `before` and `after` run around the verb of that name."""

    def __init__(
        self, log: Any, before: Mapping[str, Happening] | None = None, after: Mapping[str, Happening] | None = None
    ) -> None:
        self._log, self._before, self._after = log, before or {}, after or {}

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        def call(*words: Any, **named: Any) -> Any:
            self._before.get(verb, lambda: None)()
            done = getattr(self._log, verb)(*words, **named)
            self._after.get(verb, lambda: None)()
            return done

        return call


class CrashError(RuntimeError):
    """The process ends here."""


class CrashAt:
    """Crash at the n-th verb that writes, before it is on disk (`kept` False) or after."""

    WRITES = ("window", "posting", "posted", "unposted", "ended", "flush")

    def __init__(self, at: int, *, kept: bool) -> None:
        self.at, self.kept, self.seen = at, kept, 0

    def __call__(self, log: Any) -> Wrapped:
        happenings = dict.fromkeys(self.WRITES, self._verb)
        return Wrapped(log, **{"after" if self.kept else "before": happenings})

    def _verb(self) -> None:
        self.seen += 1
        if self.seen == self.at:
            raise CrashError(f"at verb {self.at}")
