"""Record what becomes of single rows on the per-profile way, a step ahead of the wire (edge: SQLite).

Rows are positions; neither customers' values nor their keys stand here, and messages are the API's, redacted and short.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from threading import Lock

from pipeline.model.row_state import PROFILE, RowEntry, RowState
from pipeline.state.database import Database

TABLES = """
CREATE TABLE operation (
    run TEXT NOT NULL, ordinal INTEGER NOT NULL, position INTEGER NOT NULL, kind TEXT NOT NULL, state TEXT NOT NULL,
    remote_id INTEGER, message TEXT, PRIMARY KEY (run, ordinal, position, kind)
) STRICT, WITHOUT ROWID;
CREATE INDEX operation_made ON operation (run, remote_id) WHERE remote_id IS NOT NULL;
"""

# The kind of the record of a row itself; other kinds name its POSTs.
ROW = "row"
# Begins the kind that counts, in the place of an id, the records that were deleted for a row; a noun follows.
DELETES = "deletes "
# States of a POST; `taken` for sent by a person. As long as its id is not known its message is the time at which it was sent.
SENDING, MADE, TAKEN = "sending", "made", "taken"
# Changes that may wait for others before they are put on disk.
MOST_WAITING = 64

_PUT = (
    "INSERT INTO operation (run, ordinal, position, kind, state, remote_id, message) VALUES (?,?,?,?,?,?,?)"
    " ON CONFLICT (run, ordinal, position, kind) DO UPDATE"
    " SET state = excluded.state, remote_id = excluded.remote_id, message = excluded.message"
)
_DROP = "DELETE FROM operation WHERE run = ? AND ordinal = ? AND position = ? AND kind = ?"


@dataclass
class _Ticket:
    """A statement that one thread wants on disk, for one or several rows."""

    statement: str
    rows: Sequence[Sequence[object]]
    done: bool = False


class RowRecords:
    """The records of one chunk's rows; each verb is on disk when it returns, for many threads at once.

    Changes that come while another thread commits go to disk together, with one sync.
    """

    def __init__(self, db: Database, run: str, ordinal: int) -> None:
        self._db, self._run, self._ordinal = db, run, ordinal
        self._waiting: list[_Ticket] = []
        self._lock = Lock()  # of the list; the connection has its own

    def entries(self) -> dict[int, RowEntry]:
        """Read what is recorded of the chunk's rows."""
        states: dict[int, tuple[RowState, str]] = {}
        posts: dict[int, dict[str, int | None]] = {}
        sent: dict[int, dict[str, str]] = {}
        taken: dict[int, set[str]] = {}
        found = self._db.execute(
            "SELECT position, kind, state, remote_id, message FROM operation WHERE run = ? AND ordinal = ?",
            (self._run, self._ordinal),
        ).fetchall()
        for position, kind, state, remote_id, message in found:
            if kind.startswith(DELETES):
                continue
            if kind == ROW:
                states[position] = (RowState(state), message or "")
            else:
                posts.setdefault(position, {})[kind] = remote_id
                if state in (SENDING, TAKEN):
                    sent.setdefault(position, {})[kind] = message or ""
                if state == TAKEN:
                    taken.setdefault(position, set()).add(kind)
        return {
            at: RowEntry(*states[at], posts.get(at, {}), sent.get(at, {}), frozenset(taken.get(at, ())))
            for at in states
        }

    def window(self, positions: Sequence[int]) -> None:
        """Record that repeatable requests for these rows may be on the wire from now on."""
        self._write(_PUT, [self._row(position, ROW, RowState.SENDING) for position in positions])

    def posting(self, position: int, kind: str, sent_at: str) -> None:
        """Record that one POST, named by `kind`, may be on the wire from `sent_at` on (UTC, by the API host's clock)."""
        self._write(_PUT, [self._row(position, kind, SENDING, None, sent_at)])

    def posted(self, position: int, kind: str, remote_id: int) -> None:
        """Record the id of what that POST made."""
        self._write(_PUT, [self._row(position, kind, MADE, remote_id)])

    def unposted(self, position: int, kind: str) -> None:
        """Record that the POST certainly made nothing."""
        self._write(_DROP, [(self._run, self._ordinal, position, kind)])

    def deleting(self, position: int, noun: str, records: int) -> None:
        """Record how many records of `noun` are deleted for a row; it counts once the row has ended as deleted."""
        self._write(_PUT, [self._row(position, DELETES + noun, MADE, records)], later=True)

    def ended(self, position: int, state: RowState, message: str = "", *, later: bool = False) -> None:
        """Record what became of a row; `later` it is on disk with the next change, or by `flush`."""
        self._write(_PUT, [self._row(position, ROW, state, None, message or None)], later=later)

    def flush(self) -> None:
        """Put on disk what was to be there later."""
        with self._db.lock:
            self._commit_waiting(None)

    def reopen(self, states: Collection[RowState]) -> int:
        """Let rows that ended in one of these states be sent again; give their number."""
        marks = ",".join("?" * len(states))
        changed = self._db.execute(
            f"UPDATE operation SET state = ? WHERE run = ? AND ordinal = ? AND kind = ? AND state IN ({marks})",  # noqa: S608
            (RowState.SENDING, self._run, self._ordinal, ROW, *states),
        )
        return changed.rowcount

    def take_for_sent(self, position: int) -> None:
        """Record that a person took the lost POSTs of a row for sent (data rule 28)."""
        self._db.execute(
            "UPDATE operation SET state = ? WHERE run = ? AND ordinal = ? AND position = ? AND kind <> ? AND state = ?",
            (TAKEN, self._run, self._ordinal, position, ROW, SENDING),
        )

    def has_posted_profiles(self) -> bool:
        """Say whether a profile was, or may have been, POSTed for any row of the run, in this process or an earlier one."""
        found = self._db.execute("SELECT 1 FROM operation WHERE run = ? AND kind = ? LIMIT 1", (self._run, PROFILE))
        return found.fetchone() is not None

    def profiles_taken_since(self) -> str | None:
        """Give when the first POST of a profile was sent that was taken for sent and has no id, None where there is none."""
        found = self._db.execute(
            "SELECT min(coalesce(message, '')) FROM operation WHERE run = ? AND kind = ? AND state = ?",
            (self._run, PROFILE, TAKEN),
        ).fetchone()
        return None if found[0] is None else str(found[0])

    def made_among(self, kind: str, ids: Collection[int]) -> set[int]:
        """Tell which of these records were made by a POST of this kind for a row of the run."""
        marks = ",".join("?" * len(ids))
        found = self._db.execute(
            f"SELECT remote_id FROM operation WHERE run = ? AND kind = ? AND remote_id IN ({marks})",  # noqa: S608
            (self._run, kind, *ids),
        )
        return {number for (number,) in found}

    def _row(
        self, position: int, kind: str, state: str, remote_id: int | None = None, message: str | None = None
    ) -> tuple[object, ...]:
        return (self._run, self._ordinal, position, kind, state, remote_id, message)

    def _write(self, statement: str, rows: Sequence[Sequence[object]], *, later: bool = False) -> None:
        """Put a change on disk, together with those of every thread that waits for the same."""
        ticket = _Ticket(statement, rows)
        with self._lock:
            self._waiting.append(ticket)
            later = later and len(self._waiting) < MOST_WAITING
        if later:
            return
        with self._db.lock:
            if not ticket.done:
                self._commit_waiting(ticket)

    def _commit_waiting(self, own: _Ticket | None) -> None:
        with self._lock:
            tickets, self._waiting = self._waiting, []
        try:
            with self._db.transaction():
                for one in tickets:
                    self._db.executemany(one.statement, one.rows)
        except BaseException:
            with self._lock:
                self._waiting = [one for one in tickets if one is not own] + self._waiting
            raise
        for one in tickets:
            one.done = True
