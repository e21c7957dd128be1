"""Read texts as PHP does where the API shows through: blanks, numbers, booleans, ids (pure)."""

from __future__ import annotations

import re

# What trim takes away; a no-break space stays.
BLANKS = " \t\n\r\0\v"
_LEADING = re.compile(r"[ \t\n\r\v\f]*([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)")
_NUMERIC = re.compile(_LEADING.pattern + r"[ \t\n\r\v\f]*")
_MOST = 2**63 - 1
# Digits of the largest integer; longer runs are clamped without being converted.
_MOST_DIGITS = 19


def leading_number(text: str) -> str | None:
    """Return the number that a text begins with, as it is written; None when it begins with none."""
    found = _LEADING.match(text)
    return found[1] if found else None


def integer_of(text: str) -> int:
    """Cast a text to an integer: its leading number, cut to 64 bits; 0 without one."""
    number = leading_number(text)
    if number is None:
        return 0
    if re.search("[.eE]", number):
        value = float(number)
        return int(value) if abs(value) < _MOST else _MOST if value > 0 else -_MOST - 1
    if len(number.lstrip("+-0")) > _MOST_DIGITS:
        return -_MOST - 1 if number.startswith("-") else _MOST
    return max(-_MOST - 1, min(_MOST, int(number)))


def boolean(value: object) -> bool:
    """Read a boolean parameter (API sheet 3.3): true, yes, numbers from 1 and arrays are true, all else is false."""
    if isinstance(value, bool):
        return value
    if isinstance(value, (dict, list)):
        return True
    if isinstance(value, (int, float)):
        return abs(value) >= 1
    text = str(value).lower()
    if text in ("true", "yes"):
        return True
    found = _NUMERIC.fullmatch(text)
    return found is not None and abs(float(found[1])) >= 1


def id_of(value: object) -> int | None:
    """Read an id: digits 0 to 9 that fit 64 bits, or such a JSON number; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return None
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < _MOST_DIGITS else None
