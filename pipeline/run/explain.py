"""Find what happened to one customer: over the runs of a job, their chunks, and what they set aside (edge: run folders).

Values are only shown where that was asked for; codes, columns, files and lines always.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.model.columns import Keys
from pipeline.model.job import Job
from pipeline.model.rows import REJECT_KEYS
from pipeline.stage.key_index import places_of, unchanged_in
from pipeline.state.folder import RunFolder
from pipeline.state.ledger import Ledger
from pipeline.state.run_records import RunRow
from pipeline.validate.keys import maybe_same

# What became of the rows of each file that a run may leave.
_FILES = {
    "rejects.csv": "rejected",
    "rejects.ndjson": "rejected",
    "failed.csv": "failed",
    "unknown.csv": "unknown",
    "open.csv": "not sent",
    "gone.csv": "gone from the dump",
    "created.csv": "created",
    "deleted.csv": "deleted",
}
_OF_DUMP = ("rejects.csv", "rejects.ndjson")
# A cell may be as long as a record of a dump.
_MOST_CELL_CHARS = 16 * 1024**2


@dataclass(frozen=True)
class Happening:
    """One thing that happened to a customer in a run; `line` counts from 1, `values` are empty unless asked for."""

    run: str
    at: str
    what: str
    file: str = ""
    line: int | None = None
    code: str = ""
    column: str = ""
    chunk: int | None = None
    import_id: int | None = None
    values: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return it as a document."""
        return {name: value for name, value in vars(self).items() if value not in ("", None, {})}

    def __str__(self) -> str:
        place = f"{self.file} line {self.line:,}" if self.line else self.file
        sent = f"chunk {self.chunk}" if self.chunk is not None else ""
        sent += f", import {self.import_id}" if self.import_id is not None else ""
        why = " ".join(filter(None, (self.code, self.column and f"({self.column})")))
        values = ", ".join(f"{name}={value!r}" for name, value in self.values.items())
        details = "; ".join(filter(None, (place, why, sent, values)))
        return f"{self.at[:19].replace('T', ' ')}  {self.run}  {self.what}{': ' if details else ''}{details}"


def explain(ledger: Ledger, job: Job, key: tuple[str, ...], *, show_values: bool) -> list[Happening]:
    """List what happened to a customer, the newest run first; `key` has a text per profile key field, in their order."""
    rows = ledger.runs(job.job)
    folders = {row.id: RunFolder(ledger.state_dir, row.id).path for row in rows}
    sent, still = places_of(folders, key), unchanged_in(folders, key)
    found: list[Happening] = []
    for row in rows:
        search = _Search(row, job, key, show_values)
        if row.id in sent:
            found += _sent(ledger, row, sent[row.id])
        elif row.id in still:
            found.append(Happening(row.id, row.started_at, "unchanged, not sent"))
        there = _names(folders[row.id])
        for name in filter(there.__contains__, _FILES):
            found += search.file(folders[row.id] / name, _FILES[name])
    return found


def _names(folder: Path) -> frozenset[str]:
    try:
        with os.scandir(folder) as entries:
            return frozenset(entry.name for entry in entries)
    except FileNotFoundError:
        return frozenset()


def _sent(ledger: Ledger, row: RunRow, places: Sequence[tuple[int, int, int]]) -> Iterator[Happening]:
    """Yield what became of the chunks that the rows of a key went in."""
    chunks = {one.cut: one for one in ledger.chunks(row.id) if one.reason.is_cut}
    names = {file.index: file.name for file, _ in ledger.files(row.id)}
    for ordinal, file, line in places:
        chunk = chunks.get(ordinal)
        what = "not sent" if chunk is None else f"sent, {chunk.word}"
        import_id = None if chunk is None else chunk.import_id
        yield Happening(row.id, row.started_at, what, names.get(file, ""), line, chunk=ordinal, import_id=import_id)


@dataclass(frozen=True)
class _Search:
    """Look for a key in the files of one run."""

    row: RunRow
    job: Job
    key: tuple[str, ...]
    show_values: bool

    def file(self, path: Path, what: str) -> Iterator[Happening]:
        """Find the rows of a file that have the key; a record that could not be split has it where its text does."""
        if not self._may_hold(path):
            return
        names = self._columns(of_dump=path.name in _OF_DUMP)
        wanted = [maybe_same(text) for text in self.key]
        for row in _rows(path):
            raw = row.get("_raw") or ""
            whole = [maybe_same(_cell(row, name)) for name in names] == wanted
            if whole or (raw and all(text in raw for text in self.key)):
                yield self._happening(row, what if whole else "set aside, its text holds the key")

    def _may_hold(self, path: Path) -> bool:
        """Return whether a file's bytes may hold the key: most files of a thousand runs need not be taken apart."""
        content = path.read_bytes().lower()
        return all(not text.isascii() or maybe_same(text).encode() in content for text in self.key)

    def _columns(self, *, of_dump: bool) -> list[str]:
        """Name the key's columns: those of the dump in what was rejected, else those of Copernica."""
        dump = {own.to: name for name, own in self.job.columns.items()} if of_dump else {}
        return [dump.get(name, name) for name in Keys.of(self.job.target.key_fields).profile]

    def _happening(self, row: dict[str, Any], what: str) -> Happening:
        line = str(row.get("_line") or "")
        values = {
            name: str(value) for name, value in row.items() if name not in REJECT_KEYS and value not in ("", None)
        }
        return Happening(
            self.row.id,
            self.row.started_at,
            what,
            str(row.get("_file") or ""),
            int(line) if line.isdecimal() else None,
            str(row.get("_code") or ""),
            str(row.get("_column") or ""),
            values=values if self.show_values else {},
        )


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """Read the rows of a file that a run has left, also where a spreadsheet has saved it since."""
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    if path.suffix == ".ndjson":
        for line in text.splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                continue
        return
    csv.field_size_limit(_MOST_CELL_CHARS)
    header = text.partition("\n")[0]
    yield from csv.DictReader(io.StringIO(text, newline=""), delimiter=max(",;\t|", key=header.count))


def _cell(row: dict[str, Any], name: str) -> str:
    """Return the text of a column; in an object a name with dots is a path."""
    if name in row:
        return str(row[name] if row[name] is not None else "")
    found: Any = row
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return str(found) if isinstance(found, str | int | float) else ""
