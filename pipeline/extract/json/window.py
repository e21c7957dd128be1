"""Hold the part of a JSON text that is being read, and know its line and byte in the file (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.extract.lines import LineCounter

# Blocks can be as short as an archive makes them.
_LEAST_BYTES = 1 << 12
_BLANK = re.compile(rb"[ \t\n\r]*")


class Window:
    """The bytes that are being read: `data` from `at` on, which is on `line`, is not read yet; `ended` when no more comes."""

    def __init__(self, blocks: Iterator[bytes], counter: LineCounter) -> None:
        self._blocks = blocks
        self._counter = counter
        self._dropped = 0
        self.data = b""
        self.at = 0
        self.line = 1
        self.ended = False

    def fill(self) -> None:
        """Drop what was read and add at least as much as is left; so an element is tried a few times only."""
        pieces = [self.data[self.at :]]
        room = max(len(pieces[0]), _LEAST_BYTES)
        while room > 0 and not self.ended:
            block = next(self._blocks, b"")
            self.ended = not block
            self._counter.add(block, "\n")
            room -= len(block)
            pieces.append(block)
        self._dropped += self.at
        self.data, self.at = b"".join(pieces), 0

    def move(self, to: int) -> None:
        """Pass over what stands before a place."""
        self.line += self.data.count(b"\n", self.at, to)
        self.at = to

    @property
    def offset(self) -> int:
        """Return the byte of the text (in UTF-8, decompressed) at which reading stands, from 0."""
        return self._dropped + self.at

    def next_byte(self) -> bytes:
        """Pass over blanks and return the byte behind them, unread; nothing at the end."""
        while True:
            blank = _BLANK.match(self.data, self.at)
            self.move(blank.end() if blank else self.at)
            if self.at < len(self.data) or self.ended:
                return self.data[self.at : self.at + 1]
            self.fill()
