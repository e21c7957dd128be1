"""Hold what the reading of one file needs, and what it found (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import chain

from pipeline.errors import AccountingError, Problem
from pipeline.extract.ours import Saved
from pipeline.model.columns import Expected
from pipeline.model.files import SourceFile
from pipeline.model.job import Source
from pipeline.model.rows import Batch

# A batch ends before its rows when their text is this long, so that memory does not grow with the length of records.
BATCH_BYTES = 48 << 20
# Shorter blocks are joined: each costs some work that does not depend on its length.
LEAST_BLOCK_BYTES = 1 << 16
# A large plain file is cut into pieces of about this size.
PIECE_BYTES = 32 << 20
# A header is no longer; a first object that is longer is none of a file of ours that anyone mends by hand.
_MOST_HEAD_BYTES = 1 << 20
_MOST_OBJECT_BYTES = 1 << 24
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
class Mark:
    """A place between two records of a file: its byte, and the lines and records (JSON: objects) before it."""

    offset: int = 0
    lines: int = 0
    records: int = 0


@dataclass(frozen=True)
class Piece:
    """Whole records of a plain file, from `start` to `end`; `head` is the place behind its header."""

    head: Mark
    start: Mark
    end: Mark


def check_piece(piece: Piece, found: tuple[int, int], name: str) -> None:
    """Raise AccountingError where a piece did not end at the line and record at which it ends in the whole file."""
    if found != (piece.end.lines, piece.end.records):
        what = f"a piece of the file ends at line and record {found}, not {piece.end.lines, piece.end.records}"
        raise AccountingError(Problem(what, name, "please report this"))


@dataclass(frozen=True)
class Task:
    """What to read and how: `limit` rows of this file at most, `batch_rows` at a time."""

    file: SourceFile
    source: Source
    expected: Expected
    lists: frozenset[str] = frozenset()
    batch_rows: int = 100_000
    limit: int | None = None
    # The columns of files that we wrote with canonical text; None where such files are not expected.
    canonical: Expected | None = None
    # How a file of ours stands, None for any other one.
    saved: Saved | None = None
    # The rows are canonical text under target columns (NDJSON of ours; in CSV each row is judged by itself).
    reads_canonical: bool = False
    # The part of the file that is read, None for all of it.
    piece: Piece | None = None
    # A batch of NDJSON ends with the first line that ends behind each so many bytes, so that pieces have whole batches.
    piece_bytes: int = PIECE_BYTES

    @property
    def max_record_bytes(self) -> int:
        """Return the longest record that is read, in bytes of UTF-8."""
        return min(self.source.max_record_bytes, _MOST_RECORD_BYTES)

    def of_ours(self, saved: Saved) -> Task:
        """Return the task for a file of ours: its own dialect, whatever the job sets.

        A record there is longer than it was, by our columns and by quotes or escapes.
        """
        dialect = {
            "delimiter": saved.delimiter,
            "quote": '"',
            "escape": None,
            "header": "first",
            "encoding": saved.encoding,
            "skip_lines": 0,
            "max_record_bytes": _LONGER_IN_REJECTS * self.source.max_record_bytes + _TRAILER_BYTES,
        }
        return replace(self, source=self.source.model_copy(update=dialect), saved=saved)


@dataclass
class Found:
    """What a reader fills in while it goes: counts, the columns, late refusals (data rule 7)."""

    counts: Counts = field(default_factory=Counts)
    header: tuple[str, ...] = ()
    problems: list[Problem] = field(default_factory=list)


Batches = Iterator[Batch]


def gathered(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Join blocks that are very short, as an archive of many small members makes them."""
    pieces: list[bytes] = []
    size = 0
    for block in blocks:
        pieces.append(block)
        size += len(block)
        if size >= LEAST_BLOCK_BYTES:
            yield b"".join(pieces) if len(pieces) > 1 else block
            pieces, size = [], 0
    if pieces:
        yield b"".join(pieces)


def first_line(blocks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Read as far as the first line end, and return that with an iterator over all blocks.

    Of a long line it is a little over 1 MiB at most, or 16 MiB of an object.
    """
    pieces: list[bytes] = []
    size = 0
    for block in blocks:
        pieces.append(block)
        size += len(block)
        most = _MOST_OBJECT_BYTES if pieces[0].startswith((b"{", b"\xef\xbb\xbf{")) else _MOST_HEAD_BYTES
        if size > most or b"\n" in block:
            break
    head = b"".join(pieces)
    return head, chain([head] if head else [], blocks)
