"""Share one SQLite connection between threads (edge: SQLite)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import RLock


@dataclass(frozen=True)
class Database:
    """One SQLite connection that threads share, one statement or transaction at a time."""

    connection: sqlite3.Connection
    lock: RLock

    def execute(self, statement: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        """Execute one statement; outside a transaction it is on disk when this returns."""
        with self.lock:
            return self.connection.execute(statement, values)

    def executemany(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        """Execute one statement for many rows; call it inside a transaction."""
        with self.lock:
            self.connection.executemany(statement, rows)

    @contextmanager
    def unsynced(self) -> Iterator[None]:
        """Leave what happens inside for the next sync: a power cut before it takes it back, a kill of the process does not.

        Of one file what comes later is never on disk before what comes earlier. Not inside a transaction.
        """
        with self.lock:
            self.connection.execute("PRAGMA synchronous=NORMAL")
            try:
                yield
            finally:
                self.connection.execute("PRAGMA synchronous=FULL")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make what happens inside one step."""
        with self.lock:
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self.connection.execute("ROLLBACK")
                raise
            self.connection.execute("COMMIT")
