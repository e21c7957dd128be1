"""Bend a value into what a field stores, without ever failing, and note when that changed it (pure; API sheet 13)."""

from __future__ import annotations

import math
import re
import sys
import unicodedata
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from pipeline.sandbox import dates
from pipeline.sandbox.model import Field
from pipeline.sandbox.php import integer_of, leading_number

_INTEGER = re.compile(r"[+-]?[0-9]+")
# More characters than any 64-bit number needs, zeros in front included; not converted.
_LONG = 40
_FLOAT = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")

ZERO_DATE = "0000-00-00"
ZERO_DATETIME = "0000-00-00 00:00:00"


class Coerced(NamedTuple):
    """The text that is stored, and the hazard code where it is not what was meant."""

    text: str
    hazard: str | None = None


def coerce(field: Field, raw: object, now: datetime) -> Coerced:
    """Turn any JSON value into the stored text of `field`; `now` is the naive Amsterdam time for relative dates."""
    if type(raw) is str:
        return _COERCE[field.type](field, raw, now)
    if raw is None:
        return Coerced(field.zero, "value_null")
    if isinstance(raw, (dict, list)):
        text = "1" if raw and field.type in ("integer", "float", "foreign_key") else field.zero
        return Coerced(text, "value_not_scalar")
    if isinstance(raw, bool):
        text = ("1" if raw else "") if field.type not in _DATE_TYPES else "true"
        return Coerced(_COERCE[field.type](field, text, now).text, "value_not_scalar")
    return _COERCE[field.type](field, _json_number(raw), now)


def initial(field: Field, now: datetime) -> str:
    """Return what a new record holds in a field that nobody mentioned: its default (API sheet 13)."""
    return _COERCE[field.type](field, field.default, now).text


def folded(field: Field, text: str, accents: bool = False) -> str:
    """Return the text under which a stored value is compared for equality (API sheet 6).

    A select compares exactly, numbers and dates by their normalised text, everything else without case; with `accents`
    also without accents and outer blanks, which is unknown of the real collation (U8).
    """
    if field.type == "select" or field.type in _NUMERIC or field.type in _DATE_TYPES:
        return text
    if accents:
        split = unicodedata.normalize("NFKD", text.strip())
        text = "".join(char for char in split if not unicodedata.combining(char))
    return text.casefold()


def sortable(field: Field, text: str) -> tuple[float, str]:
    """Return what a stored value is ordered and compared by with `<` and `>`: numbers by value, the rest as strings."""
    if field.type in _NUMERIC:
        return float(text or 0), ""
    return 0.0, folded(field, text)


def _json_number(raw: object) -> str:
    return _plain(raw) if isinstance(raw, float) else str(raw)


def _plain(number: float) -> str:
    if math.isinf(number):
        number = math.copysign(sys.float_info.max, number)
    return repr(number).removesuffix(".0")


def _text(field: Field, raw: str, now: datetime) -> Coerced:  # noqa: ARG001 (all types are asked the same way)
    most = field.most_chars
    if most is not None and len(raw) > most:
        return Coerced(raw[:most], "text_too_long")
    return Coerced(raw)


def _select(field: Field, raw: str, now: datetime) -> Coerced:  # noqa: ARG001
    if raw == "" or raw in field.options:
        return Coerced(raw)
    return Coerced("", "select_not_a_member")


def _integer(field: Field, raw: str, now: datetime) -> Coerced:  # noqa: ARG001
    if len(raw) < 19 and _INTEGER.fullmatch(raw):
        return Coerced(str(int(raw)))
    if raw == "":
        return Coerced("0", "empty_becomes_zero")
    number = integer_of(raw)
    fits = _INTEGER.fullmatch(raw) is not None and len(raw) < _LONG and number == int(raw)
    return Coerced(str(number), None if fits else "value_not_canonical")


def _float(field: Field, raw: str, now: datetime) -> Coerced:  # noqa: ARG001
    if _FLOAT.fullmatch(raw):
        return Coerced(_plain(float(raw)))
    if raw == "":
        return Coerced("0", "empty_becomes_zero")
    number = leading_number(raw)
    return Coerced(_plain(float(number)) if number else "0", "value_not_canonical")


def _date(field: Field, raw: str, now: datetime) -> Coerced:
    with_time = field.type.endswith("datetime")
    exact = dates.canonical(raw)
    if exact is not None:
        if with_time:
            return Coerced(raw if len(raw) == 19 else raw + " 00:00:00")
        return Coerced(raw[:10], None if raw[10:] in ("", " 00:00:00") else "value_not_canonical")
    if raw == "":
        may_be_empty = field.type.startswith("empty_")
        return Coerced(field.zero, None if may_be_empty else "empty_becomes_zero")
    if raw == field.zero:
        return Coerced(raw)
    moment = dates.parse(raw, now)
    if moment == "zero":
        return Coerced(ZERO_DATETIME if with_time else ZERO_DATE, "value_not_canonical")
    if moment == "empty":
        return Coerced(field.zero, "value_not_canonical")
    return Coerced(_stamp(moment, with_time), "value_not_canonical")


def _stamp(moment: datetime, with_time: bool) -> str:
    text = moment.replace(microsecond=0).isoformat(sep=" ")
    return text if with_time else text[:10]


_NUMERIC = frozenset({"integer", "float", "foreign_key"})
_DATE_TYPES = frozenset({"date", "empty_date", "datetime", "empty_datetime"})
_COERCE: dict[str, Callable[[Field, str, datetime], Coerced]] = {
    "text": _text, "email": _text, "phone": _text, "phone_fax": _text, "phone_gsm": _text, "big": _text,
    "select": _select, "integer": _integer, "foreign_key": _integer, "float": _float,
    "date": _date, "empty_date": _date, "datetime": _date, "empty_datetime": _date,
}  # fmt: skip
