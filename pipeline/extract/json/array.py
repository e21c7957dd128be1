"""Read one JSON dump, an array of objects, without ever holding it whole (wiring around the decoder)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from enum import Enum
from typing import Any

from pipeline.errors import Problem
from pipeline.extract.json.batch import MOST_RAW_CHARS, JsonBatches
from pipeline.extract.json.fallback import END, FULL, LAST, ODD
from pipeline.extract.json.skim import NotJsonError, skim
from pipeline.extract.json.text import TOO_DEEP, Decoder
from pipeline.extract.json.window import Window, is_text
from pipeline.extract.lines import LineCounter
from pipeline.extract.reading import Batches, Found, Task
from pipeline.extract.refusal import Refused
from pipeline.model.encodings import MARK

# The longest piece of JSON that may be the beginning of a longer one: -Infinity, \ud83d\ude00, 1.5e+.
_CUT_CHARS = 16
# How an array begins that has an element; one that begins otherwise is left to the slow path.
_BEGIN = re.compile(rb"[ \t\n\r]*\[[ \t\n\r]*(?=[^] \t\n\r])")
# Blocks can be as short as an archive makes them.
_LEAST_BEGIN_BYTES = 1 << 12


class Where(Enum):
    """What is to be read next."""

    BEGIN = "the array"
    FIRST = "an element or the end"
    ELEMENT = "an element"
    BEHIND = "nothing but blanks"


class ArrayReader:
    """Read the elements of one array; what was found is in `found` when the batches are through.

    First in bulk: elements are found by their brackets and quotes, flat ones read as columns, the others decoded one by
    one. Anything wrong is left to the slow path, which decodes from there and finds what is wrong and where; it could
    read the whole array, slowly.
    """

    def __init__(self, task: Task, found: Found, blocks: Iterator[bytes], batches: JsonBatches | None = None) -> None:
        self._task = task
        self._found = found
        self._blocks = blocks
        self._counter = LineCounter()
        self._window = Window(blocks, self._counter)
        self._where = Where.BEGIN
        self._decoder = Decoder()
        self._batches = batches or JsonBatches(task, found)

    def read(self) -> Batches:
        """Yield the batches; raises Refused where the text is no array or the array breaks (data rule 7).

        An element that is longer than `max_record_bytes`, or nested too deeply, is malformed where it is whole; it is
        passed over without being held.
        """
        yield from self._bulk()
        window, batches = self._window, self._batches
        if self._where is Where.BEGIN:
            self._open()
        if self._where is Where.FIRST and window.next_char() == "]":
            window.at += 1
            self._where = Where.BEHIND
        while self._where is not Where.BEHIND and not batches.full:
            self._element()
            if batches.ready:
                yield from batches.take()
            after = window.next_char()
            if after not in (",", "]") or not after:
                raise self._broken("expected , or ]", window.at)
            window.at += 1
            self._where = Where.BEHIND if after == "]" else Where.ELEMENT
        if not batches.full and window.next_char():
            raise self._broken("text behind the closing ]", window.at)
        yield from batches.take_rest()
        counts = self._found.counts
        counts.lines = counts.record_lines = window.line() if batches.full else self._counter.lines("\n")

    def _bulk(self) -> Batches:
        """Read until something is wrong; the slow path resumes at `_window` and `_where`."""
        data, ended = self._fill(b"", _LEAST_BEGIN_BYTES)
        begin = _BEGIN.match(data)
        at, line, dropped = (begin.end(), 1 + data.count(b"\n", 0, begin.end()), 0) if begin else (0, 1, 0)
        self._where = Where.ELEMENT if begin else Where.BEGIN
        while self._where is Where.ELEMENT and not self._batches.full:
            event, at, line, _, stop, behind, breaks = self._batches.elements(data, at, line)
            if event == ODD and self._odd_element(data[at:stop], line):
                self._where = Where.ELEMENT if data[behind] == ord(",") else Where.BEHIND
                at, line = behind + 1, line + breaks
            elif event == LAST:
                self._where = Where.BEHIND
            elif event == END and not ended and len(data) - at <= self._task.max_record_bytes:
                dropped += at
                rest = data[at:]
                data, ended = self._fill(rest, len(rest))
                at = 0
            elif event != FULL:
                break
            if self._batches.ready:
                yield from self._batches.take()
        self._window = Window(self._blocks, self._counter, data[at:], dropped + at, line)

    def _fill(self, rest: bytes, room: int) -> tuple[bytes, bool]:
        """Add at least `room` bytes or a block, so that an element is tried a few times only; also whether that is all."""
        pieces, left = [rest], max(room, 1)
        while left > 0:
            block = next(self._blocks, b"")
            if not block:
                return b"".join(pieces), True
            self._counter.add(block, "\n")
            left -= len(block)
            pieces.append(block)
        return b"".join(pieces), False

    def _odd_element(self, element: bytes, line: int) -> bool:
        """Decode one element that was found by its brackets; False, and nothing is done, where it is no JSON."""
        if len(element) > self._task.max_record_bytes:
            return self._skim_odd(element, line)
        try:
            text = element.decode("utf-8", MARK)
            value, end = self._decoder.value(text)
        except json.JSONDecodeError:
            return False
        except RecursionError:
            return self._skim_odd(element, line)
        if end != len(text):
            return False
        fault = self._decoder.fault(value, text, 0, end, marked=not is_text(text))
        self._batches.add(value, (line, text, 0, end), fault)
        return True

    def _skim_odd(self, element: bytes, line: int) -> bool:
        """Set an element aside unread; False, and nothing is done, where it is no JSON."""
        window = Window(iter(()), LineCounter(), element)
        try:
            skim(window)
        except NotJsonError:
            return False
        if window.next_char():
            return False
        # No character has more than four bytes.
        self._set_aside(line, element[: 4 * MOST_RAW_CHARS].decode("utf-8", MARK), len(element))
        return True

    def _open(self) -> None:
        first = self._window.next_char()
        name = self._task.file.name
        if first == "{":
            raise Refused(
                Problem("begins with an object, not an array", name, "set source.format: ndjson if each line is one")
            )
        if first != "[":
            what = "is no JSON array" if first else "holds nothing but blanks"
            raise Refused(Problem(what, name, "see source.format and source.encoding"))
        self._window.at += 1
        self._where = Where.FIRST

    def _element(self) -> None:
        window = self._window
        if not window.next_char():
            raise self._broken("the array breaks off", window.at)
        decoded = self._decode()
        if decoded is None:
            self._skim()
            return
        value, end = decoded
        place = window.line(), window.text, window.at, end
        fault = self._decoder.fault(value, window.text, window.at, end, marked=window.marked)
        window.at = end
        self._batches.add(value, place, fault)

    def _decode(self) -> tuple[Any, int] | None:
        """Decode the element at hand, with more text when it may go on behind the window; None for one to be skimmed."""
        window = self._window
        most = self._task.max_record_bytes
        while True:
            is_long = len(window.text) - window.at > most + _CUT_CHARS
            try:
                value, end = self._decoder.value(window.text, window.at)
                if window.ended or isinstance(value, dict) or end + _CUT_CHARS < len(window.text):
                    return None if _bytes_of(window.text[window.at : end]) > most else (value, end)
            except json.JSONDecodeError as error:
                is_near = error.pos - window.at <= most and not _may_go_on(error, window.text)
                if is_near or (window.ended and not is_long):
                    raise self._broken(error.msg, error.pos) from error
            except RecursionError:
                return None
            if is_long:
                return None
            window.fill()

    def _skim(self) -> None:
        """Set the element at hand aside unread; Refused where it does not end or is no JSON."""
        window = self._window
        while len(window.text) - window.at <= MOST_RAW_CHARS and not window.ended:
            window.fill()
        line, begin = window.line(), window.offset(window.at)
        head = window.text[window.at : window.at + MOST_RAW_CHARS]
        try:
            skim(window)
        except NotJsonError as error:
            raise self._broken(str(error), window.at) from error
        self._set_aside(line, head, window.offset(window.at) - begin)

    def _set_aside(self, line: int, head: str, length: int) -> None:
        """Set an element of `length` bytes aside as too long, or else too deep; `head` may go on behind it."""
        most = self._task.max_record_bytes
        fault = ("record_too_long", f"longer than {most:,} bytes") if length > most else TOO_DEEP
        self._batches.set_aside_long(line, fault, head, length)

    def _broken(self, what: str, at: int) -> Refused:
        good = self._found.counts.elements
        window = self._window
        line = window.line() + window.text.count("\n", window.at, at)
        where = f"{self._task.file.name}, line {line}, byte {window.offset(at):,}"
        elements = "element" if good == 1 else "elements"
        return Refused(Problem(f"{what}, after {good:,} good {elements}", where, "export it again"))


def _bytes_of(text: str) -> int:
    return len(text.encode("utf-8", "surrogateescape"))


def _may_go_on(error: json.JSONDecodeError, text: str) -> bool:
    """Return whether more text could mend the error: it is about the end of the window."""
    return error.msg.startswith("Unterminated string") or error.pos + _CUT_CHARS >= len(text)
