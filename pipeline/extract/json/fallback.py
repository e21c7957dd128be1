"""Find lines and elements of JSON in plain Python, for installations without the compiled reader (pure).

Same interface as `_json`, but no object is read here: each is odd, so that the decoder of Python reads it, some ninety times
slower.
"""

from __future__ import annotations

import re

import polars as pl

END, ODD, FULL, LAST, LOST = range(5)

Stand = tuple[int, int, int, int, int]

_BLANKS = re.compile(rb"[ \t\r\n]*")
_SCALAR = re.compile(rb"[^ \t\r\n,\]}\0]*")
_TOKEN = re.compile(rb'["{}\[\]]')
# The rest of a text and its closing quote.
_TEXT = re.compile(rb'(?:[^"\\]|\\.)*+"', re.DOTALL)


class Rows:
    """Gather rows that are put, and find where lines and elements end, as `_json.Rows` does."""

    def __init__(
        self,
        *,
        columns: tuple[bytes, ...],
        ignored: tuple[bytes, ...],  # noqa: ARG002 - the compiled reader knows keys; the decoder knows them by itself
        escaped: tuple[bytes, ...],  # noqa: ARG002
        need_all: bool,  # noqa: ARG002
        max_record_bytes: int,  # noqa: ARG002
    ) -> None:
        self._columns = len(columns)
        self._clear()

    def _clear(self) -> None:
        self._rows: list[tuple[str | int | None, ...]] = []

    def lines(self, data: bytes, at: int, line: int, record: int, most_rows: int, most_bytes: int, /) -> Stand:  # noqa: ARG002
        """Pass blank lines; ODD before any other one."""
        while at < len(data):
            if self.count >= most_rows:
                return FULL, at, line, record, 0
            width = 2 if data.startswith(b"\r\n", at) else int(data.startswith(b"\n", at))
            if data[at:] == b"\r":
                width = 1
            if not width:
                return ODD, at, line, record, 0
            at, line = at + width, line + 1
        return END, at, line, record, 0

    def elements(self, data: bytes, at: int, line: int, record: int, most_rows: int, most_bytes: int, /) -> Stand:  # noqa: ARG002
        """Find the element that begins at a place: ODD with its end, END where it is not whole, LOST where it is none."""
        start = _end_of(_BLANKS, data, at)
        line += data.count(b"\n", at, start)
        if start == len(data):
            return END, start, line, record, 0
        stop = _value_end(data, start)
        behind = len(data) if stop is None else _end_of(_BLANKS, data, stop)
        if stop is None or behind == len(data):
            return END, start, line, record, 0
        if stop == start or data[behind] not in b",]":
            return LOST, start, line, record, 0
        if self.count >= most_rows:
            return FULL, start, line, record, 0
        return ODD, start, line, record, stop

    def put(self, rows: list[tuple[list[str | None], int]], line: int, record: int, /) -> None:
        """Put rows of one object."""
        for values, element in rows:
            self._rows.append((*values, line, record, element))

    def take(self) -> tuple[pl.DataFrame, bytes, bytes]:
        """Take the batch; it has no bytes of flat objects."""
        texts = {str(at): pl.String() for at in range(self._columns)}
        schema = {**texts, "_line": pl.UInt64(), "_record": pl.UInt64(), "_element": pl.UInt32()}
        taken = pl.DataFrame(self._rows, schema=schema, orient="row"), b"", bytes(8 * len(self._rows))
        self._clear()
        return taken

    @property
    def count(self) -> int:
        """Return the rows of the batch so far."""
        return len(self._rows)

    @property
    def bytes(self) -> int:
        """Return the bytes of flat objects: none are kept."""
        return 0


def _end_of(pattern: re.Pattern[bytes], data: bytes, at: int) -> int:
    match = pattern.match(data, at)
    return at if match is None else match.end()


def _value_end(data: bytes, at: int) -> int | None:
    """Find the end of a value by its brackets and quotes alone; None when the bytes end before it."""
    if data[at] not in b'{["':
        end = _end_of(_SCALAR, data, at)
        return end if end < len(data) else None
    depth = 0
    while (token := _TOKEN.search(data, at)) is not None:
        at = token.end()
        if token[0] == b'"':
            text = _TEXT.match(data, at)
            if text is None:
                return None
            at = text.end()
        else:
            depth += 1 if token[0] in b"{[" else -1
        if depth == 0:
            return at
    return None
