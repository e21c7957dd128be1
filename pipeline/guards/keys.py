"""See that keys find one profile each, and find it quickly (edge: the API client; data rule 35)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pipeline.copernica import Profile, Selector, StrangerError
from pipeline.errors import Problem
from pipeline.guards.duplicates import Doubles
from pipeline.guards.record_counts import Survey
from pipeline.guards.staged import KeyTexts, StagedRows
from pipeline.load.compare import NOT_COMPARED
from pipeline.log import get_logger
from pipeline.model.job import Job
from pipeline.validate.keys import maybe_same

# Data rule 35.
SAMPLED_KEYS = 20
MOST_UNINDEXED_PROFILES = 10_000


def key_without_index(job: Job, keys: StagedRows, survey: Survey) -> Iterator[Problem]:
    """Refuse a profile key without an index in a large database, which would search all of it for every row.

    In one of at most 10,000 profiles, and for keys of subprofiles, it is a warning. An `add` searches nothing.
    """
    if job.target.action == "add":
        return
    for collection, names in keys.keys.collections.items():
        fields = survey.database.collections[collection].fields
        for name in names:
            if not fields[name.partition(".")[2]].index:
                get_logger().warning("key.without_index", key=name)
    for name in keys.keys.profile:
        if survey.database.fields[name].index:
            continue
        if survey.profiles <= MOST_UNINDEXED_PROFILES:
            get_logger().warning("key.without_index", key=name, profiles=survey.profiles)
            continue
        what = f"the key {name} has no index, and Copernica would search all {survey.profiles:,} profiles for every row"
        do = "let the field be indexed in Copernica; pass --force key_without_index if that cannot be"
        yield Problem(what, "target.key_fields", do, "key_without_index")


@dataclass(frozen=True)
class UniqueKeys:
    """The guard `unique_keys`: an import changes, or deletes, every profile that has the key of a row.

    `seed` chooses the sample. `doubles` counts keys in the whole database where `all` asks for it.
    """

    job: Job
    staged: StagedRows
    survey: Survey
    doubles: Doubles
    seed: int

    def check(self, way: str, profiles: int) -> Iterator[Problem]:
        """Look 20 keys up, or find all of this run's keys that occur more than once; `profiles` is how many there are.

        It does not apply to `add`, to jobs without a profile key, and to the per-profile way, which looks every key up
        itself (data rule 31), unless `all` is to be known before the first write.
        """
        how, target, names = self.job.guards.unique_keys, self.job.target, self.staged.keys.profile
        if how == "off" or target.action == "add" or not names:
            return
        if way == "profiles" and (how == "sample" or target.on_several_matches == "all"):
            return
        if how == "sample":
            yield from self._looked_up(self.staged.sample(SAMPLED_KEYS, self.seed))
        elif profiles <= -(-self.survey.profiles // self.survey.client.page_rows):
            frames = self.staged.profile_keys()
            yield from self._looked_up(key for frame in frames for key in frame.select(names).iter_rows())
        else:
            yield from self._paged()

    def _looked_up(self, keys: Iterable[KeyTexts]) -> Iterator[Problem]:
        looked, several, unclear = 0, 0, False
        first: tuple[int, ...] = ()
        for key in keys:
            try:
                found = self._profiles(key)
            except ValueError as error:
                get_logger().warning("unique_keys.not_looked_up", reason=str(error))
                return
            except StrangerError as error:
                yield self._unclear(error.message)
                return
            looked += 1
            same = [profile.id for profile in found if self._is(profile, key)]
            # One page shows all there is, whether the selector was honoured or not, unless it is full.
            unclear = unclear or len(same) < len(found) == self.survey.client.page_rows
            several += len(same) > 1
            first = first or (tuple(same) if len(same) > 1 else ())
        if several:
            yield self._refusal(f"{several} of {looked} keys that were looked up", first)
        elif unclear:
            yield self._unclear(
                f"lookups by {self._names} gave {self.survey.client.page_rows} profiles with other keys"
            )

    def _profiles(self, key: KeyTexts) -> list[Profile]:
        fields = self.survey.database.fields
        selectors = [
            Selector.equals(fields[name], text) for name, text in zip(self.staged.keys.profile, key, strict=True)
        ]
        client, database = self.survey.client, self.survey.database
        return list(client.profiles(database, *selectors, limit=client.page_rows, data_only=True))

    def _is(self, profile: Profile, key: KeyTexts) -> bool:
        """Say whether a profile's key is maybe the same (rule 15); a phone is rewritten, so Copernica's word stands."""
        return all(
            self.survey.database.fields[name].type in NOT_COMPARED
            or maybe_same(profile.fields.get(name, "")) == maybe_same(text)
            for name, text in zip(self.staged.keys.profile, key, strict=True)
        )

    def _unclear(self, why: str) -> Problem:
        what = f"whether keys are unique cannot be seen: {why}"
        do = "see how Copernica takes selectors on this field; pass --force unique_keys to send all the same"
        return Problem(what, "guards.unique_keys", do, "unique_keys")

    def _paged(self) -> Iterator[Problem]:
        found = self.doubles.among(self.survey, self.staged)
        if found.keys:
            yield self._refusal(f"{found.keys:,} keys of this run", found.first)

    def _refusal(self, which: str, ids: tuple[int, ...]) -> Problem:
        action = "delete" if self.job.target.action == "delete" else "change"
        named = " and ".join(str(number) for number in ids[:2])
        what = (
            f"{which} ({self._names}) have several profiles, first {named}; an import would {action} every one of them"
        )
        do = "mend the doubles in Copernica, or name a key that is unique; --force unique_keys sends all the same"
        return Problem(what, "guards.unique_keys", do, "unique_keys")

    @property
    def _names(self) -> str:
        return ", ".join(self.staged.keys.profile)
