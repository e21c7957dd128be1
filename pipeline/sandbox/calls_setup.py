"""Answer the calls on databases, collections, fields, interests and the account (wiring: endpoint; API sheet 8)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pipeline.sandbox.answers import Answer, ApiError, as_json, created, deleted, updated
from pipeline.sandbox.calls import BAD_DATA, Call, flag, listed
from pipeline.sandbox.copying import copy_database
from pipeline.sandbox.dates import canonical
from pipeline.sandbox.model import TYPES, Collection, Database, Field, Interest, Owner
from pipeline.sandbox.php import id_of
from pipeline.sandbox.shapes import collection_json, database_json, field_json, interest_json
from pipeline.sandbox.structure import COLLECTION_NAME, FIELD_NAME, RESERVED
from pipeline.sandbox.values import coerce

# The keys of a body that describes a field; `lock` is taken and ignored.
FIELD_KEYS = frozenset({
    "name", "type", "value", "displayed", "ordered", "length", "textlines", "hidden", "index", "lock", "description",
})  # fmt: skip
_ANY_NAME = re.compile(r".+")


def get_databases(call: Call) -> Answer:
    """GET databases: full databases with everything in them."""
    return listed(call, [database_json(one) for one in call.world.store.catalogue.databases.values()])


def create_database(call: Call) -> Answer:
    """POST databases."""
    catalogue, body = call.world.store.catalogue, call.request.body
    name = _new_name(call, _ANY_NAME, None)
    database = Database(0, name, str(body.get("description") or ""), archived=flag(call, body, "archived"))
    database.created = call.world.clock.stamp()
    catalogue.add_database(database)
    return created(call.request, f"database/{database.id}", database.id)


def get_database(call: Call) -> Answer:
    """GET database/X."""
    return as_json(database_json(call.database))


def get_collection(call: Call) -> Answer:
    """GET collection/C."""
    assert isinstance(call.owner, Collection)  # noqa: S101 (the router located it)
    return as_json(collection_json(call.owner))


def update_owner(call: Call) -> Answer:
    """PUT database/X and collection/C; an empty POST does nothing and succeeds (API sheet 3)."""
    owner, body = call.owner, call.request.body
    if not body and call.request.method == "POST":
        return Answer(204 if call.request.version >= 3 else 200)
    if body.get("name"):
        owner.name = _free_name(call, owner)
    if "description" in body:
        owner.description = str(body["description"] or "")
    if isinstance(owner, Database) and "archived" in body:
        owner.archived = flag(call, body, "archived")
    call.world.store.catalogue.save(owner)
    return updated(call.request)


def _free_name(call: Call, owner: Owner) -> str:
    """Return the new name of a database or collection, if nothing else has it."""
    is_database = isinstance(owner, Database)
    name = _name(call, _ANY_NAME if is_database else COLLECTION_NAME)
    if name.lower() != owner.name.lower() and name.lower() in _taken(None if is_database else call.database, call):
        raise ApiError(BAD_DATA)
    return name


def copy(call: Call) -> Answer:
    """POST database/X/copy: structure, and by `options` profiles and subprofiles; done at once here."""
    name = _new_name(call, _ANY_NAME, None)
    options = call.request.body.get("options")
    wanted = {key: flag(call, options, key) for key in options} if isinstance(options, Mapping) else {}
    copied = copy_database(call.world.store, call.database, name, wanted, call.world.clock.stamp())
    return created(call.request, f"database/{copied.id}", copied.id)


def get_fields(call: Call) -> Answer:
    """GET database/X/fields and collection/C/fields."""
    return listed(call, [field_json(one) for one in call.owner.fields])


def create_field(call: Call) -> Answer:
    """POST database/X/fields and collection/C/fields."""
    owner = call.owner
    name = _new_name(call, FIELD_NAME, owner)
    if name.lower() in RESERVED:
        raise ApiError(BAD_DATA)
    if call.request.body.get("type") in ("integer", "float") and call.request.body.get("value") in (None, ""):
        call.notes.note("field_without_default", name)
        if call.world.switches["fields_without_default"] == "refuse":
            raise ApiError(BAD_DATA)
    field = call.world.store.catalogue.add_field(owner, _described(call, Field(key="", id=0, name=name)))
    return created(call.request, f"{_place(owner)}/field/{field.id}", field.id)


def update_field(call: Call) -> Answer:
    """PUT database/X/field/F and collection/C/field/F; values are bent into a new type at once."""
    owner, old = call.owner, _field(call, by_name=False)
    name = str(call.request.body.get("name") or old.name)
    if not FIELD_NAME.fullmatch(name) or (name.lower() != old.name.lower() and name.lower() in _taken(owner, call)):
        raise ApiError(BAD_DATA)
    new = _described(call, replace(old, name=name))
    call.world.store.catalogue.replace_field(owner, new)
    if (old.type, old.value, old.length) != (new.type, new.value, new.length):
        _bend(call, owner, new)
    return updated(call.request)


def _bend(call: Call, owner: Owner, field: Field) -> None:
    records, now = call.world.store.records, call.world.clock.now()
    records.forget(field)
    changed = []
    for record in list(records.live(owner)):
        if field.key in record.values:
            record.values[field.key] = coerce(field, record.values[field.key], now).text
            changed.append(record)
    records.save(changed)


def delete_field(call: Call) -> Answer:
    """DELETE database/X/field/F and collection/C/field/F, by id or name."""
    owner, field = call.owner, _field(call, by_name=True)
    call.world.store.catalogue.remove_field(owner, field)
    call.world.store.records.forget(field)
    return deleted(call.request, f"field {field.id}")


def get_collections(call: Call) -> Answer:
    """GET database/X/collections."""
    return listed(call, [collection_json(one) for one in call.database.collections])


def create_collection(call: Call) -> Answer:
    """POST database/X/collections: names of letters and underscores."""
    name = _new_name(call, COLLECTION_NAME, call.database)
    collection = Collection(0, name, str(call.request.body.get("description") or ""))
    collection.created = call.world.clock.stamp()
    call.world.store.catalogue.add_collection(call.database, collection)
    return created(call.request, f"collection/{collection.id}", collection.id)


def get_interests(call: Call) -> Answer:
    """GET database/X/interests."""
    return listed(call, [interest_json(one) for one in call.database.interests])


def create_interest(call: Call) -> Answer:
    """POST database/X/interests."""
    name = _new_name(call, _ANY_NAME, call.database)
    group = str(call.request.body.get("group") or "")
    interest = call.world.store.catalogue.add_interest(call.database, name, group)
    return created(call.request, f"interest/{interest.id}", interest.id)


def update_interest(call: Call) -> Answer:
    """PUT interest/I."""
    old, body = call.interest, call.request.body
    name = str(body.get("name") or old.name)
    if name.lower() != old.name.lower() and name.lower() in _taken(call.database, call):
        raise ApiError(BAD_DATA)
    new = Interest(old.id, name, str(body.get("group", old.group) or ""))
    call.database.interests[:] = [new if one.id == old.id else one for one in call.database.interests]
    call.world.store.catalogue.save(call.database)
    return updated(call.request)


def delete_interest(call: Call) -> Answer:
    """DELETE interest/I."""
    call.database.interests.remove(call.interest)
    call.world.store.catalogue.save(call.database)
    return deleted(call.request, f"interest {call.interest.id}")


def get_identity(call: Call) -> Answer:
    """GET identity: flat, with more keys from v3 on."""
    account = call.world.account
    content: dict[str, Any] = account.model_dump(include={"id", "name", "description", "company"})
    if call.request.version >= 3:
        content |= {"customer": account.id, "usedBy": [], "license": "sandbox"}
    return as_json(content)


def get_consumption(call: Call) -> Answer:
    """GET consumption: only API calls are counted; begin and end are both included."""
    begin, end = (call.request.query.get(name) for name in ("begin", "end"))
    if not isinstance(begin, str) or not isinstance(end, str):
        raise ApiError("URL parameters begin and end are required")
    for day in (begin, end):
        if canonical(day) is None or len(day) != len("2024-01-31"):
            call.notes.note("parameter_not_canonical", "day", day)
    names = ("emails", "texts", "fax", "webpages", "apicalls", "litmustests", "twofiftyoktests")
    calls = call.world.store.calls(begin, end)
    return as_json({name: calls if name == "apicalls" else 0 for name in names})


def _place(owner: Owner) -> str:
    return f"{'database' if isinstance(owner, Database) else 'collection'}/{owner.id}"


def _taken(owner: Owner | None, call: Call) -> set[str]:
    """List the names that a new field, interest or collection of `owner` may not have, or a new database without one."""
    if owner is None:
        return {one.name.lower() for one in call.world.store.catalogue.databases.values()}
    names = [field.name for field in owner.fields]
    if isinstance(owner, Database):
        names += [one.name for one in owner.interests] + [one.name for one in owner.collections]
    return {name.lower() for name in names}


def _name(call: Call, pattern: re.Pattern[str]) -> str:
    name = call.request.body.get("name")
    if not isinstance(name, str) or not pattern.fullmatch(name):
        raise ApiError(BAD_DATA)
    return name


def _new_name(call: Call, pattern: re.Pattern[str], owner: Owner | None) -> str:
    name = _name(call, pattern)
    if name.lower() in _taken(owner, call):
        raise ApiError(BAD_DATA)
    return name


def _field(call: Call, by_name: bool) -> Field:
    wanted = call.request.elements[3]
    number = id_of(wanted)
    field = None if number is None else call.owner.field_with_id(number)
    if field is None and by_name:
        field = call.owner.field_named(wanted)
    if field is None:
        raise ApiError("Failed to get the field")
    return field


def _described(call: Call, field: Field) -> Field:
    """Change what the body mentions; unknown keys are ignored, a type that does not exist is refused."""
    body = call.request.body
    changes: dict[str, Any] = {}
    if "type" in body:
        if body["type"] not in TYPES:
            raise ApiError(BAD_DATA)
        changes["type"] = body["type"]
    if "value" in body:
        value = body["value"]
        lines = list(value.values()) if isinstance(value, Mapping) else value if isinstance(value, list) else [value]
        changes["value"] = "\n".join("" if one is None else str(one) for one in lines).replace("\r\n", "\n")
    for name in ("length", "textlines"):
        number = id_of(body.get(name))
        if number is not None:
            changes[name] = number
        elif body.get(name) is not None:
            call.notes.note("parameter_not_canonical", name, body[name])
    for name in ("displayed", "ordered", "hidden", "index"):
        if name in body:
            changes[name] = flag(call, body, name)
    if "description" in body:
        changes["description"] = str(body["description"] or "")
    return replace(field, **changes)
