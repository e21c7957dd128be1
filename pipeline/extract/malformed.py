"""Describe a malformed record in one sentence without its values (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from pipeline.extract.decoding import readable
from pipeline.model.rows import MALFORMED_SCHEMA

# The codes of the scanner in the order of its enum; 0 is none.
CSV_CODES = (
    "", "field_count", "repeated_header", "stray_quote", "unclosed_quote", "record_too_long", "not_decodable", "nul",
    "bare_cr", "swallowed_lines", "stray_escape",
)  # fmt: skip

# What the scanner gives per malformed line.
Line = tuple[int, int, int, int, int, int, int, bytes]


@dataclass(frozen=True)
class Dialect:
    """What messages about CSV records mention: the number of columns, the limit, the encoding."""

    columns: int
    max_record_bytes: int
    encoding: str


def csv_frame(lines: Sequence[Line], dialect: Dialect) -> pl.DataFrame:
    """Lay malformed CSV lines out as MALFORMED_SCHEMA."""
    return malformed_frame(_csv_row(line, dialect) for line in lines)


def malformed_frame(rows: Iterable[tuple[int, int, str, str, str]]) -> pl.DataFrame:
    """Return rows of line, record, code, message and raw text as a frame of MALFORMED_SCHEMA."""
    return pl.DataFrame(list(rows), schema=dict(MALFORMED_SCHEMA), orient="row")


def _csv_row(bad: Line, dialect: Dialect) -> tuple[int, int, str, str, str]:
    line, record, code, found, first, last, length, raw = bad
    message = _csv_message((code, found, first, last), dialect)
    return line, record, CSV_CODES[code], message, _cut(raw, length, dialect)


def _cut(raw: bytes, length: int, dialect: Dialect) -> str:
    text = readable(raw, dialect.encoding)
    return text if len(raw) == length else f"{text}…"


def _csv_message(bad: tuple[int, int, int, int], dialect: Dialect) -> str:
    code, found, first, last = bad
    limit = dialect.max_record_bytes
    text = {
        "field_count": f"{found} {'field' if found == 1 else 'fields'} where the header has {dialect.columns}",
        "repeated_header": "repeats the header",
        "stray_quote": "a quote stands inside an unquoted field, or a quoted field goes on behind its closing quote",
        "unclosed_quote": f"a quote opens and the record does not end within {limit:,} bytes or the file",
        "record_too_long": f"longer than {limit:,} bytes",
        "not_decodable": f"bytes that are no {dialect.encoding}",
        "nul": "holds a NUL character",
        "bare_cr": "holds a carriage return without a line feed outside quotes",
        "swallowed_lines": f"a quoted text holds lines of {dialect.columns} fields each, as the header has",
        "stray_escape": "an escape stands alone at the end of the line",
    }[CSV_CODES[code]]
    return text if first == last else f"{text} (one record on lines {first} to {last})"
