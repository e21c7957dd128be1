"""Hold one file of a register: runs, their notes with salted hashes of keys, contents that were loaded (edge: SQLite)."""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.errors import JobError, Problem
from pipeline.state.database import SharedDatabase, is_damage
from pipeline.state.host import MOUNTS, open_shared, refuse_network

FORMAT = 2
# What makes a file of an older format one of the next.
MIGRATIONS = {1: "ALTER TABLE about ADD COLUMN latest_ms INTEGER"}
TABLES = """
CREATE TABLE about (id TEXT NOT NULL, salt INTEGER NOT NULL, twin TEXT, latest_ms INTEGER) STRICT;
CREATE TABLE run (
    id TEXT PRIMARY KEY, job TEXT NOT NULL, began INTEGER NOT NULL, began_ms INTEGER NOT NULL,
    open INTEGER NOT NULL DEFAULT 1, sent INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE note (
    number INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL, ordinal INTEGER NOT NULL, scheme INTEGER NOT NULL,
    key_fields TEXT NOT NULL, columns TEXT, sent_ms INTEGER NOT NULL, until_ms INTEGER, keys BLOB NOT NULL
) STRICT;
CREATE INDEX note_of_chunk ON note (run, ordinal);
CREATE TABLE content (job TEXT NOT NULL, sha256 TEXT NOT NULL, run TEXT NOT NULL, PRIMARY KEY (job, sha256, run))
    STRICT, WITHOUT ROWID;
"""

# A run that is open for so long was forgotten, such as with its state folder. Should it come back after all, what others
# have sent since is not known any more, and every key counts as sent.
MOST_OPEN_DAYS = 30
# How much later than it may still run a request is forgotten, by this host's clock: no clock is that wrong.
_GRACE_MS = _DAY_MS = 24 * 3600 * 1000
# Keys that are compared at once: 8 MB.
_KEYS_AT_ONCE = 1_000_000


@dataclass(frozen=True)
class Note:
    """A request: its chunk, the key fields that its keys are of, the columns that it writes (None: whole records)."""

    ordinal: int
    key_fields: tuple[str, ...]
    columns: list[str] | None
    sent: int
    until: int | None


class RegisterFile:
    """One file; times are milliseconds since 1970. What it cannot compare counts as equal: the safe side."""

    def __init__(self, path: Path, db: SharedDatabase) -> None:
        self.path, self._db = path, db
        self.twin: str | None
        self.id, self._salt, self.twin = db.execute("SELECT id, salt, twin FROM about").fetchone()
        # polars may hash otherwise in another version; keys of another scheme are not comparable.
        probe = pl.DataFrame({"a": ["K-1"], "b": ["ë"]}).select(pl.col("a").hash(1) ^ pl.struct("a", "b").hash(1))
        self._scheme = _signed(probe.to_series().hash(1).item())

    @classmethod
    def open(cls, path: Path, mounts: Path = MOUNTS) -> RegisterFile:
        """Open or make the file; raises JobError where that cannot be done or its format is another."""
        refuse_network(path.parent, "the register of a database", mounts)
        try:
            os.close(open_shared(path))
            with SharedDatabase.opened(path) as db:
                _prepare(db, path)
                return cls(path, db)
        except (OSError, sqlite3.Error) as error:
            raise _refusal(path, error) from None

    def close(self) -> None:
        """Close the file."""
        self._db.connection.close()

    def pair_with(self, other: RegisterFile) -> None:
        """Remember which file this one was used with last, as `twin`."""
        if other.id != self.twin:
            self._db.execute("UPDATE about SET twin = ?", (other.id,))
            self.twin = other.id

    def begin(self, run: str, job: str, contents: Sequence[str]) -> None:
        """Record an open run."""
        now = int(time.time() * 1000)
        with self._db.transaction():
            self._db.execute(
                "INSERT OR IGNORE INTO run (id, job, began, began_ms)"
                " VALUES (?, ?, coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'note'), 0), ?)",
                (run, job, now),
            )
            self._db.executemany("INSERT OR IGNORE INTO content VALUES (?,?,?)", [(job, one, run) for one in contents])
            self._forget(now)

    def renew(self, run: str) -> None:
        """Let only what is sent from now on count as sent since a run began."""
        self._db.execute(
            "UPDATE run SET began = coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'note'), 0) WHERE id = ?",
            (run,),
        )

    def add(self, run: str, note: Note, keys: pl.Series) -> None:
        """Record a request of a run."""
        blob = BytesIO()
        self._salted(keys).to_frame("key").write_ipc_stream(blob, compression="uncompressed")
        columns = None if note.columns is None else json.dumps(note.columns)
        with self._db.transaction():
            self._db.execute(
                "INSERT INTO note (run, ordinal, scheme, key_fields, columns, sent_ms, until_ms, keys)"
                " VALUES (?,?,?,?,?,?,?,?)",
                (
                    run, note.ordinal, self._scheme, json.dumps(note.key_fields), columns, note.sent, note.until,
                    blob.getbuffer(),
                ),
            )  # fmt: skip
            self._db.execute("UPDATE run SET sent = sent + 1 WHERE id = ?", (run,))
            self._db.execute("UPDATE about SET latest_ms = max(coalesce(latest_ms, 0), ?)", (note.sent,))

    def prolong(self, run: str, ordinal: int, until: int) -> None:
        """Record until when the last request of a chunk may run; not on disk yet when this returns."""
        last = "SELECT max(number) FROM note WHERE run = ? AND ordinal = ?"
        with self._db.unsynced():
            self._db.execute(f"UPDATE note SET until_ms = ? WHERE number = ({last})", (until, run, ordinal))  # noqa: S608

    def final(self, run: str, ordinal: int) -> None:
        """Record that the requests of a chunk can run no more; not on disk yet when this returns."""
        with self._db.unsynced(), self._db.transaction():
            self._db.execute(
                "DELETE FROM note WHERE run = ? AND ordinal = ? AND NOT EXISTS"
                " (SELECT 1 FROM run AS other WHERE other.id <> note.run AND other.open = 1 AND other.began < note.number)",
                (run, ordinal),
            )
            self._db.execute("UPDATE note SET until_ms = NULL WHERE run = ? AND ordinal = ?", (run, ordinal))

    def withdraw(self, run: str, ordinal: int) -> None:
        """Forget the last request of a chunk."""
        with self._db.transaction():
            gone = self._db.execute(
                "DELETE FROM note WHERE number = (SELECT max(number) FROM note WHERE run = ? AND ordinal = ?)",
                (run, ordinal),
            ).rowcount
            self._db.execute("UPDATE run SET sent = sent - ? WHERE id = ?", (gone, run))

    def end(self, run: str) -> None:
        """Record that a run is closed, and forget what nobody needs any more."""
        with self._db.transaction():
            self._db.execute("UPDATE run SET open = 0 WHERE id = ?", (run,))
            self._forget(int(time.time() * 1000))

    def _forget(self, now: int) -> None:
        """Delete requests that can run no more and are newer than no open run, and closed runs without any or content."""
        self._db.execute("UPDATE run SET open = -1 WHERE open = 1 AND began_ms < ?", (now - MOST_OPEN_DAYS * _DAY_MS,))
        self._db.execute(
            "DELETE FROM note WHERE coalesce(until_ms, 0) < ? AND NOT EXISTS"
            " (SELECT 1 FROM run AS other WHERE other.id <> note.run AND other.open = 1 AND other.began < note.number)",
            (now - _GRACE_MS,),
        )
        self._db.execute(
            "DELETE FROM content WHERE run IN (SELECT id FROM run WHERE open = 0 AND sent = 0)",
        )
        self._db.execute(
            "DELETE FROM run WHERE open = 0 AND NOT EXISTS (SELECT 1 FROM content WHERE run = run.id)"
            " AND NOT EXISTS (SELECT 1 FROM note WHERE run = run.id)"
        )

    def holding(
        self, run: str, key_fields: Sequence[str], keys: pl.Series, now: int
    ) -> Iterator[tuple[int, pl.Series]]:
        """Yield until when a request of another run may still run, and which keys it holds."""
        found = self._db.execute(
            "SELECT until_ms, scheme, key_fields, keys FROM note WHERE run <> ? AND until_ms > ?", (run, now)
        ).fetchall()
        salted = self._salted(keys) if found else keys
        for until, scheme, fields, blob in found:
            theirs = _read(blob)
            if (scheme, fields) == (self._scheme, json.dumps(key_fields)):
                yield until, salted.is_in(theirs.implode())
            else:
                yield until, _all_or_none(keys, theirs)

    def sent_since(
        self, run: str, key_fields: Sequence[str], keys: pl.Series, columns: frozenset[str] | None
    ) -> Iterator[pl.Series]:
        """Yield which keys other runs have sent since a run began, but for those that it has sent itself after them.

        About a million of theirs are compared at a time.
        """
        began, is_open = self._db.execute("SELECT began, open FROM run WHERE id = ?", (run,)).fetchone() or (0, 1)
        if is_open < 0:
            yield keys.is_not_null()
            return
        salted, own = self._salted(keys), self._own_notes(run, began, columns)
        waiting: list[pl.Series] = []
        for number, scheme, fields, written in self._notes_since(run, began):
            if own and own[0] < number:
                if waiting:
                    yield self._not_resent(salted, _among(salted, waiting), own)
                waiting, own = [], [one for one in own if one > number]
            if columns is not None and written is not None and columns.isdisjoint(json.loads(written)):
                continue
            theirs = self._keys_of(number)
            if (scheme, fields) != (self._scheme, json.dumps(key_fields)):
                yield _all_or_none(keys, theirs)
                continue
            waiting.append(theirs)
            if sum(map(len, waiting)) >= _KEYS_AT_ONCE:
                yield self._not_resent(salted, _among(salted, waiting), own)
                waiting = []
        if waiting:
            yield self._not_resent(salted, _among(salted, waiting), own)

    def _not_resent(self, salted: pl.Series, found: pl.Series, own: Sequence[int]) -> pl.Series:
        """Leave out of the found keys those that these later requests of the run itself have."""
        for number in own if found.any() else ():
            found &= ~salted.is_in(self._keys_of(number).implode())
        return found

    def _keys_of(self, number: int) -> pl.Series:
        return _read(self._db.execute("SELECT keys FROM note WHERE number = ?", (number,)).fetchone()[0])

    def _own_notes(self, run: str, began: int, columns: frozenset[str] | None) -> list[int]:
        """Return the numbers of the requests of a run itself that have written all of some columns."""
        found = self._db.execute(
            "SELECT number, columns FROM note WHERE run = ? AND number > ? AND scheme = ? ORDER BY number",
            (run, began, self._scheme),
        )
        whole = [(number, None if written is None else frozenset(json.loads(written))) for number, written in found]
        return [at for at, written in whole if written is None or (columns is not None and columns <= written)]

    def _notes_since(self, run: str, began: int) -> list[tuple[Any, ...]]:
        """Return what other runs have sent; an older run of the same job that is finished first sends older values."""
        found = self._db.execute(
            "SELECT number, scheme, key_fields, columns FROM note WHERE run <> ? AND number > ? AND NOT EXISTS"
            " (SELECT 1 FROM run AS older JOIN run AS own ON own.job = older.job AND own.rowid > older.rowid"
            " WHERE older.id = note.run AND own.id = ?) ORDER BY number",
            (run, began, run),
        )
        return found.fetchall()

    def loaded(self, job: str, sha256: str) -> str | None:
        """Return a run of a job that has sent a file of this content."""
        found = self._db.execute(
            "SELECT run.id FROM content JOIN run ON run.id = content.run WHERE content.job = ? AND sha256 = ? AND sent > 0",
            (job, sha256),
        ).fetchone()
        return None if found is None else str(found[0])

    def unload(self, run: str) -> None:
        """Forget which contents a run has sent: it was undone."""
        self._db.execute("DELETE FROM content WHERE run = ?", (run,))

    def latest(self) -> int | None:
        """Return the latest time of any request, also of those that are forgotten."""
        found = self._db.execute("SELECT latest_ms FROM about").fetchone()[0]
        return None if found is None else int(found)

    def _salted(self, keys: pl.Series) -> pl.Series:
        return keys.hash(self._salt)


def _prepare(db: SharedDatabase, path: Path) -> None:
    if (found := db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
        raise sqlite3.DatabaseError(found)
    with db.transaction():
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            for statement in TABLES.split(";"):
                db.execute(statement)
            db.execute("INSERT INTO about (id, salt) VALUES (?, ?)", (secrets.token_hex(8), secrets.randbits(62)))
            db.execute(f"PRAGMA user_version={FORMAT}")
        for older in range(version, FORMAT) if version else ():
            db.execute(MIGRATIONS[older])
            db.execute(f"PRAGMA user_version={older + 1}")
    if version > FORMAT:
        what = f"the register has format {version}, this version reads {FORMAT}"
        raise JobError(Problem(what, str(path), "use the newest version that runs on this host everywhere"))


def _refusal(path: Path, error: Exception) -> JobError:
    """Name what keeps a register from being opened."""
    do = "make its folder writable for whoever runs a job here"
    if is_damage(error):
        do = (
            "put it back from a backup; or, once no import of the last hours is still running in Copernica, delete it:"
            " the next run makes a new one"
        )
    return JobError(Problem(f"the register of the database cannot be opened: {error}", str(path), do))


def _read(blob: bytes) -> pl.Series:
    return pl.read_ipc_stream(BytesIO(blob)).to_series()


def _all_or_none(keys: pl.Series, theirs: pl.Series) -> pl.Series:
    """Answer for keys that cannot be compared: each may be among `theirs`, unless there are none."""
    return keys.is_not_null() if theirs.len() else keys.is_null()


def _among(salted: pl.Series, theirs: Sequence[pl.Series]) -> pl.Series:
    """Find which keys are among millions of others, with a table of the fewer ones."""
    other = pl.concat(theirs)
    return salted.is_in(other.filter(other.is_in(salted.implode())).implode())


def _signed(bits: int) -> int:
    """Return 64 bits as the signed number that SQLite holds."""
    return bits - 2**64 if bits >= 2**63 else bits
