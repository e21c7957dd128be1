"""Read one CSV dump: blocks of bytes in, batches and malformed records out (wiring around the scanner)."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from pipeline.errors import AccountingError, JobError, Problem
from pipeline.extract.csv import _csv
from pipeline.extract.csv.header import LEAST_OURS, dump_columns, header_problems, is_rejects_header, raw_column
from pipeline.extract.decoding import utf8_blocks
from pipeline.extract.lines import LineCounter
from pipeline.extract.malformed import CSV_CODES, Dialect, Line, csv_frame
from pipeline.extract.reading import BATCH_BYTES, Batches, Found, Task, again
from pipeline.extract.refusal import Refused
from pipeline.model.rows import OURS, Batch

_HEADER_FAULTS = {
    "unclosed_quote": "the header has a quote that does not close",
    "record_too_long": "the header is longer than 1 MiB",
    "stray_quote": "the header has a stray quote",
    "not_decodable": "the header does not decode",
    "nul": "the header holds a NUL character; is this a text file?",
    "bare_cr": "the header holds a carriage return without a line feed",
}
_MOST_HEADER_BYTES = 1 << 20


class CsvReader:
    """Read the blocks of one file; what was found is in `found` when the batches are through."""

    def __init__(self, task: Task, found: Found) -> None:
        self._task = task
        self._found = found
        self._names: tuple[str, ...] = ()
        self._left = task.limit
        source = task.source
        if source.delimiter is None:
            raise JobError(Problem("the delimiter of CSV is never guessed", "source.delimiter", "say which one it is"))
        self._scanner = _csv.Scanner(
            delimiter=source.delimiter,
            quote=source.quote,
            escape=source.escape or "\0",
            max_record_bytes=task.max_record_bytes,
            skip_lines=source.skip_lines,
            batch_rows=self._batch_rows(),
            batch_bytes=BATCH_BYTES,
        )
        self._lines = LineCounter()

    def read(self, blocks: Iterator[bytes]) -> Batches:
        """Give the batches: what a record is says data rule 5, what is set aside, line by line, data rule 6.

        Raises Refused where the header does not fit, AccountingError where the lines do not add up.
        """
        source = self._task.source
        if source.header != "first":
            self._begin(tuple(source.header))
        event = _csv.MORE
        while event != _csv.DONE:
            event = self._scanner.scan()
            if event == _csv.MORE:
                self._feed(next(blocks, b""))
            elif event == _csv.HEADER:
                self._take_header()
            elif self._names and (batch := self._take()):
                yield batch
                if self._left == 0:
                    self._count()
                    return
        self._end()

    def _batch_rows(self) -> int:
        most = self._task.batch_rows
        return most if self._left is None else max(1, min(most, self._left))

    def _feed(self, block: bytes) -> None:
        self._scanner.feed(block, not block)
        self._lines.add(block, self._scanner.ends)

    def _take_header(self) -> None:
        names, code = self._scanner.header()
        if code:
            do = "mend the header, or see source.delimiter and source.quote"
            raise Refused(Problem(_HEADER_FAULTS[CSV_CODES[code]], self._task.file.name, do))
        self._begin(tuple(name.decode() for name in names))

    def _begin(self, names: tuple[str, ...]) -> None:
        problems = tuple(header_problems(names, self._task.expected, self._task.file.name))
        if problems:
            raise Refused(*problems)
        self._names = names
        self._found.header = dump_columns(names)
        self._scanner.begin(tuple(name.encode() for name in names))

    def _take(self) -> Batch | None:
        table, lines = self._scanner.take()
        frame = pl.DataFrame(table)
        if self._left is not None:
            self._left -= frame.height + len(lines)
            self._scanner.batch_rows = self._batch_rows()
        if not frame.height and not lines:
            return None
        malformed = self._malformed(lines)
        # The columns are numbered still, since a rejects file has a `_line` of its own.
        numbers = [str(at) for at, name in enumerate(self._names) if name not in OURS]
        raw = raw_column(self._names)
        if raw is not None:
            frame, malformed = _unreadable_before(frame, malformed, numbers, str(raw))
        frame = frame.select(*numbers, "_line", "_record", pl.lit(None, pl.UInt32).alias("_element"))
        frame.columns = [*self._found.header, "_line", "_record", "_element"]
        return Batch(self._task.file, frame, malformed)

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
        counts, lines = self._found.counts, self._lines.lines(self._scanner.ends or "\n")
        parts = counts.record_lines + counts.blank_lines + counts.header_lines + counts.skipped_lines
        if not lines == parts == counts.lines:
            what = f"{lines} lines in the file, but {parts} in records, blank lines, header and skipped ones"
            raise AccountingError(Problem(what, self._task.file.name, "please report this"))


def _unreadable_before(
    frame: pl.DataFrame, malformed: pl.DataFrame, numbers: list[str], raw: str
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Set rows aside again that hold nothing but `_raw`, the column `raw`, whichever of our columns are left beside it."""
    blank = pl.all_horizontal([pl.lit(True), *(pl.col(number) == "" for number in numbers)]) & (pl.col(raw) != "")
    again = frame.filter(blank).select(
        "_line",
        "_record",
        _code=pl.lit("unreadable_before"),
        _message=pl.lit("still holds only the raw text of a record that could not be split"),
        _raw=raw,
    )
    return frame.filter(~blank), pl.concat([malformed, again]).sort("_record")


def is_rejects_file(head: bytes) -> bool:
    """Say whether a file that begins so is a CSV rejects file: its header ends with columns of ours."""
    scanner = _csv.Scanner(
        delimiter=",", quote='"', escape="\0", max_record_bytes=1, skip_lines=0, batch_rows=1, batch_bytes=BATCH_BYTES
    )
    scanner.feed(head, True)
    if scanner.scan() != _csv.HEADER:
        return False
    names, code = scanner.header()
    return not code and is_rejects_header([name.decode() for name in names])


def read_csv(task: Task, blocks: Iterator[bytes], found: Found) -> Batches:
    """Read one CSV file; a rejects file is read as we wrote it, whatever the job says."""
    head = b""
    for block in blocks:
        head += block
        if len(head) > _MOST_HEADER_BYTES or b"\n" in block:
            break
    may_be = sum(name.encode() in head for name in OURS) >= LEAST_OURS
    first = b"".join(utf8_blocks(iter([head]), "utf-8", task.file.name)) if may_be else b""
    if first and is_rejects_file(first):
        task = task.of_rejects()
    yield from CsvReader(task, found).read(utf8_blocks(again(head, blocks), task.source.encoding, task.file.name))
