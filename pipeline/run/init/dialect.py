"""Guess delimiter, quote, escape, preamble and header of a CSV dump from the text of its beginning (pure)."""

from __future__ import annotations

import csv
import re
from collections import Counter
from dataclasses import dataclass

DELIMITERS = (",", ";", "\t", "|", ":")
_NAMES = {"\t": "tab", ",": "comma", ";": "semicolon", "|": "bar", ":": "colon"}
# Records that are looked at; enough to see a habit.
_MOST_RECORDS = 2_000
# A header stands in one of the first records; what comes before it is a title.
_MOST_PREAMBLE = 30
_VALUE = re.compile(
    r"[-+]?[€$£]?\s*[0-9][0-9.,:/\s-]*%?|[0-9].*[0-9]|\S+@\S+\.\S+|true|false|yes|no|null|n/a|\\n", re.IGNORECASE
)


@dataclass(frozen=True)
class Dialect:
    """How a CSV dump is written. `header` None: the first record is data already. `why` is the evidence for each."""

    delimiter: str
    quote: str = '"'
    escape: str | None = None
    skip_lines: int = 0
    header: tuple[str, ...] | None = None
    columns: int = 0
    why: str = ""


@dataclass(frozen=True)
class _Try:
    delimiter: str
    quote: str
    escape: str | None
    columns: int
    same: int
    records: int
    score: float


def guess_dialect(text: str) -> Dialect:
    """Guess from whole lines of text; every way of writing is tried, and the one that makes the most even table wins."""
    text = text.replace("\0", "")
    escape = _escape(text)
    tries = [_try(text, delimiter, quote, escape) for delimiter in DELIMITERS for quote in _quotes(text, delimiter)]
    best = max(tries, key=lambda one: one.score)
    if best.columns <= 1:
        best = _try(text, ",", '"', escape)
    rows = _rows(text, best.delimiter, best.quote, escape)
    at = next((at for at, row in enumerate(rows[:_MOST_PREAMBLE]) if len(row) == best.columns), 0)
    first, below = (rows[at], rows[at + 1 :]) if rows else ([], [])
    header = tuple(first) if _is_header(first, [row for row in below if len(row) == best.columns]) else None
    why = f"{best.same:,} of the first {best.records:,} records have {best.columns} fields between {_NAMES[best.delimiter]}s"
    return Dialect(
        best.delimiter, best.quote, escape, _lines_before(text, at, best, escape), header, best.columns,
        why if best.columns > 1 else "one column: no delimiter is seen",
    )  # fmt: skip


def first_record(text: str, dialect: Dialect) -> tuple[str, ...]:
    """Return the first record of another file as this dialect reads it: its header, where it is written alike."""
    lines = text.splitlines(keepends=True)[dialect.skip_lines :]
    rows = _rows("".join(lines[:_MOST_PREAMBLE]), dialect.delimiter, dialect.quote, dialect.escape)
    return tuple(rows[0]) if rows else ()


def second_table(text: str, dialect: Dialect) -> int | None:
    """Return the line where a second table begins: behind a blank line, with names in place of values; None without one."""
    lines = text.splitlines()
    start = dialect.skip_lines + 1
    for at in range(start, len(lines) - 2):
        if lines[at].strip(" \t" + dialect.delimiter) or not lines[at + 1].strip():
            continue
        row, *below = _rows("\n".join(lines[at + 1 : at + 40]), dialect.delimiter, dialect.quote, dialect.escape)
        above = _rows("\n".join(lines[max(start, at - 40) : at]), dialect.delimiter, dialect.quote, dialect.escape)
        same = [one for one in below if len(one) == len(row)]
        other = len(row) != dialect.columns and len(row) > 1
        if len(row) > 1 and same and above and _is_header(row, same) and (other or not _is_like(row, above)):
            return at + 2
    return None


def _is_like(row: list[str], above: list[list[str]]) -> bool:
    """Return whether a row has values where those above have: then it is no header."""
    kinds = [any(_VALUE.fullmatch(one[at]) for one in above if at < len(one)) for at in range(len(row))]
    return not any(kind and not _VALUE.fullmatch(cell) for kind, cell in zip(kinds, row, strict=True))


def _escape(text: str) -> str | None:
    r"""See whether a backslash stands before what it would protect: a quote within a text, a tab or line end, a cell `\N`.

    Two of them prove nothing: paths such as \\server\share have them, too.
    """
    protected = r'(?:^|[\t,;|])\\N(?=[\t,;|\r\n]|$)|\\"(?=[^"\t,;|\r\n])|\\(?:\t|\r?\n)'
    return "\\" if re.search(protected, text, re.MULTILINE) else None


def _quotes(text: str, delimiter: str) -> tuple[str, ...]:
    """List the quotes that stand around cells; the usual one where none does."""
    near = re.escape(delimiter)
    single = len(re.findall(rf"(?:^|{near})'[^'\n]*'(?={near}|\r?$)", text, re.MULTILINE))
    double = len(re.findall(rf'(?:^|{near})"[^"\n]*"(?={near}|\r?$)', text, re.MULTILINE))
    return ("'",) if single > max(double, 2) else ('"',)


def _rows(text: str, delimiter: str, quote: str, escape: str | None) -> list[list[str]]:
    reader = csv.reader(
        text.splitlines(keepends=True), delimiter=delimiter, quotechar=quote, escapechar=escape, doublequote=True
    )
    rows: list[list[str]] = []
    try:
        for row in reader:
            if row:
                rows.append(row)
            if len(rows) >= _MOST_RECORDS:
                break
    except csv.Error:
        pass
    return rows


def _try(text: str, delimiter: str, quote: str, escape: str | None) -> _Try:
    rows = _rows(text, delimiter, quote, escape)
    if not rows:
        return _Try(delimiter, quote, escape, 0, 0, 0, -1.0)
    counts = Counter(map(len, rows))
    columns, same = max(counts.items(), key=lambda pair: (pair[1] * (1 if pair[0] > 1 else 0.05), pair[0]))
    # A table is even; more columns are better evidence, and a comma that is a decimal mark makes uneven ones.
    score = (same / len(rows)) ** 2 * (columns - 1) ** 0.3 if columns > 1 else 0.0
    if delimiter == ":":
        # Times and prefixes hold colons, their header does not.
        score *= 0.5 if len(rows[0]) == columns else 0.0
    return _Try(delimiter, quote, escape, columns, same, len(rows), score * _sense(rows, columns))


def _sense(rows: list[list[str]], columns: int) -> float:
    """Return how well the fields are cut: fewer of them begin or end in what belongs to another dialect."""
    cells = [cell for row in rows[:200] if len(row) == columns for cell in row]
    odd = sum(1 for cell in cells if cell[:1] in ("'", '"') or cell[-1:] in (",", ";", "|", "\t") or " " in cell[:1])
    times = sum(1 for cell in cells if re.fullmatch(r"[0-9]{2}|.* [0-9]{2}", cell))
    return 1 - 0.5 * (odd + (times if columns > 1 else 0) * 0.2) / max(1, len(cells))


def _is_header(first: list[str], below: list[list[str]]) -> bool:
    """Return whether a row holds names: texts, each once, above columns some of which hold something else."""
    names = [cell.strip() for cell in first]
    if not names or any(len(name) > 80 for name in names):
        return False
    valued = sum(bool(_VALUE.fullmatch(name)) for name in names)
    if valued:
        return False
    columns = [[row[at] for row in below[:200]] for at in range(len(names))]
    # A name that stands below itself is a value.
    return not any(
        name and values.count(name) > max(2, len(values) // 2) for name, values in zip(names, columns, strict=True)
    )


def _lines_before(text: str, records: int, best: _Try, escape: str | None) -> int:
    """Count the physical lines before a record; blank ones between them too."""
    if not records:
        return 0
    lines = text.splitlines(keepends=True)
    reader = csv.reader(lines, delimiter=best.delimiter, quotechar=best.quote, escapechar=escape)
    seen = before = 0
    for row in reader:
        if row and seen == records:
            return before
        seen += bool(row)
        before = reader.line_num
    return 0
