"""Read one NDJSON dump: an object per line (wiring around the decoder)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pipeline.errors import AccountingError, Problem
from pipeline.extract.csv_dump import LineCounter
from pipeline.extract.decoding import readable
from pipeline.extract.json_batch import Element, JsonBatches
from pipeline.extract.json_text import Decoder, Fault
from pipeline.extract.reading import Batches, Found, Task
from pipeline.records import REJECT_KEYS

_MOST_RAW_BYTES = 1 << 16
_BLANK = " \t\r\n"


@dataclass
class _LongLine:
    """A line that is longer than may be held: how it begins, and how long it is so far."""

    head: bytes
    length: int


class Lines:
    """Split blocks at LF; a line longer than `most_bytes` comes as a `_LongLine` and is never held whole."""

    def __init__(self, blocks: Iterator[bytes], most_bytes: int) -> None:
        self._blocks = blocks
        self._most_bytes = most_bytes
        self.counter = LineCounter()

    def __iter__(self) -> Iterator[bytes | _LongLine]:
        tail, long = b"", None
        for block in self._blocks:
            self.counter.add(block, "\n")
            first, *lines = block.split(b"\n")
            tail, long = self._longer(tail, long, first)
            for line in lines:
                yield long or tail
                tail, long = self._longer(b"", None, line)
        if tail or long:
            yield long or tail

    def _longer(self, tail: bytes, long: _LongLine | None, piece: bytes) -> tuple[bytes, _LongLine | None]:
        if long is not None:
            long.length += len(piece)
            return b"", long
        tail += piece
        # One byte more for the CR of a line end.
        if len(tail) > self._most_bytes + 1 or (len(tail) > self._most_bytes and not tail.endswith(b"\r")):
            return b"", _LongLine(tail[:_MOST_RAW_BYTES], len(tail))
        return tail, None


class NdjsonReader:
    """Read the lines of one file; what was found is in `found` when the batches are through."""

    def __init__(self, task: Task, found: Found) -> None:
        self._task = task
        self._found = found
        self._decoder = Decoder()
        self._batches = JsonBatches(task, found)

    def read(self, blocks: Iterator[bytes]) -> Batches:
        """Give the batches; AccountingError where the lines do not add up."""
        counts = self._found.counts
        lines = Lines(blocks, self._task.source.max_record_bytes)
        for line in lines:
            counts.lines += 1
            if line in (b"", b"\r"):
                counts.blank_lines += 1
                continue
            counts.record_lines += 1
            yield from self._line(line)
            if self._batches.full:
                break
        yield from self._batches.rest()
        if not self._batches.full:
            self._check(lines.counter.lines("\n"))

    def _line(self, line: bytes | _LongLine) -> Batches:
        number = self._found.counts.lines
        if isinstance(line, _LongLine):
            most = self._task.source.max_record_bytes
            fault = "record_too_long", f"longer than {most:,} bytes"
            yield from self._batches.set_aside(number, fault, f"{self._readable(line.head)}… ({line.length:,} bytes)")
            return
        value, fault_of_line = self._decode(line)
        if isinstance(value, Element):
            yield from self._batches.add(value, fault_of_line)
        else:
            raw = self._readable(line.removesuffix(b"\r")[:_MOST_RAW_BYTES])
            yield from self._batches.set_aside(number, fault_of_line or ("not_json", ""), raw)

    def _decode(self, line: bytes) -> tuple[Element | None, Fault | None]:
        try:
            text = line.decode().strip(_BLANK)
        except UnicodeDecodeError as error:
            return None, ("not_decodable", f"bytes that are no {self._task.source.encoding} ({error.reason})")
        if "\0" in text:
            return None, ("nul", "holds a NUL character")
        try:
            value, end = self._decoder.value(text)
        except json.JSONDecodeError as error:
            return None, ("not_json", f"{error.msg} at character {error.pos + 1}")
        except RecursionError:
            return None, ("too_deep", "nested more deeply than can be followed")
        if end != len(text):
            return None, ("not_json", f"goes on behind the value, at character {end + 1}")
        element = Element(value, self._found.counts.lines, text, 0, end)
        return element, self._decoder.fault(value, text, 0, end)

    def _readable(self, raw: bytes) -> str:
        return readable(raw, self._task.source.encoding)

    def _check(self, lines: int) -> None:
        counts = self._found.counts
        if not lines == counts.lines == counts.record_lines + counts.blank_lines:
            what = f"{lines} lines in the file, but {counts.record_lines} records and {counts.blank_lines} blank lines"
            raise AccountingError(Problem(what, self._task.file.name, "please report this"))


def is_rejects_line(line: bytes) -> bool:
    """Say whether a file that begins with this line is an NDJSON rejects file: its object ends with our keys."""
    try:
        obj: Any = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(obj, dict) and tuple(obj)[-len(REJECT_KEYS) :] == REJECT_KEYS
