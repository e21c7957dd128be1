"""Check that keys find one profile each, and find it quickly (edge: the API client; data rule 35)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from pipeline.copernica import Database, Selector, UnexpectedResponseError
from pipeline.errors import Problem
from pipeline.guards.duplicates import doubles
from pipeline.guards.sending import KeyTexts, Sending
from pipeline.log import get_logger
from pipeline.validate.keys import key_fits

# Data rule 35.
SAMPLED_KEYS = 20
MOST_UNINDEXED_PROFILES = 10_000


def key_without_index(sending: Sending) -> Iterator[Problem]:
    """Refuse a profile key without an index in a large database, which would search all of it for every row.

    In one of at most 10,000 profiles, and for keys of subprofiles, it is a warning. An `add` searches nothing.
    """
    if sending.job.target.action == "add":
        return
    log = get_logger()
    for name in without_index(sending.database, sending.job.target.key_fields):
        if "." in name:
            log.warning("key.without_index", key=name)
            continue
        there = sending.profiles_there
        if there <= MOST_UNINDEXED_PROFILES:
            log.warning("key.without_index", key=name, profiles=there)
            continue
        what = f"the key {name} has no index, and Copernica would search all {there:,} profiles for every row"
        do = "let the field be indexed in Copernica; pass --force key_without_index if that cannot be"
        yield Problem(what, "target.key_fields", do, "key_without_index")


def without_index(database: Database, key_fields: Iterable[str]) -> Iterator[str]:
    """Yield the keys that have a field in the database, and no index."""
    for name in key_fields:
        collection, dot, inner = name.partition(".")
        if dot:
            fields = database.collections[collection].fields if collection in database.collections else {}
        else:
            fields = database.fields
        field = fields.get(inner if dot else name)
        if field is not None and not field.index:
            yield name


def unique_keys(sending: Sending, method: str) -> Iterator[Problem]:
    """Refuse keys that several profiles have: an import changes, or deletes, every one of them.

    20 keys are looked up, the same ones each time, or all keys of the run are compared with the whole database. It does not
    apply to `add`, to jobs without a profile key, and to the per-profile method, which looks every key up itself (data rule
    31), unless `all` is to be known before the first write.
    """
    how, target, names = sending.job.guards.unique_keys, sending.job.target, sending.keys.profile
    if how == "off" or target.action == "add" or not names:
        return
    if method == "profiles" and (how == "sample" or target.on_several_matches == "all"):
        return
    if how == "sample":
        yield from _looked_up(sending, sending.sample(SAMPLED_KEYS))
    elif sending.staged.profiles <= -(-sending.profiles_there // sending.client.page_rows):
        yield from _looked_up(sending, (key for one in sending.profile_keys() for key in one.select(names).iter_rows()))
    else:
        found = doubles(sending)
        if found.keys:
            yield _refusal(sending, f"{found.keys:,} keys of this run", found.first)


def _looked_up(sending: Sending, keys: Iterable[KeyTexts]) -> Iterator[Problem]:
    looked, several, unclear = 0, 0, False
    first: tuple[int, ...] = ()
    page_rows, names = sending.client.page_rows, ", ".join(sending.keys.profile)
    for key in keys:
        try:
            selectors = _selectors(sending, key)
        except ValueError as error:
            get_logger().warning("unique_keys.not_looked_up", reason=str(error))
            return
        try:
            found = list(sending.client.profiles(sending.database, *selectors, limit=page_rows, data_only=True))
        except UnexpectedResponseError as error:
            yield _unclear(error.message)
            return
        looked += 1
        same = [profile.id for profile in found if _has(sending, profile.fields, key)]
        # One page shows all there is, whether the selector was honoured or not, unless it is full.
        unclear = unclear or len(same) < len(found) == page_rows
        several += len(same) > 1
        first = first or (tuple(same) if len(same) > 1 else ())
    if several:
        yield _refusal(sending, f"{several} of {looked} keys that were looked up", first)
    elif unclear:
        yield _unclear(f"lookups by {names} returned {page_rows} profiles with other keys")


def _selectors(sending: Sending, key: KeyTexts) -> list[Selector]:
    fields = sending.database.fields
    return [Selector.equals(fields[name], text) for name, text in zip(sending.keys.profile, key, strict=True)]


def _has(sending: Sending, fields: Mapping[str, str], key: KeyTexts) -> bool:
    names = sending.keys.profile
    types = [sending.database.fields[name].type for name in names]
    return key_fits(key, [fields.get(name, "") for name in names], types)


def _unclear(why: str) -> Problem:
    what = f"whether keys are unique cannot be seen: {why}"
    do = "see how Copernica takes selectors on this field; pass --force unique_keys to send all the same"
    return Problem(what, "guards.unique_keys", do, "unique_keys")


def _refusal(sending: Sending, which: str, ids: tuple[int, ...]) -> Problem:
    action = "delete" if sending.job.target.action == "delete" else "change"
    names, first = ", ".join(sending.keys.profile), " and ".join(str(number) for number in ids[:2])
    what = f"{which} ({names}) have several profiles, first {first}; an import would {action} every one of them"
    do = "mend the doubles in Copernica, or name a key that is unique; --force unique_keys sends all the same"
    return Problem(what, "guards.unique_keys", do, "unique_keys")
