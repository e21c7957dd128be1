"""Hold the part of a JSON text that is being read, and know its line and byte in the file (pure)."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from pipeline.extract.lines import LineCounter
from pipeline.model.encodings import MARK

_BLANK = re.compile(r"[ \t\n\r]*")


class Window:
    """The part of the text that is being read: `text` from `at` on is not read yet; `ended` when no more comes.

    It may begin within a file: with bytes that `counter` has counted already, `offset` bytes from the begin, on `line`.
    """

    def __init__(
        self, blocks: Iterator[bytes], counter: LineCounter, begin: bytes = b"", offset: int = 0, line: int = 1
    ) -> None:
        self._blocks = blocks
        self._counter = counter
        self._decoder = codecs.getincrementaldecoder("utf-8")(MARK)
        self._bytes_before = offset
        self._lines_before = line
        self._counted = 0
        self.text = self._decoder.decode(begin)
        self.at = 0
        self.ended = False
        self.marked = not is_text(self.text)

    def fill(self) -> None:
        """Drop what was read and add as much as is left, or a block; so an element is tried a few times only."""
        self.line()
        self._bytes_before = self.offset(self.at)
        rest = self.text[self.at :]
        pieces, room = [rest], max(len(rest), 1)
        while room > 0 and not self.ended:
            block = next(self._blocks, b"")
            self.ended = not block
            self._counter.add(block, "\n")
            piece = self._decoder.decode(block, self.ended)
            room -= len(piece)
            pieces.append(piece)
        self.text = "".join(pieces)
        self.at = self._counted = 0
        self.marked = not is_text(self.text)

    def line(self) -> int:
        """Return the physical line of `at`."""
        self._lines_before += self.text.count("\n", self._counted, self.at)
        self._counted = self.at
        return self._lines_before

    def offset(self, at: int) -> int:
        """Return the byte of the text (in UTF-8, decompressed) at which `text[at]` stands, from 0."""
        return self._bytes_before + len(self.text[:at].encode("utf-8", "surrogateescape"))

    def next_char(self) -> str:
        """Pass over blanks and give the character behind them, unread; nothing at the end."""
        while True:
            blank = _BLANK.match(self.text, self.at)
            self.at = blank.end() if blank else self.at
            if self.at < len(self.text) or self.ended:
                return self.text[self.at : self.at + 1]
            self.fill()


def is_text(text: str) -> bool:
    """Return whether the text is free of marks; encoding finds that out faster than a search."""
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False
