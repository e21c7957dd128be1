"""Say how a chunk ended, and what a way of loading must offer (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from pipeline.model.chunk import Chunk

if TYPE_CHECKING:
    import polars as pl


class Ending(StrEnum):
    """How far a chunk came: final (confirmed or failed), lost (unknown), still on its way (submitted), not sent, or held."""

    CONFIRMED = "confirmed"
    FAILED = "failed"
    UNKNOWN = "unknown"
    SUBMITTED = "submitted"
    UNSENT = "unsent"
    HELD = "held"


@dataclass(frozen=True)
class Outcome:
    """How a chunk ended.

    Its rows add up: confirmed + failed + unknown + unsent = rows of the chunk; an import ends as a whole, the profile way
    row by row. `unmatched` are confirmed rows for which an `update` found no record, None where that is not known.
    `open_keys` are the `_key` values of rows that are not confirmed: what shares one with them must wait (data rule 23).
    `message` is Copernica's words or ours where something is not confirmed. `stop` says that the fault concerns the
    whole run (token, budget, interrupt), so that nothing more may be sent; `refused` that Copernica refused the request
    itself. `per_profile` says that the rows went per profile though the run's way is imports.
    """

    ending: Ending
    confirmed: int = 0
    failed: int = 0
    unknown: int = 0
    unsent: int = 0
    unmatched: int | None = None
    message: str = ""
    open_keys: pl.Series | None = None
    stop: bool = False
    refused: bool = False
    per_profile: bool = False

    @classmethod
    def whole(cls, ending: Ending, chunk: Chunk, message: str = "", *, stop: bool = False) -> Outcome:
        """Give the outcome of a chunk that ended as a whole; a submitted or held one counts as unsent."""
        rows = chunk.rows.height
        return cls(
            ending,
            confirmed=rows if ending is Ending.CONFIRMED else 0,
            failed=rows if ending is Ending.FAILED else 0,
            unknown=rows if ending is Ending.UNKNOWN else 0,
            unsent=rows if ending in (Ending.SUBMITTED, Ending.UNSENT, Ending.HELD) else 0,
            message=message,
            open_keys=None if ending is Ending.CONFIRMED else chunk.keys,
            stop=stop,
        )
