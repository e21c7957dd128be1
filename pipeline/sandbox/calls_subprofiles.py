"""Answer the calls on subprofiles that differ from those on profiles (wiring: endpoint; API sheet 10)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.sandbox import query
from pipeline.sandbox.answers import Answer, ApiError, as_json, created, created_by_update, updated, updated_many
from pipeline.sandbox.calls import NO_COLLECTION, Call, flag, fresh_values, note_unfindable, selected_for_update, values
from pipeline.sandbox.calls_profiles import change_values, list_records, new_record, set_secret
from pipeline.sandbox.model import Collection, Owner, Record
from pipeline.sandbox.shapes import record_json


def _collection(call: Call, message: str = NO_COLLECTION) -> Collection:
    """Find the collection of `profile/P/subprofiles/C` by id or name in the profile's database."""
    wanted = call.request.elements[3]
    for one in call.database.collections:
        if str(one.id) == wanted or one.name.lower() == wanted.lower():
            return one
    raise ApiError(message)


def list_subprofiles(call: Call) -> Answer:
    """GET profile/P/subprofiles/C: a list wrapper, in v1 a plain array (switch v1_subprofiles)."""
    collection, profile = _collection(call), call.record
    if call.request.version == 1 and call.world.switches["v1_subprofiles"] == "array":
        found = call.world.store.records.subprofiles(profile.id, collection.id)
        return as_json([record_json(collection, one, 1) for one in found])
    return list_records(call, collection, profile.id)


def create_subprofile(call: Call) -> Answer:
    """POST profile/P/subprofiles/C: always creates, also under a removed profile."""
    collection = _collection(call, "Subprofile could not be created")
    record = _make(call, collection, _flat(call, collection))
    return created(call.request, f"subprofile/{record.id}", record.id)


def _flat(call: Call, collection: Owner) -> dict[str, str]:
    """Read a flat body; one that is wrapped in `fields` silently does nothing (API sheet 1, trap 5)."""
    given = dict(call.request.body)
    if isinstance(given.get("fields"), (Mapping, list)) and collection.field_named("fields") is None:
        call.notes.note("wrapped_subprofile_body", collection.name)
        given.pop("fields")
    return values(call, collection, given)


def _make(call: Call, collection: Collection, given: dict[str, str]) -> Record:
    profile = call.record
    if profile.removed:
        call.notes.note("subprofile_under_removed", f"profile {profile.id}")
    record = new_record(call, "subprofile", collection, profile.id)
    call.world.store.records.add(collection, record, fresh_values(call, collection, given))
    call.world.store.records.save([record])
    return record


def update_subprofiles(call: Call) -> Answer:
    """PUT profile/P/subprofiles/C: an illegal selector is an error here (API sheet 6.1)."""
    collection, profile = _collection(call), call.record
    wanted = selected_for_update(call, collection, strict=True)
    changes = _flat(call, collection)
    create = flag(call, call.request.query, "create")
    if create:
        note_unfindable(call, wanted, changes)
    found = list(query.matching(call.world.store.records, collection, wanted, profile.id))
    _update_all(call, collection, found, changes)
    if found or not create:
        return updated_many(call.request)
    record = _make(call, collection, changes)
    # Creating here shows no id in v2 and perhaps none later (API sheet 4.1, U5), and the Location is not canonical.
    place = "/".join(call.request.elements) if call.request.version < 3 else f"subprofile/{record.id}"
    answer = created_by_update(call.request, place, record.id)
    if call.world.switches["subprofile_put_created_id"] == "absent":
        answer.headers = [pair for pair in answer.headers if pair[0] == "Location"]
    return answer


def _update_all(call: Call, collection: Owner, found: list[Record], changes: dict[str, str]) -> None:
    if len(found) > 1:
        call.notes.note("several_matches", f"{len(found)} subprofiles")
    for record in found:
        change_values(call, collection, record, changes)


def update_collection(call: Call) -> Answer:
    """PUT collection/C/subprofiles: all matches of all profiles (v3 and v4)."""
    collection = call.owner
    wanted = selected_for_update(call, collection)
    changes = _flat(call, collection)
    if call.world.switches["collection_put_body"] == "wrapped":
        given: Any = call.request.body.get("fields")
        changes = values(call, collection, given) if isinstance(given, Mapping) else {}
    _update_all(call, collection, list(query.matching(call.world.store.records, collection, wanted)), changes)
    return updated_many(call.request)


def update_subprofile(call: Call) -> Answer:
    """PUT subprofile/S with `{"fields", "secret"}`."""
    collection, record = call.owner, call.record
    body = call.request.body
    for name in body:
        if name not in ("fields", "secret"):
            call.notes.note("flat_body" if collection.field_named(name) else "unknown_body_key", name)
    given = body.get("fields")
    set_secret(call, record)
    if isinstance(given, Mapping) or record.removed:
        change_values(call, collection, record, values(call, collection, given if isinstance(given, Mapping) else {}))
    return updated(call.request)
