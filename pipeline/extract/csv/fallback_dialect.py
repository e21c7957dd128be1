"""Describe fields of CSV in a dialect by patterns, for the scanner in plain Python (pure; data rule 6)."""

from __future__ import annotations

import csv
import re

# The csv module refuses longer fields.
_CSV_MODULE_MAX = 1 << 16

# Parts of patterns: D, Q and E are the delimiter, the quote and the escape, F is the escape within brackets.
_TEXT = rb"(?:[^QF]++|QQ|E[QF]?+)*+"
_WHOLE = rb"(?:Q(?:[^Q\0\r]|QQ)*Q|[^QD\0\r]*)"
_FIELD = rb"(?:Q(?P<text>" + _TEXT + rb")(?P<close>Q)?+)?+(?P<bare>(?:[^DF\r\n]++|E[^\r\n]|E|C)*+)"
_OUTSIDE = rb"(?:Q" + _TEXT + rb"(?:Q(?:E)?+|\Z))?+(?:[^DF\r\n]++|E[^\r\n]|E)*+"


class Dialect:
    """A delimiter, a quote, an escape (empty for none), and whether a bare CR ends a line beside LF and CRLF.

    `field` matches one field up to the delimiter or line end behind it: the `text` between quotes, whether these `close`, and
    what is `bare`. A good field has only one of the two, and no damage.
    """

    def __init__(self, delimiter: str, quote: str, escape: str) -> None:
        self.delimiter, self._quote, self._escape = delimiter.encode(), quote.encode(), escape.encode()
        self._text_delimiter, self._text_quote = delimiter, quote
        self._odd = self._compiled(rb"[QF\r\0]")
        self._whole = self._compiled(_WHOLE + b"(?:D" + _WHOLE + b")*")
        self._outside = self._compiled(b"(?:" + _OUTSIDE + b"D)*+" + _OUTSIDE)
        self._folded_text, self._folded_bare = self._compiled(rb"(?:E|Q)(.)"), self._compiled(rb"E(.)")
        self._escaped, self._escaped_in_text = self._compiled(rb"E[^\r\n]"), self._compiled(rb"E[^\n]")
        self.set_ends(bare_cr=False)

    def _compiled(self, pattern: bytes) -> re.Pattern[bytes]:
        escape = re.escape(self._escape)
        marks = {b"D": re.escape(self.delimiter), b"Q": re.escape(self._quote), b"E": escape or b"(?!)", b"F": escape}
        for letter, mark in marks.items():
            pattern = pattern.replace(letter, mark)
        return re.compile(pattern, re.DOTALL)

    def set_ends(self, *, bare_cr: bool) -> None:
        """Set whether a bare CR ends a line; where it does not it is text."""
        self.bare_cr = bare_cr
        self.line_end = re.compile(rb"\r\n?|\n" if bare_cr else rb"\r?\n")
        self.field = self._compiled(_FIELD.replace(b"C", b"(?!)" if bare_cr else rb"\r(?!\n)"))

    def outside_until(self, data: bytearray, stop: int) -> int:
        """Return the place of the first CR or LF outside quotes, `stop` where there is none before that."""
        found = self._outside.match(data, 0, stop)
        return stop if found is None else found.end()

    def plain_values(self, line: bytes, text: str) -> list[str] | None:
        """Split a line that holds nothing odd, or only whole quoted fields; None for any other one."""
        if self._odd.search(line) is None:
            return text.split(self._text_delimiter)
        if self._escape or len(line) >= _CSV_MODULE_MAX or not self._whole.fullmatch(line):
            return None
        return next(csv.reader([text], delimiter=self._text_delimiter, quotechar=self._text_quote, strict=True))

    def text_of(self, one: re.Match[bytes]) -> bytes:
        """Return the text of a good field, without escapes and the first one of two quotes."""
        bare: bytes | None = one["bare"] if one["text"] is None else None
        return self._folded_text.sub(rb"\1", one["text"]) if bare is None else self._folded_bare.sub(rb"\1", bare)

    def value_of(self, one: re.Match[bytes]) -> str:
        """Return the value of a good field of a row: its text, where it is not the null of an export with escapes."""
        is_null = bool(self._escape) and one[0] == self._escape + b"N"
        return "" if is_null else self.text_of(one).decode()

    def damage_of(self, one: re.Match[bytes]) -> set[str]:
        """Return the codes of what is wrong with the part of a field that is bare."""
        bare, goes_on = one["bare"], one["text"] is not None and bool(one["bare"])
        if not goes_on and self._odd.search(bare) is None:
            return set()
        plain = self._escaped.sub(b"", bare)
        found = {
            "stray_quote": goes_on or self._quote in plain,
            "stray_escape": bool(self._escape) and self._escape in plain,
            "bare_cr": b"\r" in plain,
        }
        return {code for code, there in found.items() if there}

    def lines_like_records(self, text: bytes, columns: int) -> int:
        """Count the lines of a quoted text that have as many fields as there are columns."""
        lines = re.split(rb"[\r\n]" if self.bare_cr else rb"\n", self._escaped_in_text.sub(b"", text))
        return sum(line.count(self.delimiter) + 1 == columns for line in lines)
