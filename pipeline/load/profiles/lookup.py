"""Find profiles and subprofiles by key, compare what comes, and keep it for the run (edge: the API client)."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Generic, TypeVar

from pipeline.copernica import (
    Client,
    Collection,
    Database,
    Field,
    Profile,
    Selector,
    Subprofile,
    UnexpectedResponseError,
)
from pipeline.model.columns import Keys
from pipeline.validate.keys import maybe_same

# What is kept at most; a profile's rows stand together, so that what was used longest ago is not needed any more.
MOST_PROFILES = 100_000
MOST_SUBPROFILES = 500_000
# An older id is looked up again: a write to a removed profile succeeds without effect, lookups skip it (API sheet 14).
KEPT_S = 600.0
# Matches that are read, and named, of a key that is to have one.
MOST_MATCHES = 10

K = TypeVar("K")
V = TypeVar("V")


class NotSendableError(Exception):
    """A row cannot be sent safely, such as one whose key nothing can be selected by."""

    def __init__(self, message: str) -> None:
        self.message = message
        super().__init__(message)


class Kept(Generic[K, V]):
    """Keep values until they are old, or too many (the one used longest ago goes first); safe for many threads."""

    def __init__(self, most: int, size: Callable[[V], int], clock: Callable[[], float]) -> None:
        self._most, self._size, self._clock = most, size, clock
        self._values: OrderedDict[K, tuple[float, V]] = OrderedDict()
        self._held = 0
        self._lock = Lock()
        self.dropped = False

    def get(self, key: K) -> V | None:
        """Return a value that was kept less than KEPT_S ago."""
        with self._lock:
            kept = self._values.get(key)
            if kept is None:
                return None
            if self._clock() - kept[0] > KEPT_S:
                self._drop(key)
                return None
            self._values.move_to_end(key)
            return kept[1]

    def put(self, key: K, value: V) -> None:
        """Keep a value from now on."""
        with self._lock:
            self._forget(key)
            self._values[key] = (self._clock(), value)
            self._held += self._size(value)
            while self._held > self._most and len(self._values) > 1:
                self._drop(next(iter(self._values)))

    def forget(self, key: K) -> None:
        """Keep nothing for a key."""
        with self._lock:
            self._forget(key)

    def forget_all(self) -> None:
        """Keep nothing at all."""
        with self._lock:
            self.dropped = self.dropped or bool(self._values)
            self._values.clear()
            self._held = 0

    def _drop(self, key: K) -> None:
        self.dropped = True
        self._forget(key)

    def _forget(self, key: K) -> None:
        kept = self._values.pop(key, None)
        if kept is not None:
            self._held -= self._size(kept[1])


@dataclass(frozen=True)
class Known:
    """A subprofile that was listed: its id and the texts of its key."""

    id: int
    key: tuple[str, ...]


class Lookup:
    """Look up what the database holds for a key, once per profile and run while it is kept (data rules 31, 32).

    `all_matches` reads every match of a key; else no more than are named when a row fails for them.
    """

    def __init__(
        self,
        client: Client,
        database: Database,
        keys: Keys,
        *,
        all_matches: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._database, self._keys = client, database, keys
        self._limit = None if all_matches else MOST_MATCHES + 1
        self._profiles: Kept[tuple[str, ...], tuple[int, ...]] = Kept(MOST_PROFILES, lambda _: 1, clock)
        self._subprofiles: Kept[tuple[int, int], tuple[Known, ...]] = Kept(
            MOST_SUBPROFILES, lambda subs: 1 + len(subs), clock
        )

    @property
    def forgot(self) -> bool:
        """Return whether any profile was forgotten because there were too many, or because it was kept for too long."""
        return self._profiles.dropped

    def profiles(self, key: tuple[str, ...]) -> tuple[int, ...]:
        """Return the ids of the profiles with this key; raises UnexpectedResponseError where the selector was not honoured."""
        known = self.kept(key)
        if known is None:
            known = tuple(profile.id for profile in self.look(key))
            self.keep(key, known)
        return known

    def look(self, key: tuple[str, ...], *, whole: bool = False) -> list[Profile]:
        """Ask for the profiles with this key, whatever is kept, and compare what comes (data rule 31).

        With `whole` all of them are read, with the time of creation.
        """
        selectors = self.selectors(key)
        wanted = _loose(key)
        found = []
        limit = None if whole else self._limit
        for profile in self._client.profiles(self._database, *selectors, limit=limit, data_only=not whole):
            if _loose(profile.fields.get(name, "") for name in self._keys.profile) != wanted:
                raise UnexpectedResponseError(
                    f"the lookup by {', '.join(self._keys.profile)} gave profile {profile.id}, whose key is another:"
                    " Copernica did not honour the selector"
                )
            found.append(profile)
        return found

    def selectors(self, key: tuple[str, ...]) -> tuple[Selector, ...]:
        """Select by the profile key; raises NotSendableError for a value that cannot be selected by."""
        return select(self._keys.profile, key, self._database.fields)

    def kept(self, key: tuple[str, ...]) -> tuple[int, ...] | None:
        """Return the ids that are kept for a key, None where nothing is."""
        return self._profiles.get(self._spelling(key))

    def keep(self, key: tuple[str, ...], ids: tuple[int, ...]) -> None:
        """Remember which profiles have this key."""
        self._profiles.put(self._spelling(key), ids)

    def forget(self, key: tuple[str, ...]) -> None:
        """Remember nothing of this key, nor of the subprofiles below it."""
        known = self.kept(key) or ()
        self._profiles.forget(self._spelling(key))
        for profile_id in known:
            for collection in self._database.collections.values():
                self._subprofiles.forget((profile_id, collection.id))

    def forget_all(self) -> None:
        """Remember nothing: something else than these lookups changes the database."""
        self._profiles.forget_all()
        self._subprofiles.forget_all()

    def matching(self, profile_id: int, collection: Collection, key: tuple[str, ...]) -> tuple[int, ...]:
        """Return the subprofiles of a profile with this key, matched on our side (data rule 32).

        Where a listed key differs in more than letter case and may yet be the same, the server's own comparison decides,
        as it does for profiles: taking one order for another would overwrite it.
        """
        names = self._key_names(collection)
        if not names:
            return ()
        near = [one for one in self.listed(profile_id, collection) if _loose(one.key) == _loose(key)]
        spelling = _spelling(key, names, collection.fields)
        sure = {one.id for one in near if _spelling(one.key, names, collection.fields) == spelling}
        if len(sure) < len(near):
            sure |= {one.id for one in near} & self._asked(profile_id, collection, key)
        return tuple(one.id for one in near if one.id in sure)

    def listed(self, profile_id: int, collection: Collection) -> tuple[Known, ...]:
        """List the subprofiles of a profile in a collection."""
        known = self._subprofiles.get((profile_id, collection.id))
        if known is None:
            known = tuple(self._known(one, collection) for one in self._client.subprofiles(profile_id, collection))
            self.keep_listed(profile_id, collection, known)
        return known

    def keep_listed(self, profile_id: int, collection: Collection, known: tuple[Known, ...]) -> None:
        """Remember the subprofiles of a profile in a collection."""
        self._subprofiles.put((profile_id, collection.id), known)

    def added(self, profile_id: int, collection: Collection, known: Known) -> None:
        """Remember a new subprofile, where the list is kept."""
        listed = self._subprofiles.get((profile_id, collection.id))
        if listed is not None:
            self.keep_listed(profile_id, collection, (*listed, known))

    def removed(self, profile_id: int, collection: Collection, subprofile_id: int) -> None:
        """Remember that a subprofile is gone, where the list is kept."""
        listed = self._subprofiles.get((profile_id, collection.id))
        if listed is not None:
            self.keep_listed(profile_id, collection, tuple(one for one in listed if one.id != subprofile_id))

    def new_subprofiles(self, profile_id: int, collection: Collection) -> list[Subprofile]:
        """List anew, and give those that the kept list does not have."""
        known = {one.id for one in self._subprofiles.get((profile_id, collection.id)) or ()}
        self._subprofiles.forget((profile_id, collection.id))
        return [one for one in self._client.subprofiles(profile_id, collection) if one.id not in known]

    def has_key(self, one: Subprofile, collection: Collection, key: tuple[str, ...]) -> bool:
        """Return whether a subprofile's key is maybe the same as `key`."""
        return _loose(self._known(one, collection).key) == _loose(key)

    def _asked(self, profile_id: int, collection: Collection, key: tuple[str, ...]) -> set[int]:
        """Ask Copernica which subprofiles it takes for those with this key."""
        names = self._key_names(collection)
        selectors = select(names, key, collection.fields)
        found = set()
        for one in self._client.collection_subprofiles(collection, *selectors, data_only=True):
            if not self.has_key(one, collection, key):
                raise UnexpectedResponseError(
                    f"the lookup by {', '.join(names)} of {collection.name} gave subprofile {one.id}, whose key is"
                    " another: Copernica did not honour the selector"
                )
            if one.profile == profile_id:
                found.add(one.id)
        return found

    def _known(self, one: Subprofile, collection: Collection) -> Known:
        return Known(one.id, tuple(one.fields.get(name, "") for name in self._key_names(collection)))

    def _key_names(self, collection: Collection) -> tuple[str, ...]:
        return tuple(name.partition(".")[2] for name in self._keys.collections.get(collection.name, ()))

    def _spelling(self, key: tuple[str, ...]) -> tuple[str, ...]:
        return _spelling(key, self._keys.profile, self._database.fields)


def select(names: Sequence[str], key: Sequence[str], fields: Mapping[str, Field]) -> tuple[Selector, ...]:
    """Return the selectors of a key; raises NotSendableError for a value that cannot be selected by."""
    pairs = tuple(zip(names, key, strict=True))
    try:
        return tuple(Selector.equals(fields[name], text) for name, text in pairs)
    except ValueError as error:
        raise NotSendableError(str(error)) from None


def _loose(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(maybe_same(text) for text in texts)


def _spelling(key: Sequence[str], names: Sequence[str], fields: Mapping[str, Field]) -> tuple[str, ...]:
    """Return what is equal for keys that Copernica certainly takes for one: without letter case, but in a select.

    Keys that are only *maybe* the same are looked up each by itself, so that Copernica decides.
    """
    return tuple(
        text if fields[name].type == "select" else text.casefold() for name, text in zip(names, key, strict=True)
    )
