"""Read one NDJSON dump: an object per line (wiring around the decoder)."""

from __future__ import annotations

import json
from collections.abc import Iterator

from pipeline.errors import AccountingError, Problem
from pipeline.extract.decoding import readable
from pipeline.extract.json.batch import JsonBatches
from pipeline.extract.json.fallback import ODD
from pipeline.extract.json.text import TOO_DEEP, Decoder
from pipeline.extract.lines import MOST_RAW_BYTES, LineCounter, LinePieces, LongLine, WholeLines
from pipeline.extract.reading import Batches, Found, Task, check_piece

_BLANK = " \t\r\n"


class NdjsonReader:
    """Read the lines of one file; what was found is in `found` when the batches are through."""

    def __init__(self, task: Task, found: Found, batches: JsonBatches | None = None) -> None:
        self._task = task
        self._found = found
        self._decoder = Decoder()
        self._batches = batches or JsonBatches(task, found)

    def read(self, blocks: Iterator[bytes]) -> Batches:
        """Yield the batches; raises AccountingError where the lines do not add up."""
        batches, piece = self._batches, self._task.piece
        if piece is not None:
            counts = self._found.counts
            counts.lines, counts.elements = piece.start.lines, piece.start.records
        counter = LineCounter()
        for own in LinePieces(blocks, self._task.piece_bytes, piece.start.offset if piece else 0):
            for lines in WholeLines(own, self._task.max_record_bytes, counter):
                if isinstance(lines, LongLine):
                    self._long_line(lines)
                else:
                    yield from self._lines(lines)
                yield from batches.take()
                if batches.full:
                    break
            yield from batches.take_rest()
            if batches.full:
                return
        if piece is not None:
            check_piece(piece, (self._found.counts.lines, self._found.counts.elements), self._task.file.name)
        else:
            self._check(counter.lines("\n"))

    def _lines(self, data: bytes) -> Batches:
        """Read whole lines: flat objects in bulk, the others one by one."""
        batches, at = self._batches, 0
        while at < len(data) and not batches.full:
            event, at = batches.lines(data, at)
            if event == ODD:
                end = data.find(b"\n", at)
                end = len(data) if end < 0 else end
                self._odd_line(data[at:end])
                at = end + 1
            if batches.ready:
                yield from batches.take()

    def _next_line(self) -> int:
        """Count one more line of a record and give its number."""
        self._found.counts.record_lines += 1
        self._found.counts.lines += 1
        return self._found.counts.lines

    def _odd_line(self, line: bytes) -> None:
        if len(line) > self._task.max_record_bytes + line.endswith(b"\r"):
            self._long_line(LongLine(line[:MOST_RAW_BYTES], len(line)))
            return
        number = self._next_line()
        try:
            text = line.decode().strip(_BLANK)
            value, end = self._decoder.value(text)
        except (ValueError, RecursionError) as error:
            self._batches.set_aside(number, self._fault(line, error), self._raw(line, len(line)))
            return
        fault = self._decoder.fault(value, text)
        if end != len(text):
            fault = "not_json", f"goes on behind the value, at character {end + 1}"
        self._batches.add(value, number, text, fault)

    def _long_line(self, line: LongLine) -> None:
        fault = "record_too_long", f"longer than {self._task.max_record_bytes:,} bytes"
        self._batches.set_aside(self._next_line(), fault, self._raw(line.head, line.length))

    def _fault(self, line: bytes, error: ValueError | RecursionError) -> tuple[str, str]:
        if isinstance(error, UnicodeDecodeError):
            return "not_decodable", f"bytes that are no {self._task.source.encoding}"
        if b"\0" in line:
            return "nul", "holds a NUL character"
        if isinstance(error, json.JSONDecodeError):
            return "not_json", f"{error.msg} at character {error.pos + 1}"
        return TOO_DEEP

    def _raw(self, line: bytes, length: int) -> str:
        """Return a line, or as much of it as is kept, for a person to mend."""
        whole = len(line) == length <= MOST_RAW_BYTES
        text = readable(line.removesuffix(b"\r") if whole else line[:MOST_RAW_BYTES], self._task.source.encoding)
        return text if whole else f"{text}… ({length:,} bytes)"

    def _check(self, lines: int) -> None:
        counts = self._found.counts
        if not lines == counts.lines == counts.record_lines + counts.blank_lines:
            what = f"{lines} lines in the file, but {counts.record_lines} records and {counts.blank_lines} blank lines"
            raise AccountingError(Problem(what, self._task.file.name, "please report this"))
