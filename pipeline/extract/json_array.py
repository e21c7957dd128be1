"""Read one JSON dump, an array of objects, without ever holding it whole (wiring around the decoder)."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any

from pipeline.errors import Problem
from pipeline.extract.decoding import MARK
from pipeline.extract.json_batch import JsonBatches
from pipeline.extract.json_text import Decoder
from pipeline.extract.lines import LineCounter
from pipeline.extract.reading import Batches, Found, Task
from pipeline.extract.refusal import Refused

_BLANK = re.compile(r"[ \t\n\r]*")
# The longest piece of JSON that cannot be told from the beginning of a longer one: -Infinity, \ud83d\ude00, 1.5e+.
_CUT_CHARS = 16


class Window:
    """The part of the text that is being read: `text` from `at` on is not read yet; `ended` when no more comes."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._decoder = codecs.getincrementaldecoder("utf-8")(MARK)
        self._bytes_before = 0
        self._lines_before = 1
        self._counted = 0
        self.counter = LineCounter()
        self.text = ""
        self.at = 0
        self.ended = False
        self.marked = False

    def fill(self) -> None:
        """Drop what was read and add as much as is left, or a block; so an element is tried a few times only."""
        self.line()
        self._bytes_before = self.offset(self.at)
        rest = self.text[self.at :]
        pieces, room = [rest], max(len(rest), 1)
        while room > 0 and not self.ended:
            block = next(self._blocks, b"")
            self.ended = not block
            self.counter.add(block, "\n")
            piece = self._decoder.decode(block, self.ended)
            room -= len(piece)
            pieces.append(piece)
        self.text = "".join(pieces)
        self.at = self._counted = 0
        self.marked = not _is_text(self.text)

    def line(self) -> int:
        """Give the physical line of `at`."""
        self._lines_before += self.text.count("\n", self._counted, self.at)
        self._counted = self.at
        return self._lines_before

    def offset(self, at: int) -> int:
        """Give the byte of the text (in UTF-8, decompressed) at which `text[at]` stands, from 0."""
        return self._bytes_before + len(self.text[:at].encode("utf-8", "surrogateescape"))

    def next_char(self) -> str:
        """Pass over blanks and give the character behind them, unread; nothing at the end."""
        while True:
            blank = _BLANK.match(self.text, self.at)
            self.at = blank.end() if blank else self.at
            if self.at < len(self.text) or self.ended:
                return self.text[self.at : self.at + 1]
            self.fill()


class ArrayReader:
    """Read the elements of one array; what was found is in `found` when the batches are through."""

    def __init__(self, task: Task, found: Found, window: Window) -> None:
        self._task = task
        self._found = found
        self._window = window
        self._decoder = Decoder()
        self._batches = JsonBatches(task, found)

    def read(self) -> Batches:
        """Give the batches; Refused where the text is no array or the array breaks (data rule 7).

        An element that is longer than `max_record_bytes` refuses the file: where it ends is not known before it is
        read whole.
        """
        self._open()
        window, batches = self._window, self._batches
        after = window.next_char()
        if after == "]":
            window.at += 1
        while after != "]" and not batches.full:
            self._element()
            if batches.ready:
                yield from batches.take()
            after = window.next_char()
            if after not in (",", "]") or not after:
                raise self._broken("expected , or ]", window.at)
            window.at += 1
        counts = self._found.counts
        if not batches.full and window.next_char():
            raise self._broken("text behind the closing ]", window.at)
        yield from batches.take_rest()
        counts.lines = counts.record_lines = window.line() if batches.full else window.counter.lines("\n")

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

    def _element(self) -> None:
        window = self._window
        if not window.next_char():
            raise self._broken("the array breaks off", window.at)
        value, end = self._decode()
        place = window.line(), window.text, window.at, end
        fault = self._decoder.fault(value, window.text, window.at, end, marked=window.marked)
        window.at = end
        self._batches.add(value, place, fault)

    def _decode(self) -> tuple[Any, int]:
        """Decode the element at hand, with more text when it may go on behind the window."""
        window = self._window
        most = self._task.source.max_record_bytes
        while True:
            try:
                value, end = self._decoder.value(window.text, window.at)
                if window.ended or isinstance(value, dict) or end + _CUT_CHARS < len(window.text):
                    if end - window.at > most:
                        raise self._too_long()
                    return value, end
            except json.JSONDecodeError as error:
                if window.ended or not _may_go_on(error, window.text):
                    raise self._broken(error.msg, error.pos) from error
            except RecursionError as error:
                raise self._broken("nested more deeply than can be followed", window.at) from error
            if len(window.text) - window.at > most:
                raise self._too_long()
            window.fill()

    def _too_long(self) -> Refused:
        most = self._task.source.max_record_bytes
        return self._broken(f"an element does not end within {most:,} bytes", self._window.at)

    def _broken(self, what: str, at: int) -> Refused:
        good = self._found.counts.elements
        window = self._window
        line = window.line() + window.text.count("\n", window.at, at)
        where = f"{self._task.file.name}, line {line}, byte {window.offset(at):,}"
        do = "export it again; see source.max_record_bytes where elements really are that long"
        return Refused(Problem(f"{what}, after {good:,} good {'element' if good == 1 else 'elements'}", where, do))


def _is_text(text: str) -> bool:
    """Say whether the text is free of marks; encoding finds that out faster than a search."""
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def _may_go_on(error: json.JSONDecodeError, text: str) -> bool:
    """Say whether more text could mend the error: it is about the end of the window."""
    return error.msg.startswith("Unterminated string") or error.pos + _CUT_CHARS >= len(text)
