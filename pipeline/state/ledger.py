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
    attempts INTEGER NOT NULL DEFAULT 0, import_id INTEGER, message TEXT,
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
    ChunkState.CONFIRMED: (ChunkState.SUBMITTED,),
    ChunkState.FAILED: (ChunkState.SUBMITTED, ChunkState.SENDING),
    ChunkState.HELD: (ChunkState.UNSENT,),
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

    # -- chunks -------------------------------------------------------------------------------------------------------

    def sending(self, run: str, chunk: ChunkEntry, way: str) -> None:
        """Record that the chunk may be on the wire from now on; the same ordinal must have the same digest."""
        self._enter(run, chunk, way, ChunkState.SENDING)

    def held(self, run: str, chunk: ChunkEntry, way: str) -> None:
        """Record that the chunk waits behind one that shares a key with it (data rule 23)."""
        self._enter(run, chunk, way, ChunkState.HELD)

    def not_sent(self, run: str, ordinal: int, message: str) -> None:
        """Record that the request certainly did not reach Copernica."""
        self._move(run, ordinal, ChunkState.UNSENT, "message = ?", message)

    def submitted(self, run: str, ordinal: int, import_id: int) -> None:
        """Record that Copernica took the import and its id."""
        self._move(run, ordinal, ChunkState.SUBMITTED, "import_id = ?, submitted_at = ?", import_id, _now())

    def unknown(self, run: str, ordinal: int, message: str) -> None:
        """Record that the answer was lost: the import may or may not run."""
        self._move(run, ordinal, ChunkState.UNKNOWN, "message = ?", message)

    def confirmed(self, run: str, ordinal: int) -> None:
        """Record that the import ended with all its rows counted."""
        self._move(run, ordinal, ChunkState.CONFIRMED, "ended_at = ?", _now())

    def failed(self, run: str, ordinal: int, message: str) -> None:
        """Record that the import ended otherwise, or was refused; what arrived is not known."""
        self._move(run, ordinal, ChunkState.FAILED, "message = ?, ended_at = ?", message, _now())

    def rows_by_state(self, run: str) -> dict[ChunkState, tuple[int, int]]:
        """Count (chunks, rows) by state."""
        found = self._db.execute("SELECT state, count(*), sum(rows) FROM chunk WHERE run=? GROUP BY state", (run,))
        return {ChunkState(state): (chunks, rows) for state, chunks, rows in found}

    def _enter(self, run: str, chunk: ChunkEntry, way: str, to: ChunkState) -> None:
        legal = LEGAL[to]
        changed = self._db.execute(
            "INSERT INTO chunk (run, ordinal, phase, carried, rows, digest, first_file, first_line, last_file, last_line,"
            " way, state, attempts, sending_at) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
            " ON CONFLICT (run, ordinal) DO UPDATE SET state = excluded.state, attempts = attempts + excluded.attempts,"
            f" sending_at = excluded.sending_at WHERE state IN ({','.join('?' * len(legal))}) AND digest = excluded.digest",
            (
                run, chunk.ordinal, chunk.phase, chunk.carried, chunk.rows, chunk.digest, *chunk.first, *chunk.last,
                way, to, int(to is ChunkState.SENDING), _now(), *legal,
            ),
        ).rowcount  # fmt: skip
        if changed != 1:
            raise ValueError(f"chunk {chunk.ordinal} of {run} cannot become {to}")

    def _move(self, run: str, ordinal: int, to: ChunkState, assignments: str, *values: object) -> None:
        legal = LEGAL[to]
        changed = self._db.execute(
            f"UPDATE chunk SET state = ?, {assignments} WHERE run = ? AND ordinal = ?"  # noqa: S608 - our own words
            f" AND state IN ({','.join('?' * len(legal))})",
            (to, *values, run, ordinal, *legal),
        ).rowcount
        if changed != 1:
            raise ValueError(f"chunk {ordinal} of {run} cannot become {to}")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
