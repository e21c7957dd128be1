"""Count what became of the staged rows, by what the ledger has of the chunks (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.model.chunk import ChunkState
from pipeline.model.outcome import Stop
from pipeline.state.chunk_records import ChunkRow


@dataclass(frozen=True)
class LoadReport:
    """What became of `accepted` staged rows; `stop` is why nothing more was sent, None where everything was tried."""

    accepted: int = 0
    rows: Sequence[ChunkRow] = ()
    stop: Stop | None = None

    @property
    def confirmed(self) -> int:
        """Return the rows that are confirmed."""
        return sum(row.confirmed for row in self.rows)

    @property
    def failed(self) -> int:
        """Return the rows that failed."""
        return sum(row.failed for row in self.rows)

    @property
    def unknown(self) -> int:
        """Return the rows of which nobody knows whether they arrived: those of an import on the wire, too."""
        on_wire = (row.rows for row in self.rows if row.state is ChunkState.SENDING and row.method == "imports")
        return sum(row.unknown for row in self.rows) + sum(on_wire)

    @property
    def unsent(self) -> int:
        """Return the rows that were not sent, or whose import is not final."""
        return self.accepted - self.confirmed - self.failed - self.unknown

    @property
    def unmatched(self) -> int | None:
        """Return the rows of an `update` that found no record, None where that is not known."""
        known = [row.unmatched for row in self.rows if row.unmatched is not None]
        return sum(known) if known else None

    @property
    def open(self) -> bool:
        """Return whether time or another attempt can still change what became of a row."""
        return sum(row.rows for row in self.rows) < self.accepted or not all(row.state.final for row in self.rows)

    @property
    def anything_sent(self) -> bool:
        """Return whether any row may have reached Copernica."""
        return any(row.sending_at is not None for row in self.rows)

    @property
    def chunks(self) -> dict[str, int]:
        """Count the chunks by where they are, in the words of the summary."""
        return dict(Counter(row.word for row in self.rows if row.state is not ChunkState.SPLIT))

    @property
    def rebuilt(self) -> bool:
        """Return whether an import that carried the rebuild ended confirmed (data rule 24)."""
        return any(row.rebuild and row.state is ChunkState.CONFIRMED for row in self.rows)
