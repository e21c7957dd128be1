"""Answer the calls on profiles (wiring: endpoint; API sheet 9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.sandbox import query
from pipeline.sandbox.answers import (
    Answer,
    ApiError,
    as_json,
    created,
    created_by_update,
    deleted,
    updated,
    updated_many,
    wrapped,
)
from pipeline.sandbox.calls import (
    BAD_DATA,
    Call,
    conditions,
    expressions,
    flag,
    fresh_values,
    interest_wishes,
    note_unfindable,
    paging,
    selected_for_update,
    set_interests,
    values,
    wish,
)
from pipeline.sandbox.model import Kind, Owner, Record
from pipeline.sandbox.php import id_of
from pipeline.sandbox.query import Wish
from pipeline.sandbox.records import new_secret
from pipeline.sandbox.removal import Remover
from pipeline.sandbox.shapes import fields_of, interest_json, interests_of, record_json


@dataclass
class Body:
    """What a profile body asks for; `wishes` is None when it does not mention interests."""

    values: dict[str, str] = field(default_factory=dict)
    wishes: dict[int, bool] | None = None


def record_list(call: Call) -> Answer:
    """GET database/X/profiles and collection/C/subprofiles."""
    return list_records(call, call.owner)


def list_records(call: Call, owner: Owner, profile: int = 0) -> Answer:
    """Answer with one page of records, `nextid` behind the data (API sheet 5)."""
    asked = paging(call)
    wanted = conditions(call, owner, expressions(call) or [])
    found = query.page(call.world.store.records, owner, wanted, wish(call, owner, asked), profile)
    records = found.records
    if wanted and call.world.switches["lookup_strangers"] is True:
        records = _with_stranger(call, owner, records, asked.limit)
    short = call.request.version > 1 and flag(call, call.request.query, "dataonly")
    data: list[Any] = [record_json(owner, one, call.request.version, short) for one in records]
    content = wrapped(data, asked.start, asked.echo)
    if records and call.request.version > 1:
        content["nextid"] = records[-1].id + 1
    if asked.total:
        content["total"] = found.total
    return as_json(content)


def _with_stranger(call: Call, owner: Owner, records: list[Record], limit: int) -> list[Record]:
    """Put a record in front that nobody asked for."""
    known = {one.id for one in records}
    page = query.page(call.world.store.records, owner, [], Wish(limit=len(known) + 1, total=False))
    strangers = [one for one in page.records if one.id not in known]
    return [*strangers[:1], *records][:limit]


def record_ids(call: Call) -> Answer:
    """GET database/X/profileids and collection/C/subprofileids: a bare array of texts."""
    owner = call.owner
    everything = owner.kind == "subprofile" or call.world.switches["profileids"] == "all"
    asked = paging(call)
    page = Wish(limit=1 << 60, total=False) if everything else Wish(asked.start, asked.limit, total=False)
    return as_json([str(one.id) for one in query.page(call.world.store.records, owner, [], page).records])


def read_body(call: Call, known: frozenset[str]) -> Body:
    """Read `{"fields", "interests"}`, or flat fields in v1; unknown top-level keys are ignored (API sheet 3.1)."""
    body, database = call.request.body, call.database
    if call.request.version == 1 and "fields" in known and "secret" not in known:
        return Body(values(call, database, body))
    strangers = [name for name in body if name not in known]
    for name in strangers:
        call.notes.note("flat_body" if database.field_named(name) else "unknown_body_key", name)
    given, spec = body.get("fields", {}), body.get("interests")
    if isinstance(given, list):
        given = {str(number): one for number, one in enumerate(given)}
    if not isinstance(given, Mapping):
        if "secret" not in known:
            raise ApiError(BAD_DATA)
        call.notes.note("body_unreadable", "fields")
        given = {}
    return Body(values(call, database, given), None if spec is None else interest_wishes(call, spec))


_WRAPPED = frozenset({"fields", "interests"})
_ENTITY = frozenset({"fields", "interests", "secret"})


def create_profile(call: Call) -> Answer:
    """POST database/X/profiles: always creates."""
    body = read_body(call, _WRAPPED)
    profile = make_profile(call, body)
    return created(call.request, f"profile/{profile.id}", profile.id)


def make_profile(call: Call, body: Body) -> Record:
    """Create a profile; fields that the body does not mention take their defaults."""
    record = new_record(call, "profile", call.database)
    call.world.store.records.add(call.database, record, fresh_values(call, call.database, body.values))
    set_interests(call, record, body.wishes or {}, replace=False)
    call.world.store.records.save([record])
    return record


def new_record(call: Call, kind: Kind, owner: Owner, profile: int = 0) -> Record:
    """Make an empty record with the next id."""
    stamp = call.world.clock.stamp()
    number = call.world.store.counters.next(kind)
    return Record(kind, number, owner.id, new_secret(), stamp, stamp, profile)


def update_profiles(call: Call) -> Answer:
    """PUT database/X/profiles: update all matches, or with `create` make one when there are none."""
    database, parameters = call.database, call.request.query
    # An unusable body is refused before a missing selector is.
    body = read_body(call, _WRAPPED)
    wanted = selected_for_update(call, database)
    asynchronous, create = flag(call, parameters, "async"), flag(call, parameters, "create")
    if asynchronous:
        call.notes.note("async_call")
    if create:
        note_unfindable(call, wanted, body.values)
    found = list(query.matching(call.world.store.records, database, wanted))
    if create:
        found = without_racing(call, found)
    if len(found) > 1:
        call.notes.note("several_matches", f"{len(found)} profiles")
    for record in found:
        change_profile(call, record, body)
    if found or not create:
        return updated_many(call.request)
    profile = make_profile(call, body)
    call.world.newest_request[profile.id] = call.world.journal.last_number
    # Whether an asynchronous create returns its id is unknown (U11); it does not here.
    return (
        updated_many(call.request)
        if asynchronous
        else created_by_update(call.request, f"profile/{profile.id}", profile.id)
    )


def without_racing(call: Call, found: list[Record]) -> list[Record]:
    """Leave out what was created while this request was already under way: it did not see that (API sheet 9)."""
    if call.world.switches["create_race"] == "safe":
        return found
    newest = call.world.newest_request
    seen = [one for one in found if call.request.number > newest.get(one.id, 0)]
    if found and not seen:
        call.notes.note("create_race", f"profile {found[0].id}")
    return seen


def change_profile(call: Call, record: Record, body: Body) -> None:
    """Update one profile; `modified` moves only when something really differs, or when it is removed."""
    if record.removed:
        touch_removed(call, record, bool(body.values or body.wishes))
        return
    changed = call.world.store.records.change(call.database, record, body.values)
    if body.wishes is not None:
        replace = call.world.switches["interests_put"] == "replace"
        changed = set_interests(call, record, body.wishes, replace) or changed
    if changed:
        record.modified = call.world.clock.stamp()
    call.world.store.records.save([record])


def touch_removed(call: Call, record: Record, named: bool) -> None:
    """Accept an update of a removed entity: `modified` moves if it names anything known, no more (API sheet 9)."""
    call.notes.note("updated_removed", f"{record.kind} {record.id}")
    if named:
        record.modified = call.world.clock.stamp()
        call.world.store.records.save([record])


def get_record(call: Call) -> Answer:
    """GET profile/P and subprofile/S, removed ones too."""
    return as_json(record_json(call.owner, call.record, call.request.version))


def update_profile(call: Call) -> Answer:
    """PUT profile/P."""
    body = read_body(call, _ENTITY)
    set_secret(call, call.record)
    change_profile(call, call.record, body)
    return updated(call.request)


def set_secret(call: Call, record: Record) -> None:
    """Take a new secret from the body; null and arrays become "1", foreign letters a question mark (API sheet 9)."""
    if "secret" in call.request.body:
        secret = call.request.body["secret"]
        if not isinstance(secret, str) or not secret.isascii():
            call.notes.note("secret_bent")
        text = "1" if secret is None or isinstance(secret, (dict, list)) or secret is True else str(secret or "")
        record.secret = text.encode("ascii", "replace").decode()
        call.world.store.records.save([record])


def get_fields(call: Call) -> Answer:
    """GET profile/P/fields and subprofile/S/fields: a bare object."""
    return as_json(fields_of(call.owner, call.record))


def update_fields(call: Call) -> Answer:
    """PUT profile/P/fields and subprofile/S/fields: a flat body."""
    change_values(call, call.owner, call.record, values(call, call.owner, call.request.body))
    return updated(call.request)


def change_values(call: Call, owner: Owner, record: Record, changes: dict[str, str]) -> None:
    """Update values of one record; `modified` moves as with `change_profile`."""
    if record.removed:
        touch_removed(call, record, bool(changes))
    elif call.world.store.records.change(owner, record, changes):
        record.modified = call.world.clock.stamp()
        call.world.store.records.save([record])


def delete_record(call: Call) -> Answer:
    """DELETE profile/P and subprofile/S; `completely: Yes` takes it from the back end too."""
    owner, record = call.owner, call.record
    completely = flag(call, call.request.body, "completely") and call.request.version > 1
    remover(call).remove(owner, record, completely)
    return deleted(call.request, f"{record.kind} {record.id}")


def remover(call: Call) -> Remover:
    """Make a remover for this request."""
    store = call.world.store
    return Remover(store.catalogue, store.records, call.world.clock.now(), call.notes)


def delete_profiles(call: Call) -> Answer:
    """DELETE database/X/profiles with `{"profiles": [ids]}`; ids of other databases go too (unknown, worst case)."""
    wanted = call.request.body.get("profiles")
    given = list(wanted.values()) if isinstance(wanted, Mapping) else wanted if isinstance(wanted, list) else []
    if not given:
        call.notes.note("delete_no_list", "profiles", wanted)
    for one in given:
        number = id_of(one)
        record = None if number is None else call.world.store.records.get("profile", number)
        if record is None:
            call.notes.note("delete_unknown_profile", "profile", one)
            continue
        if record.removed:
            continue
        if record.owner != call.database.id:
            call.notes.note("delete_foreign_profile", f"profile {record.id}")
        remover(call).remove(call.world.store.catalogue.databases[record.owner], record)
    return deleted(call.request)


def get_interests(call: Call) -> Answer:
    """GET profile/P/interests: names, or with `return` ids or objects."""
    on = [one for one in call.database.interests if one.id in call.record.interests]
    form = call.request.query.get("return")
    if form not in (None, "ids", "objects", "names"):
        call.notes.note("parameter_not_canonical", "return", form)
    if form == "ids":
        return as_json([str(one.id) for one in on])
    if form == "objects":
        return as_json([interest_json(one) for one in on])
    return as_json(interests_of(call.database, call.record))


def add_interests(call: Call) -> Answer:
    """POST profile/P/interests: what is not mentioned stays."""
    return _interests(call, replace=False)


def put_interests(call: Call) -> Answer:
    """PUT profile/P/interests: what is not mentioned goes off."""
    return _interests(call, replace=True)


def _interests(call: Call, replace: bool) -> Answer:
    record, wishes = call.record, interest_wishes(call, call.request.body)
    if record.removed:
        touch_removed(call, record, bool(wishes))
    elif set_interests(call, record, wishes, replace):
        record.modified = call.world.clock.stamp()
        call.world.store.records.save([record])
    return updated(call.request)
