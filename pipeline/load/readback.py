"""Read records back by lookups or by paging, and list what differs from what was sent (edge: the API client)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from pipeline.copernica import Client, Database, Profile, Selector, Subprofile
from pipeline.load.compare import different_fields
from pipeline.load.timestamps import created_since, modified_since
from pipeline.model.columns import Keys, LiveField
from pipeline.model.counts import Verified
from pipeline.stage.sample import Expectation
from pipeline.validate.keys import maybe_same

LooseKey = tuple[str, ...]


@dataclass(frozen=True)
class Difference:
    """What is not as it was sent: a target column, or which record is missing (or still there).

    `stored` is the value that is there instead, a customer's, None for a record; `modified` when the record was modified
    last, as Copernica shows it, empty where there is none.
    """

    place: str
    stored: str | None = None
    modified: str = ""


@dataclass(frozen=True)
class Terms:
    """What comparing needs to know of the job and of the live structure; `since` is when a delete was sent."""

    database: Database
    live: Mapping[str, LiveField]
    keys: Keys
    action: str
    delete_target: str | None
    ignore_empty: bool
    since: datetime | None = None

    def newer(self, record: Profile | Subprofile) -> bool:
        """Return whether a record was created after the request whose effect is compared."""
        return self.since is not None and created_since(record.created, self.since)

    def loose(self, fields: Mapping[str, str | None], collection: str | None = None) -> LooseKey:
        """Return the key of target columns under "maybe the same" (data rule 15), of the profile or of a collection."""
        names = self.keys.profile if collection is None else self.keys.collections.get(collection, ())
        return tuple(maybe_same(fields[name] or "") for name in names)

    def loose_stored(self, fields: Mapping[str, str], collection: str | None = None) -> LooseKey:
        """Return the same for the fields of a record that was read."""
        names = self.keys.profile if collection is None else self.keys.collections.get(collection, ())
        return tuple(maybe_same(fields.get(name.rpartition(".")[2], "")) for name in names)


class FoundRecords(Protocol):
    """What was found in the database for the keys that were asked for."""

    def profiles(self, expected: Mapping[str, str | None]) -> list[Profile]:
        """Find the profiles of a key, given by target columns."""

    def subprofiles(self, profile: Profile, collection: str) -> list[Subprofile]:
        """List the subprofiles of a profile in a collection."""


class Lookups:
    """Read a profile with one lookup, and its subprofiles with one list per collection."""

    def __init__(self, client: Client, terms: Terms) -> None:
        self._client, self._terms = client, terms

    def profiles(self, expected: Mapping[str, str | None]) -> list[Profile]:
        """Find the profiles of a key; what a lookup returns is compared before it is used (data rule 31)."""
        terms = self._terms
        selectors = [Selector.equals(terms.database.fields[key], expected[key] or "") for key in terms.keys.profile]
        wanted = terms.loose(expected)
        return [
            one for one in self._client.profiles(terms.database, *selectors) if terms.loose_stored(one.fields) == wanted
        ]

    def subprofiles(self, profile: Profile, collection: str) -> list[Subprofile]:
        """List the subprofiles of a profile in a collection."""
        return list(self._client.subprofiles(profile.id, self._terms.database.collections[collection]))


@dataclass
class Pages:
    """Read the whole database once by id, keeping only the records of some keys."""

    terms: Terms
    _profiles: dict[LooseKey, list[Profile]] = field(default_factory=dict)
    _subprofiles: dict[tuple[int, str], list[Subprofile]] = field(default_factory=dict)

    @classmethod
    def read(
        cls,
        client: Client,
        terms: Terms,
        keys: Iterable[LooseKey],
        collections: Iterable[str],
        *,
        data_only: bool = True,
    ) -> Pages:
        """Page profiles and collections; `modified` excludes nothing, it moves only on real change (data rule 29).

        With `data_only` profiles have no time of creation.
        """
        pages = cls(terms)
        wanted = set(keys)
        for profile in client.profiles(terms.database, data_only=data_only):
            key = terms.loose_stored(profile.fields)
            if key in wanted:
                pages._profiles.setdefault(key, []).append(profile)
        ids = {profile.id for found in pages._profiles.values() for profile in found}
        for name in collections:
            for subprofile in client.collection_subprofiles(terms.database.collections[name], data_only=data_only):
                if subprofile.profile in ids:
                    pages._subprofiles.setdefault((subprofile.profile, name), []).append(subprofile)
        return pages

    def profiles(self, expected: Mapping[str, str | None]) -> list[Profile]:
        """Find the profiles of a key."""
        return self._profiles.get(self.terms.loose(expected), [])

    def subprofiles(self, profile: Profile, collection: str) -> list[Subprofile]:
        """List the subprofiles of a profile in a collection."""
        return self._subprofiles.get((profile.id, collection), [])


def verify(sample: Sequence[Expectation], lookups: Lookups, terms: Terms, final_at: Mapping[int, datetime]) -> Verified:
    """Read a sample back by key and compare it with what was sent (data rule 27); raises ApiError when that cannot be done.

    `final_at` is when the last chunk of a key was final, by `_key`: a record that was modified after that was changed by
    somebody else, and is no difference.
    """
    places: dict[str, None] = {}
    different = changed = 0
    for expectation in sample:
        final = final_at.get(expectation.key)
        found = differences(expectation, lookups, terms)
        ours = [one for one in found if final is None or not modified_since(one.modified, final)]
        places |= dict.fromkeys(one.place for one in ours)
        different += bool(ours)
        changed += bool(found) and not ours
    return Verified(len(sample), len(sample) - different, different, tuple(places), changed)


def differences(expected: Expectation, found: FoundRecords, terms: Terms) -> list[Difference]:
    """List what is not as it was sent (data rule 27).

    Keys that are maybe the same may have become one profile or several: what is equal in either sense is as it was sent.
    """
    as_one = _as_one_profile(expected, found, terms)
    if not expected.apart or (not as_one and terms.action != "delete"):
        return as_one
    apart = [one for spelled in expected.apart for one in _as_one_profile(spelled, found, terms)]
    if terms.action == "delete":  # every one of them has to go
        return apart
    return as_one if apart else []


def _as_one_profile(expected: Expectation, found: FoundRecords, terms: Terms) -> list[Difference]:
    profiles = found.profiles(expected.profile)
    if terms.action == "delete":
        return _remaining(expected, profiles, found, terms)
    if not profiles:
        return [] if terms.action == "update" else [Difference("profile not found")]
    return min((list(_of_profile(expected, one, found, terms)) for one in profiles), key=len)


def _of_profile(expected: Expectation, profile: Profile, found: FoundRecords, terms: Terms) -> Iterator[Difference]:
    if terms.action != "ignore or add":
        fields = {name: text for name, text in expected.profile.items() if not name.startswith("interest.")}
        keys = frozenset(terms.keys.profile)
        places = different_fields(fields, profile.fields, terms.live, ignore_empty=terms.ignore_empty, keys=keys)
        yield from (_of_field(place, profile) for place in places)
        for name in expected.profile.keys() - fields.keys():
            text = expected.profile[name]
            switched = name.partition(".")[2] in profile.interests
            if text is not None and (text == "Yes") != switched:
                yield Difference(name, "Yes" if switched else "No", profile.modified)
    for collection, columns in expected.subprofiles:
        yield from _of_subprofile(collection, columns, found.subprofiles(profile, collection), terms)


def _of_field(place: str, record: Profile | Subprofile) -> Difference:
    return Difference(place, record.fields.get(place.rpartition(".")[2], ""), record.modified)


def _of_subprofile(
    collection: str, columns: Mapping[str, str | None], stored: Sequence[Subprofile], terms: Terms
) -> list[Difference]:
    wanted = terms.loose(columns, collection)
    same = [one for one in stored if terms.loose_stored(one.fields, collection) == wanted]
    if not same:
        return [] if terms.action == "update" else [Difference(f"subprofile of {collection} not found")]
    if terms.action == "ignore or add":
        return []
    names = terms.keys.collections.get(collection, ())
    if terms.action == "update" and not any(_surely_same(columns, one, names) for one in same):
        return []  # whether Copernica took it for the same is not known, and a missing one is no difference
    keys = frozenset(names)

    def compare(one: Subprofile) -> list[Difference]:
        places = different_fields(columns, one.fields, terms.live, ignore_empty=terms.ignore_empty, keys=keys)
        return [_of_field(place, one) for place in places]

    return min(map(compare, same), key=len)


def _surely_same(columns: Mapping[str, str | None], stored: Subprofile, names: Sequence[str]) -> bool:
    """Return whether a subprofile has this key in any collation: spelled alike but for the case (data rule 15)."""
    return all(
        (columns[name] or "").casefold() == stored.fields.get(name.rpartition(".")[2], "").casefold() for name in names
    )


def _remaining(
    expected: Expectation, profiles: Sequence[Profile], found: FoundRecords, terms: Terms
) -> list[Difference]:
    """List what a delete has left: the delete behaviour of the database may keep records (API sheet 11.5).

    What was created after `terms.since` is left alone, and no difference.
    """
    if terms.delete_target == "profile":
        old = [one for one in profiles if not terms.newer(one)]
        return [Difference("profile still there")] if old else []
    left = []
    for collection, columns in expected.subprofiles:
        wanted = terms.loose(columns, collection)
        for profile in profiles:
            stored = found.subprofiles(profile, collection)
            if any(terms.loose_stored(one.fields, collection) == wanted and not terms.newer(one) for one in stored):
                left.append(Difference(f"subprofile of {collection} still there"))
    return left
