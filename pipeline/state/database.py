"""Share one SQLite connection between threads (edge: SQLite)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import RLock


@dataclass(frozen=True)
class SharedDatabase:
    """One SQLite connection that threads share, one statement or transaction at a time."""

    connection: sqlite3.Connection
    lock: RLock

    @classmethod
    @contextmanager
    def opened(cls, path: Path) -> Iterator[SharedDatabase]:
        """Open or make a file whose changes are on disk at once; it is closed where the block fails. Raises sqlite3.Error."""
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            yield cls(connection, RLock())
        except BaseException:
            connection.close()
            raise

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


def is_damage(error: BaseException) -> bool:
    """Return whether SQLite found its file damaged: it raises the bare class of its errors then."""
    return type(error) is sqlite3.DatabaseError
