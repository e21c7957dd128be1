"""Say how a chunk ended (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Ending(StrEnum):
    """How far a chunk came: final (confirmed or failed), lost (unknown), or still on its way (submitted)."""

    CONFIRMED = "confirmed"
    FAILED = "failed"
    UNKNOWN = "unknown"
    SUBMITTED = "submitted"


@dataclass(frozen=True)
class Outcome:
    """How a chunk ended, and Copernica's words or ours where it is not confirmed."""

    ending: Ending
    message: str = ""
