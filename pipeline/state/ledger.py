"""Record runs, files and chunks before and after each step that cannot be undone (edge: SQLite).

States change by verbs, one method per legal move; an illegal move raises. Positions stand here, never customers' values.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from pipeline.errors import JobError, Problem
from pipeline.load.outcome import Ending, Outcome
from pipeline.records import FileFacts

SCHEMA_VERSION = 1

TABLES = """
CREATE TABLE run (
    id TEXT PRIMARY KEY, job TEXT NOT NULL, job_file TEXT NOT NULL, state TEXT NOT NULL,
    started_at TEXT NOT NULL, ended_at TEXT, api_host TEXT, account TEXT, database_id TEXT, way TEXT,
    limit_rows INTEGER, own_files INTEGER NOT NULL, forced TEXT NOT NULL, accepted INTEGER, records TEXT
) STRICT;
CREATE TABLE file (
    run TEXT NOT NULL REFERENCES run, position INTEGER NOT NULL, path TEXT NOT NULL, bytes INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL, sha256 TEXT NOT NULL, PRIMARY KEY (run, position)
) STRICT;
CREATE TABLE chunk (
    run TEXT NOT NULL REFERENCES run, ordinal INTEGER NOT NULL, phase INTEGER NOT NULL, carried INTEGER NOT NULL,
    rows INTEGER NOT NULL, digest TEXT NOT NULL, first_file INTEGER NOT NULL, first_line INTEGER NOT NULL,
    last_file INTEGER NOT NULL, last_line INTEGER NOT NULL, way TEXT NOT NULL, state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, import_id INTEGER, message TEXT, confirmed INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0, unknown INTEGER NOT NULL DEFAULT 0, unmatched INTEGER,
    sending_at TEXT, submitted_at TEXT, ended_at TEXT, PRIMARY KEY (run, ordinal)
) STRICT;
"""


class ChunkState(StrEnum):
    """Where a chunk stands; `unknown` means that its answer was lost (data rules 26, 28)."""

    UNSENT = "unsent"
    SENDING = "sending"
    SUBMITTED = "submitted"
    CONFIRMED = "confirmed"
    FAILED = "failed"
    UNKNOWN = "unknown"
    HELD = "held"


class RunState(StrEnum):
    """Where a run stands."""

    RUNNING = "running"
    DONE = "done"
    REFUSED = "refused"
    INCOMPLETE = "incomplete"
    INTERRUPTED = "interrupted"


LEGAL = {
    ChunkState.SENDING: (ChunkState.UNSENT, ChunkState.HELD),
    ChunkState.UNSENT: (ChunkState.SENDING,),
    ChunkState.SUBMITTED: (ChunkState.SENDING,),
    ChunkState.UNKNOWN: (ChunkState.SENDING,),
    ChunkState.CONFIRMED: (ChunkState.SUBMITTED, ChunkState.SENDING),
    ChunkState.FAILED: (ChunkState.SUBMITTED, ChunkState.SENDING),
    ChunkState.HELD: (ChunkState.UNSENT, ChunkState.HELD),
}


@dataclass(frozen=True)
class ChunkEntry:
    """What the ledger keeps of a chunk: its identity (run and ordinal), lane, size, digest and positions."""

    ordinal: int
    phase: int
    carried: int
    rows: int
    digest: str
    first: tuple[int, int]
    last: tuple[int, int]


@dataclass(frozen=True)
class RunEntry:
    """What the ledger keeps of a run from its start."""

    run: str
    job: str
    job_file: str
    limit: int | None
    own_files: bool
    forced: Sequence[str]


class Ledger:
    """The ledger of one state folder. Each verb is on disk when it returns (WAL, synchronous=FULL)."""

    def __init__(self, state_dir: Path) -> None:
        path = state_dir / "ledger.sqlite"
        try:
            state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._prepare(path)
        except (OSError, sqlite3.Error) as error:
            raise JobError(
                Problem(f"the ledger cannot be opened: {error}", str(path), "make the state folder writable")
            ) from None

    def _prepare(self, path: Path) -> None:
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            self._db.executescript(f"BEGIN; {TABLES} PRAGMA user_version={SCHEMA_VERSION}; COMMIT;")
        elif version != SCHEMA_VERSION:
            self._db.close()
            raise JobError(
                Problem(
                    f"the ledger has format {version}, this version reads {SCHEMA_VERSION}",
                    where=str(path),
                    do="use the version that wrote it, or move the state folder away",
                )
            )

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    # -- runs ---------------------------------------------------------------------------------------------------------

    def begin(self, entry: RunEntry) -> None:
        """Record a run before anything is read."""
        self._db.execute(
            "INSERT INTO run (id, job, job_file, state, started_at, limit_rows, own_files, forced) VALUES (?,?,?,?,?,?,?,?)",
            (
                entry.run,
                entry.job,
                entry.job_file,
                RunState.RUNNING,
                _now(),
                entry.limit,
                int(entry.own_files),
                json.dumps(sorted(entry.forced)),
            ),
        )

    def aim(self, run: str, *, api_host: str, account: str, database_id: int, way: str) -> None:
        """Record where the run's rows go."""
        self._db.execute(
            "UPDATE run SET api_host=?, account=?, database_id=?, way=? WHERE id=?",
            (api_host, account, str(database_id), way, run),
        )

    def staged(self, run: str, facts: Sequence[FileFacts], accepted: int) -> None:
        """Record the files that were read and that all accepted rows are staged; from here they are not needed."""
        with self._transaction():
            self._db.executemany(
                "INSERT INTO file VALUES (?,?,?,?,?,?)",
                [
                    (run, one.file.index, str(one.file.path), one.file.size_bytes, one.file.mtime_ns, one.sha256)
                    for one in facts
                ],
            )
            self._db.execute("UPDATE run SET accepted = ? WHERE id = ?", (accepted, run))

    def end(self, run: str, state: RunState, records: dict[str, Any]) -> None:
        """Record how a run ended."""
        self._db.execute(
            "UPDATE run SET state=?, ended_at=?, records=? WHERE id=?", (state, _now(), json.dumps(records), run)
        )

    def chunk(self, run: str, entry: ChunkEntry, way: str) -> ChunkRecord:
        """Give the record of one chunk, whose verbs change its state."""
        return ChunkRecord(self._db, run, entry, way)

    def rows_by_state(self, run: str) -> dict[ChunkState, tuple[int, int]]:
        """Count (chunks, rows) by state."""
        found = self._db.execute("SELECT state, count(*), sum(rows) FROM chunk WHERE run=? GROUP BY state", (run,))
        return {ChunkState(state): (chunks, rows) for state, chunks, rows in found}


class ChunkRecord:
    """The record of one chunk of one run; each verb is one legal move and is on disk when it returns."""

    def __init__(self, db: sqlite3.Connection, run: str, entry: ChunkEntry, way: str) -> None:
        self._db, self._run, self._entry, self._way = db, run, entry, way

    def sending(self) -> None:
        """Record that the chunk may be on the wire from now on; the same ordinal must have the same digest."""
        self._enter(ChunkState.SENDING)

    def hold(self) -> None:
        """Record that the chunk waits behind one that shares a key with it (data rule 23)."""
        self._enter(ChunkState.HELD)

    def submitted(self, import_id: int) -> None:
        """Record that Copernica took the import and its id."""
        self._move(ChunkState.SUBMITTED, "import_id = ?, submitted_at = ?", import_id, _now())

    def ended(self, outcome: Outcome) -> None:
        """Record how the chunk ended; one that is not final stays submitted, with the reason."""
        if outcome.ending is Ending.SUBMITTED:
            self._db.execute(
                "UPDATE chunk SET message = ? WHERE run = ? AND ordinal = ?",
                (outcome.message, self._run, self._entry.ordinal),
            )
            return
        self._move(
            ChunkState(outcome.ending.value),
            "message = ?, ended_at = ?, confirmed = ?, failed = ?, unknown = ?, unmatched = ?",
            outcome.message or None,
            _now(),
            outcome.confirmed,
            outcome.failed,
            outcome.unknown,
            outcome.unmatched,
        )

    def _enter(self, to: ChunkState) -> None:
        chunk, legal = self._entry, LEGAL[to]
        changed = self._db.execute(
            "INSERT INTO chunk (run, ordinal, phase, carried, rows, digest, first_file, first_line, last_file, last_line,"
            " way, state, attempts, sending_at) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
            " ON CONFLICT (run, ordinal) DO UPDATE SET state = excluded.state, attempts = attempts + excluded.attempts,"
            " way = excluded.way, sending_at = excluded.sending_at"
            f" WHERE state IN ({','.join('?' * len(legal))}) AND digest = excluded.digest",
            (
                self._run, chunk.ordinal, chunk.phase, chunk.carried, chunk.rows, chunk.digest, *chunk.first, *chunk.last,
                self._way, to, int(to is ChunkState.SENDING), _now(), *legal,
            ),
        ).rowcount  # fmt: skip
        if changed != 1:
            raise ValueError(f"chunk {chunk.ordinal} of {self._run} cannot become {to}")

    def _move(self, to: ChunkState, assignments: str, *values: object) -> None:
        legal = LEGAL[to]
        changed = self._db.execute(
            f"UPDATE chunk SET state = ?, {assignments} WHERE run = ? AND ordinal = ?"  # noqa: S608 - our own words
            f" AND state IN ({','.join('?' * len(legal))})",
            (to, *values, self._run, self._entry.ordinal, *legal),
        ).rowcount
        if changed != 1:
            raise ValueError(f"chunk {self._entry.ordinal} of {self._run} cannot become {to}")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
