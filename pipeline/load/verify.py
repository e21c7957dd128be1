"""Read a sample back by key and compare it with what was sent (edge: the API client; data rule 27)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.copernica import Client, Database, Profile, Selector
from pipeline.load.compare import different_fields
from pipeline.load.sample import Expectation
from pipeline.records import Keys, LiveField
from pipeline.validate.keys import maybe_same


@dataclass(frozen=True)
class Verified:
    """What reading back showed; `places` names what differs: the columns, never the values."""

    checked: int
    equal: int
    different: int
    places: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reader:
    """Look up what the database holds for an expectation."""

    client: Client
    database: Database
    live: Mapping[str, LiveField]
    keys: Keys
    action: str
    ignore_empty: bool

    def verify(self, sample: Sequence[Expectation]) -> Verified:
        """Read every expectation back; raises ApiError when that cannot be done."""
        places: list[str] = []
        different = 0
        for expectation in sample:
            found = self._differences(expectation)
            different += bool(found)
            places.extend(found)
        return Verified(len(sample), len(sample) - different, different, tuple(dict.fromkeys(places)))

    def _differences(self, expectation: Expectation) -> list[str]:
        profile = self._profile(expectation.profile)
        if profile is None:
            return [] if self.action == "update" else ["profile not found"]
        found = [] if self.action == "ignore or add" else self._profile_differences(expectation.profile, profile)
        for name, columns in expectation.subprofiles.items():
            found += self._subprofile_differences(name, columns, profile)
        return found

    def _profile(self, expected: Mapping[str, str | None]) -> Profile | None:
        """Find the profile by its key fields; what a lookup returns is compared before it is used (data rule 31)."""
        wanted = [expected[key] or "" for key in self.keys.profile]
        selectors = [
            Selector.equals(self.database.fields[key], value)
            for key, value in zip(self.keys.profile, wanted, strict=True)
        ]
        for profile in self.client.profiles(self.database, *selectors):
            have = [profile.fields.get(key, "") for key in self.keys.profile]
            if [maybe_same(text) for text in have] == [maybe_same(text) for text in wanted]:
                return profile
        return None

    def _profile_differences(self, expected: Mapping[str, str | None], profile: Profile) -> list[str]:
        fields = {name: text for name, text in expected.items() if not name.startswith("interest.")}
        found = different_fields(
            fields, profile.fields, self.live, ignore_empty=self.ignore_empty, keys=frozenset(self.keys.profile)
        )
        for name in expected.keys() - fields.keys():
            text = expected[name]
            if text is not None and (text == "Yes") != (name.partition(".")[2] in profile.interests):
                found.append(name)
        return found

    def _subprofile_differences(
        self, collection: str, expected: Mapping[str, str | None], profile: Profile
    ) -> list[str]:
        keys = self.keys.collections.get(collection, ())
        wanted = [maybe_same(expected[key] or "") for key in keys]
        for subprofile in self.client.subprofiles(profile.id, self.database.collections[collection]):
            have = [maybe_same(subprofile.fields.get(key.rpartition(".")[2], "")) for key in keys]
            if have == wanted:
                if self.action == "ignore or add":
                    return []
                return different_fields(
                    expected, subprofile.fields, self.live, ignore_empty=self.ignore_empty, keys=frozenset(keys)
                )
        return [] if self.action == "update" else [f"subprofile of {collection} not found"]
