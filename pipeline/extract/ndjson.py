"""Read one NDJSON dump: an object per line (wiring around the decoder)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pipeline.errors import AccountingError, Problem
from pipeline.extract.decoding import readable
from pipeline.extract.json_batch import JsonBatches
from pipeline.extract.json_text import Decoder
from pipeline.extract.lines import MOST_RAW_BYTES, Lines, LongLine
from pipeline.extract.reading import Batches, Found, Task
from pipeline.records import REJECT_KEYS

_BLANK = " \t\r\n"


class NdjsonReader:
    """Read the lines of one file; what was found is in `found` when the batches are through."""

    def __init__(self, task: Task, found: Found) -> None:
        self._task = task
        self._found = found
        self._decoder = Decoder()
        self._batches = JsonBatches(task, found)

    def read(self, blocks: Iterator[bytes]) -> Batches:
        """Give the batches; AccountingError where the lines do not add up."""
        counts, batches = self._found.counts, self._batches
        lines = Lines(blocks, self._task.source.max_record_bytes)
        for line in lines:
            counts.lines += 1
            if line in (b"", b"\r"):
                counts.blank_lines += 1
                continue
            counts.record_lines += 1
            self._line(line)
            if batches.ready:
                yield from batches.take()
            if batches.full:
                break
        yield from batches.take_rest()
        if not batches.full:
            self._check(lines.counter.lines("\n"))

    def _line(self, line: bytes | LongLine) -> None:
        number = self._found.counts.lines
        if isinstance(line, LongLine):
            fault = "record_too_long", f"longer than {self._task.source.max_record_bytes:,} bytes"
            self._batches.set_aside(number, fault, f"{self._readable(line.head)}… ({line.length:,} bytes)")
            return
        try:
            text = line.decode().strip(_BLANK)
            value, end = self._decoder.value(text)
        except (ValueError, RecursionError) as error:
            self._set_aside(line, error)
            return
        fault_of_line = self._decoder.fault(value, text, 0, end)
        if end != len(text):
            fault_of_line = "not_json", f"goes on behind the value, at character {end + 1}"
        self._batches.add(value, (number, text, 0, len(text)), fault_of_line)

    def _set_aside(self, line: bytes, error: ValueError | RecursionError) -> None:
        if isinstance(error, UnicodeDecodeError):
            fault = "not_decodable", f"bytes that are no {self._task.source.encoding}"
        elif b"\0" in line:
            fault = "nul", "holds a NUL character"
        elif isinstance(error, json.JSONDecodeError):
            fault = "not_json", f"{error.msg} at character {error.pos + 1}"
        else:
            fault = "too_deep", "nested more deeply than can be followed"
        line = line.removesuffix(b"\r")
        raw = self._readable(line[:MOST_RAW_BYTES])
        raw = raw if len(line) <= MOST_RAW_BYTES else f"{raw}… ({len(line):,} bytes)"
        self._batches.set_aside(self._found.counts.lines, fault, raw)

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
