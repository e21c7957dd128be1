"""Compare a stored value with what a sent text must have become, by the type of the live field (pure; data rule 27)."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.model.columns import LiveField

# Copernica rewrites or resolves these, so nothing can be demanded of them (API sheet 13, ?U28).
NOT_COMPARED = frozenset({"phone", "phone_fax", "phone_gsm", "foreign_key"})
ZERO_DATES = frozenset({"", "0000-00-00", "0000-00-00 00:00:00"})


def equal(sent: str, stored: str, field_type: str) -> bool:
    """Compare one value: integers and floats by value (floats as doubles), dates with and without a time of zero."""
    if field_type == "integer":
        return _whole(sent) == _whole(stored)
    if field_type == "float":
        return _double(sent) == _double(stored)
    if field_type in ("date", "empty_date", "datetime", "empty_datetime"):
        return _moment(sent) == _moment(stored)
    return sent == stored


def different_fields(
    sent: Mapping[str, str | None],
    stored: Mapping[str, str],
    live: Mapping[str, LiveField],
    *,
    ignore_empty: bool,
    keys: frozenset[str],
) -> list[str]:
    """List the target columns whose stored value is not what was sent.

    `stored` is by field name without the collection. An empty cell is compared only where `ignore_empty` is false; of a key
    only what is more than letter case counts.
    """
    found = []
    for column, text in sent.items():
        field_type = live[column].type
        if field_type in NOT_COMPARED or (ignore_empty and not text):
            continue
        have = stored.get(column.rpartition(".")[2], "")
        same = equal(text or "", have, field_type)
        if not same and not (column in keys and (text or "").casefold() == have.casefold()):
            found.append(column)
    return found


def _whole(text: str) -> int | str:
    try:
        return int(text or "0")
    except ValueError:
        return text


def _double(text: str) -> float | str:
    try:
        return float(text or "0")
    except ValueError:
        return text


def _moment(text: str) -> str:
    return "" if text in ZERO_DATES else text.removesuffix(" 00:00:00")
