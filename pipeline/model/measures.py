"""Read sizes, times, counts and shares as a job file writes them (pure)."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_serializer

_SIZE_UNITS = {"": 1, "b": 1, "kib": 1024, "mib": 1024**2, "gib": 1024**3, "kb": 1000, "mb": 1000**2, "gb": 1000**3}
_AGE_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}

# The texts of the ValueErrors below end up behind "write …": they are noun phrases.
_SIZE = "a number of bytes, or a size such as 4 MiB"
_DAYS = "a number of days such as 0d or 7d"
_AGE = "a time such as 26h or 2d"
_LIMIT = "a count such as 25 or a share such as 1%"
_SHARE = "a share such as 80%"


def _size_bytes(value: Any) -> int:
    """Turn `4 MiB` into bytes; a plain integer is bytes already."""
    match = re.fullmatch(r"\s*([0-9]+)\s*([A-Za-z]*)\s*", _number_or_text(value))
    unit = None if match is None else _SIZE_UNITS.get(match[2].lower())
    if match is None or unit is None or int(match[1]) == 0:
        raise ValueError(_SIZE)
    return int(match[1]) * unit


def _days(value: Any) -> int:
    """Turn `7d` into days."""
    match = re.fullmatch(r"\s*([0-9]+)\s*d?\s*", _number_or_text(value))
    if match is None:
        raise ValueError(_DAYS)
    return int(match[1])


def _age(value: Any) -> int:
    """Turn `26h` into seconds; a plain integer is seconds already."""
    match = re.fullmatch(r"\s*([0-9]+)\s*([smhd]?)\s*", _number_or_text(value))
    if match is None or not (match[2] or isinstance(value, int)):
        raise ValueError(_AGE)
    return int(match[1]) * _AGE_UNITS[match[2]]


def _limit(value: Any) -> Limit:
    """Turn `1%` or `25` into a Limit."""
    if isinstance(value, Limit):
        return value
    text = _number_or_text(value).strip()
    if re.fullmatch(r"[0-9]+", text):
        return Limit(count=int(text))
    share = _percent(text)
    if share is None:
        raise ValueError(_LIMIT)
    return Limit(share=share)


def _share(value: Any) -> float:
    """Turn `80%` or `0.8` into a share."""
    text = str(value) if isinstance(value, float) else _number_or_text(value).strip()
    share = float(text) if re.fullmatch(r"[01](\.[0-9]+)?", text) else _percent(text)
    if share is None or share > 1:
        raise ValueError(_SHARE)
    return share


def _percent(text: str) -> float | None:
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*%", text)
    # By way of Decimal, so that 0.7% is the float nearest to 0.007 and not one below it.
    share = None if match is None else Decimal(match[1]) / 100
    return None if share is None or share > 1 else float(share)


def _number_or_text(value: Any) -> str:
    """Return the text of a whole number or a text; "" for everything else, which fits no pattern."""
    return str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""


class Frozen(BaseModel):
    """Refuse unknown keys and changes; texts are never made from numbers or booleans."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Limit(Frozen):
    """A guard's limit: a `count` of rows, or a `share` of them between 0 and 1."""

    count: Annotated[int, Field(ge=0)] | None = None
    share: Annotated[float, Field(ge=0, le=1)] | None = None

    def allows(self, found: int, of: int) -> bool:
        """Return whether `found` rows out of `of` are within the limit."""
        if self.count is not None:
            return found <= self.count
        # In decimals: 0.29 of 100 rows allows 29, where floats give 28.999….
        return found <= Decimal(repr(self.share or 0.0)) * of

    @model_serializer
    def _as_written(self) -> int | str:
        """Write a limit as a job file does, so that the copy of a job in the ledger reads back as the job."""
        return self.count if self.count is not None else f"{Decimal(repr(self.share or 0.0)) * 100:f}%"

    def __str__(self) -> str:
        return str(self.count) if self.count is not None else f"{(self.share or 0) * 100:g}%"


Days = Annotated[int, BeforeValidator(_days)]
Age = Annotated[int, BeforeValidator(_age)]  # seconds
Share = Annotated[float, BeforeValidator(_share)]
SizeBytes = Annotated[int, BeforeValidator(_size_bytes)]
AsLimit = Annotated[Limit, BeforeValidator(_limit)]
