"""Read one CSV dump: blocks of bytes in, batches and malformed records out (wiring around the scanner)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import polars as pl

from pipeline.errors import AccountingError, JobError, Problem
from pipeline.extract.csv.header import dump_columns, header_problems
from pipeline.extract.decoding import utf8_blocks
from pipeline.extract.lines import LineCounter
from pipeline.extract.malformed import CSV_CODES, Dialect, Line, csv_frame
from pipeline.extract.native import readers
from pipeline.extract.ours import Header, has_raw, pieces, saved_as
from pipeline.extract.reading import BATCH_BYTES, Batches, Found, Mark, Piece, Task, check_piece, first_line
from pipeline.extract.refusal import Refused
from pipeline.model.formulas import restored
from pipeline.model.rows import Batch

if TYPE_CHECKING:
    from pipeline.extract.csv import _csv

_HEADER_FAULTS = {
    "unclosed_quote": "the header has a quote that does not close",
    "record_too_long": "the header is longer than 1 MiB",
    "stray_quote": "the header has a stray quote",
    "not_decodable": "the header does not decode",
    "nul": "the header holds a NUL character; is this a text file?",
    "bare_cr": "the header holds a carriage return without a line feed",
}
# Fed before a piece of a file without a header: with a header it is that which shows how lines end.
NO_HEAD = b"\n"
_PLACES = ("_at_line", "_at_record", "_at_element")


class CsvReader:
    """Read the blocks of one file; what was found is in `found` when the batches are through."""

    def __init__(self, task: Task, found: Found) -> None:
        self._task = task
        self._found = found
        self._names: tuple[str, ...] = ()
        self._ours: Header | None = None
        self._left = task.limit
        source = task.source
        if source.delimiter is None:
            raise JobError(
                Problem("the delimiter of CSV is never guessed", "source.delimiter", "set the one of the dump")
            )
        self._events = readers("pipeline.extract.csv._csv", "pipeline.extract.csv.fallback")
        self._scanner: _csv.Scanner = self._events.Scanner(
            delimiter=source.delimiter,
            quote=source.quote,
            escape=source.escape or "\0",
            max_record_bytes=task.max_record_bytes,
            skip_lines=source.skip_lines,
            batch_rows=self._batch_rows(),
            batch_bytes=BATCH_BYTES,
        )
        self._lines = LineCounter()
        self._fed = 0
        self._head = Mark()
        # What is added to the numbers of a piece: the lines before it that are not read, and the records.
        self._before = Mark() if task.piece is None else _before(task.piece)

    def read(self, blocks: Iterator[bytes]) -> Batches:
        """Yield the batches; data rule 5 defines a record, data rule 6 what is set aside, line by line.

        Raises Refused where the header does not fit, AccountingError where the lines do not add up.
        """
        for _ in self._batch_ends(blocks):
            yield from self._take()
            if self._left == 0:
                self._count()
                return
        self._end()

    def marks(self, blocks: Iterator[bytes]) -> Iterator[Mark]:
        """Yield the place behind the header, those between two batches where the file may be cut, and its end.

        The blocks are read as by `read`, but no batch is made of them; raises what that raises. So the records of a piece are
        those of the whole file, in the same batches.
        """
        start: Mark | None = None
        for _ in self._batch_ends(blocks):
            if start is None:
                start = self._head
                yield start
            self._scanner.take()
            mark = self._mark()
            long = mark.offset - start.offset >= self._task.piece_bytes
            # Old files whose lines end with a bare CR are not cut: behind a head, LF would belong to its line end.
            if long and self._scanner.ends == "\n" and self._scanner.counts()["between"]:
                start = mark
                yield mark
        self._end()
        yield self._mark()

    def _batch_ends(self, blocks: Iterator[bytes]) -> Iterator[None]:
        """Scan the blocks, and yield where a batch is to be taken."""
        if self._task.source.header != "first":
            self._begin(tuple(self._task.source.header))
        event = self._events.MORE
        while event != self._events.DONE:
            event = self._scanner.scan()
            if event == self._events.MORE:
                self._feed(next(blocks, b""))
            elif event == self._events.HEADER:
                self._take_header()
            elif self._names:
                yield

    def _mark(self) -> Mark:
        counts = self._scanner.counts()
        return Mark(self._fed - counts["unread"], counts["lines"], counts["records"])

    def _batch_rows(self) -> int:
        most = self._task.batch_rows
        return most if self._left is None else max(1, min(most, self._left))

    def _feed(self, block: bytes) -> None:
        self._scanner.feed(block, not block)
        self._fed += len(block)
        self._lines.add(block, self._scanner.ends)

    def _take_header(self) -> None:
        names, code = self._scanner.header()
        if code:
            do = "mend the header, or see source.delimiter and source.quote"
            if CSV_CODES[code] == "not_decodable":
                do = f"set source.encoding to the one of the file, such as cp1252; it is {self._task.source.encoding} now"
            raise Refused(Problem(_HEADER_FAULTS[CSV_CODES[code]], self._task.file.name, do))
        self._begin(tuple(name.decode() for name in names))
        self._head = self._mark()

    def _begin(self, names: tuple[str, ...]) -> None:
        task, expected = self._task, self._task.expected
        if task.saved is not None and task.canonical is not None:
            self._ours = Header(names, task.expected, task.canonical)
            expected = self._ours.expected()
        problems = tuple(header_problems(names, expected, task.file.name, task.canonical))
        if problems:
            raise Refused(*problems)
        self._names = names
        self._found.header = dump_columns(names)
        self._scanner.begin(tuple(name.encode() for name in names))

    def _take(self) -> Batches:
        table, lines = self._scanner.take()
        frame = pl.DataFrame(table)
        if self._task.piece is not None:
            frame, lines = self._numbered(frame, lines)
        if self._left is not None:
            self._left -= frame.height + len(lines)
            self._scanner.batch_rows = self._batch_rows()
        malformed = self._malformed(lines)
        # The columns are numbered still, since a file of ours has a `_line` of its own.
        frame.columns = [*self._names, "_at_line", "_at_record"]
        frame = frame.with_columns(pl.lit(None, pl.UInt32).alias("_at_element"))
        if has_raw(self._names):
            frame, malformed = _unreadable_before(frame, malformed, self._found.header)
        if frame.height or malformed.height:
            yield from self._batches(frame, malformed)

    def _numbered(self, frame: pl.DataFrame, lines: list[Line]) -> tuple[pl.DataFrame, list[Line]]:
        """Number the lines and records of a piece as in the whole file."""
        by, records = self._before.lines, self._before.records
        frame = frame.with_columns((pl.col("_line") + by).cast(pl.UInt64), pl.col("_record") + records)
        return frame, [
            (line + by, record + records, code, found, first + by, last + by, length, raw)
            for line, record, code, found, first, last, length, raw in lines
        ]

    def _batches(self, frame: pl.DataFrame, malformed: pl.DataFrame) -> Batches:
        file = self._task.file
        if self._ours is None or not frame.height:
            yield Batch(file, _placed(frame.select(*self._found.header, *_PLACES)), malformed)
            return
        for piece in pieces(self._ours, frame):
            yield Batch(file, _placed(piece.frame), malformed, piece.absent, again=piece.again)
            malformed = malformed.clear()

    def _malformed(self, lines: list[Line]) -> pl.DataFrame:
        source = self._task.source
        return csv_frame(lines, Dialect(len(self._names), source.max_record_bytes, source.encoding))

    def _count(self) -> None:
        counts, seen = self._found.counts, self._scanner.counts()
        counts.lines = seen["lines"]
        counts.record_lines, counts.blank_lines = seen["record_lines"], seen["blank_lines"]
        counts.header_lines, counts.skipped_lines = seen["header_lines"], seen["skipped_lines"]
        counts.elements = counts.records = seen["records"]

    def _end(self) -> None:
        if not self._names:
            raise Refused(Problem("has no header", self._task.file.name, "see source.skip_lines and source.header"))
        self._count()
        counts, piece = self._found.counts, self._task.piece
        if piece is not None:
            found = counts.lines + self._before.lines, counts.records + self._before.records
            check_piece(piece, found, self._task.file.name)
            return
        lines = self._lines.lines(self._scanner.ends or "\n")
        parts = counts.record_lines + counts.blank_lines + counts.header_lines + counts.skipped_lines
        if not lines == parts == counts.lines:
            what = f"{lines} lines in the file, but {parts} in records, blank lines, header and skipped ones"
            raise AccountingError(Problem(what, self._task.file.name, "please report this"))


def _before(piece: Piece) -> Mark:
    """Return the lines and records before a piece, without the lines that are read with it: its head, or a blank line."""
    lines = piece.head.lines if piece.head.offset else len(NO_HEAD)
    return Mark(lines=piece.start.lines - lines, records=piece.start.records)


def _placed(frame: pl.DataFrame) -> pl.DataFrame:
    """Rename the columns of the rows' places, which columns of ours may have had so far."""
    frame.columns = [*frame.columns[: -len(_PLACES)], "_line", "_record", "_element"]
    return frame


def _unreadable_before(
    frame: pl.DataFrame, malformed: pl.DataFrame, columns: tuple[str, ...]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Set rows aside again that hold nothing but `_raw`, whichever of our columns are left beside it."""
    blank = pl.all_horizontal([pl.lit(True), *(pl.col(name) == "" for name in columns)]) & (pl.col("_raw") != "")
    again = frame.filter(blank).select(
        pl.col("_at_line").alias("_line"),
        pl.col("_at_record").alias("_record"),
        pl.lit("unreadable_before").alias("_code"),
        pl.lit("still holds only the raw text of a record that could not be split").alias("_message"),
        pl.col("_raw"),
    )
    return frame.filter(~blank), pl.concat([malformed, restored(again)]).sort("_record")


def read_csv(task: Task, blocks: Iterator[bytes], found: Found) -> Batches:
    """Read one CSV file; a file of ours is read as it was saved, whatever the job sets."""
    head, blocks = first_line(blocks)
    saved = saved_as(head)
    if saved is not None:
        task = task.of_ours(saved)
    yield from CsvReader(task, found).read(utf8_blocks(blocks, task.source.encoding, task.file.name))
