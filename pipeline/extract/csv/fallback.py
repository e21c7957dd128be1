"""Split CSV bytes into records in plain Python, for installations without the compiled scanner (pure).

The same rules, events and results as `_csv`, some twenty times slower. A record is read when it is whole in the buffer: a
line that holds nothing odd is split as it stands, a line of whole quoted fields goes through the csv module, and in all else
the fields are found one by one, as `fallback_dialect` describes them.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from typing import NamedTuple

import polars as pl

from pipeline.extract.csv.fallback_dialect import Dialect
from pipeline.extract.malformed import CSV_CODES, Line

MORE, HEADER, FULL, DONE = range(4)

_HEADER_MAX = 1 << 20
# Bytes of a malformed line that are kept, so that it can be mended.
_RAW_MAX = 1 << 16
_BOM = b"\xef\xbb\xbf"
_LINE_END, _BARE_CR = re.compile(rb"[\r\n]"), re.compile(rb"\r(?!\n)")
_SUMS = ("lines", "record_lines", "blank_lines", "header_lines", "skipped_lines", "records", "visited")


class _Bad(NamedTuple):
    """What is wrong with a record: the code, the fields found, the first and last line of its span."""

    code: str
    found: int
    first: int
    last: int


@dataclass
class _Record:
    """A record: its content ends at `end`, the next one begins at `next`; `over` where it does not end within the limit.

    `inside` quotes the walk ended. Of its `count` fields no more are kept than are needed.
    """

    end: int = 0
    next: int = 0
    over: bool = False
    inside: bool = False
    count: int = 0
    fields: list[re.Match[bytes]] = field(default_factory=list)
    damage: set[str] = field(default_factory=set)


class Scanner:
    """Split the bytes of one CSV file into records, as `_csv.Scanner` does."""

    def __init__(
        self,
        *,
        delimiter: str,
        quote: str,
        escape: str,
        max_record_bytes: int,
        skip_lines: int,
        batch_rows: int,
        batch_bytes: int,
    ) -> None:
        self.batch_rows = batch_rows
        self._dialect = Dialect(delimiter, quote, escape.strip("\0"))
        self._max_record = max_record_bytes
        self._batch_bytes = batch_bytes
        self._skip_left = skip_lines
        self._buffer = bytearray()
        self._at = 0
        self._final = False
        # A record that is not whole is walked again when so many bytes are there, twice as many as before.
        self._wanted = 0
        self._ends_known = False
        # The lines up to here belong to a damaged record.
        self._span_end = 0
        self._span = _Bad("", 0, 0, 0)
        # Whether the rest of a line is passed over, and whether that line is one to skip.
        self._swallow = self._swallow_skips = False
        # No record that is open at an earlier line end ends before this place: inside quotes all of them go the same way.
        self._open_until = 0
        self._header: tuple[_Record, str] | None = None
        self._header_wanted = True
        self._raw_header = b""
        self._names: tuple[bytes, ...] = ()
        self._sums = dict.fromkeys(_SUMS, 0)
        self._new_batch()

    # ---- the calls of a reader ----

    def feed(self, data: bytes, final: bool, /) -> None:
        """Add a block of bytes; `final` when it is the last one."""
        gone = self._at
        del self._buffer[:gone]
        self._buffer += data
        self._final = final
        self._at = 0
        self._span_end = max(0, self._span_end - gone)
        self._open_until = max(0, self._open_until - gone)

    def scan(self) -> int:
        """Read until MORE, HEADER, FULL or DONE."""
        if not self._ends_known and not self._decide_ends():
            return MORE
        while True:
            if len(self._rows) + len(self._malformed) >= self.batch_rows or self._batch_used >= self._batch_bytes:
                return FULL
            event = self._step()
            if event is not None:
                return event

    def header(self) -> tuple[tuple[bytes, ...], int]:
        """Take the header: its names, and the code of its damage or 0."""
        if self._header is None:
            raise RuntimeError("scan() did not come to a header")
        record, code = self._header
        self._header, self._header_wanted = None, False
        if code:
            return (), CSV_CODES.index(code)
        self._raw_header = bytes(self._buffer[self._at : record.end])
        self._sums["header_lines"] = self._lines_of(record)
        self._sums["lines"] += self._sums["header_lines"]
        self._at = record.next
        return tuple(self._dialect.text_of(one) for one in record.fields), 0

    def begin(self, names: tuple[bytes, ...], /) -> None:
        """Set the columns; records follow."""
        self._names = names
        self._header_wanted = False

    def take(self) -> tuple[pl.DataFrame, list[Line]]:
        """Take the batch: its rows (columns "0", "1" … then `_line` and `_record`), and its malformed lines."""
        texts = {str(at): pl.String() for at in range(len(self._names))}
        schema = {**texts, "_line": pl.UInt64(), "_record": pl.UInt64()}
        taken = pl.DataFrame(self._rows, schema=schema, orient="row"), self._malformed
        self._new_batch()
        return taken

    def _new_batch(self) -> None:
        self._rows: list[tuple[str | int, ...]] = []
        self._malformed: list[Line] = []
        # About the bytes that both take.
        self._batch_used = 0

    def counts(self) -> dict[str, int]:
        """Return the sums of the lines read so far."""
        between = not self._swallow and self._at >= self._span_end
        return {**self._sums, "unread": len(self._buffer) - self._at, "between": int(between)}

    @property
    def ends(self) -> str | None:
        """Return what ends a line beside LF and CRLF: CR, else LF; None before it is known."""
        return ("\r" if self._dialect.bare_cr else "\n") if self._ends_known else None

    @property
    def unread(self) -> bytes:
        """Return the bytes that are not read yet."""
        return bytes(self._buffer[self._at :])

    # ---- lines ----

    def _decide_ends(self) -> bool:
        """Decide whether a bare CR ends a line: the first line end outside quotes shows it (data rule 5)."""
        stop = min(len(self._buffer), max(self._max_record, _HEADER_MAX))
        begin = 0 if self._skip_left else self._dialect.outside_until(self._buffer, stop)
        ended = _LINE_END.search(self._buffer, begin, stop)
        if ended is None and stop == len(self._buffer) and not self._final:
            return False
        ended = ended or _LINE_END.search(self._buffer, 0, stop)
        if ended is not None and ended.end() == len(self._buffer) and ended[0] == b"\r" and not self._final:
            return False
        self._dialect.set_ends(bare_cr=ended is not None and _BARE_CR.match(self._buffer, ended.start()) is not None)
        self._ends_known = True
        return True

    def _line_at(self, at: int) -> tuple[int, int] | None:
        """Return the end of the text of a line and where the next one begins; None when it is not whole in the buffer."""
        found = self._dialect.line_end.search(self._buffer, at)
        if found is None or (found[0] == b"\r" and found.end() == len(self._buffer) and not self._final):
            return (len(self._buffer), len(self._buffer)) if self._final else None
        return found.span()

    def _swallow_line(self) -> bool:
        """Pass over the rest of a line; False when its end is not in the buffer."""
        line = self._line_at(self._at)
        if line is None:
            # A CR at the very end may be half of a line end.
            self._at = len(self._buffer) - self._buffer.endswith(b"\r", self._at)
            return False
        self._at = line[1]
        self._swallow = False
        if self._swallow_skips:
            self._skip_left -= 1
            self._sums["skipped_lines"] += 1
            self._sums["lines"] += 1
        return True

    def _blank_line(self, after: int) -> None:
        self._at = after
        self._sums["blank_lines"] += 1
        self._sums["lines"] += 1

    # ---- one step ----

    def _step(self) -> int | None:
        """Read one record, one line of a damaged one, or one line to skip; returns an event where reading stops."""
        if self._swallow:
            return None if self._swallow_line() else MORE
        unread = len(self._buffer) - self._at
        if not unread:
            return DONE if self._final else MORE
        if self._at >= self._span_end and unread < self._wanted and not self._final:
            return MORE
        self._wanted = 0
        line = self._line_at(self._at)
        if self._at < self._span_end:
            end, after = line or (len(self._buffer), len(self._buffer))
            self._blank_line(after) if end == self._at else self._put_bad(self._span, end, after)
        elif self._skip_left:
            self._swallow = self._swallow_skips = True
        elif line is not None and line[0] == self._at:
            self._blank_line(line[1])
        elif self._header_wanted or line is None or not self._put_plain(*line):
            return self._read_record(line)
        return None

    def _put_plain(self, end: int, after: int) -> bool:
        """Read a line that is a record as it stands, or of whole quoted fields; False where it may be anything else."""
        line = bytes(self._buffer[self._at : end])
        if len(line) > self._max_record:
            return False
        try:
            text = line.decode()
        except UnicodeDecodeError:
            return False
        values = self._dialect.plain_values(line, text)
        if values is None or len(values) != len(self._names):
            return False
        if line.startswith(_BOM) or values[0].encode() == self._names[0]:
            return False
        self._sums["visited"] += len(line)
        self._put_row(values, 1, len(line), after)
        return True

    def _read_record(self, line: tuple[int, int] | None) -> int | None:
        record = self._record_at(line, _HEADER_MAX if self._header_wanted else self._max_record)
        over_code = "unclosed_quote" if record is not None and record.inside else "record_too_long"
        if record is None or (record.over and line is None and len(self._buffer) - self._at <= _RAW_MAX):
            self._wanted = 2 * (len(self._buffer) - self._at)
            return MORE
        if self._header_wanted:
            self._header = record, over_code if record.over else self._damage(record)
            return HEADER
        if record.over:
            # Its first line is set aside; reading resumes on the next.
            whole = len(self._buffer) - self._buffer.endswith(b"\r")
            number = self._sums["lines"] + 1
            self._put_bad(_Bad(over_code, 0, number, number), *(line or (whole, whole)))
            self._swallow, self._swallow_skips = line is None, False
        else:
            self._finish(record)
        return None

    def _finish(self, record: _Record) -> None:
        code = self._damage(record)
        if not code and record.count != len(self._names):
            code = "field_count"
        if not code and self._has_swallowed(record):
            code = "swallowed_lines"
        if code in ("", "stray_quote") and self._repeats_header(record):
            code = "repeated_header"
        lines = self._lines_of(record)
        if code:
            first = self._sums["lines"] + 1
            self._span, self._span_end = _Bad(code, record.count, first, first + lines - 1), record.next
            return
        values = [self._dialect.value_of(one) for one in record.fields]
        self._put_row(values, lines, record.end - self._at, record.next)

    def _put_row(self, values: list[str], lines: int, size: int, after: int) -> None:
        """Put a row of `size` bytes."""
        self._sums["records"] += 1
        self._rows.append((*values, self._sums["lines"] + 1, self._sums["records"]))
        self._batch_used += size + 16 * len(self._names)
        self._sums["lines"] += lines
        self._sums["record_lines"] += lines
        self._at = after

    def _put_bad(self, bad: _Bad, end: int, after: int) -> None:
        """Set the line at hand aside as a malformed record of its own."""
        for name in ("lines", "records", "record_lines"):
            self._sums[name] += 1
        raw = bytes(self._buffer[self._at : min(end, self._at + _RAW_MAX)])
        self._malformed.append(
            (self._sums["lines"], self._sums["records"], CSV_CODES.index(bad.code), *bad[1:], end - self._at, raw)
        )
        self._batch_used += len(raw) + 64
        self._at = after

    # ---- the record at hand ----

    def _record_at(self, line: tuple[int, int] | None, most: int) -> _Record | None:
        """Return the record of at most so many bytes that begins with a line; None where more bytes must come first."""
        limit = self._at + most
        if line is None and len(self._buffer) < limit + 2:
            return None
        end, after = line or (len(self._buffer), 0)
        record = self._walk(min(end, limit + 1))
        if record.inside and end <= limit:
            return self._open_record(limit)
        record.over, record.next = end > limit, after
        return record

    def _open_record(self, limit: int) -> _Record | None:
        """Return the record that is open at the end of its first line; None where more bytes must come first.

        Without memory of the records before, each line of a quote that never closes would be walked to the limit.
        """
        # The last byte may be half of a line end.
        seen = len(self._buffer) - (not self._final)
        if self._open_until <= limit:
            if self._open_until >= seen and not self._final:
                return None
            record = self._walk(len(self._buffer))
            ended = None if record.inside else self._line_at(record.end)
            if ended is not None:
                record.next, self._open_until = ended[1], record.end
            else:
                self._open_until = sys.maxsize if self._final else min(record.end, seen)
            if self._open_until <= limit:
                return record if ended is not None else None
        return _Record(over=True, inside=True)

    def _walk(self, stop: int) -> _Record:
        """Read fields up to a line end outside quotes, or to `stop`."""
        record, at, dialect = _Record(), self._at, self._dialect
        most = sys.maxsize if self._header_wanted else len(self._names)
        while True:
            one = dialect.field.match(self._buffer, at, stop)
            assert one is not None  # noqa: S101 - it matches nothing, too
            record.count += 1
            if record.count <= most:
                record.fields.append(one)
            record.damage |= dialect.damage_of(one)
            at = one.end()
            if at >= stop or self._buffer[at] != dialect.delimiter[0]:
                break
            at += 1
        self._sums["visited"] += at - self._at
        record.end, record.inside = at, one["text"] is not None and one["close"] is None
        return record

    def _lines_of(self, record: _Record) -> int:
        return len(self._dialect.line_end.findall(self._buffer, self._at, record.end)) + 1

    def _damage(self, record: _Record) -> str:
        text = self._buffer[self._at : record.end]
        try:
            text.decode()
        except UnicodeDecodeError:
            return "not_decodable"
        if b"\0" in text:
            return "nul"
        order = ("bare_cr", "stray_quote", "stray_escape")
        return next((code for code in order if code in record.damage), "")

    def _repeats_header(self, record: _Record) -> bool:
        text = bytes(self._buffer[self._at : record.end])
        if self._raw_header and text == _BOM + self._raw_header:
            return True
        if record.count != len(self._names) or record.damage:
            return False
        values = [self._dialect.text_of(one) for one in record.fields]
        if text.startswith(_BOM):
            values[0] = values[0].removeprefix(_BOM)
        return tuple(values) == self._names

    def _has_swallowed(self, record: _Record) -> bool:
        """Return whether a quoted text holds two or more lines with as many fields as the header."""
        columns = len(self._names)
        texts = (one["text"] for one in record.fields if one["text"] is not None)
        return columns > 1 and any(self._dialect.lines_like_records(text, columns) > 1 for text in texts)
