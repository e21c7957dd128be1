"""Keep the virtual clock: real time plus an offset, read as Copernica's naive Amsterdam time (edge: clock)."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from pipeline.sandbox.strtotime import AMSTERDAM

STAMP = "%Y-%m-%d %H:%M:%S"
# The clock goes from 1970 to 9000: far from where dates, tokens and HTTP headers end.
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST_S, _LATEST_S = 0.0, 221_845_392_000.0


class Clock:
    """A clock that runs with the real one until it is advanced, set or frozen."""

    def __init__(self) -> None:
        self._offset_s = 0.0
        self._frozen_at: float | None = None

    def epoch_s(self) -> float:
        """Return the virtual time in seconds since 1970 UTC."""
        return self._frozen_at if self._frozen_at is not None else time.time() + self._offset_s

    def now(self) -> datetime:
        """Return the virtual time as a naive datetime of Europe/Amsterdam (API sheet 4.3)."""
        return datetime.fromtimestamp(self.epoch_s(), AMSTERDAM).replace(tzinfo=None)

    def stamp(self) -> str:
        """Return the virtual time as `YYYY-MM-DD hh:mm:ss`, the form of `created` and `modified`."""
        return self.now().strftime(STAMP)

    def advance(self, seconds: float) -> None:
        """Move the clock by `seconds`; negative ones move it back. Raises ValueError outside of 1970 to 9000."""
        if not _EARLIEST_S <= self.epoch_s() + seconds <= _LATEST_S:
            raise ValueError("the clock goes from 1970 to 9000")
        if self._frozen_at is not None:
            self._frozen_at += seconds
        else:
            self._offset_s += seconds

    def set(self, moment: datetime) -> None:
        """Move the clock to `moment`, a naive time of Europe/Amsterdam."""
        self.advance((moment.replace(tzinfo=AMSTERDAM) - _EPOCH).total_seconds() - self.epoch_s())

    def freeze(self, frozen: bool) -> None:
        """Stop the clock, or let it run on from there."""
        at = self.epoch_s()
        self._frozen_at = at if frozen else None
        self._offset_s = at - time.time()

    def reset(self) -> None:
        """Go back to real time."""
        self._offset_s, self._frozen_at = 0.0, None

    def as_json(self) -> dict[str, object]:
        """Describe the clock for `GET /_sandbox/clock`."""
        utc = datetime.fromtimestamp(self.epoch_s(), UTC)
        return {
            "now": self.stamp(),
            "utc": (utc - timedelta(microseconds=utc.microsecond)).isoformat(),
            "ahead_s": round(self.epoch_s() - time.time(), 3),
            "frozen": self._frozen_at is not None,
        }
