"""Keep everything the sandbox knows in one SQLite database, in memory or in a file (edge: SQLite)."""

from __future__ import annotations

import json
import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.errors import JobError, Problem
from pipeline.sandbox.catalogue import Catalogue
from pipeline.sandbox.records import Records

_TABLES = """
CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS structure (id INTEGER PRIMARY KEY, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS profile (
    id INTEGER PRIMARY KEY, owner INTEGER NOT NULL, profile INTEGER NOT NULL, secret TEXT NOT NULL,
    created TEXT NOT NULL, modified TEXT NOT NULL, removed TEXT NOT NULL, fields TEXT NOT NULL,
    interests TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS subprofile (
    id INTEGER PRIMARY KEY, owner INTEGER NOT NULL, profile INTEGER NOT NULL, secret TEXT NOT NULL,
    created TEXT NOT NULL, modified TEXT NOT NULL, removed TEXT NOT NULL, fields TEXT NOT NULL,
    interests TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS profile_owner ON profile (owner, id) WHERE removed = '';
CREATE INDEX IF NOT EXISTS subprofile_owner ON subprofile (owner, id) WHERE removed = '';
CREATE INDEX IF NOT EXISTS subprofile_profile ON subprofile (profile, owner);
CREATE TABLE IF NOT EXISTS lookup (field TEXT NOT NULL, folded TEXT NOT NULL, id INTEGER NOT NULL,
    PRIMARY KEY (field, folded, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS keyed (field TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS job (id INTEGER PRIMARY KEY, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS job_body (id INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS journal (n INTEGER PRIMARY KEY, entry TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS consumption (day TEXT PRIMARY KEY, calls INTEGER NOT NULL) WITHOUT ROWID;
"""
_NAMES = re.findall(r"CREATE TABLE IF NOT EXISTS (\w+)", _TABLES)


class Counters:
    """Assign ids; each name is a number space of its own (API sheet 3.2)."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._values: dict[str, int] = dict(connection.execute("SELECT name, value FROM counter"))
        self._changed: set[str] = set()

    def next(self, name: str) -> int:
        """Take the next number of the space `name`, from 1."""
        value = self._values.get(name, 0) + 1
        self._values[name] = value
        self._changed.add(name)
        return value

    def at_least(self, name: str, value: int) -> None:
        """Make sure that `value`, given by a structure file, is never assigned."""
        if self._values.get(name, 0) < value:
            self._values[name] = value
            self._changed.add(name)

    def save(self) -> None:
        """Write what changed; part of every transaction."""
        if self._changed:
            rows = [(name, self._values[name]) for name in self._changed]
            self._connection.executemany("INSERT OR REPLACE INTO counter VALUES (?, ?)", rows)
            self._changed.clear()

    def clear(self) -> None:
        """Start all number spaces again."""
        self._values.clear()
        self._changed.clear()


class Store:
    """The SQLite connection, shared by all threads under one lock, and what reads and writes through it.

    Raises JobError when `path` cannot be opened or is no SQLite file.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._lock = threading.Lock()
        self._connection = _opened(path)
        self.counters = Counters(self._connection)
        self.catalogue = Catalogue(self._connection, self.counters.next)
        self.records = Records(self._connection)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Keep others out while this thread reads."""
        with self._lock:
            yield

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Keep others out and commit at the end, or undo everything when an exception passes."""
        with self._lock:
            self._connection.execute("BEGIN")
            try:
                yield self._connection
                self.counters.save()
            except BaseException:
                self._connection.execute("ROLLBACK")
                self.records.reread()
                raise
            self._connection.execute("COMMIT")

    def clear(self) -> None:
        """Forget everything but the file itself."""
        with self.writing() as connection:
            for name in _NAMES:
                connection.execute(f"DELETE FROM {name}")  # noqa: S608 (names of our own tables)
            self.counters.clear()
            self.catalogue.reload()
            self.records.forget()

    def close(self) -> None:
        """Close the connection; the store is of no use afterwards."""
        with self._lock:
            self._connection.close()

    def save_import(self, number: int, document: dict[str, object], body: bytes | None = None) -> None:
        """Write an import's state, with its compressed body the first time (inside `writing`)."""
        self._connection.execute("INSERT OR REPLACE INTO job VALUES (?, ?)", (number, json.dumps(document)))
        if body is not None:
            self._connection.execute("INSERT INTO job_body VALUES (?, ?)", (number, body))

    def imports(self) -> list[dict[str, Any]]:
        """Read the states of all imports, in the order of their ids."""
        rows = self._connection.execute("SELECT document FROM job ORDER BY id").fetchall()
        return [json.loads(document) for (document,) in rows]

    def import_body(self, number: int) -> bytes | None:
        """Read the body of an import as it was sent (zlib-compressed)."""
        row = self._connection.execute("SELECT body FROM job_body WHERE id = ?", (number,)).fetchone()
        return bytes(row[0]) if row else None

    def save_journal(self, entries: list[dict[str, Any]]) -> None:
        """Write the journal in place of what was there (inside `writing`)."""
        self._connection.execute("DELETE FROM journal")
        rows = [(entry["n"], json.dumps(entry)) for entry in entries]
        self._connection.executemany("INSERT INTO journal VALUES (?, ?)", rows)

    def journal(self) -> list[dict[str, Any]]:
        """Read the journal that `save_journal` wrote."""
        rows = self._connection.execute("SELECT entry FROM journal ORDER BY n").fetchall()
        return [json.loads(entry) for (entry,) in rows]

    def count_call(self, day: str) -> None:
        """Count one API call of `day`, `YYYY-MM-DD` (API sheet 15)."""
        self._connection.execute(
            "INSERT INTO consumption VALUES (?, 1) ON CONFLICT (day) DO UPDATE SET calls = calls + 1", (day,)
        )

    def calls(self, begin: str, end: str) -> int:
        """Sum the API calls of the days from `begin` to `end`, both included."""
        query = "SELECT COALESCE(SUM(calls), 0) FROM consumption WHERE day BETWEEN ? AND ?"
        return int(self._connection.execute(query, (begin, end)).fetchone()[0])


def _opened(path: Path | None) -> sqlite3.Connection:
    connection = None
    try:
        connection = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None)
        # Nothing in a sandbox is worth an fsync; a crash of the machine may lose it.
        connection.execute("PRAGMA synchronous = OFF")
        if path is not None:
            connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(_TABLES)
    except sqlite3.Error as error:
        if connection is not None:
            connection.close()
        raise JobError(
            Problem(f"the store cannot be used: {error}", str(path), "name another file with --store")
        ) from error
    return connection
