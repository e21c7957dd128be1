"""Hold what the reading of one file needs, and what it found (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from pipeline.errors import Problem
from pipeline.model.columns import Expected
from pipeline.model.files import SourceFile
from pipeline.model.job import Source
from pipeline.model.rows import Batch

# A batch ends before its rows when their text is this long, so that memory does not grow with the length of records.
BATCH_BYTES = 48 << 20
# What the offsets of the scanners hold.
_MOST_RECORD_BYTES = (1 << 30) - 1
# What a rejects file may make of a record: each character an escape (`\\u00e9`), and behind it our columns, `_raw` with
# 64 Ki characters among them, escaped too.
_LONGER_IN_REJECTS = 6
_TRAILER_BYTES = 4 << 20


@dataclass
class Counts:
    """The counts of data rule 2 for one file, as in FileFacts."""

    lines: int = 0
    record_lines: int = 0
    blank_lines: int = 0
    header_lines: int = 0
    skipped_lines: int = 0
    elements: int = 0
    records: int = 0


@dataclass(frozen=True)
class Task:
    """What to read and how: `limit` rows of this file at most, `batch_rows` at a time."""

    file: SourceFile
    source: Source
    expected: Expected
    lists: frozenset[str] = frozenset()
    batch_rows: int = 100_000
    limit: int | None = None

    @property
    def max_record_bytes(self) -> int:
        """Give the longest record that is read, in bytes of UTF-8."""
        return min(self.source.max_record_bytes, _MOST_RECORD_BYTES)

    def of_rejects(self) -> Task:
        """Give the task for a rejects file: the dialect in which we wrote it, whatever the job says.

        A record there is longer than it was, by our columns and by quotes or escapes.
        """
        words = {"delimiter": ",", "quote": '"', "header": "first", "encoding": "utf-8", "skip_lines": 0}
        most_bytes = _LONGER_IN_REJECTS * self.source.max_record_bytes + _TRAILER_BYTES
        return replace(self, source=self.source.model_copy(update={**words, "max_record_bytes": most_bytes}))


@dataclass
class Found:
    """What a reader fills in while it goes: counts, the columns, late refusals (data rule 7)."""

    counts: Counts = field(default_factory=Counts)
    header: tuple[str, ...] = ()
    problems: list[Problem] = field(default_factory=list)


Batches = Iterator[Batch]


def again(head: bytes, blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Give blocks of which the first ones, now `head`, were looked at."""
    if head:
        yield head
    yield from blocks
