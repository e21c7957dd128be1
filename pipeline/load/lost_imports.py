"""Find out what became of an import whose answer was lost (edge: the API client; data rules 28, 29)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from pipeline.copernica import ApiError, Client, Profile, Subprofile
from pipeline.load.readback import Found, Lookups, Pages, Terms, differences
from pipeline.load.timestamps import created_since, moment
from pipeline.model.chunk import Chunk
from pipeline.model.columns import Sets
from pipeline.model.outcome import Ending, Outcome
from pipeline.stage.sample import Expectation, expectation_of

# Of so many keys one at least is expected to have been changed by an import that ran.
PROOF_KEYS = 20


@dataclass(frozen=True)
class Look:
    """What a look at an unknown chunk showed.

    `outcome` counts as confirmed the rows of keys that read back equal, as unknown the others. `missing` are those others'
    rows, None where nothing could be seen (too many calls, API not reachable). `digest` stands for the state that was seen.
    """

    outcome: Outcome
    at: str = ""
    digest: str = ""
    missing: pl.DataFrame | None = None


@dataclass(frozen=True)
class Settler:
    """Look at unknown chunks within the cost that the job allows.

    `now` gives Copernica's own time in UTC: an import that has no id may start in an hour by its clock, not by ours.
    """

    client: Client
    terms: Terms
    sets: Sets
    most_calls: int
    settle_after_s: float
    now: Callable[[], datetime]

    def look(self, chunk: Chunk, sent_at: str = "") -> Look:
        """Read the last row per profile and per full key back, by what costs fewer calls (data rule 29).

        `sent_at` is when an import was sent, by the API host's clock: for `add` only what was made since can be its.
        """
        lost = "the answer to the import was lost"
        if not self.terms.keys.profile:
            return Look(
                Outcome.whole(Ending.UNKNOWN, chunk, f"{lost}, and without key fields nothing can be looked up")
            )
        groups = {key: rows for (key,), rows in chunk.rows.sort("_seq").partition_by("_key", as_dict=True).items()}
        expected = {key: expectation_of(rows, self.sets, self.terms.keys) for key, rows in groups.items()}
        try:
            found = self._found(tuple(expected.values()), self.sets.collections_of(chunk.lane.carried))
            if isinstance(found, int):
                cost = (
                    f"{lost}, and looking would take {found} calls, more than {self.most_calls} (load.max_settle_calls)"
                )
                return Look(Outcome.whole(Ending.UNKNOWN, chunk, cost))
            there = {key: self._there(expected[key], groups[key], found, sent_at) for key in groups}
        except ApiError as error:
            return Look(Outcome.whole(Ending.UNKNOWN, chunk, f"{lost}, and looking failed: {error.message}", stop=True))
        return self._seen(chunk, groups, there)

    def may_still_run(self, chunk: Chunk, sent_at: str) -> bool:
        """Say whether an import whose rows read back equal may run yet, and put them on top of later ones (data rule 23).

        So it is where its rows were there before: none of the first keys has a record that was changed since it was sent,
        and that is not long ago. The look at them costs calls only where an answer was lost.
        """
        sent = moment(sent_at)
        if self.terms.action not in ("update", "update or add") or sent is None:
            return False
        if (self.now() - sent).total_seconds() >= self.settle_after_s:
            return False
        found, collections = Lookups(self.client, self.terms), self.sets.collections_of(chunk.lane.carried)
        keys = chunk.rows.unique("_key", keep="first", maintain_order=True).head(PROOF_KEYS)
        try:
            for row in keys.select(self.terms.keys.profile).iter_rows(named=True):
                for profile in found.profiles(row):
                    records: list[Profile | Subprofile] = [profile]
                    records += [one for name in collections for one in found.subprofiles(profile, name)]
                    if any(created_since(one.modified or one.created, sent_at) for one in records):
                        return False
        except ApiError:
            return True
        return True

    def stands_still(self, looks: Sequence[tuple[str, str]], look: Look) -> bool:
        """Say whether an earlier look, `settle_after_s` ago or more, saw the same state; never so for `add`."""
        if self.terms.action == "add":
            return False
        now = datetime.fromisoformat(look.at)
        return any(
            digest == look.digest and (now - datetime.fromisoformat(at)).total_seconds() >= self.settle_after_s
            for at, digest in looks
        )

    def _found(self, expected: Sequence[Expectation], collections: Sequence[str]) -> Found | int:
        """Read what is needed, or give the number of calls that it would take."""
        lookups = sum(1 + len(one.apart) for one in expected) * (1 + len(collections))
        if lookups <= min(self.most_calls, 2 + 2 * len(collections)):
            return Lookups(self.client, self.terms)
        database = self.terms.database
        counts = [self.client.count(database)]
        counts += [self.client.count_subprofiles(database.collections[name]) for name in collections]
        pages = sum(count // self.client.page_rows + 1 for count in counts)
        if min(lookups, pages) > self.most_calls:
            return min(lookups, pages)
        if lookups <= pages:
            return Lookups(self.client, self.terms)
        wanted = (self.terms.loose(one.profile) for one in expected)
        return Pages.read(self.client, self.terms, wanted, collections, data_only=self.terms.action != "add")

    def _there(self, expected: Expectation, rows: pl.DataFrame, found: Found, sent_at: str) -> int:
        """Count the rows of one key that have arrived: all or none, for `add` as many as there are equal new profiles.

        Chunks that share a key were final before this one was sent, so a profile that came certainly after that is none of
        theirs; where more are equal than were sent, somebody else makes them too, and they prove nothing (data rule 28).
        """
        if self.terms.action != "add":
            return 0 if differences(expected, found, self.terms) else rows.height
        spelled = expected.apart or (expected,)
        found_ones = {profile.id: profile for one in spelled for profile in found.profiles(one.profile)}
        left = [one for one in found_ones.values() if created_since(one.created, sent_at)]
        wanted = [expectation_of(rows.slice(at, 1), self.sets, self.terms.keys) for at in range(rows.height)]
        arrived = 0
        for one in wanted:
            own = next((profile for profile in left if self._equal(one, profile)), None)
            if own is not None:
                left.remove(own)
                arrived += 1
        return 0 if any(self._equal(one, profile) for one in wanted for profile in left) else arrived

    def _equal(self, expected: Expectation, profile: Profile) -> bool:
        return not differences(expected, _Only(profile), self.terms)

    def _seen(self, chunk: Chunk, groups: dict[object, pl.DataFrame], there: dict[object, int]) -> Look:
        confirmed = sum(there.values())
        at = self.now().isoformat()
        missing_keys = [key for key, rows in groups.items() if there[key] < rows.height]
        missing = chunk.rows.filter(pl.col("_key").is_in(pl.Series(missing_keys, dtype=pl.UInt64).implode()))
        state = ",".join(f"{key}:{count}" for key, count in sorted(there.items(), key=str))
        digest = hashlib.sha256(state.encode()).hexdigest()
        if confirmed == chunk.rows.height:
            return Look(Outcome.whole(Ending.CONFIRMED, chunk), at, digest, missing)
        left = chunk.rows.height - confirmed
        message = (
            f"the answer to the import was lost; {confirmed} of {chunk.rows.height} rows are there, {left} are not"
        )
        outcome = Outcome(Ending.UNKNOWN, confirmed=confirmed, unknown=left, message=message, open_keys=chunk.keys)
        return Look(outcome, at, digest, missing)


@dataclass(frozen=True)
class _Only:
    """One profile, as if it were all that is found; `add` has no collections on the way of imports (data rule 25)."""

    profile: Profile

    def profiles(self, expected: Mapping[str, str | None]) -> list[Profile]:  # noqa: ARG002 - the shape of Found
        return [self.profile]

    def subprofiles(self, profile: Profile, collection: str) -> list[Subprofile]:  # noqa: ARG002
        return []
