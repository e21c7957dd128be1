"""Record runs and files, and open the file that holds the ledger (edge: SQLite).

States change by verbs, one method per legal move; an illegal move raises. Positions stand here, never customers' values.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from dataclasses import fields as dataclass_fields
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from threading import RLock
from typing import Any, Literal

from pipeline.errors import JobError, Problem
from pipeline.model.columns import LiveField
from pipeline.model.files import EarlierFile, FileFacts, SourceFile
from pipeline.model.row_state import RowState
from pipeline.state.chunk_records import TABLES as CHUNK_TABLES
from pipeline.state.chunk_records import ChunkEntry, ChunkRecord, ChunkRow, ChunkState, OpenChunk
from pipeline.state.database import Database
from pipeline.state.host import refuse_network
from pipeline.state.row_records import DELETES, ROW, RowRecords
from pipeline.state.row_records import TABLES as OPERATION_TABLES

SCHEMA_VERSION = 2

Way = Literal["imports", "profiles"]

TABLES = """
CREATE TABLE run (
    id TEXT PRIMARY KEY, job TEXT NOT NULL, job_file TEXT NOT NULL, job_copy TEXT NOT NULL, state TEXT NOT NULL,
    started_at TEXT NOT NULL, ended_at TEXT, api_host TEXT NOT NULL, account TEXT NOT NULL, database_id INTEGER NOT NULL,
    structure TEXT NOT NULL, way TEXT NOT NULL, fell_back TEXT,
    limit_rows INTEGER, own_files INTEGER NOT NULL, forced TEXT NOT NULL, accepted INTEGER, summary TEXT
) STRICT;
CREATE INDEX run_of_job ON run (job, started_at);
CREATE TABLE file (
    run TEXT NOT NULL REFERENCES run, position INTEGER NOT NULL, path TEXT NOT NULL, name TEXT NOT NULL,
    bytes INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, sha256 TEXT, good INTEGER, PRIMARY KEY (run, position)
) STRICT;
CREATE INDEX file_content ON file (sha256);
CREATE TABLE confirmed_content (job TEXT NOT NULL, sha256 TEXT NOT NULL, run TEXT NOT NULL, PRIMARY KEY (job, sha256))
    STRICT, WITHOUT ROWID;
"""


class RunState(StrEnum):
    """Where a run stands; `closed` means that nobody goes on with it: a person gave it up, or a later run has overtaken it."""

    RUNNING = "running"
    DONE = "done"
    REFUSED = "refused"
    INCOMPLETE = "incomplete"
    INTERRUPTED = "interrupted"
    CLOSED = "closed"
    # A run that ended before its first send, with a plan that may be applied once.
    PLANNED = "planned"


# How many runs are looked through for a file of the same name.
MOST_EARLIER_RUNS = 100

UNFINISHED = (RunState.RUNNING, RunState.INCOMPLETE, RunState.INTERRUPTED)
_GOING = (RunState.RUNNING,)
_ENDINGS = (RunState.DONE, RunState.REFUSED, RunState.INCOMPLETE, RunState.INTERRUPTED, RunState.PLANNED)


@dataclass(frozen=True)
class RunEntry:
    """What the ledger keeps of a run from its start: the job with a copy of it, how it was called, and where the rows go.

    `structure` has every live field that the run uses; `way` is how it began, by which its chunks are cut.
    """

    run: str
    job: str
    job_file: str
    job_copy: str
    limit: int | None
    own_files: bool
    forced: Sequence[str]
    api_host: str
    account: str
    database_id: int
    structure: Mapping[str, LiveField]
    way: Way


@dataclass(frozen=True)
class RunRow:
    """A run as the ledger has it.

    Times are ISO 8601 in UTC; `accepted` is None until all rows are staged. `fell_back` says why its rows go per profile
    though it began with imports.
    """

    id: str
    job: str
    job_file: str
    job_copy: str
    state: RunState
    started_at: str
    ended_at: str | None
    api_host: str
    account: str
    database_id: int
    structure: Mapping[str, LiveField]
    way: Way
    fell_back: str | None
    limit: int | None
    own_files: bool
    forced: tuple[str, ...]
    accepted: int | None
    summary: Mapping[str, Any] | None


_COLUMNS = (
    "id, job, job_file, job_copy, state, started_at, ended_at, api_host, account, database_id, structure, way,"
    " fell_back, limit_rows, own_files, forced, accepted, summary"
)


class Ledger:
    """The ledger of one state folder. Each verb is on disk when it returns (WAL, synchronous=FULL)."""

    def __init__(self, state_dir: Path) -> None:
        """Open or make `ledger.sqlite`; raises JobError where that cannot be done, or where its format is another."""
        refuse_network(state_dir, "the ledger")
        path = state_dir / "ledger.sqlite"
        self.state_dir = state_dir
        try:
            state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)
            connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
            self._db = Database(connection, RLock())
            self._prepare(path)
        except (OSError, sqlite3.Error) as error:
            raise JobError(Problem(f"the ledger cannot be opened: {error}", str(path), _way_on(error))) from None

    def _prepare(self, path: Path) -> None:
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        with self._db.transaction():
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                for statement in (TABLES + CHUNK_TABLES + OPERATION_TABLES).split(";"):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        if version not in (0, SCHEMA_VERSION):
            self.close()
            raise JobError(
                Problem(
                    f"the ledger has format {version}, this version reads {SCHEMA_VERSION}",
                    where=str(path),
                    do="use the version that wrote it, or move the state folder away",
                )
            )

    def close(self) -> None:
        """Close the file."""
        self._db.connection.close()

    def begin(self, entry: RunEntry, files: Iterable[SourceFile]) -> None:
        """Record a run with its job, its files and where its rows go, before anything is read."""
        with self._db.transaction():
            self._db.execute(
                "INSERT INTO run (id, job, job_file, job_copy, state, started_at, limit_rows, own_files, forced, api_host,"
                " account, database_id, structure, way) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                (
                    entry.run, entry.job, entry.job_file, entry.job_copy, RunState.RUNNING, _now(), entry.limit,
                    int(entry.own_files), json.dumps(sorted(entry.forced)), entry.api_host, entry.account,
                    entry.database_id, json.dumps({name: asdict(one) for name, one in entry.structure.items()}), entry.way,
                ),
            )  # fmt: skip
            self._db.executemany(
                "INSERT INTO file (run, position, path, name, bytes, mtime_ns) VALUES (?,?,?,?,?,?)",
                [(entry.run, one.index, str(one.path), one.name, one.size_bytes, one.mtime_ns) for one in files],
            )

    def fell_back(self, run: str, reason: str) -> None:
        """Record that a run that began with imports goes per profile (data rule 25 c)."""
        self._move(run, _GOING, "fall back", fell_back=reason)

    def resumed(self, run: str) -> None:
        """Record that somebody goes on with the run."""
        self._move(run, UNFINISHED, "be resumed", state=RunState.RUNNING, ended_at=None)

    def applied(self, run: str) -> None:
        """Record that a plan is being applied: from now on it is a run like any other."""
        self._move(run, (RunState.PLANNED,), "be applied", state=RunState.RUNNING, ended_at=None)

    def read(self, run: str, facts: Iterable[FileFacts]) -> None:
        """Record the digests of the files that were read, and how many good records each has."""
        with self._db.transaction():
            self._db.executemany(
                "UPDATE file SET sha256=?, good=? WHERE run=? AND position=?",
                [(one.sha256, one.good, run, one.file.index) for one in facts],
            )

    def staged(self, run: str, accepted: int) -> None:
        """Record that all accepted rows are staged, from where on the dumps are not needed."""
        self._move(run, _GOING, "be staged", accepted=accepted)

    def end(self, run: str, state: RunState, summary: Mapping[str, Any]) -> None:
        """Record how a run ended."""
        if state not in _ENDINGS:
            raise ValueError(f"{run} cannot end as {state}")
        self._move(run, _GOING, f"end as {state}", state=state, ended_at=_now(), summary=json.dumps(summary))

    def give_up(self, run: str) -> None:
        """Record that nobody will go on with the run."""
        self._move(run, UNFINISHED, "be given up", state=RunState.CLOSED, ended_at=_now())

    def _move(self, run: str, legal: Sequence[RunState], what: str, **changes: object) -> None:
        """Change a run that is in one of the legal states; raises ValueError for any other, and for no run."""
        assignments = ", ".join(f"{name} = ?" for name in changes)
        changed = self._db.execute(
            f"UPDATE run SET {assignments} WHERE id = ? AND state IN ({','.join('?' * len(legal))})",  # noqa: S608 - our own words
            (*changes.values(), run, *legal),
        ).rowcount
        if changed != 1:
            raise ValueError(f"run {run} cannot {what}")

    def runs(self, job: str | None = None, most: int = -1) -> tuple[RunRow, ...]:
        """List runs, the newest first, of one job or of all; `most` limits them, -1 does not."""
        found = self._db.execute(
            f"SELECT {_COLUMNS} FROM run WHERE ? IS NULL OR job = ? ORDER BY started_at DESC, id DESC LIMIT ?",  # noqa: S608
            (job, job, most),
        )
        return tuple(_run(row) for row in found)

    def run(self, run: str) -> RunRow | None:
        """Find one run."""
        row = self._db.execute(f"SELECT {_COLUMNS} FROM run WHERE id = ?", (run,)).fetchone()  # noqa: S608
        return None if row is None else _run(row)

    def files(self, run: str) -> tuple[tuple[SourceFile, str | None], ...]:
        """List the files of a run with their digests, None where a file was not read to its end."""
        found = self._db.execute(
            "SELECT path, name, position, bytes, mtime_ns, sha256 FROM file WHERE run = ? ORDER BY position", (run,)
        )
        return tuple((SourceFile(Path(path), *rest), sha256) for path, *rest, sha256 in found)

    def runs_between(self, job: str, since: str, before: str) -> tuple[tuple[str, str, bool], ...]:
        """List the runs of a job that started in a span, the oldest first: id, when it started, whether it is unfinished."""
        found = self._db.execute(
            f"SELECT id, started_at, state IN ({','.join('?' * len(UNFINISHED))}) FROM run"  # noqa: S608 - question marks only
            " WHERE job = ? AND started_at >= ? AND started_at < ? ORDER BY started_at, id",
            (*UNFINISHED, job, since, before),
        )
        return tuple((run, started_at, bool(is_open)) for run, started_at, is_open in found)

    def jobs(self) -> tuple[str, ...]:
        """List the jobs that have runs."""
        return tuple(job for (job,) in self._db.execute("SELECT DISTINCT job FROM run ORDER BY job"))

    def last_job(self, job: str) -> str | None:
        """Return the copy of the job of its last run."""
        found = self._db.execute(
            "SELECT job_copy FROM run WHERE job = ? ORDER BY started_at DESC LIMIT 1", (job,)
        ).fetchone()
        return None if found is None else str(found[0])

    def forget(self, run: str) -> None:
        """Delete a run and all that is recorded of it, but for the contents that it has confirmed (`only_new`)."""
        with self._db.transaction():
            self._db.execute(
                "INSERT OR REPLACE INTO confirmed_content SELECT run.job, file.sha256, run.id FROM run JOIN file"
                " ON file.run = run.id WHERE run.id = ? AND run.state = 'done' AND run.limit_rows IS NULL"
                " AND file.sha256 IS NOT NULL",
                (run,),
            )
            for (table,) in self._db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                columns = [row[1] for row in self._db.execute(f"PRAGMA table_info({table})")]
                if "run" in columns and table != "confirmed_content":
                    self._db.execute(f"DELETE FROM {table} WHERE run = ?", (run,))  # noqa: S608 - our own names
            self._db.execute("DELETE FROM run WHERE id = ?", (run,))

    def shrink(self) -> None:
        """Give the disk back what deleted records took, where that is a quarter of the file and nobody else uses it."""
        free, pages = (self._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("freelist_count", "page_count"))
        if 4 * free >= pages:
            with suppress(sqlite3.OperationalError):  # another run writes: next time
                self._db.execute("VACUUM")

    def sent_anything(self, run: str) -> bool:
        """Say whether any row of a run may have reached Copernica."""
        quiet = (ChunkState.UNSENT, ChunkState.HELD)
        found = self._db.execute("SELECT 1 FROM chunk WHERE run=? AND state NOT IN (?,?) LIMIT 1", (run, *quiet))
        return found.fetchone() is not None

    def loaded(self, job: str, sha256: str, *, confirmed: bool) -> str | None:
        """Give the newest run of a job that has sent a file of this content, or has confirmed all of it (`confirmed`).

        A run with a limit never counts as confirmed (data rule 35).
        """
        whole = "AND run.state = 'done' AND run.limit_rows IS NULL" if confirmed else ""
        found = self._db.execute(
            f"SELECT run.id FROM run JOIN file ON file.run = run.id WHERE run.job = ? AND file.sha256 = ? {whole}"  # noqa: S608
            " ORDER BY run.started_at DESC",
            (job, sha256),
        ).fetchall()
        if confirmed and not found:  # the run itself may have been forgotten
            found = self._db.execute(
                "SELECT run FROM confirmed_content WHERE job = ? AND sha256 = ?", (job, sha256)
            ).fetchall()
        return next((run for (run,) in found if confirmed or self.sent_anything(run)), None)

    def earlier_files(self, job: str) -> tuple[EarlierFile, ...]:
        """List the files of the last confirmed runs of a job without a limit, those of the newest first (data rules 4, 35)."""
        found = self._db.execute(
            "SELECT last.id, file.name, file.good FROM (SELECT id, started_at FROM run WHERE job = ? AND state = 'done'"
            " AND limit_rows IS NULL ORDER BY started_at DESC LIMIT ?) AS last JOIN file ON file.run = last.id"
            " WHERE file.good IS NOT NULL ORDER BY last.started_at DESC, last.id, file.position",
            (job, MOST_EARLIER_RUNS),
        )
        return tuple(EarlierFile(*row) for row in found)

    def chunk(self, run: str, entry: ChunkEntry, way: str, arrived: int = 0) -> ChunkRecord:
        """Give the record of one chunk, whose verbs change its state; `arrived` rows are confirmed beside what is sent."""
        return ChunkRecord(self._db, run, entry, way, arrived)

    def chunks(self, run: str) -> tuple[ChunkRow, ...]:
        """List the chunks of a run that were sent or held, by ordinal.

        One that is being sent per profile is counted by its rows; those that may be on the wire are unknown.
        """
        return tuple(
            self._counted(run, one) if one.state is ChunkState.SENDING and one.way == "profiles" else one
            for one in ChunkRow.of_run(self._db, run)
        )

    def _counted(self, run: str, chunk: ChunkRow) -> ChunkRow:
        states = [entry.state for entry in RowRecords(self._db, run, chunk.ordinal).entries().values()]
        confirmed, failed = sum(state.confirmed for state in states), sum(state.failed for state in states)
        return replace(chunk, confirmed=confirmed, failed=failed, unknown=len(states) - confirmed - failed)

    def open_chunks(self, run: str) -> tuple[OpenChunk, ...]:
        """List the chunks of a run that were begun and are not confirmed."""
        return OpenChunk.of_run(self._db, run)

    def deleted(self, run: str) -> dict[str, int]:
        """Count the records that the run has deleted one by one, for rows that have ended: profiles, or by collection."""
        found = self._db.execute(
            "SELECT kind, sum(remote_id) FROM operation AS made WHERE run = ? AND kind LIKE ? AND EXISTS (SELECT 1 FROM"
            " operation AS row WHERE row.run = made.run AND row.ordinal = made.ordinal AND row.position = made.position"
            " AND row.kind = ? AND row.state = ?) GROUP BY kind",
            (run, f"{DELETES}%", ROW, RowState.DELETED),
        )
        return {kind.removeprefix(DELETES): count for kind, count in found}

    def rows_begun(self, run: str) -> int:
        """Count the rows of all chunks that were begun."""
        found = self._db.execute("SELECT coalesce(sum(rows), 0) FROM chunk WHERE run = ?", (run,)).fetchone()
        return int(found[0])


def _run(row: Sequence[Any]) -> RunRow:
    fields = dict(zip((one.name for one in dataclass_fields(RunRow)), row, strict=True))
    fields["state"] = RunState(fields["state"])
    structure = json.loads(fields["structure"])
    fields["structure"] = {
        name: LiveField(one["type"], one["length"], tuple(one["choices"])) for name, one in structure.items()
    }
    fields["own_files"] = bool(fields["own_files"])
    fields["forced"] = tuple(json.loads(fields["forced"]))
    fields["summary"] = None if fields["summary"] is None else json.loads(fields["summary"])
    return RunRow(**fields)


def _way_on(error: Exception) -> str:
    """Say what to do where the ledger cannot be opened; SQLite calls a damaged file by the bare class of its errors."""
    if type(error) is sqlite3.DatabaseError:
        return (
            "put it back from a backup, or move the state folder away: what was sent before is then not known,"
            " and may be sent again"
        )
    return "make the state folder writable"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
