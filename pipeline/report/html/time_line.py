"""Lay a run's chunks out in time, many to a line where there are many (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pipeline.state.chunk_records import ChunkRow

MOST_LINES = 40
# From the best to the worst: a line of several chunks shows the worst of them.
_SEVERITY = ("confirmed", "submitted", "unsent", "held", "sending", "unknown", "failed")


@dataclass(frozen=True)
class Line:
    """One or several chunks that follow each other: `start_s` and `seconds` count from the first sending of the run."""

    first: int
    last: int
    state: str
    rows: int
    start_s: float
    seconds: float
    retries: int

    @property
    def name(self) -> str:
        """Return the chunks' numbers."""
        return str(self.first) if self.first == self.last else f"{self.first} to {self.last}"


def lines_of(chunks: Sequence[ChunkRow]) -> list[Line]:
    """Return at most 40 lines for all chunks that were sent, in their order."""
    sent = [one for one in chunks if one.sending_at]
    if not sent:
        return []
    begun = min(_seconds(one.sending_at) for one in sent)
    size = -(-len(sent) // MOST_LINES)
    return [_line(sent[at : at + size], begun) for at in range(0, len(sent), size)]


def _line(chunks: Sequence[ChunkRow], begun_s: float) -> Line:
    start = min(_seconds(one.sending_at) for one in chunks)
    end = max(_seconds(one.ended_at or one.submitted_at or one.sending_at) for one in chunks)
    return Line(
        chunks[0].ordinal,
        chunks[-1].ordinal,
        max((one.word for one in chunks), key=lambda state: _SEVERITY.index(state) if state in _SEVERITY else 0),
        sum(one.rows for one in chunks),
        max(start - begun_s, 0),
        max(end - start, 0),
        sum(max(one.attempts - 1, 0) for one in chunks),
    )


def _seconds(at: str | None) -> float:
    return datetime.fromisoformat(at).timestamp() if at else 0.0


def by_state(chunks: Sequence[ChunkRow]) -> list[tuple[str, int, int]]:
    """Count chunks and their rows by state, the best first."""
    counts = Counter(one.word for one in chunks)
    return [
        (state, counts[state], sum(one.rows for one in chunks if one.word == state))
        for state in sorted(counts, key=lambda one: _SEVERITY.index(one) if one in _SEVERITY else len(_SEVERITY))
    ]
