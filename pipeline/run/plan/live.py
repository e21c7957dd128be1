"""Read the records of staged keys from the target, by lookups or pages, into partition files (edge: API client, files)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import polars as pl

from pipeline.copernica import Profile, Selector, Subprofile, UnexpectedResponseError
from pipeline.run.plan.terms import PlanTerms
from pipeline.run.target import LiveTarget
from pipeline.stage.partitions import Partitions
from pipeline.validate.keys import key_fits

# Records that are objects at one time; the rest lies on disk.
_BATCH = 5_000


@dataclass
class LiveRecords:
    """The target's records of the keys that were asked for, partitioned by key.

    Profiles: `_key`, `_id` and the sent columns of the profile, interests as Yes and No. Subprofiles, per collection: `_key`
    of their profile, `_sub`, `_id`, `_profile` and the columns of the collection. `unread` are keys that cannot be looked
    up, with the reason.
    """

    terms: PlanTerms
    folder: Path
    count: int
    unread: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.profiles = Partitions(self.folder / "profiles", self.count)
        self.subprofiles = {
            name: Partitions(self.folder / f"sub-{at}", self.count)
            for at, name in enumerate(self.terms.sets.collections)
        }

    def add_profiles(self, found: Iterable[Profile], wanted: pl.Series | int) -> pl.DataFrame:
        """Keep profiles whose key is among `wanted`, or all as those of one key; returns their `_id` and `_key`."""
        frame = _profile_frame(list(found), self.terms)
        if isinstance(wanted, int):
            frame = frame.with_columns(pl.lit(wanted, pl.UInt64).alias("_key"))
        else:
            frame = frame.filter(frame["_key"].is_in(wanted.implode()))
        if frame.height:
            self.profiles.add(frame)
        return frame.select("_id", "_key")

    def add_subprofiles(self, collection: str, found: Iterable[Subprofile], owners: pl.DataFrame) -> None:
        """Keep subprofiles of `owners` (`_id`, `_key`)."""
        frame = _subprofile_frame(list(found), collection, self.terms)
        frame = frame.join(owners.rename({"_id": "_profile"}), on="_profile", how="inner")
        if frame.height:
            self.subprofiles[collection].add(frame)


def _read_pages(target: LiveTarget, records: LiveRecords, wanted: pl.Series) -> None:
    """Page the database by id, and each collection; only records of wanted keys are kept."""
    client, database = target.client, target.database
    owners = []
    profiles = client.profiles(database, data_only=True)
    while batch := list(islice(profiles, _BATCH)):
        owners.append(records.add_profiles(batch, wanted))
    known = pl.concat(owners) if owners else pl.DataFrame(schema={"_id": pl.UInt64, "_key": pl.UInt64})
    for name in records.terms.sets.collections:
        subprofiles = client.collection_subprofiles(database.collections[name], data_only=True)
        while subs := list(islice(subprofiles, _BATCH)):
            records.add_subprofiles(name, subs, known)


def _read_lookups(target: LiveTarget, records: LiveRecords, keys: Iterable[pl.DataFrame]) -> None:
    """Look each key up, and list the subprofiles of what is found.

    A key that cannot be selected by, or for which the selector was not honoured, is noted as unread.
    """
    terms, client, database = records.terms, target.client, target.database
    fields = database.fields
    types = [fields[name].type for name in terms.keys.profile]
    for frame in keys:
        for number, *key in frame.select("_key", *terms.keys.profile).iter_rows():
            try:
                selectors = [
                    Selector.equals(fields[name], text) for name, text in zip(terms.keys.profile, key, strict=True)
                ]
                found = list(client.profiles(database, *selectors))
            except (ValueError, UnexpectedResponseError) as error:
                records.unread[number] = str(error)
                continue
            returned = [[one.fields.get(name, "") for name in terms.keys.profile] for one in found]
            if not all(key_fits(key, one, types) for one in returned):
                records.unread[number] = "the lookup gave a profile with another key"
                continue
            owners = records.add_profiles(found, number)
            for name in terms.sets.collections:
                for one in found:
                    listed = client.subprofiles(one.id, database.collections[name])
                    records.add_subprofiles(name, (replace(sub, profile=one.id) for sub in listed), owners)


@dataclass(frozen=True)
class Sizes:
    """How many profiles the target holds, and how many calls it takes to read some keys."""

    profiles: int
    calls_by_pages: int
    calls_by_lookups: int

    @property
    def by_pages(self) -> bool:
        """Return whether paging everything takes no more calls than looking every key up."""
        return self.calls_by_pages <= self.calls_by_lookups

    @classmethod
    def count(cls, target: LiveTarget, terms: PlanTerms, keys: int) -> Sizes:
        """Count the records of the target, one call per level, for so many keys."""
        client, database = target.client, target.database
        subprofiles = [client.count_subprofiles(database.collections[name]) for name in terms.sets.collections]
        profiles = client.count(database)
        pages = sum(-(-count // client.page_rows) or 1 for count in (profiles, *subprofiles))
        return cls(profiles, pages, keys * (1 + len(subprofiles)))


def read_records(
    target: LiveTarget, records: LiveRecords, keys: pl.Series, sizes: Sizes, texts: Iterable[pl.DataFrame]
) -> None:
    """Read the records of the keys the cheaper way; `texts` are frames of `_key` and the key columns, a row per key."""
    if not sizes.profiles:
        return
    if sizes.by_pages:
        _read_pages(target, records, keys)
    else:
        _read_lookups(target, records, texts)


def _profile_frame(found: list[Profile], terms: PlanTerms) -> pl.DataFrame:
    columns: dict[str, pl.Series] = {"_id": pl.Series([one.id for one in found], dtype=pl.UInt64)}
    for name in dict.fromkeys((*terms.keys.profile, *terms.sets.of_profile)):
        if name in terms.sets.interests:
            interest = name.partition(".")[2]
            values = ["Yes" if interest in one.interests else "No" for one in found]
        else:
            values = [one.fields.get(name, "") for one in found]
        columns[name] = pl.Series(values, dtype=pl.String)
    frame = pl.DataFrame(columns)
    return frame.with_columns(terms.key_hash(frame))


def _subprofile_frame(found: list[Subprofile], collection: str, terms: PlanTerms) -> pl.DataFrame:
    columns: dict[str, pl.Series] = {
        "_id": pl.Series([one.id for one in found], dtype=pl.UInt64),
        "_profile": pl.Series([one.profile for one in found], dtype=pl.UInt64),
    }
    for name in terms.sets.of_collection(collection):
        values = [one.fields.get(name.partition(".")[2], "") for one in found]
        columns[name] = pl.Series(values, dtype=pl.String)
    frame = pl.DataFrame(columns)
    return frame.with_columns(terms.sub_hash(frame, collection))
