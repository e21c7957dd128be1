"""Record what becomes of single rows, a step ahead of the wire on the per-profile method (edge: SQLite).

Rows are positions; neither customers' values nor their keys stand here. A message may be the API's own, redacted and
short: the ledger is private.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from threading import Lock

from pipeline.model.row_state import PROFILE, RowEntry, RowState, Why
from pipeline.state.database import SharedDatabase

TABLES = """
CREATE TABLE operation (
    run TEXT NOT NULL, ordinal INTEGER NOT NULL, position INTEGER NOT NULL, kind TEXT NOT NULL, state TEXT NOT NULL,
    remote_id INTEGER, code TEXT, "column" TEXT, message TEXT, PRIMARY KEY (run, ordinal, position, kind)
) STRICT, WITHOUT ROWID;
CREATE INDEX operation_made ON operation (run, remote_id) WHERE remote_id IS NOT NULL;
"""

# The kind of the record of a row itself; other kinds name its POSTs.
ROW = "row"
# Begins the kind that counts, in the place of an id, the records that were deleted for a row; a noun follows.
DELETES = "deletes "
# States of a POST.
SENDING, MADE = "sending", "made"
# Changes that may wait for others before they are put on disk.
MOST_WAITING = 64

_PUT = "INSERT OR REPLACE INTO operation VALUES (?,?,?,?,?,?,?,?,?)"
_DROP = "DELETE FROM operation WHERE run = ? AND ordinal = ? AND position = ? AND kind = ?"


class RowRecords:
    """The records of one chunk's rows, named by their `_seq`; each verb is on disk when it returns, for many threads."""

    def __init__(self, db: SharedDatabase, run: str, ordinal: int) -> None:
        self._db, self._run, self._ordinal = db, run, ordinal
        self._waiting: list[tuple[str, Sequence[Sequence[object]]]] = []
        self._lock = Lock()

    def entries(self) -> dict[int, RowEntry]:
        """Read what is recorded of the chunk's rows."""
        states: dict[int, tuple[RowState, str]] = {}
        posts: dict[int, dict[str, int | None]] = {}
        found = self._db.execute(
            "SELECT position, kind, state, remote_id, message FROM operation WHERE run = ? AND ordinal = ?",
            (self._run, self._ordinal),
        ).fetchall()
        for position, kind, state, remote_id, message in found:
            if kind == ROW:
                states[position] = (RowState(state), message or "")
            elif not kind.startswith(DELETES):
                posts.setdefault(position, {})[kind] = remote_id
        return {at: RowEntry(*states[at], posts.get(at, {})) for at in states}

    def window(self, positions: Sequence[int]) -> None:
        """Record that repeatable requests for these rows may be on the wire from now on."""
        self._write(_PUT, [self._row(position, ROW, RowState.SENDING) for position in positions])

    def posting(self, position: int, kind: str) -> None:
        """Record that one POST, named by `kind`, may be on the wire from now on."""
        self._write(_PUT, [self._row(position, kind, SENDING)])

    def posted(self, position: int, kind: str, remote_id: int) -> None:
        """Record the id of what that POST made."""
        self._write(_PUT, [self._row(position, kind, MADE, remote_id)])

    def unposted(self, position: int, kind: str) -> None:
        """Record that the POST certainly made nothing."""
        self._write(_DROP, [(self._run, self._ordinal, position, kind)])

    def deleting(self, position: int, noun: str, records: int) -> None:
        """Record how many records of `noun` are deleted for a row; it counts once the row has ended as deleted."""
        self._write(_PUT, [self._row(position, DELETES + noun, MADE, records)], later=True)

    def ended(self, position: int, state: RowState, why: Why | None = None, *, later: bool = False) -> None:
        """Record what became of a row; `later` it is on disk with the next change, or by `flush`."""
        self._write(_PUT, [self._row(position, ROW, state, None, why)], later=later)

    def set_aside(self, positions: Iterable[int], state: RowState, why: Why) -> None:
        """Record rows that are not confirmed, and why."""
        self._write(_PUT, [self._row(position, ROW, state, None, why) for position in positions])

    def flush(self) -> None:
        """Put on disk what was to be there later."""
        self._write("", ())

    def reopen(self) -> None:
        """Let rows whose outcome is unknown be looked up, and sent, again: their POSTs cannot arrive any more."""
        lost = (self._run, self._ordinal)
        with self._db.transaction():
            self._db.execute(
                "DELETE FROM operation WHERE run = ? AND ordinal = ? AND kind <> ? AND state = ? AND position IN"
                " (SELECT position FROM operation WHERE run = ? AND ordinal = ? AND kind = ? AND state = ?)",
                (*lost, ROW, SENDING, *lost, ROW, RowState.UNKNOWN),
            )
            self._db.execute(
                "UPDATE operation SET state = ? WHERE run = ? AND ordinal = ? AND kind = ? AND state = ?",
                (RowState.SENDING, *lost, ROW, RowState.UNKNOWN),
            )

    def has_posted_profiles(self) -> bool:
        """Return whether a profile was, or may have been, POSTed for any row of the run."""
        found = self._db.execute("SELECT 1 FROM operation WHERE run = ? AND kind = ? LIMIT 1", (self._run, PROFILE))
        return found.fetchone() is not None

    def made_among(self, kind: str, ids: Collection[int]) -> set[int]:
        """Return which of these records were made by a POST of this kind for a row of the run."""
        marks = ",".join("?" * len(ids))
        found = self._db.execute(
            f"SELECT remote_id FROM operation WHERE run = ? AND kind = ? AND remote_id IN ({marks})",  # noqa: S608
            (self._run, kind, *ids),
        )
        return {number for (number,) in found}

    def _row(
        self, position: int, kind: str, state: str, remote_id: int | None = None, why: Why | None = None
    ) -> tuple[object, ...]:
        reason = (None, None, None) if why is None else (why.code, why.column or None, why.message or None)
        return (self._run, self._ordinal, position, kind, state, remote_id, *reason)

    def _write(self, statement: str, rows: Sequence[Sequence[object]], *, later: bool = False) -> None:
        """Put a change on disk, together with those that were to be there later."""
        with self._lock:
            if rows:
                self._waiting.append((statement, rows))
            if later and len(self._waiting) < MOST_WAITING:
                return
            with self._db.transaction():
                for one, values in self._waiting:
                    self._db.executemany(one, values)
            self._waiting = []
