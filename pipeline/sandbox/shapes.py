"""Show databases, fields, profiles and the rest as the API's JSON: keys, order and types (pure; API sheet 4.3, 7)."""

from __future__ import annotations

from typing import Any

from pipeline.sandbox.answers import wrapped
from pipeline.sandbox.model import Collection, Database, Field, Interest, Owner, Record

# The embedded list of a collection's fields shows this many at most (API sheet 5).
EMBEDDED_COLLECTION_FIELDS = 100
_INTENTIONS = {"email": True, "sms": True, "fax": False, "pdf": False}


def field_json(field: Field) -> dict[str, Any]:
    """Show a field; the choices of a select are separated by CRLF and have no star (API sheet 13)."""
    return {
        "ID": str(field.id), "name": field.name, "type": field.type,
        "value": "\r\n".join(field.options) if field.type == "select" else field.value,
        "displayed": field.displayed, "ordered": field.ordered, "length": str(field.most_chars or 0),
        "textlines": str(field.textlines), "hidden": field.hidden, "index": field.index,
    }  # fmt: skip


def interest_json(interest: Interest) -> dict[str, Any]:
    """Show an interest."""
    return {"ID": str(interest.id), "name": interest.name, "group": interest.group}


def collection_json(collection: Collection) -> dict[str, Any]:
    """Show a collection, with at most its first 100 fields."""
    fields = [field_json(one) for one in collection.fields]
    shown = fields[:EMBEDDED_COLLECTION_FIELDS]
    return {
        "ID": str(collection.id), "name": collection.name, "database": str(collection.database),
        "fields": wrapped(list(shown), 0, EMBEDDED_COLLECTION_FIELDS, len(fields)), "intentions": dict(_INTENTIONS),
    }  # fmt: skip


def database_json(database: Database) -> dict[str, Any]:
    """Show a database with all its lists."""

    def listed(data: list[dict[str, Any]]) -> dict[str, object]:
        return wrapped(list(data[:1000]), 0, 1000, len(data))

    return {
        "ID": str(database.id), "name": database.name, "description": database.description,
        "archived": database.archived, "created": database.created,
        "fields": listed([field_json(one) for one in database.fields]),
        "interests": listed([interest_json(one) for one in database.interests]),
        "collections": listed([collection_json(one) for one in database.collections]),
        "intentions": dict(_INTENTIONS),
    }  # fmt: skip


def fields_of(owner: Owner, record: Record) -> dict[str, str]:
    """Show the values, all of them texts, under their real names in the defined order; a removed record is blank."""
    if record.removed:
        return {field.name: "" for field in owner.fields}
    return {field.name: record.values.get(field.key, field.zero) for field in owner.fields}


def interests_of(database: Database, record: Record) -> list[str]:
    """List the names of the interests that are on."""
    return [one.name for one in database.interests if one.id in record.interests]


def record_json(owner: Owner, record: Record, version: int, data_only: bool = False) -> dict[str, Any]:
    """Show a profile or subprofile; with `data_only` as short as documented (API sheet 6.3)."""
    shape: dict[str, Any] = {"ID": str(record.id)}
    if isinstance(owner, Database):
        shape["fields"] = fields_of(owner, record)
        shape["interests"] = interests_of(owner, record)
        tail = {"database": str(owner.id), "secret": record.secret}
    else:
        shape |= {} if data_only else {"secret": record.secret}
        shape["fields"] = fields_of(owner, record)
        shape |= {"profile": str(record.profile), "collection": str(owner.id)}
        tail = {}
    if data_only:
        return {**shape, "modified": record.modified}
    shape |= {**tail, "created": record.created, "modified": record.modified}
    return shape if version == 1 and not record.removed else {**shape, "removed": record.removed or False}
