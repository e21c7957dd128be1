"""Read and write profiles and subprofiles, with an index on the fields that are asked for (edge: SQLite)."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Iterable, Iterator, Sequence

from pipeline.sandbox.model import Field, Kind, Owner, Record
from pipeline.sandbox.values import folded

# Made once: the functions of the json module make a new one per call.
_encode = json.JSONEncoder(ensure_ascii=False).encode
_decode = json.JSONDecoder().raw_decode
_COLUMNS = "id, owner, profile, secret, created, modified, removed, fields, interests"


def new_secret() -> str:
    """Return the secret of a new record: 28 hexadecimal digits (API sheet 7). It protects nothing here."""
    return f"{random.getrandbits(112):028x}"


class Records:
    """Keep records; all calls belong inside `Store.reading` or `Store.writing`.

    A field gets rows in the lookup table the first time it is compared for equality, so that a key is found without
    reading all records; from then on every change keeps them right.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.accents = False
        self._keyed: set[str] = set()
        self.reread()

    def reread(self) -> None:
        """Read again which fields have lookups; needed after a rollback."""
        self._keyed = {key for (key,) in self._connection.execute("SELECT field FROM keyed")}

    def get(self, kind: Kind, number: int) -> Record | None:
        """Read one record, a removed one too."""
        query = f"SELECT {_COLUMNS} FROM {kind} WHERE id = ?"  # noqa: S608 (kind is one of two words)
        row = self._connection.execute(query, (number,)).fetchone()
        return _record(kind, row) if row else None

    def many(self, kind: Kind, where: str, parameters: Sequence[object], tail: str = "") -> Iterator[Record]:
        """Read the records that meet a condition of our own making."""
        query = f"SELECT {_COLUMNS} FROM {kind} WHERE {where} {tail}"  # noqa: S608 (values are bound)
        for row in self._connection.execute(query, parameters):
            yield _record(kind, row)

    def live(self, owner: Owner) -> Iterator[Record]:
        """Read the records of a database or collection, by id, without removed ones."""
        return self.many(owner.kind, "owner = ? AND removed = ''", (owner.id,), "ORDER BY id")

    def count(self, kind: Kind, where: str, parameters: Sequence[object]) -> int:
        """Count the records that meet a condition of our own making."""
        query = f"SELECT COUNT(*) FROM {kind} WHERE {where}"  # noqa: S608 (values are bound)
        return int(self._connection.execute(query, parameters).fetchone()[0])

    def subprofiles(self, profile: int, collection: int) -> list[Record]:
        """Read the subprofiles of one profile in one collection, by id, without removed ones."""
        where = "profile = ? AND owner = ? AND removed = ''"
        return list(self.many("subprofile", where, (profile, collection), "ORDER BY id"))

    def save(self, records: Iterable[Record]) -> None:
        """Write records of one kind, new or changed."""
        rows = [_row(record) for record in records]
        for kind in ("profile", "subprofile"):
            some = [row[1:] for row in rows if row[0] == kind]
            if some:
                query = f"INSERT OR REPLACE INTO {kind} VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
                self._connection.executemany(query, some)

    def change(self, owner: Owner, record: Record, changes: dict[str, str]) -> bool:
        """Write normalised values, by field key, into a record and the lookups; return whether anything really differed."""
        differs = False
        for field in owner.fields:
            new = changes.get(field.key)
            if new is None:
                continue
            if record.values.get(field.key, field.zero) == new:
                continue
            differs = True
            if field.key in self._keyed:
                self._move(field, record, new)
            record.values[field.key] = new
        return differs

    def add(self, owner: Owner, record: Record, values: dict[str, str]) -> None:
        """Fill a new record and enter it in the lookups; `save` is still to be called."""
        record.values = values
        for field in owner.fields:
            if field.key in self._keyed:
                self._enter(field, record.id, values.get(field.key, field.zero))

    def blank(self, owner: Owner, record: Record) -> None:
        """Take a removed record's values away and out of the lookups (API sheet 14)."""
        for field in owner.fields:
            if field.key in self._keyed:
                self._leave(field, record)
        record.values, record.interests = {}, set()

    def erase(self, record: Record) -> None:
        """Delete a record for good (`completely`)."""
        self._connection.execute(f"DELETE FROM {record.kind} WHERE id = ?", (record.id,))  # noqa: S608

    def key(self, owner: Owner, field: Field) -> None:
        """Make sure that `field` has lookups."""
        if field.key in self._keyed:
            return
        rows = [
            (field.key, folded(field, record.values.get(field.key, field.zero), self.accents), record.id)
            for record in self.live(owner)
        ]
        self._connection.execute("SAVEPOINT key")
        self._connection.executemany("INSERT INTO lookup VALUES (?, ?, ?)", rows)
        self._connection.execute("INSERT OR IGNORE INTO keyed VALUES (?)", (field.key,))
        self._connection.execute("RELEASE key")
        self._keyed.add(field.key)

    def with_value(self, field: Field, text: str) -> list[int]:
        """List the ids of records whose keyed `field` equals a normalised text."""
        query = "SELECT id FROM lookup WHERE field = ? AND folded = ?"
        return [number for (number,) in self._connection.execute(query, (field.key, folded(field, text, self.accents)))]

    def forget(self, field: Field | None = None) -> None:
        """Drop the lookups of one field or of all; they are made again when they are needed."""
        if field is None:
            self._connection.execute("DELETE FROM lookup")
            self._connection.execute("DELETE FROM keyed")
            self._keyed.clear()
            return
        self._connection.execute("DELETE FROM lookup WHERE field = ?", (field.key,))
        self._connection.execute("DELETE FROM keyed WHERE field = ?", (field.key,))
        self._keyed.discard(field.key)

    def _enter(self, field: Field, number: int, text: str) -> None:
        row = (field.key, folded(field, text, self.accents), number)
        self._connection.execute("INSERT OR IGNORE INTO lookup VALUES (?, ?, ?)", row)

    def _leave(self, field: Field, record: Record) -> None:
        text = folded(field, record.values.get(field.key, field.zero), self.accents)
        query = "DELETE FROM lookup WHERE field = ? AND folded = ? AND id = ?"
        self._connection.execute(query, (field.key, text, record.id))

    def _move(self, field: Field, record: Record, new: str) -> None:
        old = record.values.get(field.key, field.zero)
        if folded(field, old, self.accents) != folded(field, new, self.accents):
            self._leave(field, record)
            self._enter(field, record.id, new)


def _row(record: Record) -> tuple[object, ...]:
    interests = json.dumps(sorted(record.interests)) if record.interests else ""
    values = _encode(record.values)
    head = (record.kind, record.id, record.owner, record.profile, record.secret)
    return (*head, record.created, record.modified, record.removed, values, interests)


def _record(kind: Kind, row: tuple[object, ...]) -> Record:
    number, owner, profile, secret, created, modified, removed, values, interests = row
    return Record(
        kind, number, owner, secret, created, modified, profile, removed,  # type: ignore[arg-type]
        _decode(values)[0], set(json.loads(interests)) if interests else set(),  # type: ignore[arg-type]
    )  # fmt: skip
