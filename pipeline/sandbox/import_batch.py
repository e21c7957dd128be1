"""Hold the records that a batch of import rows works on, and write them at its end in one go (edge: SQLite)."""

from __future__ import annotations

from pipeline.sandbox.model import Collection, Database, Field, Kind, Owner, Record
from pipeline.sandbox.records import Records
from pipeline.sandbox.values import folded

Keys = list[tuple[Field, str]]


class Matches:
    """Find the subprofiles of one profile in one collection by their keys, which are the same for a whole import."""

    def __init__(self, records: list[Record], accents: bool) -> None:
        self._records = records
        self._accents = accents
        self._index: dict[tuple[str, ...], list[Record]] | None = None
        self._fields: tuple[Field, ...] = ()

    def all(self) -> list[Record]:
        """List all of them."""
        return list(self._records)

    def equal(self, keys: Keys) -> list[Record]:
        """List those whose key fields all equal the normalised texts."""
        if self._index is None:
            self._index = {}
            self._fields = tuple(field for field, _ in keys)
            for record in self._records:
                self._index.setdefault(self._key(record), []).append(record)
        wanted = tuple(folded(field, text, self._accents) for field, text in keys)
        return list(self._index.get(wanted, ()))

    def add(self, record: Record) -> None:
        """Add a new subprofile."""
        self._records.append(record)
        if self._index is not None:
            self._index.setdefault(self._key(record), []).append(record)

    def _key(self, record: Record) -> tuple[str, ...]:
        values = record.values
        return tuple(folded(field, values.get(field.key, field.zero), self._accents) for field in self._fields)


class Batch:
    """Read records once, change them in memory, write them with `flush`."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._profiles: dict[int, Record] = {}
        self._dirty: dict[tuple[Kind, int], Record] = {}
        self._fresh: set[int] = set()
        self._subprofiles: dict[tuple[int, int], Matches] = {}

    def profiles(self, database: Database, keys: Keys) -> list[Record]:
        """List the profiles whose key fields all equal the normalised texts, by id."""
        (first, text), *others = keys
        self._records.key(database, first)
        found = []
        for number in self._records.with_value(first, text):
            record = self._profiles.get(number) or self._records.get("profile", number)
            if record is None:
                continue
            self._profiles[number] = record
            if not record.removed and all(self._equal(record, *one) for one in others):
                found.append(record)
        return found

    def everything(self, database: Database) -> list[Record]:
        """List all profiles of a database."""
        self.flush()
        found = list(self._records.live(database))
        self._profiles.update({one.id: one for one in found})
        return found

    def subprofiles(self, collection: Collection, profile: int) -> Matches:
        """Return the subprofiles of a profile in a collection."""
        place = (profile, collection.id)
        if place not in self._subprofiles:
            known = [] if profile in self._fresh else self._records.subprofiles(profile, collection.id)
            self._subprofiles[place] = Matches(known, self._records.accents)
        return self._subprofiles[place]

    def change(self, owner: Owner, record: Record, changes: dict[str, str]) -> bool:
        """Change a record; return whether a value really differed."""
        differs = self._records.change(owner, record, changes)
        if differs:
            self.touch(record)
        return differs

    def add(self, owner: Owner, record: Record, values: dict[str, str]) -> None:
        """Add a new record."""
        self._records.add(owner, record, values)
        self.touch(record)
        if record.kind == "profile":
            self._profiles[record.id] = record
            self._fresh.add(record.id)
        elif (record.profile, record.owner) in self._subprofiles:
            self._subprofiles[record.profile, record.owner].add(record)
        elif record.profile in self._fresh and isinstance(owner, Collection):
            self.subprofiles(owner, record.profile).add(record)

    def touch(self, record: Record) -> None:
        """Remember that a record is to be written."""
        self._dirty[record.kind, record.id] = record

    def flush(self) -> None:
        """Write what changed."""
        self._records.save(self._dirty.values())
        self._dirty.clear()

    def forget(self) -> None:
        """Write what changed and read everything anew from now on."""
        self.flush()
        self._profiles.clear()
        self._fresh.clear()
        self._subprofiles.clear()

    def _equal(self, record: Record, field: Field, text: str) -> bool:
        stored = record.values.get(field.key, field.zero)
        return folded(field, stored, self._records.accents) == folded(field, text, self._records.accents)
