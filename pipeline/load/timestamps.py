"""Compare when a record was created with when a request was sent (pure; data rule 28)."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from pipeline.validate.dates import COPERNICA_ZONE

# `created` is naive local time of Copernica, to the second (API sheet 4.3).
_ZONE = ZoneInfo(COPERNICA_ZONE)


def created_since(created: str, sent_at: str) -> bool:
    """Say whether a record was created in the second in which a request was sent, or later.

    `created` is Copernica's own, `sent_at` ISO 8601 in UTC by the API host's clock. What cannot be read, and an hour that
    the clock shows twice, count as before: a record that may be older proves nothing.
    """
    at, sent = _utc(created), moment(sent_at)
    return at is not None and sent is not None and at >= sent.replace(microsecond=0)


def _utc(created: str) -> datetime | None:
    try:
        return datetime.strptime(created, "%Y-%m-%d %H:%M:%S").replace(tzinfo=_ZONE).astimezone(UTC)
    except ValueError:
        return None


def moment(sent_at: str) -> datetime | None:
    """Read a time of the ledger; None where there is none."""
    try:
        return datetime.fromisoformat(sent_at)
    except ValueError:
        return None
