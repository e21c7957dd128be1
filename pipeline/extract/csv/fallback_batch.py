"""Hold the batch that the scanner in Python builds: rows, and malformed lines (pure)."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import polars as pl

RAW_MAX = 1 << 16

# What a scanner returns per malformed line: line, record, code, fields found, first and last line of the record, length in
# bytes, the bytes themselves (at most 64 KiB).
Line = tuple[int, int, int, int, int, int, int, bytes]


class Code(IntEnum):
    """The codes of the compiled scanner, in its order."""

    FINE = 0
    FIELD_COUNT = 1
    REPEATED_HEADER = 2
    STRAY_QUOTE = 3
    UNCLOSED_QUOTE = 4
    TOO_LONG = 5
    NOT_DECODABLE = 6
    HAS_NUL = 7
    HAS_CR = 8
    SWALLOWED = 9
    STRAY_ESCAPE = 10


class Bad(NamedTuple):
    """What is wrong with a record: the code, the fields found, the first and last line of its span."""

    code: Code
    found: int
    first: int
    last: int


class BatchOfRows:
    """The rows and malformed lines so far; `used` is about the bytes that they take."""

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._rows: list[list[str]] = []
        self._places: list[tuple[int, int]] = []
        self.malformed: list[Line] = []
        self.used = 0

    @property
    def height(self) -> int:
        """Return the number of rows and malformed lines."""
        return len(self._rows) + len(self.malformed)

    def put(self, values: list[str], line: int, record: int, size: int) -> None:
        """Add a row of `size` bytes."""
        self._rows.append(values)
        self._places.append((line, record))
        self.used += size + 16 * self._columns

    def put_bad(self, bad: Bad, line: int, record: int, length: int, raw: bytes) -> None:
        """Add a malformed line of `length` bytes."""
        self.malformed.append((line, record, int(bad.code), bad.found, bad.first, bad.last, length, raw))
        self.used += len(raw) + 64

    def frame(self) -> pl.DataFrame:
        """Return the rows: columns "0", "1" … then `_line` and `_record`."""
        columns = list(zip(*self._rows, strict=True)) or [()] * self._columns
        lines = list(zip(*self._places, strict=True)) or [(), ()]
        texts = [pl.Series(str(at), values, dtype=pl.String) for at, values in enumerate(columns)]
        numbers = [
            pl.Series(name, values, dtype=pl.UInt64) for name, values in zip(("_line", "_record"), lines, strict=True)
        ]
        return pl.DataFrame([*texts, *numbers])
