"""Compare when a record was created or modified with when a request was sent (pure; data rules 28, 29)."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from pipeline.validate.dates import COPERNICA_ZONE

# `created` and `modified` are naive local time of Copernica, to the second (API sheet 4.3).
_ZONE = ZoneInfo(COPERNICA_ZONE)


def created_since(created: str, sent_at: datetime) -> bool:
    """Return whether a record was created in the second in which a request was sent, or later.

    What cannot be read, and an hour that the clock shows twice, count as before: a record that may be older proves
    nothing.
    """
    at = _utc(created, fold=0)
    return at is not None and at >= sent_at.replace(microsecond=0)


def modified_since(modified: str, sent_at: datetime) -> bool:
    """Return whether a record was modified in a later second than that in which a request was sent.

    In the hour that the clock shows twice it counts as later: what somebody may have changed is left alone.
    """
    at = _utc(modified, fold=1)
    return at is not None and at > sent_at.replace(microsecond=0)


def _utc(stamp: str, fold: int) -> datetime | None:
    try:
        at = datetime.strptime(stamp, "%Y-%m-%d %H:%M:%S")
    except (ValueError, TypeError):
        return None
    return at.replace(tzinfo=_ZONE, fold=fold).astimezone(UTC)
