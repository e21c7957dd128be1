"""Read one JSON dump, an array of objects, without ever holding it whole (wiring around the decoder)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pipeline.errors import Problem
from pipeline.extract.json.batch import MOST_RAW_CHARS, JsonBatches
from pipeline.extract.json.fallback import END, FULL, LAST, ODD
from pipeline.extract.json.skim import NotJsonError, skim
from pipeline.extract.json.text import TOO_DEEP, Decoder
from pipeline.extract.json.window import Window
from pipeline.extract.lines import LineCounter
from pipeline.extract.reading import Batches, Found, Task
from pipeline.extract.refusal import Refused
from pipeline.model.encodings import MARK

# The longest piece of JSON that may be the beginning of a longer one: -Infinity, \ud83d\ude00, 1.5e+.
_CUT_CHARS = 16


class ArrayReader:
    """Read the elements of one array; what was found is in `found` when the batches are through.

    Flat elements are read in bulk as columns. Any other one is found by its brackets and decoded, or passed over where it is
    longer than `max_record_bytes` or too deep; where the brackets do not fit, the decoder finds what is wrong and where.
    """

    def __init__(self, task: Task, found: Found, blocks: Iterator[bytes], batches: JsonBatches | None = None) -> None:
        self._task = task
        self._found = found
        self._counter = LineCounter()
        self._window = Window(blocks, self._counter)
        self._inside = True
        self._decoder = Decoder()
        self._batches = batches or JsonBatches(task, found)

    def read(self) -> Batches:
        """Yield the batches; raises Refused where the text is no array or the array breaks (data rule 7).

        An element that is longer than `max_record_bytes`, or nested too deeply, is malformed where it is whole; it is
        passed over without being held.
        """
        window, batches = self._window, self._batches
        self._open()
        while self._inside and not batches.full:
            self._read_some()
            if batches.ready:
                yield from batches.take()
        if not batches.full and window.next_byte():
            raise self._broken("text behind the closing ]")
        yield from batches.take_rest()
        counts = self._found.counts
        counts.lines = counts.record_lines = window.line if batches.full else self._counter.lines("\n")

    def _open(self) -> None:
        first, name = self._window.next_byte(), self._task.file.name
        if first == b"{":
            raise Refused(
                Problem("begins with an object, not an array", name, "set source.format: ndjson if each line is one")
            )
        if first != b"[":
            what = "is no JSON array" if first else "holds nothing but blanks"
            raise Refused(Problem(what, name, "see source.format and source.encoding"))
        self._window.at += 1
        if self._window.next_byte() == b"]":
            self._close_or_go_on()

    def _close_or_go_on(self) -> None:
        """Pass over what follows an element: a comma, or the bracket that closes the array."""
        after = self._window.next_byte()
        if after not in (b",", b"]"):
            raise self._broken("expected , or ]")
        self._window.at += 1
        self._inside = after == b","

    def _read_some(self) -> None:
        """Read flat elements in bulk up to one that is not, or that one element."""
        window = self._window
        event, window.at, window.line, _, stop = self._batches.elements(window.data, window.at, window.line)
        if event == LAST:
            self._inside = False
        elif event == END and not window.ended and len(window.data) - window.at <= self._task.max_record_bytes:
            window.fill()
        elif event != FULL and not self._batches.full:
            self._read_one(stop if event == ODD else None)
            self._close_or_go_on()

    def _read_one(self, stop: int | None) -> None:
        """Read the element at hand, by its brackets up to `stop` where these fit; Refused where it is no JSON."""
        window, most = self._window, self._task.max_record_bytes
        if not window.next_byte():
            raise self._broken("the array breaks off")
        while True:
            text = window.data[window.at : stop].decode("utf-8", MARK)
            is_whole = stop is not None or window.ended
            is_long = len(text) > most + (_CUT_CHARS if stop is None else 0)
            try:
                value, end = self._decoder.value(text)
                if is_whole or isinstance(value, dict) or end + _CUT_CHARS < len(text):
                    self._add(value, text, end)
                    return
            except json.JSONDecodeError as error:
                is_near = error.pos <= most and (stop is not None or not _may_go_on(error, text))
                if is_near or (is_whole and not is_long):
                    window.move(window.at + _bytes_of(text[: error.pos]))
                    raise self._broken(error.msg) from error
            except RecursionError:
                is_long = True  # too deep, at least
            if is_long:
                self._skim()
                return
            window.fill()

    def _add(self, value: Any, text: str, end: int) -> None:
        """Take the element that was decoded from `text[:end]`, unless it is too long."""
        window = self._window
        text = text[:end]
        behind = window.at + _bytes_of(text)
        if behind - window.at > self._task.max_record_bytes:
            self._skim()
            return
        fault = self._decoder.fault(value, text, marked=not _is_text(text))
        line = window.line
        window.move(behind)
        self._batches.add(value, line, text, fault)

    def _skim(self) -> None:
        """Set the element at hand aside unread, as too long or too deep; Refused where it does not end or is no JSON."""
        window, most = self._window, self._task.max_record_bytes
        # No character has more than four bytes.
        while len(window.data) - window.at < 4 * MOST_RAW_CHARS and not window.ended:
            window.fill()
        line, begin = window.line, window.offset
        head = window.data[window.at : window.at + 4 * MOST_RAW_CHARS].decode("utf-8", MARK)
        try:
            skim(window)
        except NotJsonError as error:
            raise self._broken(str(error)) from error
        length = window.offset - begin
        fault = ("record_too_long", f"longer than {most:,} bytes") if length > most else TOO_DEEP
        self._batches.set_aside_long(line, fault, head, length)

    def _broken(self, what: str) -> Refused:
        """Return the refusal of the array at the place where the window stands."""
        good, window = self._found.counts.elements, self._window
        where = f"{self._task.file.name}, line {window.line}, byte {window.offset:,}"
        elements = "element" if good == 1 else "elements"
        return Refused(Problem(f"{what}, after {good:,} good {elements}", where, "export it again"))


def _bytes_of(text: str) -> int:
    return len(text.encode("utf-8", "surrogateescape"))


def _is_text(text: str) -> bool:
    """Return whether the text is free of marks; encoding finds that out faster than a search."""
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def _may_go_on(error: json.JSONDecodeError, text: str) -> bool:
    """Return whether more text could mend the error: it is about the end of the window."""
    return error.msg.startswith("Unterminated string") or error.pos + _CUT_CHARS >= len(text)
