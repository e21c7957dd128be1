"""Read date texts the forgiving way Copernica does: PHP's strtotime with its surprises (pure; API sheet 13)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

AMSTERDAM = ZoneInfo("Europe/Amsterdam")

Parsed = datetime | Literal["empty", "zero"]

_CANONICAL = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?: ([0-9]{2}):([0-9]{2}):([0-9]{2}))?")
_CLOCK = r"(?:[ tT]+(?P<h>\d{1,2}):(?P<i>\d{2})(?::(?P<s>\d{2})(?:[.,]\d+)?)?)?"
_ZONE = r"(?:\s*(?P<zone>z|utc|gmt|[+-]\d{2}:?\d{2}|[+-]\d{1,2}))?"
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_NAME = r"(?P<name>(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*)"
# Order matters where two forms could read one text: the first that fits is taken, as strtotime does.
_FORMS = tuple(
    re.compile(day + _CLOCK + _ZONE, re.IGNORECASE | re.ASCII)
    for day in (
        r"(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})",
        r"(?P<y>\d{4})/(?P<m>\d{1,2})/(?P<d>\d{1,2})",
        r"(?P<m>\d{1,2})/(?P<d>\d{1,2})/(?P<y>\d{4})",
        r"(?P<d>\d{1,2})[-.](?P<m>\d{1,2})[-.](?P<y>\d{4})",
        r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})",
        rf"(?P<d>\d{{1,2}})[- .]*{_NAME}[- .,]*(?P<y>\d{{4}})",
        rf"{_NAME}[- .]*(?P<d>\d{{1,2}})[, ]+(?P<y>\d{{4}})",
        r"(?P<y>\d{4})-(?P<m>\d{1,2})",
    )
)
_TIME = re.compile(r"(?P<h>\d{1,2}):(?P<i>\d{2})(?::(?P<s>\d{2})(?:[.,]\d+)?)?" + _ZONE, re.IGNORECASE | re.ASCII)
_STEP = re.compile(
    r"([+-]?\d+)\s*(sec|second|min|minute|hour|day|week|fortnight|month|year)s?( ago)?\s*", re.IGNORECASE
)
_STEP_S = {"sec": 1, "second": 1, "min": 60, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}
_STEP_S["fortnight"] = 2 * _STEP_S["week"]


@lru_cache(maxsize=1 << 16)
def canonical(text: str) -> datetime | None:
    """Read `YYYY-MM-DD` or `YYYY-MM-DD hh:mm:ss` of an existing day in years 1 to 9999; None for anything else."""
    found = _CANONICAL.fullmatch(text)
    if found is None:
        return None
    try:
        return datetime(*(int(part) for part in found.groups() if part is not None))  # type: ignore[arg-type]
    except ValueError:
        return None


def parse(text: str, now: datetime) -> Parsed:
    """Read a date text as strtotime would, relative to the naive Amsterdam time `now`.

    "empty" stands for what cannot be read and for anything that starts with `0000-00-00`; "zero" for a readable date
    before year 1, which even the `empty_*` types store as the zero date (API sheet 13).
    """
    text = text.strip()
    exact = canonical(text)
    if exact is not None:
        return exact
    if not text or text.startswith("0000-00-00"):
        return "empty"
    try:
        for form in (_relative, _epoch, _four_digits, _time_only):
            moment = form(text, now)
            if moment is not None:
                return moment
    except (ValueError, OverflowError, OSError):
        return "empty"
    for pattern in _FORMS:
        found = pattern.fullmatch(text)
        if found is not None:
            return _built(found)
    return "empty"


def _relative(text: str, now: datetime) -> datetime | None:
    midnight = datetime.combine(now.date(), time())
    words: dict[str, Callable[[], datetime]] = {
        "now": lambda: now,
        "today": lambda: midnight,
        "midnight": lambda: midnight,
        "noon": lambda: midnight + timedelta(hours=12),
        "yesterday": lambda: midnight - timedelta(days=1),
        "tomorrow": lambda: midnight + timedelta(days=1),
    }
    if text.lower() in words:
        return words[text.lower()]()
    # A lone letter is a military time zone to strtotime, so it means now: a stray "a" becomes today.
    if len(text) == 1 and text.isascii() and text.isalpha():
        return now
    moment, rest = now, text
    while rest:
        step = _STEP.match(rest)
        if step is None:
            return None
        moment = _stepped(moment, int(step[1]) * (-1 if step[3] else 1), step[2].lower())
        rest = rest[step.end() :]
    return moment


def _stepped(moment: datetime, count: int, unit: str) -> datetime:
    if unit in _STEP_S:
        return moment + timedelta(seconds=count * _STEP_S[unit])
    months = moment.year * 12 + moment.month - 1 + count * (12 if unit == "year" else 1)
    first = datetime.combine(date(months // 12, months % 12 + 1, 1), moment.time())
    return first + timedelta(days=moment.day - 1)


def _epoch(text: str, now: datetime) -> datetime | None:  # noqa: ARG001 (all forms are asked the same way)
    if not re.fullmatch(r"@-?\d{1,11}", text, re.ASCII):
        return None
    return datetime.fromtimestamp(int(text[1:]), AMSTERDAM).replace(tzinfo=None)


def _four_digits(text: str, now: datetime) -> datetime | None:
    if not re.fullmatch(r"\d{4}", text, re.ASCII):
        return None
    hour, minute = int(text[:2]), int(text[2:])
    if hour < 24 and minute < 60:
        return datetime.combine(now.date(), time(hour, minute))
    return now.replace(year=max(int(text), 1), day=min(now.day, 28) if now.month == 2 else now.day)


def _time_only(text: str, now: datetime) -> datetime | None:
    found = _TIME.fullmatch(text)
    if found is None or int(found["h"]) > 24 or int(found["i"]) > 59:
        return None
    return _zoned(datetime.combine(now.date(), time()) + _of_day(found), found["zone"])


def _of_day(found: re.Match[str]) -> timedelta:
    return timedelta(hours=int(found["h"] or 0), minutes=int(found["i"] or 0), seconds=int(found["s"] or 0))


def _built(found: re.Match[str]) -> Parsed:
    parts = found.groupdict()
    year, day = int(parts["y"]), int(parts.get("d") or 1)
    month = _MONTHS.index(parts["name"][:3].lower()) + 1 if parts.get("name") else int(parts["m"])
    # strtotime takes day 0 to 31 and month 0 to 12 of any month and rolls over: 2020-02-30 becomes 1 March.
    if month > 12 or day > 31 or int(parts["h"] or 0) > 24 or int(parts["i"] or 0) > 59 or int(parts["s"] or 0) > 60:
        return "empty"
    if year == 0:
        return "zero"
    try:
        first = datetime(year, month, 1) if month else datetime(year - 1, 12, 1)
        return _zoned(first + timedelta(days=day - 1) + _of_day(found), parts["zone"])
    except (ValueError, OverflowError):
        return "zero"


def _zoned(moment: datetime, zone: str | None) -> datetime:
    if not zone:
        return moment
    shift = timedelta()
    if zone[0] in "+-":
        digits = zone[1:].replace(":", "")
        hours, minutes = (digits, "0") if len(digits) <= 2 else (digits[:-2], digits[-2:])
        shift = timedelta(hours=int(hours), minutes=int(minutes)) * (-1 if zone[0] == "-" else 1)
    return (moment - shift).replace(tzinfo=UTC).astimezone(AMSTERDAM).replace(tzinfo=None)
