"""Copy a database with its structure and, if wanted, its records (edge: SQLite; API sheet 8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pipeline.sandbox.model import Collection, Database, Field, Owner, Record
from pipeline.sandbox.store import Store


def copy_database(store: Store, source: Database, name: str, wanted: Mapping[str, bool], stamp: str) -> Database:
    """Copy `source` under a new name (inside `Store.writing`); `wanted` names what else than fields to copy."""
    catalogue = store.catalogue
    target = Database(0, name, source.description, source.delete_behaviour, archived=source.archived, created=stamp)
    catalogue.add_database(target)
    keys = _copy_fields(store, source, target)
    interests = {one.id: catalogue.add_interest(target, one.name, one.group).id for one in source.interests}
    collections: list[tuple[Collection, Collection, dict[str, str]]] = []
    for one in source.collections if wanted.get("collections") or wanted.get("subprofiles") else []:
        copied = catalogue.add_collection(target, Collection(0, one.name, one.description, one.delete_behaviour))
        collections.append((one, copied, _copy_fields(store, one, copied)))
    if not wanted.get("profiles"):
        return target
    for profile in list(store.records.live(source)):
        new = _copied(store, profile, target, keys, stamp)
        new.interests = {interests[number] for number in profile.interests if number in interests}
        store.records.save([new])
        for old, copied, inner in collections if wanted.get("subprofiles") else []:
            for subprofile in store.records.subprofiles(profile.id, old.id):
                below = _copied(store, subprofile, copied, inner, stamp)
                below.profile = new.id
                store.records.save([below])
    return target


def _copy_fields(store: Store, source: Owner, target: Owner) -> dict[str, str]:
    def copied(field: Field) -> str:
        return store.catalogue.add_field(target, replace(field)).key

    return {field.key: copied(field) for field in source.fields}


def _copied(store: Store, record: Record, owner: Owner, keys: Mapping[str, str], stamp: str) -> Record:
    new = Record(record.kind, store.counters.next(record.kind), owner.id, record.secret, stamp, stamp)
    store.records.add(owner, new, {keys[key]: text for key, text in record.values.items() if key in keys})
    return new
