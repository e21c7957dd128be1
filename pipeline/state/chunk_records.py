"""Record what becomes of each chunk, a step ahead of the wire (edge: SQLite).

A chunk changes its state by verbs, one per legal move; each is on disk when it returns, but for two that are found out
again after a power cut: `add` and `confirmed`. Rows that leave a chunk for chunks of their own do so in one transaction,
so that every row is in one chunk at any moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from dataclasses import fields as dataclass_fields
from datetime import UTC, datetime
from typing import Any

from pipeline.model.chunk import Chunk, ChunkState, Reason
from pipeline.model.columns import Lane
from pipeline.model.counts import Place
from pipeline.state.database import SharedDatabase

TABLES = """
CREATE TABLE chunk (
    run TEXT NOT NULL REFERENCES run, ordinal INTEGER NOT NULL, cut INTEGER NOT NULL, start INTEGER NOT NULL,
    reason TEXT NOT NULL, phase INTEGER NOT NULL, carried INTEGER NOT NULL, rows INTEGER NOT NULL, digest TEXT NOT NULL,
    first_file INTEGER NOT NULL, first_line INTEGER NOT NULL, last_file INTEGER NOT NULL, last_line INTEGER NOT NULL,
    method TEXT NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, import_id INTEGER, message TEXT,
    words TEXT, confirmed INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0,
    unknown INTEGER NOT NULL DEFAULT 0, unmatched INTEGER, rebuild INTEGER NOT NULL DEFAULT 0,
    sending_at TEXT, submitted_at TEXT, ended_at TEXT, PRIMARY KEY (run, ordinal)
) STRICT;
"""

_U, _S, _T, _L, _F = (
    ChunkState.UNSENT,
    ChunkState.SENDING,
    ChunkState.SUBMITTED,
    ChunkState.UNKNOWN,
    ChunkState.FAILED,
)
# From which states a chunk may come to a state. An import is posted once (invariant 8); rows that go one by one are looked
# up before they are sent, and may be sent again.
LEGAL: dict[ChunkState, tuple[ChunkState, ...]] = {
    _S: (_U,),
    _T: (_S,),
    _U: (_S,),
    _L: (_S, _T),
    _F: (_S, _T),
    ChunkState.CONFIRMED: (_S, _T, _L, _F),
    ChunkState.ENDED: (_U, _S, _T, _L, _F),
    ChunkState.SPLIT: (_U, _L, _F),
}
LEGAL_BY_ROW = (_U, _S, _L, _F)


@dataclass(frozen=True)
class ChunkRow:
    """A chunk as the ledger has it: its identity, size and places, and where it is.

    `rows` are those that are still its own. `message` may be shown, `words` are the API's. Times are ISO 8601 in UTC, by
    the API host's clock. `rebuild` means that its import carried the rebuild.
    """

    ordinal: int
    cut: int
    start: int
    reason: Reason
    phase: int
    carried: int
    rows: int
    digest: str
    first: Place
    last: Place
    method: str
    state: ChunkState = ChunkState.UNSENT
    attempts: int = 0
    import_id: int | None = None
    message: str | None = None
    words: str | None = None
    confirmed: int = 0
    failed: int = 0
    unknown: int = 0
    unmatched: int | None = None
    rebuild: bool = False
    sending_at: str | None = None
    submitted_at: str | None = None
    ended_at: str | None = None

    @property
    def unsent(self) -> int:
        """Return the rows that are neither confirmed nor failed nor unknown."""
        return self.rows - self.confirmed - self.failed - self.unknown

    @property
    def word(self) -> str:
        """Return where it is in the words of the summary."""
        if self.state is ChunkState.ENDED:
            return "failed" if self.failed else "unknown" if self.unknown else "unsent"
        if self.state is ChunkState.UNSENT and self.reason is Reason.HELD:
            return "held"
        return self.state.value

    @property
    def order(self) -> tuple[int, int, int]:
        """Return its place in the order of sending."""
        return (self.cut, self.start, self.ordinal)

    @property
    def lane(self) -> Lane:
        """Return the lane of its rows."""
        return Lane(self.phase, self.carried)

    @property
    def sent_at(self) -> datetime:
        """Return when it was sent last; raises ValueError for one that was not."""
        return datetime.fromisoformat(self.sending_at or "")

    @classmethod
    def of(cls, chunk: Chunk, method: str) -> ChunkRow:
        """Return what the ledger keeps of a chunk that is new to it."""
        first, last = chunk.places
        lane = chunk.lane
        return cls(
            chunk.ordinal, chunk.cut, chunk.start, chunk.reason, lane.phase, lane.carried, chunk.rows.height,
            chunk.digest, first, last, method,
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Return the chunk as a document, without the words of the API and without times."""
        names = (
            "ordinal", "rows", "digest", "method", "state", "attempts", "import_id", "message", "confirmed", "failed",
            "unknown", "unmatched",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names}


def parts_of_cuts(rows: Iterable[ChunkRow]) -> dict[int, list[int]]:
    """Return, by the number of each chunk that was cut, the ordinals of the chunks of their own that its rows went to."""
    found: dict[int, list[int]] = {}
    for row in rows:
        if not row.reason.is_cut:
            found.setdefault(row.cut, []).append(row.ordinal)
    return found


_PLACES = {"first": ("first_file", "first_line"), "last": ("last_file", "last_line")}
_COLUMNS = tuple(column for field in dataclass_fields(ChunkRow) for column in _PLACES.get(field.name, (field.name,)))


class ChunkBook:
    """The records of the chunks of one run, for one process at a time."""

    def __init__(self, db: SharedDatabase, run: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._db, self._run, self._clock = db, run, now

    def _now(self) -> str:
        return self._clock().isoformat(timespec="milliseconds")

    def rows(self) -> list[ChunkRow]:
        """List the chunks that are recorded, by ordinal."""
        found = self._db.execute(
            f"SELECT {', '.join(_COLUMNS)} FROM chunk WHERE run = ? ORDER BY ordinal",  # noqa: S608
            (self._run,),
        )
        return [_row(values) for values in found]

    def add(self, row: ChunkRow) -> None:
        """Record a chunk that is to be sent."""
        with self._db.unsynced():  # lost, it is cut again
            self._insert(row)

    def sending(self, row: ChunkRow, method: str, *, rebuild: bool = False) -> ChunkRow:
        """Record that it may be on the wire from now on."""
        legal = LEGAL_BY_ROW if method == "profiles" else LEGAL[ChunkState.SENDING]
        changes = {
            "sending_at": self._now(),
            "method": method,
            "attempts": row.attempts + 1,
            "rebuild": rebuild,
            "ended_at": None,
        }
        return self._move(row, ChunkState.SENDING, legal, **changes)

    def submitted(self, row: ChunkRow, import_id: int) -> ChunkRow:
        """Record that Copernica took the import, and its id."""
        return self._move(row, ChunkState.SUBMITTED, import_id=import_id, submitted_at=self._now())

    def unsent(self, row: ChunkRow, message: str, words: str = "") -> ChunkRow:
        """Record that certainly nothing of it was sent."""
        return self._move(row, ChunkState.UNSENT, message=message, words=words, sending_at=None, rebuild=False)

    def unknown(self, row: ChunkRow, message: str, words: str = "", *, rows: int = 0, **counts: int | None) -> ChunkRow:
        """Record that the answer was lost, or that the import is presumed dead: of all its rows, or of `rows` of them."""
        return self._move(
            row,
            ChunkState.UNKNOWN,
            message=message,
            words=words,
            unknown=rows or row.rows,
            ended_at=self._now(),
            **counts,
        )

    def failed(self, row: ChunkRow, message: str, words: str) -> ChunkRow:
        """Record that the import is final and failed: its rows are to be searched."""
        return self._move(row, ChunkState.FAILED, message=message, words=words, failed=row.rows, ended_at=self._now())

    def confirmed(self, row: ChunkRow) -> ChunkRow:
        """Record that every row of it is confirmed."""
        changes = {"confirmed": row.rows, "failed": 0, "unknown": 0}
        with self._db.unsynced():  # lost, its import is asked for again
            return self._move(row, ChunkState.CONFIRMED, message=None, words=None, ended_at=self._now(), **changes)

    def ended(self, row: ChunkRow, message: str | None = None, **counts: int | None) -> ChunkRow:
        """Record that it is final; `counts` (confirmed, failed, unknown, unmatched) are what became of its rows."""
        whole = {"confirmed": 0, "failed": 0, "unknown": 0} | counts
        done = whole["confirmed"] == row.rows
        to = ChunkState.CONFIRMED if done else ChunkState.ENDED
        return self._move(row, to, message=message or row.message, ended_at=self._now(), **whole)

    def so_far(self, row: ChunkRow, message: str, **counts: int | None) -> ChunkRow:
        """Record how far a chunk came that stays in its state."""
        return self._move(row, row.state, (row.state,), message=message, ended_at=self._now(), **counts)

    def set_apart(self, row: ChunkRow, parts: Sequence[ChunkRow], confirmed: int | None = None) -> ChunkRow:
        """Record chunks whose rows leave `row`, at once; with none left of its own it is split.

        `confirmed` counts the rows that stay in a chunk that was read back, which is final then.
        """
        with self._db.transaction():
            for part in parts:
                self._insert(part)
            left = row.rows - sum(part.rows for part in parts)
            counts = {"rows": left, "unknown": 0, "failed": 0}
            if not left:
                return self._move(row, ChunkState.SPLIT, ended_at=self._now(), **counts)
            stays = tuple(state for state in LEGAL[ChunkState.SPLIT] if state is row.state)
            row = self._move(row, row.state, stays, **counts)
            return row if confirmed is None else self.ended(row, confirmed=confirmed)

    def _insert(self, row: ChunkRow) -> None:
        values = _values(row)
        self._db.execute(
            f"INSERT INTO chunk (run, {', '.join(_COLUMNS)}) VALUES (?{', ?' * len(_COLUMNS)})",  # noqa: S608
            (self._run, *values),
        )

    def _move(
        self, row: ChunkRow, to: ChunkState, legal: Sequence[ChunkState] | None = None, /, **changes: Any
    ) -> ChunkRow:
        """Change a chunk that is in a legal state; raises ValueError for any other."""
        states = LEGAL[to] if legal is None else legal
        assignments = "".join(f", {name} = ?" for name in changes)
        values = [int(value) if isinstance(value, bool) else value for value in changes.values()]
        changed = self._db.execute(
            f"UPDATE chunk SET state = ?{assignments} WHERE run = ? AND ordinal = ?"  # noqa: S608 - our own words
            f" AND state IN ({','.join('?' * len(states))})",
            (to, *values, self._run, row.ordinal, *states),
        ).rowcount
        if changed != 1:
            raise ValueError(f"chunk {row.ordinal} of {self._run} cannot become {to}")
        return replace(row, state=to, **changes)


def _values(row: ChunkRow) -> list[object]:
    """Return the values of a chunk in the order of the table's columns."""
    found: list[object] = []
    for field in dataclass_fields(row):
        value = getattr(row, field.name)
        if field.name in _PLACES:
            found += value
        elif field.name == "carried":
            found.append(value - 2**64 if value >= 2**63 else value)  # SQLite's integers are signed
        else:
            found.append(int(value) if isinstance(value, bool) else value)
    return found


def _row(values: Sequence[Any]) -> ChunkRow:
    found = dict(zip(_COLUMNS, values, strict=True))
    for name, (file, line) in _PLACES.items():
        found[name] = (found.pop(file), found.pop(line))
    found["state"], found["reason"] = ChunkState(found["state"]), Reason(found["reason"])
    found["carried"] %= 2**64
    found["rebuild"] = bool(found["rebuild"])
    return ChunkRow(**found)
