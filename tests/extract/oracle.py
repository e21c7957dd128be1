"""Apply data rules 5 and 6 to CSV bytes: the rule in plain Python, slow and without blocks or memory."""

from __future__ import annotations

import re
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Dialect:
    """What the reading is told."""

    columns: tuple[bytes, ...]
    max_record: int
    delimiter: bytes = b","
    quote: bytes = b'"'
    escape: bytes = b""


@dataclass
class Outcome:
    """What the reading gives: rows of (line, record, values), malformed lines of (line, record, code, raw)."""

    rows: list[tuple[int, int, tuple[bytes, ...]]] = field(default_factory=list)
    malformed: list[tuple[int, int, str, bytes]] = field(default_factory=list)
    blank_lines: int = 0
    record_lines: int = 0
    lines: int = 0


@dataclass
class Span:
    """A record: where its content ends and the next one begins, its fields and damage; or that it does not end."""

    end: int
    next: int
    fields: list[bytes]
    damage: set[str]
    # The bytes between the quotes of its quoted fields.
    texts: list[bytes]
    code: str = ""


def ends_with_cr(data: bytes, dialect: Dialect) -> bool:
    """Find the first line end outside quotes; without one, the first of all."""
    state = "start"
    for at, byte in enumerate(bytes([b]) for b in data):
        if byte in b"\r\n" and not state.startswith("quoted"):
            return _bare(data, at)
        if state.endswith("escape"):
            state = state.removesuffix(" escape")
        elif dialect.escape and byte == dialect.escape and state != "closed":
            state = "quoted escape" if state == "quoted" else "bare escape"
        elif state == "quoted":
            state = "closed" if byte == dialect.quote else "quoted"
        elif byte == dialect.quote and state in ("start", "closed"):
            state = "quoted"
        else:
            state = "start" if byte == dialect.delimiter else "bare"
    ends = [at for at in (data.find(b"\r"), data.find(b"\n")) if at >= 0]
    return bool(ends) and _bare(data, min(ends))


def _bare(data: bytes, at: int) -> bool:
    return data[at : at + 1] == b"\r" and data[at + 1 : at + 2] != b"\n"


def line_end(data: bytes, at: int, cr: bool) -> int:
    """Return the length of the line end at a place, 0 for none."""
    if data[at : at + 2] == b"\r\n":
        return 2
    return int(data[at : at + 1] == b"\n" or (cr and data[at : at + 1] == b"\r"))


def physical_line(data: bytes, at: int, cr: bool) -> tuple[int, int]:
    """Return the end of a line's text and the beginning of the next line."""
    end = at
    while end < len(data) and not line_end(data, end, cr):
        end += 1
    return end, end + line_end(data, end, cr)


def record_at(data: bytes, start: int, cr: bool, dialect: Dialect) -> Span:
    """Walk one record, a byte at a time."""
    state, at, value, begun = "start", start, b"", start
    fields: list[bytes] = []
    texts: list[bytes] = []
    damage: set[str] = set()

    def close() -> None:
        """End a field: its value, and its bytes where it was quoted."""
        if state == "closed":
            texts.append(data[begun + 1 : at - 1])
        is_null = dialect.escape and state == "bare" and data[begun:at] == dialect.escape + b"N"
        fields.append(b"" if is_null else value)

    while True:
        inside = state in ("quoted", "quoted escape")
        if at == start + dialect.max_record + 1 or (at == len(data) and inside):
            end, after = physical_line(data, start, cr)
            return Span(end, after, [], set(), [], "unclosed_quote" if inside or end < at else "record_too_long")
        byte = data[at : at + 1]
        width = line_end(data, at, cr)
        if state == "bare escape":
            if not byte or byte in b"\r\n":
                damage.add("stray_escape")
                state = "bare"
                continue
            if byte == b"\0":
                damage.add("nul")
            state, value, at = "bare", value + byte, at + 1
            continue
        if not inside and (not byte or width):
            close()
            return Span(at, at + width, fields, damage, texts)
        if byte == b"\0":
            damage.add("nul")
        if state == "quoted escape":
            state, value = "quoted", value + byte
        elif byte == dialect.escape and state in ("quoted", "bare", "start"):
            state = "quoted escape" if state == "quoted" else "bare escape"
        elif state == "quoted":
            if byte == dialect.quote:
                state = "closed"
            else:
                value += byte
        elif byte == dialect.quote and state == "closed":
            value += byte
            state = "quoted"
        elif byte == dialect.quote and state == "start":
            state = "quoted"
        elif byte == dialect.delimiter:
            close()
            state, value, begun = "start", b"", at + 1
        else:
            if byte == b"\r":
                damage.add("bare_cr")
            if state == "closed" or byte == dialect.quote:
                damage.add("stray_quote")
            state, value = "bare", value + byte
        at += 1


def like_records(text: bytes, cr: bool, dialect: Dialect) -> int:
    """Count the lines of a quoted text that have as many fields as the header."""
    if dialect.escape:
        text = re.sub(re.escape(dialect.escape) + rb"[^\n]", b"", text)
    lines = re.split(rb"[\r\n]" if cr else rb"\n", text)
    return sum(line.count(dialect.delimiter) + 1 == len(dialect.columns) for line in lines)


def code_of(span: Span, text: bytes, cr: bool, dialect: Dialect) -> str:
    """Name what is wrong with a record that ends; nothing for a good one."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return "not_decodable"
    for code in ("nul", "bare_cr", "stray_quote", "stray_escape"):
        if code in span.damage:
            return code
    if len(span.fields) != len(dialect.columns):
        return "field_count"
    if len(dialect.columns) > 1 and any(like_records(one, cr, dialect) >= 2 for one in span.texts):
        return "swallowed_lines"
    first = span.fields[0] if text[:1] == dialect.quote else span.fields[0].removeprefix(b"\xef\xbb\xbf")
    return "repeated_header" if (first, *span.fields[1:]) == dialect.columns else ""


def read(data: bytes, dialect: Dialect) -> Outcome:
    """Read a file without a header."""
    out = Outcome()
    cr = ends_with_cr(data, dialect)
    at = 0
    while at < len(data):
        width = line_end(data, at, cr)
        if width:
            out.blank_lines += 1
            out.lines += 1
            at += width
            continue
        span = record_at(data, at, cr, dialect)
        code = span.code or code_of(span, data[at : span.end], cr, dialect)
        record = len(out.rows) + len(out.malformed) + 1
        if not code:
            out.rows.append((out.lines + 1, record, tuple(span.fields)))
            lines = _lines_in(data, at, span.next, cr)
            out.lines += lines
            out.record_lines += lines
            at = span.next
            continue
        while at < span.next:
            end, after = physical_line(data, at, cr)
            out.lines += 1
            if end == at:
                out.blank_lines += 1
            else:
                out.record_lines += 1
                record = len(out.rows) + len(out.malformed) + 1
                out.malformed.append((out.lines, record, code, data[at:end]))
            at = after
    return out


def _lines_in(data: bytes, start: int, stop: int, cr: bool) -> int:
    lines = 0
    while start < stop:
        start = physical_line(data, start, cr)[1]
        lines += 1
    return lines
