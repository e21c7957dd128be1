"""Read the CSV dialect of import sources: quotes of both kinds, backslash escapes (pure; API sheet 11.4)."""

from __future__ import annotations


class CsvError(Exception):
    """The text is no CSV of this dialect."""


def rows_of_csv(text: str, delimiter: str) -> list[dict[str, str]]:
    r"""Read rows under the names of the first line.

    A value may stand in `'` or `"`, inside which a backslash takes the next character as it is; an apostrophe at the
    start of an unquoted value therefore swallows what follows, as in the original. Raises CsvError for a quote that
    does not close and for a row that is longer than the header.
    """
    records = _records(text.removeprefix("\ufeff"), delimiter)
    if not records:
        return []
    header, *rest = records
    rows = []
    for number, values in enumerate(rest, start=1):
        if len(values) > len(header):
            raise CsvError(f"row {number} has more values than the header")
        rows.append(dict(zip(header, values + [""] * (len(header) - len(values)), strict=True)))
    return rows


def _records(text: str, delimiter: str) -> list[list[str]]:
    records: list[list[str]] = []
    values: list[str] = []
    place = 0
    text = text.replace("\r\n", "\n")
    while place < len(text):
        value, place = _value(text, place, delimiter)
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


def _value(text: str, place: int, delimiter: str) -> tuple[str, int]:
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
            end = place + 1
            while end < len(text) and text[end] not in (delimiter, "\n"):
                end += 1
            return "".join(found), end
        if not quote and char in (delimiter, "\n"):
            return "".join(found), place
        found.append(char)
        place += 1
    if quote:
        raise CsvError("a quote does not close")
    return "".join(found), place
