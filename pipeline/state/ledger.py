"""Record runs and files, and open the file that holds the ledger (edge: SQLite).

States change by verbs, one method per legal move; an illegal move raises. Positions stand here, never customers' values.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.errors import JobError, Problem
from pipeline.model.chunk import ChunkState
from pipeline.model.files import EarlierFile, FileFacts, SourceFile
from pipeline.model.row_state import RowState, Why
from pipeline.state.chunk_records import ChunkBook, ChunkRow
from pipeline.state.database import SharedDatabase, is_damage
from pipeline.state.host import MOUNTS, refuse_network
from pipeline.state.ledger_tables import SCHEMA_VERSION, bring_up_to_date
from pipeline.state.refused import Refused
from pipeline.state.row_records import DELETES, ROW, RowRecords
from pipeline.state.run_records import COLUMNS, Destination, RunEntry, RunRow, RunState, run_row

# How many runs are looked through for a file of the same name.
MOST_EARLIER_RUNS = 100

_GOING = (RunState.RUNNING,)
# A condition on `run.id`: that run counts as confirmed no more.
_NOT_UNDONE = "run.id NOT IN (SELECT undone.run FROM undone)"


class Ledger:
    """The ledger of one state folder. Each verb is on disk when it returns (WAL, synchronous=FULL)."""

    def __init__(self, state_dir: Path, mounts: Path = MOUNTS) -> None:
        """Open or make `ledger.sqlite`; raises JobError where that cannot be done, or where its format is another."""
        refuse_network(state_dir, "the ledger", mounts)
        path = state_dir / "ledger.sqlite"
        self.state_dir = state_dir
        try:
            state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)
            with SharedDatabase.opened(path) as self._db:
                self._prepare(path)
        except (OSError, sqlite3.Error) as error:
            raise JobError(Problem(f"the ledger cannot be opened: {error}", str(path), _way_on(error))) from None

    def _prepare(self, path: Path) -> None:
        with self._db.transaction():
            version = bring_up_to_date(self._db)
        if version != SCHEMA_VERSION:
            what = f"the ledger has format {version}, this version reads {SCHEMA_VERSION}"
            do = "use the version that wrote it, or move the state folder away"
            raise JobError(Problem(what, str(path), do))

    def close(self) -> None:
        """Close the file."""
        self._db.connection.close()

    def begin(self, entry: RunEntry) -> None:
        """Record a run and its job, before anything is read."""
        self._db.execute(
            "INSERT INTO run (id, job, job_file, job_copy, state, started_at, limit_rows, own_files, forced, api_host, account,"
            " database_id, structure, way, number) VALUES (?,?,?,?,?,?,?,?,?,'','',0,'{}','imports',"
            " (SELECT coalesce(max(number), 0) + 1 FROM run))",
            (
                entry.run, entry.job, entry.job_file, entry.job_copy, RunState.RUNNING, _now(), entry.limit,
                int(entry.own_files), json.dumps(sorted(entry.forced)),
            ),
        )  # fmt: skip

    def found(self, run: str, files: Iterable[SourceFile]) -> None:
        """Record the files of a run."""
        with self._db.transaction():
            self._db.executemany(
                "INSERT INTO file (run, position, path, name, bytes, mtime_ns) VALUES (?,?,?,?,?,?)",
                [(run, one.index, str(one.path), one.name, one.size_bytes, one.mtime_ns) for one in files],
            )

    def met(self, run: str, to: Destination) -> None:
        """Record where the rows of a run go."""
        structure = json.dumps({name: asdict(one) for name, one in to.structure.items()})
        self._move(
            run, _GOING, "meet a database", api_host=to.api_host, account=to.account, database_id=to.database_id,
            structure=structure, way=to.method,
        )  # fmt: skip

    def fell_back(self, run: str, reason: str) -> None:
        """Record that a run that began with imports goes per profile (data rule 25 c)."""
        self._move(run, _GOING, "fall back", fell_back=reason)

    def resumed(self, run: str) -> None:
        """Record that an open run is worked on again."""
        changed = self._db.execute(
            "UPDATE run SET state = ?, ended_at = NULL WHERE id = ? AND is_open", (RunState.RUNNING, run)
        ).rowcount
        if changed != 1:
            raise ValueError(f"run {run} cannot be resumed")

    def applied(self, run: str) -> None:
        """Record that a plan is being applied: from now on it is a run like any other."""
        self._move(run, (RunState.PLANNED,), "be applied", state=RunState.RUNNING, ended_at=None)

    def undo(self, run: str, undo: str) -> None:
        """Record that `undo` is about to bring back what was before `run`, which counts as confirmed no more."""
        self._db.execute("INSERT OR IGNORE INTO undone (undo, run) VALUES (?, ?)", (undo, run))

    def undone_by(self, run: str) -> str | None:
        """Return the newest run that undoes a run, None where none does."""
        return self._first("SELECT undo FROM undone WHERE run = ? ORDER BY undo DESC LIMIT 1", run)

    def undoes(self, undo: str) -> str | None:
        """Return the run that a run undoes, None where it is no undo."""
        return self._first("SELECT run FROM undone WHERE undo = ?", undo)

    def _first(self, query: str, *values: object) -> str | None:
        found = self._db.execute(query, values).fetchone()
        return None if found is None else str(found[0])

    def end_killed(self, job: str) -> None:
        """Record that runs of a job, whose lock is held, that were killed before all their rows were staged have ended."""
        self._db.execute(
            "UPDATE run SET state = ?, ended_at = ? WHERE job = ? AND state = ? AND NOT is_open",
            (RunState.INTERRUPTED, _now(), job, RunState.RUNNING),
        )

    def read(self, run: str, facts: Iterable[FileFacts]) -> None:
        """Record the digests of the files that were read, and how many good records each has."""
        with self._db.transaction():
            self._db.executemany(
                "UPDATE file SET sha256=?, good=? WHERE run=? AND position=?",
                [(one.sha256, one.good, run, one.file.index) for one in facts],
            )

    def staged(self, run: str, accepted: int, *, is_open: bool) -> None:
        """Record that all accepted rows are staged, from where on the dumps are not needed; a run that sends is open then."""
        self._move(run, _GOING, "be staged", accepted=accepted, is_open=int(is_open))

    def end(self, run: str, state: RunState, summary: Mapping[str, Any], *, is_open: bool = False) -> None:
        """Record how a run ended; of one that is closed nobody needs the records of single rows any more."""
        if state is RunState.RUNNING:
            raise ValueError(f"{run} cannot end as {state}")
        changes = {"state": state, "ended_at": _now(), "summary": json.dumps(summary), "is_open": int(is_open)}
        self._move(run, _GOING, f"end as {state}", **changes)

    def prune_rows(self, run: str) -> None:
        """Forget what became of the single rows of a run that is closed."""
        self._db.execute("DELETE FROM operation WHERE run = ?", (run,))

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
        return self._runs("? IS NULL OR job = ? ORDER BY number DESC LIMIT ?", job, job, most)

    def open_runs(self, job: str | None = None) -> tuple[RunRow, ...]:
        """List the open runs of a job, or of all, the oldest first; one that goes on is among them."""
        return self._runs("is_open AND (? IS NULL OR job = ?) ORDER BY number", job, job)

    def last(self, job: str | None = None, *, ended: bool = False) -> RunRow | None:
        """Return the newest run of a job, or of all, or the newest that has `ended`; None where there is none."""
        newest = "(? IS NULL OR job = ?) AND (NOT ? OR state <> ?) ORDER BY number DESC LIMIT 1"
        return next(iter(self._runs(newest, job, job, ended, RunState.RUNNING)), None)

    def run(self, run: str) -> RunRow | None:
        """Find one run."""
        return next(iter(self._runs("id = ?", run)), None)

    def _runs(self, condition: str, *values: object) -> tuple[RunRow, ...]:
        found = self._db.execute(f"SELECT {COLUMNS} FROM run WHERE {condition}", values)  # noqa: S608 - our own words
        return tuple(map(run_row, found))

    def files(self, run: str) -> tuple[tuple[SourceFile, str | None], ...]:
        """List the files of a run with their digests, None where a file was not read to its end."""
        found = self._db.execute(
            "SELECT path, name, position, bytes, mtime_ns, sha256 FROM file WHERE run = ? ORDER BY position", (run,)
        )
        return tuple((SourceFile(Path(path), *rest), sha256) for path, *rest, sha256 in found)

    def runs_between(self, job: str, since: str, before: str) -> tuple[tuple[str, str, bool], ...]:
        """List the runs of a job that started in a span, the oldest first: id, when it started, whether it is open."""
        found = self._db.execute(
            "SELECT id, started_at, is_open OR state = ? FROM run WHERE job = ? AND started_at >= ? AND started_at < ?"
            " ORDER BY started_at, id",
            (RunState.RUNNING, job, since, before),
        )
        return tuple((run, started_at, bool(is_open)) for run, started_at, is_open in found)

    def jobs(self) -> tuple[str, ...]:
        """List the jobs that have runs."""
        return tuple(job for (job,) in self._db.execute("SELECT DISTINCT job FROM run ORDER BY job"))

    def forget(self, run: str) -> None:
        """Delete a run and all that is recorded of it, but for the contents that it has confirmed (`only_new`)."""
        with self._db.transaction():
            self._db.execute(
                "INSERT OR REPLACE INTO confirmed_content SELECT run.job, file.sha256, run.id FROM run JOIN file"  # noqa: S608
                " ON file.run = run.id WHERE run.id = ? AND run.state = 'done' AND run.limit_rows IS NULL"
                f" AND file.sha256 IS NOT NULL AND {_NOT_UNDONE}",
                (run,),
            )
            for (table,) in self._db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                columns = [row[1] for row in self._db.execute(f"PRAGMA table_info({table})")]
                if "run" in columns and table != "confirmed_content":
                    self._db.execute(f"DELETE FROM {table} WHERE run = ?", (run,))  # noqa: S608 - our own names
            self._db.execute("DELETE FROM run WHERE id = ?", (run,))

    def shrink(self) -> None:
        """Shrink the file where deleted records are a quarter of it and nobody else uses it."""
        free, pages = (self._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("freelist_count", "page_count"))
        if 4 * free >= pages:
            with suppress(sqlite3.OperationalError):  # another run writes: next time
                self._db.execute("VACUUM")

    def sent_anything(self, run: str) -> bool:
        """Return whether any row of a run may have reached Copernica."""
        found = self._db.execute("SELECT 1 FROM chunk WHERE run = ? AND sending_at IS NOT NULL LIMIT 1", (run,))
        return found.fetchone() is not None

    def ended_runs(self) -> dict[str, dict[str, tuple[int, int]]]:
        """Count the runs that have ended by job and state, and how many of them are open."""
        found: dict[str, dict[str, tuple[int, int]]] = {}
        for job, state, count, still_open in self._db.execute(
            "SELECT job, state, count(*), sum(is_open) FROM run WHERE state <> ? GROUP BY job, state ORDER BY job",
            (RunState.RUNNING,),
        ):
            found.setdefault(job, {})[state] = (count, still_open)
        return found

    def sent_since(self, database_id: int, at: str, but: str) -> str | None:
        """Return a run, other than `but`, that ended after `at` or still goes on and has sent something to a database."""
        return self._first(
            "SELECT id FROM run WHERE database_id = ? AND coalesce(ended_at, '9') > ? AND id <> ? AND EXISTS"
            " (SELECT 1 FROM chunk WHERE chunk.run = run.id AND sending_at IS NOT NULL) ORDER BY number DESC LIMIT 1",
            database_id, at, but,
        )  # fmt: skip

    def loaded(self, job: str, sha256: str, *, confirmed: bool) -> str | None:
        """Return the newest run of a job that has sent a file of this content, or has confirmed all of it (`confirmed`).

        A run with a limit never counts as confirmed (data rule 35), nor does one that was undone count at all.
        """
        whole = "AND run.state = 'done' AND run.limit_rows IS NULL" if confirmed else ""
        found = self._db.execute(
            f"SELECT run.id FROM run JOIN file ON file.run = run.id WHERE run.job = ? AND file.sha256 = ? {whole}"  # noqa: S608
            f" AND {_NOT_UNDONE} ORDER BY run.number DESC",
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
            "SELECT last.id, file.name, file.good FROM (SELECT id, number FROM run WHERE job = ? AND state = 'done'"
            " AND limit_rows IS NULL ORDER BY number DESC LIMIT ?) AS last JOIN file ON file.run = last.id"
            " WHERE file.good IS NOT NULL ORDER BY last.number DESC, file.position",
            (job, MOST_EARLIER_RUNS),
        )
        return tuple(EarlierFile(*row) for row in found)

    def book(self, run: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> ChunkBook:
        """Return the records of a run's chunks, whose verbs change them; `now` is the API host's time."""
        return ChunkBook(self._db, run, now)

    def refused(self, job: str) -> Refused:
        """Return the memory of the rows of a job that Copernica refused."""
        return Refused(self._db, job)

    def rows_of(self, run: str, ordinal: int) -> RowRecords:
        """Return the records of the rows of one chunk."""
        return RowRecords(self._db, run, ordinal)

    def chunks(self, run: str) -> tuple[ChunkRow, ...]:
        """List the chunks of a run that are recorded, by ordinal.

        One that is being sent per profile is counted by its rows; those that may be on the wire are unknown. One that stopped
        has its counts.
        """
        return tuple(
            self._counted(run, one)
            if one.state is ChunkState.SENDING and one.method == "profiles" and one.ended_at is None
            else one
            for one in ChunkBook(self._db, run).rows()
        )

    def _counted(self, run: str, chunk: ChunkRow) -> ChunkRow:
        found = self._db.execute(
            "SELECT state, count(*) FROM operation WHERE run = ? AND ordinal = ? AND kind = ? GROUP BY state",
            (run, chunk.ordinal, ROW),
        )
        counts = {RowState(state): count for state, count in found}
        return replace(
            chunk,
            confirmed=sum(count for state, count in counts.items() if state.confirmed),
            failed=sum(count for state, count in counts.items() if state.failed),
            unknown=counts.get(RowState.UNKNOWN, 0) + counts.get(RowState.SENDING, 0),
        )

    def not_confirmed(self, run: str) -> list[tuple[int, RowState, Why]]:
        """List the rows that were sent or set aside and are not confirmed, by `_seq`, each with its state and why."""
        states = (RowState.FAILED, RowState.SEVERAL, RowState.UNKNOWN, RowState.ASIDE)
        found = self._db.execute(
            'SELECT position, state, code, "column", message FROM operation WHERE run = ? AND kind = ?'  # noqa: S608
            f" AND state IN ({','.join('?' * len(states))}) ORDER BY position",
            (run, ROW, *states),
        )
        return [
            (at, RowState(state), Why(code or "", column or "", message or ""))
            for at, state, code, column, message in found
        ]

    def deleted(self, run: str) -> dict[str, int]:
        """Count the records that the run has deleted one by one, for rows that have ended: profiles, or by collection."""
        found = self._db.execute(
            "SELECT kind, sum(remote_id) FROM operation AS made WHERE run = ? AND kind LIKE ? AND EXISTS (SELECT 1 FROM"
            " operation AS row WHERE row.run = made.run AND row.ordinal = made.ordinal AND row.position = made.position"
            " AND row.kind = ? AND row.state = ?) GROUP BY kind",
            (run, f"{DELETES}%", ROW, RowState.DELETED),
        )
        return {kind.removeprefix(DELETES): count for kind, count in found}


def _way_on(error: Exception) -> str:
    """Return what to do where the ledger cannot be opened."""
    if is_damage(error):
        return (
            "put it back from a backup, or move the state folder away: what was sent before is then not known,"
            " and may be sent again"
        )
    return "make the state folder writable"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
