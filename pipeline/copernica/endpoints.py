"""The requests of profiles, subprofiles and lists (pure; API sheet 8-10). Imports and set-up have their own modules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.copernica.selector import Selector, query_of, survives
from pipeline.copernica.structure import Collection, Database, Field
from pipeline.copernica.versions import Version
from pipeline.copernica.wire import Connection, Kind, Request, json_body, path


@dataclass(frozen=True)
class Change:
    """What a PUT with a selector does to the records that match all of `selectors`.

    `create` makes a record where none matches, from `fields` only. Raises ValueError without a selector, and for
    `create` where `fields` does not write the values that are selected by: each repetition would make another record
    (API sheet 9).
    """

    selectors: tuple[Selector, ...]
    fields: Mapping[str, str]
    create: bool = False

    def __post_init__(self) -> None:
        if not self.selectors:
            raise ValueError("a PUT without a selector would change every record")
        checked(self.fields)
        folded = {name.casefold() for name in self.fields}
        names = [one.field.name for one in self.selectors]
        keeps = survives(self.selectors, self.fields)
        if self.create and not (keeps and all(name.casefold() in folded for name in names)):
            raise ValueError(f"`create` must write what is selected by: {', '.join(names)}")

    @property
    def kind(self) -> Kind:
        """Return what may be done when it fails: see `retry.decide`."""
        if self.create:
            return Kind.UPSERT
        return Kind.UPDATE_MANY if survives(self.selectors, self.fields) else Kind.UPDATE_MOVING

    @property
    def options(self) -> tuple[tuple[str, str], ...]:
        """Return the query beside the selectors."""
        return (("create", "1"),) * self.create


def checked(fields: Mapping[str, str], known: Mapping[str, Field] | None = None) -> dict[str, str]:
    """Return fields for a body; raises ValueError for what Copernica would bend in silence.

    That is: no field at all (an empty record), a value that is no text, two spellings of one name (the last wins), and,
    where the fields are known, a name that is not one of them (dropped; API sheet 1, 3.1).
    """
    folded = [name.casefold() for name in fields]
    names = None if known is None else {name.casefold() for name in known}
    if not fields:
        raise ValueError("no fields to write")
    if len(set(folded)) < len(folded):
        raise ValueError("one field is named twice, in two spellings")
    for name, value in fields.items():
        if not isinstance(value, str):
            raise ValueError(f"the value of {name!r} must be a text")
        if names is not None and name.casefold() not in names:
            raise ValueError(f"there is no field {name!r}: Copernica would drop it in silence")
    return dict(fields)


def list_profiles(database: Database, selectors: Sequence[Selector]) -> Request:
    """Build GET `database/$id/profiles`, still without its page."""
    return Request("GET", path("database", database.id, "profiles"), query_of(selectors, database.fields))


def create_profile(
    version: Version, database: Database, fields: Mapping[str, str], interests: Mapping[str, bool] | None
) -> Request:
    """Build POST `database/$id/profiles`, which always makes one and never looks whether it is there."""
    for name in interests or {}:
        if database.interest(name) is None:
            raise ValueError(f"there is no interest {name!r}")
    body = version.profile_body(checked(fields, database.fields), interests)
    return _create(path("database", database.id, "profiles"), body)


def put_profiles(version: Version, database: Database, change: Change) -> Request:
    """Build PUT `database/$id/profiles`, which changes all that match."""
    body = version.profile_body(checked(change.fields, database.fields))
    query = query_of(change.selectors, database.fields) + change.options
    return Request("PUT", path("database", database.id, "profiles"), query, json_body(body), change.kind)


def update(noun: str, number: int, fields: Mapping[str, str]) -> Request:
    """Build PUT `profile/$id` or `subprofile/$id` with `{fields}`, the same in every version that has it."""
    return Request("PUT", path(noun, number), (), json_body({"fields": checked(fields)}), Kind.SAME_STATE)


def update_fields(noun: str, number: int, fields: Mapping[str, str]) -> Request:
    """Build PUT `profile/$id/fields` or `subprofile/$id/fields`, flat in every version."""
    return Request("PUT", path(noun, number, "fields"), (), json_body(checked(fields)), Kind.SAME_STATE)


def get(*elements: str | int) -> Request:
    """Build a GET of anything by its path."""
    return Request("GET", path(*elements))


def delete(noun: str, number: int) -> Request:
    """Build DELETE `profile/$id` or `subprofile/$id`, without a body (⚠C3)."""
    return Request("DELETE", path(noun, number), kind=Kind.DELETE)


def switch_interests(profile_id: int, switches: Mapping[str, bool]) -> Request:
    """Build POST `profile/$id/interests` with an explicit map; those not named stay as they are (data rule 33)."""
    if not switches or any(type(on) is not bool for on in switches.values()):
        raise ValueError("interests are switched by a map from name to True or False")
    body = json_body(dict(switches))
    return Request("POST", path("profile", profile_id, "interests"), (), body, Kind.SAME_STATE)


def list_collection(collection: Collection, selectors: Sequence[Selector]) -> Request:
    """Build GET `collection/$id/subprofiles`, still without its page."""
    return Request("GET", path("collection", collection.id, "subprofiles"), query_of(selectors, collection.fields))


def create_subprofile(profile_id: int, collection: Collection, fields: Mapping[str, str]) -> Request:
    """Build POST `profile/$id/subprofiles/$collection`, flat in every version."""
    return _create(path("profile", profile_id, "subprofiles", collection.id), checked(fields, collection.fields))


def _create(where: str, body: object) -> Request:
    return Request("POST", where, (), json_body(body), Kind.CREATE, Connection.RECENT)
