"""Record what becomes of each chunk, a step ahead of the wire (edge: SQLite)."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from typing import Any

from pipeline.model.outcome import Ending, Outcome
from pipeline.state.database import Database
from pipeline.state.row_records import RowRecords

TABLES = """
CREATE TABLE chunk (
    run TEXT NOT NULL REFERENCES run, ordinal INTEGER NOT NULL, phase INTEGER NOT NULL, carried INTEGER NOT NULL,
    rows INTEGER NOT NULL, digest TEXT NOT NULL, first_file INTEGER NOT NULL, first_line INTEGER NOT NULL,
    last_file INTEGER NOT NULL, last_line INTEGER NOT NULL, way TEXT NOT NULL, state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, import_id INTEGER, message TEXT, confirmed INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0, unknown INTEGER NOT NULL DEFAULT 0, unmatched INTEGER,
    sending_at TEXT, submitted_at TEXT, ended_at TEXT, PRIMARY KEY (run, ordinal)
) STRICT;
CREATE TABLE look (
    run TEXT NOT NULL, ordinal INTEGER NOT NULL, at TEXT NOT NULL, digest TEXT NOT NULL,
    FOREIGN KEY (run, ordinal) REFERENCES chunk
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


# From which states a chunk may come to a state. An import is posted once (invariant 8); rows that are looked up one by one
# before they are sent may be sent again.
LEGAL = {
    ChunkState.SENDING: (ChunkState.UNSENT, ChunkState.HELD),
    ChunkState.UNSENT: (ChunkState.SENDING,),
    ChunkState.SUBMITTED: (ChunkState.SENDING,),
    ChunkState.UNKNOWN: (ChunkState.SENDING, ChunkState.UNKNOWN),
    ChunkState.CONFIRMED: (ChunkState.SUBMITTED, ChunkState.SENDING, ChunkState.UNKNOWN),
    ChunkState.FAILED: (ChunkState.SUBMITTED, ChunkState.SENDING, ChunkState.FAILED),
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
class ChunkRow:
    """A chunk as the ledger has it; `looks` are (time, digest) of the looks at an unknown one, the oldest first.

    `sending_at` is when it was sent last, in UTC by the API host's clock.
    """

    ordinal: int
    rows: int
    digest: str
    way: str
    state: ChunkState
    attempts: int
    import_id: int | None
    message: str | None
    confirmed: int
    failed: int
    unknown: int
    unmatched: int | None
    sending_at: str | None
    submitted_at: str | None
    ended_at: str | None
    looks: tuple[tuple[str, str], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the chunk as a document."""
        return {name: value for name, value in asdict(self).items() if name != "looks"}

    @classmethod
    def of_run(cls, db: Database, run: str) -> tuple[ChunkRow, ...]:
        """List the chunks of a run that were sent or held, by ordinal."""
        looks: dict[int, list[tuple[str, str]]] = {}
        for ordinal, at, digest in db.execute("SELECT ordinal, at, digest FROM look WHERE run=? ORDER BY at", (run,)):
            looks.setdefault(ordinal, []).append((at, digest))
        found = db.execute(
            "SELECT ordinal, rows, digest, way, state, attempts, import_id, message, confirmed, failed, unknown, unmatched,"
            " sending_at, submitted_at, ended_at FROM chunk WHERE run = ? ORDER BY ordinal",
            (run,),
        )
        return tuple(cls._of(row, looks.get(row[0], ())) for row in found)

    @classmethod
    def _of(cls, row: Sequence[Any], looks: Iterable[tuple[str, str]]) -> ChunkRow:
        fields = list(row)
        fields[4] = ChunkState(fields[4])
        fields.append(tuple(looks))
        return cls(*fields)


@dataclass(frozen=True)
class OpenChunk:
    """A chunk that was begun and is not confirmed; `first` and `last` are (file position, line) of its rows."""

    ordinal: int
    rows: int
    state: ChunkState
    first: tuple[int, int]
    last: tuple[int, int]

    @classmethod
    def of_run(cls, db: Database, run: str) -> tuple[OpenChunk, ...]:
        """List those of a run, by ordinal."""
        found = db.execute(
            "SELECT ordinal, rows, state, first_file, first_line, last_file, last_line FROM chunk"
            " WHERE run = ? AND state <> ? ORDER BY ordinal",
            (run, ChunkState.CONFIRMED),
        )
        return tuple(
            cls(ordinal, rows, ChunkState(state), (first_file, first_line), (last_file, last_line))
            for ordinal, rows, state, first_file, first_line, last_file, last_line in found
        )


Execute = Callable[[str, Sequence[object]], sqlite3.Cursor]


class ChunkRecord:
    """The record of one chunk of one run; each verb is one legal move and is on disk when it returns."""

    def __init__(self, db: Database, run: str, entry: ChunkEntry, way: str, arrived: int = 0) -> None:
        self._db, self._run, self._entry, self._way, self._arrived = db, run, entry, way, arrived

    @cached_property
    def rows(self) -> RowRecords:
        """Give the records of the chunk's rows, for the per-profile way."""
        return RowRecords(self._db, self._run, self._entry.ordinal)

    def sending(self, sent_at: str) -> None:
        """Record that it may be on the wire from `sent_at` on (UTC, by the API host's clock); its digest must not change."""
        self._enter(ChunkState.SENDING, sent_at)

    def hold(self) -> None:
        """Record that the chunk waits behind one that shares a key with it (data rule 23)."""
        self._enter(ChunkState.HELD)

    def submitted(self, import_id: int) -> None:
        """Record that Copernica took the import and its id."""
        self._move(ChunkState.SUBMITTED, {"import_id": import_id, "submitted_at": _now()})

    def ended(self, outcome: Outcome) -> None:
        """Record how the chunk ended; one that is not final stays submitted, with the reason.

        It is on disk before the next chunk is sent, by the same sync: what a power cut takes is asked for again.
        """
        if outcome.ending is Ending.SUBMITTED:
            self._db.execute_unsynced(
                "UPDATE chunk SET message = ? WHERE run = ? AND ordinal = ?",
                (outcome.message, self._run, self._entry.ordinal),
            )
            return
        changes = {
            "message": outcome.message or None,
            "ended_at": _now(),
            "confirmed": outcome.confirmed + self._arrived,
            "failed": outcome.failed,
            "unknown": outcome.unknown,
            "unmatched": outcome.unmatched,
        }
        self._move(ChunkState(outcome.ending.value), changes, self._db.execute_unsynced)

    def looked(self, at: str, digest: str) -> None:
        """Record what a look at an unknown chunk found, as a digest (data rule 28); `at` is ISO 8601 in UTC."""
        self._db.execute("INSERT INTO look VALUES (?,?,?,?)", (self._run, self._entry.ordinal, at, digest))

    def _enter(self, to: ChunkState, sent_at: str | None = None) -> None:
        chunk, legal = self._entry, LEGAL[to]
        if to is ChunkState.SENDING and self._way == "profiles":
            legal = (*legal, ChunkState.SENDING, ChunkState.FAILED, ChunkState.UNKNOWN)
        changed = self._db.execute(
            "INSERT INTO chunk (run, ordinal, phase, carried, rows, digest, first_file, first_line, last_file, last_line,"  # noqa: S608 - question marks only
            " way, state, attempts, sending_at) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
            " ON CONFLICT (run, ordinal) DO UPDATE SET state = excluded.state, attempts = attempts + excluded.attempts,"
            " way = excluded.way, sending_at = excluded.sending_at"
            f" WHERE state IN ({','.join('?' * len(legal))}) AND digest = excluded.digest",
            (
                self._run, chunk.ordinal, chunk.phase, _signed(chunk.carried), chunk.rows, chunk.digest, *chunk.first,
                *chunk.last, self._way, to, int(to is ChunkState.SENDING), sent_at, *legal,
            ),
        ).rowcount  # fmt: skip
        if changed != 1:
            raise ValueError(f"chunk {chunk.ordinal} of {self._run} cannot become {to}")

    def _move(self, to: ChunkState, changes: dict[str, Any], execute: Execute | None = None) -> None:
        legal = LEGAL[to]
        assignments = ", ".join(f"{name} = ?" for name in changes)
        changed = (execute or self._db.execute)(
            f"UPDATE chunk SET state = ?, {assignments} WHERE run = ? AND ordinal = ?"  # noqa: S608 - our own words
            f" AND state IN ({','.join('?' * len(legal))})",
            (to, *changes.values(), self._run, self._entry.ordinal, *legal),
        ).rowcount
        if changed != 1:
            raise ValueError(f"chunk {self._entry.ordinal} of {self._run} cannot become {to}")


def _signed(bits: int) -> int:
    """Give 64 bits as the signed number that SQLite holds."""
    return bits - 2**64 if bits >= 2**63 else bits


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
