"""Split CSV bytes into records in plain Python, for installations without the compiled scanner (pure).

The same automaton, events and results as `_csv`, some twenty times slower: where a line holds nothing odd it is split as it
stands, a line of whole quoted fields goes through the csv module, and all else is walked field by field.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, field, replace
from enum import Enum, auto

import polars as pl

from pipeline.extract.csv.fallback_batch import RAW_MAX, Bad, BatchOfRows, Code, Line

MORE, HEADER, FULL, DONE = range(4)

_HEADER_MAX = 1 << 20
# The csv module refuses longer fields.
_CSV_MODULE_MAX = 1 << 16
_MARK = b"\xef\xbb\xbf"


class _State(Enum):
    FIELD_START = auto()
    BARE = auto()
    QUOTED = auto()
    QUOTE_SEEN = auto()
    BARE_ESCAPE = auto()
    QUOTED_ESCAPE = auto()


class _Outcome(Enum):
    COMPLETE = auto()
    MORE = auto()
    OVER = auto()
    AT_BREAK = auto()


_INSIDE = (_State.QUOTED, _State.QUOTED_ESCAPE)


@dataclass
class _Walk:
    at: int
    field: int
    state: _State = _State.FIELD_START
    folded: bool = False

    @property
    def inside(self) -> bool:
        return self.state in _INSIDE


@dataclass
class _Record:
    """A record so far; a field is (from, to, quoted, folded)."""

    end: int = 0
    next: int = 0
    breaks: int = 0
    first_break: int = -1
    damage: set[Code] = field(default_factory=set)
    fields: list[tuple[int, int, bool, bool]] = field(default_factory=list)


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
        self._delimiter, self._quote = delimiter.encode(), quote.encode()
        self._escape = b"" if escape == "\0" else escape.encode()
        self._max_record = max_record_bytes
        self._batch_bytes = batch_bytes
        self._skip_left = skip_lines
        self._buffer = bytearray()
        self._at = 0
        self._final = False
        self._ends: bytes | None = None
        self._span_end = 0
        self._span = Bad(Code.FINE, 0, 0, 0)
        self._swallow = self._swallow_skips = False
        self._header: tuple[_Record, Code] | None = None
        self._header_wanted = True
        self._raw_header = b""
        self._names: tuple[bytes, ...] = ()
        self._memo: tuple[_Walk, int | None] | None = None
        self._paused: tuple[_Walk, _Record, bool] | None = None
        self._batch = BatchOfRows(0)
        self._lines = self._record_lines = self._blank_lines = self._header_lines = self._skipped = 0
        self._records = self._visited = 0
        stops = b"".join((self._delimiter, self._quote, self._escape))
        self._bare_stop = re.compile(b"[" + re.escape(stops) + rb"\n\r\0]")
        self._odd = re.compile(b"[" + re.escape(self._quote + self._escape) + rb"\r\0]")
        self._set_ends(None)
        quote_, mark = re.escape(self._quote), re.escape(self._delimiter)
        one = rb"(?:Q(?:[^Q\0\r]|QQ)*Q|[^QD\0\r]*)".replace(b"Q", quote_).replace(b"D", mark)
        self._whole = re.compile(one + b"(?:" + mark + one + b")*")

    # ---- the calls of a reader ----

    def feed(self, data: bytes, final: bool, /) -> None:
        """Add a block of bytes; `final` when it is the last one."""
        gone = self._at
        del self._buffer[:gone]
        self._buffer += data
        self._final = final
        self._at = 0
        self._span_end = max(0, self._span_end - gone)
        if self._memo is not None:
            walk, closed_at = self._memo
            known = walk.at if closed_at is None else closed_at
            moved = replace(walk, at=walk.at - gone, field=walk.field - gone)
            self._memo = None if known < gone else (moved, None if closed_at is None else closed_at - gone)
        if self._paused is not None:
            walk, record, ask = self._paused
            record.first_break -= gone if record.first_break >= 0 else 0
            record.fields = [(start - gone, end - gone, quoted, folded) for start, end, quoted, folded in record.fields]
            self._paused = replace(walk, at=walk.at - gone, field=walk.field - gone), record, ask

    def scan(self) -> int:
        """Read until MORE, HEADER, FULL or DONE."""
        if self._ends is None and not self._decide_ends():
            return MORE
        while True:
            if self._batch.height >= self.batch_rows or self._batch.used >= self._batch_bytes:
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
        if code is not Code.FINE:
            return (), code.value
        names = tuple(self._text_of(one) for one in record.fields)
        self._raw_header = bytes(self._buffer[self._at : record.end])
        self._at = record.next
        self._header_lines = record.breaks + 1
        self._lines += self._header_lines
        return names, 0

    def begin(self, names: tuple[bytes, ...], /) -> None:
        """Set the columns; records follow."""
        self._names = names
        self._batch = BatchOfRows(len(names))
        self._header_wanted = False
        self._paused = None

    def take(self) -> tuple[pl.DataFrame, list[Line]]:
        """Take the batch: its rows, and its malformed lines."""
        batch, self._batch = self._batch, BatchOfRows(len(self._names))
        return batch.frame(), batch.malformed

    def counts(self) -> dict[str, int]:
        """Return the sums of the lines read so far."""
        return {
            "lines": self._lines,
            "record_lines": self._record_lines,
            "blank_lines": self._blank_lines,
            "header_lines": self._header_lines,
            "skipped_lines": self._skipped,
            "records": self._records,
            "visited": self._visited,
            "unread": len(self._buffer) - self._at,
            "between": int(not self._swallow and self._at >= self._span_end and self._paused is None),
        }

    @property
    def ends(self) -> str | None:
        """Return what ends a line beside LF and CRLF: CR, else LF; None before it is known."""
        return None if self._ends is None else self._ends.decode()

    @property
    def unread(self) -> bytes:
        """Return the bytes that are not read yet."""
        return bytes(self._buffer[self._at :])

    # ---- lines ----

    def _set_ends(self, ends: bytes | None) -> None:
        self._ends = ends
        cr = rb"\r" if ends == b"\r" else b""
        self._quoted_stop = re.compile(b"[" + re.escape(self._quote + self._escape) + rb"\n\0" + cr + b"]")
        self._line_end = re.compile(rb"\r\n|\n|\r" if ends == b"\r" else rb"\n")

    def _decide_ends(self) -> bool:
        """Decide whether a bare CR ends a line: the first line end outside quotes shows it (data rule 5)."""
        buffer, state, first = self._buffer, _State.BARE if self._skip_left else _State.FIELD_START, -1
        most = max(self._max_record, _HEADER_MAX)
        place = -1
        for match in re.compile(
            b"[" + re.escape(self._quote + self._escape + self._delimiter) + rb"\r\n]|.", re.S
        ).finditer(buffer, 0, most):
            byte, at = match[0], match.start()
            if byte in b"\r\n":
                first = at if first < 0 else first
                if state not in _INSIDE:
                    place = at
                    break
            if not self._skip_left:
                state = self._after(state, byte)
        if place < 0:
            if len(buffer) < most and not self._final:
                return False
            if first < 0:
                self._set_ends(b"\n")
                return True
            place = first
        if buffer[place] == 13 and place + 1 == len(buffer) and not self._final:
            return False
        self._set_ends(b"\r" if buffer[place] == 13 and buffer[place + 1 : place + 2] != b"\n" else b"\n")
        return True

    def _after(self, state: _State, byte: bytes) -> _State:
        if state in (_State.QUOTED_ESCAPE, _State.BARE_ESCAPE):
            return _State.QUOTED if state is _State.QUOTED_ESCAPE else _State.BARE
        if self._escape and byte == self._escape and state is not _State.QUOTE_SEEN:
            return _State.QUOTED_ESCAPE if state is _State.QUOTED else _State.BARE_ESCAPE
        if byte == self._quote and state is not _State.BARE:
            return _State.QUOTE_SEEN if state is _State.QUOTED else _State.QUOTED
        if state is _State.QUOTED:
            return state
        return _State.FIELD_START if byte == self._delimiter else _State.BARE

    def _width(self, at: int) -> int:
        """Return the length of the line end at a place: 0 for none, -1 when the next byte is not known yet."""
        byte = self._buffer[at]
        if byte == 10:
            return 1
        if byte != 13:
            return 0
        if at + 1 == len(self._buffer):
            return int(self._ends == b"\r") if self._final else -1
        return 2 if self._buffer[at + 1] == 10 else int(self._ends == b"\r")

    def _physical_line(self, at: int) -> tuple[int, int] | None:
        """Return the end of the text of a line and where the next one begins; None when it is not whole in the buffer."""
        match = self._line_end.search(self._buffer, at)
        if match is None or (match[0] == b"\r" and match.end() == len(self._buffer) and not self._final):
            return (len(self._buffer), len(self._buffer)) if self._final else None
        end = match.start()
        if match[0] == b"\n" and end > at and self._buffer[end - 1] == 13:
            end -= 1
        return end, match.end()

    # ---- one step ----

    def _step(self) -> int | None:
        """Read one record, one line of a damaged span, or one line to skip; returns an event where reading stops."""
        if self._swallow:
            return None if self._swallow_line() else MORE
        if self._at < self._span_end:
            self._span_line()
            return None
        self._span_end = 0
        if self._at == len(self._buffer):
            return DONE if self._final else MORE
        if self._skip_left:
            self._swallow = self._swallow_skips = True
            return None
        width = self._width(self._at)
        if width < 0:
            return MORE
        if width:
            self._at += width
            self._blank_lines += 1
            self._lines += 1
            return None
        if not self._header_wanted and self._ends == b"\n" and self._paused is None and self._plain_line():
            return None
        return self._read_record()

    def _swallow_line(self) -> bool:
        line = self._physical_line(self._at)
        if line is None:
            self._at = len(self._buffer) - self._buffer.endswith(b"\r")
            return False
        self._at = line[1]
        self._swallow = False
        if self._swallow_skips:
            self._skip_left -= 1
            self._skipped += 1
            self._lines += 1
        return True

    def _span_line(self) -> None:
        line = self._physical_line(self._at)
        end, after = line if line is not None else (len(self._buffer), len(self._buffer))
        if end == self._at:
            self._blank_lines += 1
            self._lines += 1
        else:
            self._put_bad(self._span, end)
        self._at = after

    def _plain_line(self) -> bool:
        """Read a line that is a record as it stands, or of whole quoted fields; False where it is for the automaton."""
        stop = self._buffer.find(b"\n", self._at)
        if stop < 0:
            return False
        end = stop - (self._buffer[stop - 1] == 13)
        line = bytes(self._buffer[self._at : end])
        if len(line) > self._max_record:
            return False
        try:
            text = line.decode()
        except UnicodeDecodeError:
            return False
        if self._odd.search(line) is None:
            values = text.split(self._delimiter.decode())
        elif not self._escape and len(line) < _CSV_MODULE_MAX and self._whole.fullmatch(line):
            values = next(
                csv.reader([text], delimiter=self._delimiter.decode(), quotechar=self._quote.decode(), strict=True)
            )
        else:
            return False
        if len(values) != len(self._names) or line.startswith(_MARK) or values[0].encode() == self._names[0]:
            return False
        self._visited += len(line)
        self._put_row(values, len(line), 1)
        self._at = stop + 1
        return True

    def _read_record(self) -> int | None:
        most = _HEADER_MAX if self._header_wanted else self._max_record
        limit = self._at + most + 1
        outcome, walk, record = self._walk_record(limit)
        if outcome is _Outcome.MORE:
            return MORE
        if self._header_wanted:
            is_open = record.first_break >= 0 or walk.inside
            code = Code.UNCLOSED_QUOTE if is_open else Code.TOO_LONG
            self._header = record, self._damage(record) if outcome is _Outcome.COMPLETE else code
            return HEADER
        if outcome is _Outcome.OVER:
            return self._give_up_first_line(walk, record)
        self._finish(record)
        return None

    def _finish(self, record: _Record) -> None:
        code = self._damage(record)
        if code is Code.FINE and len(record.fields) != len(self._names):
            code = Code.FIELD_COUNT
        if code is Code.FINE and self._has_swallowed(record):
            code = Code.SWALLOWED
        if code in (Code.FINE, Code.STRAY_QUOTE) and self._repeats_header(record):
            code = Code.REPEATED_HEADER
        if code is not Code.FINE:
            self._span = Bad(code, len(record.fields), self._lines + 1, self._lines + 1 + record.breaks)
            self._span_end = record.next
            return
        values = [self._text_of(one).decode() for one in record.fields]
        self._put_row(values, record.end - self._at, record.breaks + 1)
        self._at = record.next

    def _put_row(self, values: list[str], size: int, lines: int) -> None:
        self._records += 1
        self._batch.put(values, self._lines + 1, self._records, size)
        self._lines += lines
        self._record_lines += lines

    def _put_bad(self, bad: Bad, end: int) -> None:
        self._lines += 1
        self._records += 1
        self._record_lines += 1
        raw = bytes(self._buffer[self._at : min(end, self._at + RAW_MAX)])
        self._batch.put_bad(bad, self._lines, self._records, end - self._at, raw)

    def _give_up_first_line(self, walk: _Walk, record: _Record) -> int | None:
        """Set aside the first line of a record that is not complete within the limit; reading resumes on the next."""
        broken = record.first_break >= 0
        code = Code.UNCLOSED_QUOTE if broken or walk.inside else Code.TOO_LONG
        line = self._physical_line(self._at)
        if line is None and (broken or len(self._buffer) - self._at <= RAW_MAX):
            return MORE
        whole = len(self._buffer) - self._buffer.endswith(b"\r")
        end, after = line or (whole, whole)
        if broken and self._memo is None:
            self._memo = replace(walk), None
        self._put_bad(Bad(code, 0, self._lines + 1, self._lines + 1), end)
        self._at = after
        self._swallow, self._swallow_skips = line is None, False
        return None

    # ---- the automaton of data rule 6 ----

    def _walk_record(self, limit: int) -> tuple[_Outcome, _Walk, _Record]:
        ask, paused = self._memo is not None, self._paused
        self._paused = None
        if paused is not None:
            ask = paused[2]
        while True:
            walk, record = (_Walk(self._at, self._at), _Record()) if paused is None else paused[:2]
            paused = None
            outcome = self._advance(walk, limit, record, stop_at_break=ask)
            if outcome is _Outcome.MORE:
                self._paused = walk, record, ask
            if outcome is not _Outcome.AT_BREAK:
                return outcome, walk, record
            ask = False
            if self._memo is None:
                continue
            kept, closed_at = self._memo
            if record.first_break >= (kept.at if closed_at is None else closed_at):
                self._memo = None
                continue
            outcome = self._ask_memo(limit)
            if outcome is not _Outcome.COMPLETE:
                return outcome, walk, record

    def _ask_memo(self, limit: int) -> _Outcome:
        """Answer for a record that is open at the end of its first line, from the walk of an earlier open record."""
        assert self._memo is not None  # noqa: S101 - asked for where there is one
        walk, closed_at = self._memo
        if closed_at is None:
            rest = _Record()
            outcome = self._advance(walk, limit, rest, stop_at_break=False)
            if outcome is not _Outcome.COMPLETE:
                return outcome
            closed_at = rest.end
            self._memo = walk, closed_at
        return _Outcome.COMPLETE if closed_at < limit else _Outcome.OVER

    def _advance(self, walk: _Walk, limit: int, record: _Record, *, stop_at_break: bool) -> _Outcome:
        """Walk on until the record ends, the byte at `limit` is reached (OVER) or the input ends."""
        stop, began = min(limit, len(self._buffer)), walk.at
        outcome: _Outcome | None = None
        while outcome is None and (walk.at < stop or walk.state is _State.FIELD_START):
            if walk.state is _State.FIELD_START:
                walk.field, walk.folded = walk.at, False
                if walk.at == stop:
                    break
                walk.state = _State.BARE
                if self._buffer[walk.at] == self._quote[0]:
                    walk.at += 1
                    walk.state = _State.QUOTED
                continue
            step = {
                _State.BARE: self._bare,
                _State.QUOTED: self._quoted,
                _State.BARE_ESCAPE: self._bare_escape,
                _State.QUOTED_ESCAPE: self._quoted_escape,
                _State.QUOTE_SEEN: self._quote_seen,
            }[walk.state]
            outcome = step(walk, stop, record, stop_at_break)
        if outcome is None:
            outcome = self._at_end(walk, limit, record)
        self._visited += walk.at - began
        return outcome

    def _at_end(self, walk: _Walk, limit: int, record: _Record) -> _Outcome:
        if walk.at == limit or (self._final and walk.inside):
            return _Outcome.OVER
        if not self._final:
            return _Outcome.MORE
        if walk.state is _State.BARE_ESCAPE:
            record.damage.add(Code.STRAY_ESCAPE)
        self._close(walk, record, quoted=walk.state is _State.QUOTE_SEEN)
        record.end = record.next = walk.at
        return _Outcome.COMPLETE

    def _close(self, walk: _Walk, record: _Record, *, quoted: bool) -> None:
        record.fields.append((walk.field + quoted, walk.at - quoted, quoted, walk.folded))

    def _line_ends(self, walk: _Walk, record: _Record, *, quoted: bool) -> _Outcome | None:
        """End the record where a line end stands; None where there is none."""
        width = self._width(walk.at)
        if width < 0:
            return _Outcome.MORE
        if width == 0:
            return None
        self._close(walk, record, quoted=quoted)
        record.end, record.next = walk.at, walk.at + width
        return _Outcome.COMPLETE

    def _bare(self, walk: _Walk, stop: int, record: _Record, _: bool) -> _Outcome | None:
        match = self._bare_stop.search(self._buffer, walk.at, stop)
        if match is None:
            walk.at = stop
            return None
        walk.at, byte = match.start(), match[0]
        if byte == self._delimiter:
            self._close(walk, record, quoted=False)
            walk.state = _State.FIELD_START
        elif byte in (self._quote, b"\0"):
            record.damage.add(Code.HAS_NUL if byte == b"\0" else Code.STRAY_QUOTE)
        elif byte == self._escape:
            walk.folded, walk.state = True, _State.BARE_ESCAPE
        else:
            outcome = self._line_ends(walk, record, quoted=False)
            if outcome is not None:
                return outcome
            record.damage.add(Code.HAS_CR)
        walk.at += 1
        return None

    def _quoted(self, walk: _Walk, stop: int, record: _Record, stop_at_break: bool) -> _Outcome | None:
        match = self._quoted_stop.search(self._buffer, walk.at, stop)
        if match is None:
            walk.at = stop
            return None
        walk.at, byte = match.start(), match[0]
        if byte == self._quote:
            walk.state = _State.QUOTE_SEEN
        elif byte == b"\0":
            record.damage.add(Code.HAS_NUL)
        elif byte == self._escape:
            walk.folded, walk.state = True, _State.QUOTED_ESCAPE
        elif self._note_break(walk.at, record) and stop_at_break:
            return _Outcome.AT_BREAK
        walk.at += 1
        return None

    def _note_break(self, at: int, record: _Record) -> bool:
        """Note a line end inside quotes; true for the first one of the record."""
        if self._ends == b"\r" and self._buffer[at] == 10 and self._buffer[at - 1] == 13:
            return False  # counted at its CR
        record.breaks += 1
        if record.first_break >= 0:
            return False
        record.first_break = at
        return True

    def _bare_escape(self, walk: _Walk, _: int, record: _Record, __: bool) -> None:
        walk.state = _State.BARE
        byte = self._buffer[walk.at]
        if byte in b"\r\n":
            record.damage.add(Code.STRAY_ESCAPE)
            return
        if byte == 0:
            record.damage.add(Code.HAS_NUL)
        walk.at += 1

    def _quoted_escape(self, walk: _Walk, _: int, __: _Record, ___: bool) -> None:
        if self._buffer[walk.at : walk.at + 1] in (self._quote, self._escape):
            walk.at += 1
        walk.state = _State.QUOTED

    def _quote_seen(self, walk: _Walk, _: int, record: _Record, __: bool) -> _Outcome | None:
        byte = self._buffer[walk.at : walk.at + 1]
        if byte == self._quote:
            walk.folded, walk.state = True, _State.QUOTED
            walk.at += 1
        elif byte == self._delimiter:
            self._close(walk, record, quoted=True)
            walk.at += 1
            walk.state = _State.FIELD_START
        else:
            outcome = self._line_ends(walk, record, quoted=True)
            if outcome is not None:
                return outcome
            record.damage.add(Code.STRAY_QUOTE)
            walk.state = _State.BARE
        return None

    # ---- what a record is ----

    def _text_of(self, one: tuple[int, int, bool, bool]) -> bytes:
        start, end, quoted, folded = one
        text = bytes(self._buffer[start:end])
        if not folded:
            return text
        if self._escape and not quoted and text == self._escape + b"N":
            return b""
        skipped = (
            b"".join((re.escape(self._escape), b"|", re.escape(self._quote)))
            if self._escape
            else re.escape(self._quote)
        )
        skipped = skipped if quoted else re.escape(self._escape)
        return re.sub(b"(?:" + skipped + b")(.)", rb"\1", text, flags=re.S)

    def _damage(self, record: _Record) -> Code:
        try:
            self._buffer[self._at : record.end].decode()
        except UnicodeDecodeError:
            return Code.NOT_DECODABLE
        order = (Code.HAS_NUL, Code.HAS_CR, Code.STRAY_QUOTE, Code.STRAY_ESCAPE)
        return next((code for code in order if code in record.damage), Code.FINE)

    def _repeats_header(self, record: _Record) -> bool:
        text = bytes(self._buffer[self._at : record.end])
        if self._raw_header and text == _MARK + self._raw_header:
            return True
        if len(record.fields) != len(self._names) or record.damage:
            return False
        values = [self._text_of(one) for one in record.fields]
        if text.startswith(_MARK) and not record.fields[0][2]:
            values[0] = values[0].removeprefix(_MARK)
        return tuple(values) == self._names

    def _has_swallowed(self, record: _Record) -> bool:
        """Return whether a quoted text holds two or more lines with as many fields as the header."""
        if record.first_break < 0 or len(self._names) < 2:
            return False
        return any(quoted and self._like_records(start, end) > 1 for start, end, quoted, _ in record.fields)

    def _like_records(self, start: int, end: int) -> int:
        text = bytes(self._buffer[start:end])
        if self._escape:
            text = re.sub(re.escape(self._escape) + rb"[^\n]", b"", text)
        lines = re.split(rb"[\r\n]" if self._ends == b"\r" else rb"\n", text)
        return sum(line.count(self._delimiter) + 1 == len(self._names) for line in lines)
