"""Keep the structure of all databases, each as one JSON document beside its objects in memory (edge: SQLite)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from typing import Any, TypeVar

from pipeline.sandbox.model import Collection, Database, Field, Interest, Owner
from pipeline.sandbox.php import id_of

OneOwner = TypeVar("OneOwner", bound=Owner)


class Catalogue:
    """Find and change databases, collections, fields and interests; changes belong inside `Store.writing`."""

    def __init__(self, connection: sqlite3.Connection, next_number: Callable[[str], int]) -> None:
        self._connection = connection
        self._next = next_number
        self.databases: dict[int, Database] = {}
        self.reload()

    def reload(self) -> None:
        """Read all documents again."""
        rows = self._connection.execute("SELECT document FROM structure ORDER BY id")
        found = [_database(json.loads(document)) for (document,) in rows]
        self.databases = {database.id: database for database in found}

    def database(self, id_or_name: str) -> Database | None:
        """Find a database by id or by its name in any case (API sheet 3.2)."""
        number = id_of(id_or_name)
        if number in self.databases:
            return self.databases[number]
        folded = id_or_name.lower()
        return next((one for one in self.databases.values() if one.name.lower() == folded), None)

    def collection(self, number: str) -> Collection | None:
        """Find a collection by its id, which is unique across databases; never by name (API sheet 3.2, C6)."""
        wanted = id_of(number)
        return next((one for one in self.collections() if one.id == wanted), None)

    def collections(self) -> Iterator[Collection]:
        """Yield the collections of all databases."""
        for database in list(self.databases.values()):
            yield from list(database.collections)

    def interest(self, number: str) -> tuple[Database, Interest] | None:
        """Find an interest and its database by the interest's id."""
        wanted = id_of(number)
        for database in self.databases.values():
            for interest in database.interests:
                if interest.id == wanted:
                    return database, interest
        return None

    def database_of(self, owner: Owner) -> Database:
        """Return the database itself, or the one of a collection."""
        return owner if isinstance(owner, Database) else self.databases[owner.database]  # type: ignore[attr-defined]

    def add_database(self, database: Database) -> Database:
        """Add a database; an id of 0 takes the next one."""
        database.id = database.id or self._next("database")
        self.databases[database.id] = database
        self.save(database)
        return database

    def add_collection(self, database: Database, collection: Collection) -> Collection:
        """Add a collection to its database; an id of 0 takes the next one."""
        collection.id = collection.id or self._next("collection")
        collection.database = database.id
        database.collections.append(collection)
        self.save(database)
        return collection

    def add_field(self, owner: Owner, field: Field) -> Field:
        """Add a field with the next id of its owner and the next key of the account."""
        number = max((one.id for one in owner.fields), default=0) + 1
        field = replace(field, id=number, key=str(self._next("field")))
        owner.fields.append(field)
        self.save(owner)
        return field

    def replace_field(self, owner: Owner, field: Field) -> None:
        """Replace the field with the id of `field`."""
        owner.fields[:] = [field if one.id == field.id else one for one in owner.fields]
        self.save(owner)

    def remove_field(self, owner: Owner, field: Field) -> None:
        """Remove a field; what records hold in it is never shown again."""
        owner.fields.remove(field)
        self.save(owner)

    def add_interest(self, database: Database, name: str, group: str) -> Interest:
        """Add an interest with the next id of the account."""
        interest = Interest(self._next("interest"), name, group)
        database.interests.append(interest)
        self.save(database)
        return interest

    def save(self, owner: Owner) -> None:
        """Write the document of the database that `owner` is or belongs to."""
        database = self.database_of(owner)
        document = json.dumps(asdict(database))
        self._connection.execute("INSERT OR REPLACE INTO structure VALUES (?, ?)", (database.id, document))


def _database(document: dict[str, Any]) -> Database:
    collections = [_with_fields(Collection, one) for one in document.pop("collections")]
    interests = [Interest(**one) for one in document.pop("interests")]
    database = _with_fields(Database, document)
    database.collections, database.interests = collections, interests
    return database


def _with_fields(kind: type[OneOwner], document: dict[str, Any]) -> OneOwner:
    fields = [Field(**one) for one in document.pop("fields")]
    return kind(fields=fields, **document)
