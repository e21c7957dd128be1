"""Count and split physical lines (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

# Bytes of a malformed line that are kept, so that it can be mended.
MOST_RAW_BYTES = 1 << 16


class LineCounter:
    """Count the physical lines of a file apart from the scanner, so that the sum of data rule 2 is checked."""

    def __init__(self) -> None:
        self._ends = 0
        self._last = b""
        self._waiting: list[bytes] = []

    def add(self, block: bytes, ends: str | None) -> None:
        """Count a block; `ends` is what the scanner found to end a line, None while it does not know."""
        self._waiting.append(block)
        if ends is not None:
            for each in self._waiting:
                self._count(each, ends)
            self._waiting.clear()

    def _count(self, block: bytes, ends: str) -> None:
        self._ends += block.count(b"\n")
        if ends == "\r":
            halves = self._last == b"\r" and block.startswith(b"\n")
            self._ends += block.count(b"\r") - block.count(b"\r\n") - halves
        self._last = block[-1:] or self._last

    def lines(self, ends: str) -> int:
        """Return the lines so far; text behind the last line end is a line, too."""
        self.add(b"", ends)
        open_line = self._last not in (b"", b"\n") and not (ends == "\r" and self._last == b"\r")
        return self._ends + open_line


@dataclass
class LongLine:
    """A line that is longer than may be held: how it begins, and how long it is so far."""

    head: bytes
    length: int


class LinePieces:
    """Divide blocks into pieces of about `piece_bytes`, each the blocks up to the next line end behind a multiple of that.

    `offset` is the byte of the file at which the blocks begin. A piece is read to its end before the next one is asked for.
    """

    def __init__(self, blocks: Iterator[bytes], piece_bytes: int, offset: int = 0) -> None:
        self._blocks = blocks
        self._piece_bytes = piece_bytes
        self._rest = b""
        self.offset = offset

    def __iter__(self) -> Iterator[Iterator[bytes]]:
        while self._fill():
            yield self._piece()

    def _fill(self) -> bool:
        """Have something to read next; False at the end."""
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return False
            self._rest = block
        return True

    def _piece(self) -> Iterator[bytes]:
        end = (self.offset // self._piece_bytes + 1) * self._piece_bytes
        while self._fill():
            cut = self._rest.find(b"\n", max(0, end - 1 - self.offset)) + 1
            part, self._rest = (self._rest[:cut], self._rest[cut:]) if cut else (self._rest, b"")
            self.offset += len(part)
            yield part
            if cut:
                return


class WholeLines:
    """Yield the blocks cut at line ends; a line longer than `most_bytes` may come as a `LongLine`, never held whole.

    Only the last one may lack its line end. `counter` counts the lines.
    """

    def __init__(self, blocks: Iterator[bytes], most_bytes: int, counter: LineCounter) -> None:
        self._blocks = blocks
        self._most_bytes = most_bytes
        self._counter = counter

    def __iter__(self) -> Iterator[bytes | LongLine]:
        tail = bytearray()
        long: LongLine | None = None
        for block in self._blocks:
            self._counter.add(block, "\n")
            end = block.rfind(b"\n") + 1
            if end and long:
                first = block.find(b"\n") + 1
                yield self._longer(tail, long, block[: first - 1]) or long
                block, end, long = block[first:], end - first, None
            if end:
                yield bytes(tail) + block[:end] if tail or end < len(block) else block
                tail.clear()
            long = self._longer(tail, long, block[end:])
        if tail or long:
            yield long or bytes(tail)

    def _longer(self, tail: bytearray, long: LongLine | None, piece: bytes) -> LongLine | None:
        """Add a piece to a line, which is `tail` until it is too long; one byte above the limit may be the CR of its end."""
        if long is not None:
            long.length += len(piece)
            long.head += piece[: MOST_RAW_BYTES - len(long.head)]
            return long
        tail += piece
        if len(tail) <= self._most_bytes + tail.endswith(b"\r"):
            return None
        long = LongLine(bytes(tail[:MOST_RAW_BYTES]), len(tail))
        tail.clear()
        return long
