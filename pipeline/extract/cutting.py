"""Cut a large plain CSV or NDJSON file between two records, by reading it once from begin to end (wiring).

The pass proves each place: it runs the scanner of the reader itself (CSV), or counts lines (NDJSON, where no record is longer
than its line). It makes the digest of the file and its counts of lines, too, so that a piece is read on its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing

from pipeline.extract.csv.reader import CsvReader
from pipeline.extract.files import archive_of, known_format
from pipeline.extract.json.dump import is_ours
from pipeline.extract.lines import LinePieces
from pipeline.extract.ours import saved_as
from pipeline.extract.reading import Found, Mark, Piece, Task, first_line
from pipeline.extract.remote import is_url
from pipeline.extract.stored import BLOCK_BYTES, StoredFile
from pipeline.model.encodings import is_utf8
from pipeline.model.files import FileFacts

_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_BLANK = re.compile(rb"(?<=\n)\r?\n")


class Cutting:
    """Read one file through and yield its pieces as they are found; then `facts` is complete, but for rows laid out of lists.

    Yields nothing for a file that is read whole: one of another format, packed, behind a URL, in another encoding, with a
    byte order mark, of ours, or not longer than a piece. Raises what reading raises.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._found = Found()
        self.facts: FileFacts | None = None

    def __iter__(self) -> Iterator[Piece]:
        if not self._may_be_cut():
            return
        with closing(StoredFile(self._task.file, BLOCK_BYTES)) as stored:
            head, blocks = first_line(stored.blocks())
            if head.startswith(_MARKS) or saved_as(head) is not None or is_ours(head):
                return
            marks = self._csv_marks(blocks) if self._format == "csv" else self._line_marks(blocks)
            pieces = 0
            for pieces, piece in enumerate(_between(marks), 1):
                if pieces == 1 and piece.end.offset == self._task.file.size_bytes:
                    return
                yield piece
            if pieces:
                stored.finish()
                self.facts = FileFacts(
                    self._task.file, stored.digest, **vars(self._found.counts), content_sha256=stored.content_digest
                )

    @property
    def _format(self) -> str:
        return known_format(self._task.file.name, self._task.source.format)

    def _may_be_cut(self) -> bool:
        file, source = self._task.file, self._task.source
        if is_url(file.name) or archive_of(file.name) or not is_utf8(source.encoding):
            return False
        has_head = source.header == "first" or not source.skip_lines
        fits = self._format == "ndjson" or (self._format == "csv" and has_head)
        return fits and self._task.limit is None and file.size_bytes > self._task.piece_bytes

    def _csv_marks(self, blocks: Iterator[bytes]) -> Iterator[Mark]:
        yield from CsvReader(self._task, self._found).marks(blocks)

    def _line_marks(self, blocks: Iterator[bytes]) -> Iterator[Mark]:
        """Yield the ends of the pieces of an NDJSON file; a record there is a line that is not empty."""
        counts = self._found.counts
        yield Mark()
        pieces = LinePieces(blocks, self._task.piece_bytes)
        before = b"\n"
        for piece in pieces:
            for part in piece:
                counts.lines += part.count(b"\n")
                counts.blank_lines += _blank_lines(before, part)
                before = (before + part)[-2:]
            if not before.endswith(b"\n"):  # the end of the file
                counts.lines += 1
                counts.blank_lines += before == b"\n\r"
            counts.record_lines = counts.elements = counts.lines - counts.blank_lines
            yield Mark(pieces.offset, counts.lines, counts.elements)


def _between(marks: Iterator[Mark]) -> Iterator[Piece]:
    head = start = next(marks, None)
    for mark in marks:
        if head is not None and start is not None and mark.offset > start.offset:
            yield Piece(head, start, mark)
            start = mark


def _blank_lines(before: bytes, part: bytes) -> int:
    """Count the empty lines that end in `part`; `before` are the two bytes before it."""
    if b"\n\n" not in part and b"\n\r\n" not in part and not part.startswith((b"\n", b"\r\n")):
        return 0
    return sum(match.end() > len(before) for match in _BLANK.finditer(before + part))
