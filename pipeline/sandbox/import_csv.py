"""Read the CSV dialect of import sources: quotes of both kinds, backslash escapes (pure; API sheet 11.4)."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.sandbox.hazards import Notes

DELIMITERS = ("\t", ",", ";")


class CsvError(Exception):
    """The text is no CSV of this dialect."""


@dataclass(frozen=True)
class Dialect:
    """The delimiter, and what is not documented: whether doubled quotes are one, and short rows an error."""

    delimiter: str
    doubled_quotes: bool = False
    short_rows_fail: bool = False


def rows_of_csv(text: str, dialect: Dialect, notes: Notes) -> list[dict[str, str]]:
    r"""Read rows under the names of the first line.

    A value may stand in `'` or `"`, inside which a backslash takes the next character as it is; an apostrophe at the
    start of an unquoted value therefore swallows what follows, as in the original. Raises CsvError for a quote that
    does not close and for a row that is longer than the header.
    """
    records = _records(text.removeprefix("\ufeff"), dialect, notes)
    if not records:
        return []
    header, *rest = records
    doubled = next((name for name in header if header.count(name) > 1), None)
    if doubled is not None:
        notes.note("import_csv_doubled_column", doubled)
    return [_row(header, values, number, dialect, notes) for number, values in enumerate(rest, start=1)]


def _row(header: list[str], values: list[str], number: int, dialect: Dialect, notes: Notes) -> dict[str, str]:
    missing = len(header) - len(values)
    if missing < 0 or (missing and dialect.short_rows_fail):
        raise CsvError(f"row {number} has {'more' if missing < 0 else 'fewer'} values than the header")
    if missing:
        notes.note("import_csv_short_row", f"row {number}")
    return dict(zip(header, values + [""] * missing, strict=True))


def _records(text: str, dialect: Dialect, notes: Notes) -> list[list[str]]:
    records: list[list[str]] = []
    values: list[str] = []
    place = 0
    text = text.replace("\r\n", "\n")
    while place < len(text):
        value, place = _value(text, place, dialect, notes)
        values.append(value)
        if place >= len(text) or text[place] == "\n":
            if values != [""]:
                records.append(values)
            values = []
        elif place == len(text) - 1:
            records.append([*values, ""])
            values = []
        place += 1
    return records


def _value(text: str, place: int, dialect: Dialect, notes: Notes) -> tuple[str, int]:
    """Read one value; return it with the place of the delimiter or line end behind it."""
    quote = text[place] if text[place] in "'\"" else ""
    place += len(quote)
    found: list[str] = []
    while place < len(text):
        char = text[place]
        if char == "\\" and place + 1 < len(text):
            found.append(text[place + 1])
            place += 2
            continue
        if quote and char == quote:
            if not (dialect.doubled_quotes and text[place + 1 : place + 2] == quote):
                return "".join(found), _end(text, place + 1, dialect, notes)
            place += 1
        if not quote and (char == dialect.delimiter or char == "\n"):
            return "".join(found), place
        found.append(char)
        place += 1
    if quote:
        raise CsvError("a quote does not close")
    return "".join(found), place


def _end(text: str, place: int, dialect: Dialect, notes: Notes) -> int:
    """Skip what is between a closing quote and the end of the value; it is lost."""
    end = place
    while end < len(text) and text[end] != dialect.delimiter and text[end] != "\n":
        end += 1
    if end > place:
        notes.note("import_csv_quote", text[max(0, place - 10) : end][:40])
    return end
