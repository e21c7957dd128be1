"""Read a date text by the rules of PHP's strtotime (pure; API sheet 13).

At each place of the text the longest form that fits is taken; of equally long ones the first in `_FORMS`. What no form
fits makes the whole text unreadable. What the text leaves open comes from the current time.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import MAXYEAR, UTC, date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
# Longer texts are not read; no date is as long.
MOST_CHARS = 200
# More days than there are in years 1 to 9999.
_FAR_DAYS = 4_000_000

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_AMOUNTS = {
    "next": 1, "last": -1, "previous": -1, "this": 0, "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5,
    "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9, "tenth": 10, "eleventh": 11, "twelfth": 12,
}  # fmt: skip
_SECONDS = {"sec": 1, "second": 1, "min": 60, "minute": 60, "hour": 3600}
_DAY_UNITS = {"day": 1, "week": 7, "fortnight": 14}
_MONTH_UNITS = {"month": 1, "year": 12}
# Hours ahead of UTC. Of the letters, J is no zone.
_ZONES = {
    "utc": 0, "gmt": 0, "wet": 0, "west": 1, "bst": 1, "cet": 1, "cest": 2, "met": 1, "mest": 2, "eet": 2, "eest": 3,
    "msk": 3, "est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7, "z": 0,
    **{letter: hours for hours, letter in enumerate("abcdefghiklm", 1)},
    **{letter: -hours for hours, letter in enumerate("nopqrstuvwxy", 1)},
}  # fmt: skip


class UnreadableError(Exception):
    """The text is no date."""


@dataclass
class Reading:
    """What has been read of one text so far; None where nothing was."""

    parts: dict[str, int] = field(default_factory=dict)
    clock: tuple[int, int, int] | None = None
    dated: bool = False
    timed: bool = False
    zones: list[tzinfo] = field(default_factory=list)
    months: int = 0
    days: int = 0
    seconds: int = 0
    weekday: int | None = None
    # 0 and 1: whether today counts; 2: the day of the week that `days` leads to.
    weekday_rule: int = 0
    edge: str = ""

    def moment(self, now: datetime) -> datetime:
        """Return the naive Amsterdam time; raises as `strtotime`."""
        if self.days > _FAR_DAYS or self.seconds > _FAR_DAYS * 86400:
            raise UnreadableError
        parts = {"y": now.year, "m": now.month, "d": now.day} | self.parts
        first = _first_of(parts["y"] * 12 + parts["m"] - 1)
        day = first + timedelta(days=parts["d"] - 1)
        if self.weekday is not None:
            day += timedelta(days=self._to_weekday(day.isoweekday() % 7))
        day += timedelta(days=self.days)
        if self.months:
            day = _first_of(day.year * 12 + day.month - 1 + self.months) + timedelta(days=day.day - 1)
        if self.edge:
            day = _first_of(day.year * 12 + day.month - 1 + (self.edge == "last"))
            day -= timedelta(days=self.edge == "last")
        open_clock = (0, 0, 0) if self.dated else (now.hour, now.minute, now.second)
        hour, minute, second = self.clock or open_clock
        local = datetime(day.year, day.month, day.day) + timedelta(hours=hour, minutes=minute, seconds=second)
        zone = self.zones[0] if self.zones else AMSTERDAM
        exact = local.replace(tzinfo=zone).astimezone(UTC) + timedelta(seconds=self.seconds)
        return exact.astimezone(AMSTERDAM).replace(tzinfo=None)

    def _to_weekday(self, today: int) -> int:
        weekday = self.weekday or 0
        if self.weekday_rule == 2:
            return (weekday or 7) - (today or 7)
        difference = weekday - today
        if (self.days < 0 and difference < 0) or (self.days >= 0 and difference <= -self.weekday_rule):
            difference += 7
        return difference


def strtotime(text: str, now: datetime) -> datetime:
    """Return the naive Amsterdam time that `text` means at the naive Amsterdam time `now`.

    Raises UnreadableError for what is no date or after year 9999, ValueError or OverflowError for years before 1.
    """
    if not text or len(text) > MOST_CHARS:
        raise UnreadableError
    reading, place = Reading(), 0
    while place < len(text):
        fits = [(found, take) for form, take in _FORMS if (found := form.match(text, place))]
        if not fits:
            raise UnreadableError
        found, take = max(fits, key=lambda fit: fit[0].end())
        take(reading, found)
        place = found.end()
    return reading.moment(now)


def _first_of(months: int) -> date:
    if months // 12 > MAXYEAR:
        raise UnreadableError
    return date(months // 12, months % 12 + 1, 1)


def _date(reading: Reading, found: re.Match[str]) -> None:
    """Take year, month and day, or a day of the year or of an ISO week; a second date is an error."""
    if reading.dated:
        raise UnreadableError
    reading.dated = True
    given = {name: text for name, text in found.groupdict().items() if text is not None}
    numbers = ("y", "m", "d", "doy", "week", "dow")
    parts: dict[str, int] = {name: int(given[name]) for name in numbers if name in given}
    if "y" in given and len(given["y"]) < 4 and parts["y"] < 100:
        parts["y"] += 2000 if parts["y"] < 70 else 1900
    if "name" in given:
        parts["m"] = _month(given["name"])
    if "doy" in parts:
        parts = {"y": parts["y"], "m": 1, "d": parts["doy"]}
    elif "week" in parts:
        day = date.fromisocalendar(parts["y"], 1, 1) + timedelta(days=7 * parts["week"] - 8 + parts.get("dow", 1))
        parts = {"y": day.year, "m": day.month, "d": day.day}
    elif "y" in parts and "d" not in parts:
        parts["d"] = 1
    reading.parts |= parts
    if "h" in given:
        _time(reading, found)


def _month(name: str) -> int:
    return _ROMAN.index(name) + 1 if name in _ROMAN else _MONTHS.index(name[:3].lower()) + 1


def _time(reading: Reading, found: re.Match[str]) -> None:
    if reading.timed:
        raise UnreadableError
    given = found.groupdict()
    hour = int(given["h"])
    if given.get("half"):
        hour = hour % 12 + (12 if given["half"] in "pP" else 0)
    reading.clock, reading.timed = (hour, int(given.get("i") or 0), int(given.get("s") or 0)), True


def _four_digits(reading: Reading, found: re.Match[str]) -> None:
    """Take hours and minutes, or a year when there is a time already."""
    if reading.timed:
        _year(reading, found)
    else:
        _time(reading, found)


def _year(reading: Reading, found: re.Match[str]) -> None:
    reading.parts["y"] = int(found[0])


def _epoch(reading: Reading, found: re.Match[str]) -> None:
    if reading.dated or reading.timed:
        raise UnreadableError
    reading.dated = reading.timed = True
    reading.parts |= {"y": 1970, "m": 1, "d": 1}
    reading.clock = (0, 0, 0)
    reading.seconds += int(found[1])
    _zone_of(reading, UTC)


def _day_word(reading: Reading, found: re.Match[str]) -> None:
    word = found[0].lower()
    if word == "now":
        return
    reading.clock, reading.timed = (12 if word == "noon" else 0, 0, 0), word == "noon"
    reading.days += {"yesterday": -1, "tomorrow": 1}.get(word, 0)


def _step(reading: Reading, found: re.Match[str]) -> None:
    """Take a step of a number or word and a unit: `+2 days`, `next monday`."""
    sign, number, word, unit = found["sign"], found["number"], found["word"], found["unit"].lower()
    amount = int(number) * (-1) ** sign.count("-") if number else _AMOUNTS[word.lower()]
    name = unit if unit in _SECONDS or unit in _DAY_UNITS or unit in _MONTH_UNITS else unit.removesuffix("s")
    if unit == "week" and word in ("next", "last", "previous", "this"):
        reading.weekday_rule = 2
        reading.weekday = 1 if reading.weekday is None else reading.weekday
    if name in _SECONDS:
        reading.seconds += amount * _SECONDS[name]
    elif name in _DAY_UNITS:
        reading.days += amount * _DAY_UNITS[name]
    elif name in _MONTH_UNITS:
        reading.months += amount * _MONTH_UNITS[name]
    else:
        reading.clock, reading.timed = (0, 0, 0), False
        reading.days += (amount - 1 if amount > 0 else amount) * 7
        reading.weekday = _DAYS.index(unit[:3])
        reading.weekday_rule = int((word or "").lower() == "this")


def _ago(reading: Reading, found: re.Match[str]) -> None:  # noqa: ARG001 (all forms are called alike)
    reading.months, reading.days, reading.seconds = -reading.months, -reading.days, -reading.seconds


def _weekday(reading: Reading, found: re.Match[str]) -> None:
    reading.clock, reading.timed = (0, 0, 0), False
    reading.weekday = _DAYS.index(found[0][:3].lower())
    reading.weekday_rule = reading.weekday_rule if reading.weekday_rule == 2 else 1


def _edge(reading: Reading, found: re.Match[str]) -> None:
    reading.edge = found[1].lower()


def _offset(reading: Reading, found: re.Match[str]) -> None:
    shift = timedelta(hours=int(found["zh"]), minutes=int(found["zi"] or 0))
    _zone_of(reading, timezone(-shift if found["zsign"] == "-" else shift))


def _zone(reading: Reading, found: re.Match[str]) -> None:
    name = found["zone"]
    if name.lower() in _ZONES:
        _zone_of(reading, timezone(timedelta(hours=_ZONES[name.lower()])))
    elif name in _zone_names():
        _zone_of(reading, ZoneInfo(name))
    else:
        raise UnreadableError


def _zone_of(reading: Reading, zone: tzinfo) -> None:
    """Take a zone: the first one counts, a third one is an error."""
    reading.zones.append(zone)
    if len(reading.zones) > 2:
        raise UnreadableError


@lru_cache(maxsize=1)
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones())


def _nothing(reading: Reading, found: re.Match[str]) -> None:
    pass


_Y, _Y4 = r"(?P<y>\d{1,4})", r"(?P<y>\d{4})"
_M, _ML = r"(?P<m>1[0-2]|0?\d)", r"(?P<m>0\d|1[0-2])"
_D, _DL = r"(?P<d>3[01]|[0-2]?\d)", r"(?P<d>[0-2]\d|3[01])"
_FULL = "january|february|march|april|june|july|august|september|october|november|december|sept"
_NAME = rf"(?P<name>{_FULL}|{'|'.join(_MONTHS)}|(?-i:VIII|VII|VI|IV|IX|XII|XI|III|II|I|V|X)\b)"
_H, _HL = r"(?P<h>2[0-4]|[01]?\d)", r"(?P<h>2[0-4]|[01]\d)"
_I, _IL = r"(?P<i>[0-5]?\d)", r"(?P<i>[0-5]\d)"
_S, _SL = r"(?P<s>60|[0-5]?\d)", r"(?P<s>60|[0-5]\d)"
_HALF = r"[ \t]*(?P<half>[ap])\.?m\.?(?:[ \t]|$)"
_H12 = r"(?P<h>1[0-2]|0?[1-9])"
_DAY_NAMES = "sundays?|mondays?|tuesdays?|wednesdays?|thursdays?|fridays?|saturdays?|sun|mon|tues?|wed|thur?s?|fri|sat"
_UNITS = rf"(?P<unit>(?:fortnight|second|minute|month|hour|year|week|day|min|sec)s?(?![a-z])|(?:{_DAY_NAMES})(?![a-z]))"
_CLOCK = rf"t?{_H}[:.]{_I}(?:[:.]{_S})?"

_FORMS: tuple[tuple[re.Pattern[str], Callable[[Reading, re.Match[str]], None]], ...] = tuple(
    (re.compile(form, re.IGNORECASE | re.ASCII), take)
    for form, take in (
        (r"yesterday|now|noon|midnight|today|tomorrow", _day_word),
        (r"@(-?\d{1,15})(?:\.\d{0,6})?", _epoch),
        (r"(first|last) day of", _edge),
        (rf"{_H12}(?:[:.]{_IL}(?:[:.]{_SL})?)?{_HALF}", _time),
        (rf"t{_H}", _time),
        (rf"{_CLOCK}", _time),
        (rf"t?{_H}[:.]{_I}[:.]{_S}\.\d+", _time),
        (rf"t?{_HL}{_IL}", _four_digits),
        (rf"t?{_HL}{_IL}{_SL}", _time),
        (rf"{_M}/{_D}(?:/{_Y})?", _date),
        (rf"{_Y4}/{_M}/{_D}", _date),
        (rf"(?P<y>[+-]?\d{{4}})-{_ML}-{_DL}", _date),
        (rf"(?P<y>\d\d)-{_ML}-{_DL}", _date),
        (rf"{_Y4}-{_M}", _date),
        (rf"{_Y}-{_M}-{_D}", _date),
        (rf"{_D}[.\t-]{_M}[.-]{_Y4}", _date),
        (rf"{_D}[.\t]{_M}\.(?P<y>\d\d)", _date),
        (rf"{_D}(?:st|nd|rd|th)?[ \t.-]*{_NAME}[ \t.-]*{_Y}", _date),
        (rf"{_NAME}[ .\t-]*{_Y4}", _date),
        (rf"{_Y4}[ .\t-]*{_NAME}", _date),
        (rf"{_NAME}[ .\t-]*{_D}[,.stndrh\t ]+{_Y}", _date),
        (rf"{_NAME}[ .\t-]*{_D}(?:[,.stndrh\t ]+|$)", _date),
        (rf"{_D}[ .\t-]*{_NAME}", _date),
        (rf"{_NAME}[ .\t-]*{_D}[,.stndrh\t ]+{_CLOCK}", _date),
        (rf"{_Y4}{_ML}{_DL}", _date),
        (rf"{_Y4}{_ML}{_DL}t?{_HL}{_IL}{_SL}", _date),
        (r"(?P<y>\d{4})[.-]?(?P<doy>00[1-9]|0[1-9]\d|[12]\d\d|3[0-5]\d|36[0-6])", _date),
        (rf"{_NAME}-{_DL}-{_Y}", _date),
        (rf"{_Y}-{_NAME}-{_DL}", _date),
        (r"(?P<y>\d{4})-?W(?P<week>0[1-9]|[1-4]\d|5[0-3])(?:-?(?P<dow>[0-7]))?", _date),
        (r"\d{4}", _year),
        (r"ago", _ago),
        (_DAY_NAMES, _weekday),
        (rf"(?P<sign>)(?P<number>)(?P<word>{'|'.join(_AMOUNTS)})[ \t]+{_UNITS}", _step),
        (rf"{_NAME}", _date),
        (r"(?:gmt)?(?P<zsign>[+-])(?P<zh>2[0-4]|[01]?\d):?(?P<zi>[0-5]?\d)?", _offset),
        (r"\(?(?P<zone>(?-i:[A-Z][a-z]+(?:[_/][A-Z][a-z]+)+)|[a-z]{1,6})\)?", _zone),
        (rf"(?P<sign>[+-]*)[ \t]*(?P<number>\d{{1,13}})[ \t]*(?P<word>){_UNITS}", _step),
        (r"[ .,\t\n\0]+", _nothing),
    )
)  # fmt: skip
