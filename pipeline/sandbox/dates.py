"""Read date texts as Copernica does: PHP's strtotime, and what was observed besides (pure; API sheet 13)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal

from pipeline.sandbox.php import BLANKS
from pipeline.sandbox.strtotime import AMSTERDAM, UnreadableError, strtotime

Parsed = datetime | Literal["empty", "zero"]

_CANONICAL = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?: ([0-9]{2}):([0-9]{2}):([0-9]{2}))?")
# From 1981 on the clock is only ever put forward in March, at 02:00; before, at other times, but never after 04:00.
_MARCH, _REGULAR_SINCE, _GAPS_BEFORE = 3, 1981, 4


@lru_cache(maxsize=1 << 16)
def canonical(text: str) -> datetime | None:
    """Read `YYYY-MM-DD` or `YYYY-MM-DD hh:mm:ss` that exists in Amsterdam, years 1 to 9999; None for anything else."""
    found = _CANONICAL.fullmatch(text)
    if found is None:
        return None
    try:
        moment = datetime(*(int(part) for part in found.groups() if part is not None))  # type: ignore[arg-type]
    except ValueError:
        return None
    may_be_skipped = moment.hour < _GAPS_BEFORE and (moment.month == _MARCH or moment.year < _REGULAR_SINCE)
    return None if may_be_skipped and found[4] and _skipped(moment) else moment


def _skipped(moment: datetime) -> bool:
    """Return whether the clocks of Amsterdam never showed this time, because they were put forward."""
    if moment.year in (1, 9999):
        return False
    return moment.replace(tzinfo=AMSTERDAM).astimezone(UTC).astimezone(AMSTERDAM).replace(tzinfo=None) != moment


def parse(text: str, now: datetime) -> Parsed:
    """Read a date text at the naive Amsterdam time `now`.

    "empty" is what cannot be read and anything that starts with `0000-00-00`; "zero" is a readable date before year 1,
    which even the `empty_*` types store as the zero date (API sheet 13).
    """
    text = text.strip(BLANKS)
    exact = canonical(text)
    if exact is not None:
        return exact
    if text.startswith("0000-00-00"):
        return "empty"
    try:
        return strtotime(text, now)
    except UnreadableError:
        return "empty"
    except (ValueError, OverflowError):
        return "zero"
