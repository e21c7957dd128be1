"""Read back what became of an import whose outcome is not known, once it cannot run any more (edge: API; data rules 26-29)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import polars as pl

from pipeline.copernica import Client, Profile, Subprofile
from pipeline.load.readback import Difference, FoundRecords, Lookups, Pages, Terms, differences
from pipeline.load.timestamps import created_since, modified_since
from pipeline.model.chunk import Chunk
from pipeline.stage.sample import Expectation, expectation_of
from pipeline.stage.settle import Rules

_NONE = pl.Series("_seq", [], dtype=pl.UInt64)


@dataclass(frozen=True)
class ReadBack:
    """What a read-back showed, by `_seq`: rows that are not there, and rows whose record somebody else has changed since.

    The other rows are confirmed. `unread` is why nothing could be read, with the cost.
    """

    missing: pl.Series = field(default_factory=lambda: _NONE)
    contested: pl.Series = field(default_factory=lambda: _NONE)
    unread: str = ""


@dataclass
class Reader:
    """Read chunks back, within the calls that the job allows for that in one run (`max_settle_calls`)."""

    client: Client
    terms: Terms
    rules: Rules
    most_calls: int
    spent: int = 0

    def read(self, chunk: Chunk, sent_at: datetime) -> ReadBack:
        """Compare what all rows of each key leave with what is there; raises ApiError.

        Keys are read by lookups or by paging the database, whichever costs fewer calls.
        """
        if not self.rules.keys.profile:
            return ReadBack(unread="without key fields nothing can be looked up")
        terms = replace(self.terms, since=sent_at) if self.terms.action == "delete" else self.terms
        groups = {key: rows for (key,), rows in chunk.rows.sort("_seq").partition_by("_key", as_dict=True).items()}
        expected = {key: expectation_of(rows, self.rules) for key, rows in groups.items()}
        before = self.client.calls
        found = self._found(terms, tuple(expected.values()), self.rules.sets.collections_of(chunk.lane.carried))
        if isinstance(found, str):
            return ReadBack(unread=found)
        missing: list[pl.Series] = [_NONE]
        contested: list[pl.Series] = [_NONE]
        for key, rows in groups.items():
            if terms.action == "add":
                missing.append(self._not_added(expected[key], rows, found, sent_at))
                continue
            different = differences(expected[key], found, terms)
            if different:
                theirs = any(_by_others(one, rows, sent_at) for one in different)
                (contested if theirs else missing).append(rows["_seq"])
        self.spent += self.client.calls - before
        return ReadBack(pl.concat(missing), pl.concat(contested))

    def _found(self, terms: Terms, expected: Sequence[Expectation], collections: Sequence[str]) -> FoundRecords | str:
        """Read what is needed, or return why that costs too much."""
        client, left = self.client, self.most_calls - self.spent
        lookups = sum(1 + len(one.apart) for one in expected) * (1 + len(collections))
        if lookups <= min(left, 2 + 2 * len(collections)):
            return Lookups(client, terms)
        counts = [client.count(terms.database)]
        counts += [client.count_subprofiles(terms.database.collections[name]) for name in collections]
        pages = sum(count // client.page_rows + 1 for count in counts)
        if min(lookups, pages) > left:
            cost = f"reading them back takes {min(lookups, pages):,} calls, and {max(left, 0):,} are left"
            return f"{cost} of {self.most_calls:,} (load.max_settle_calls)"
        if lookups <= pages:
            return Lookups(client, terms)
        wanted = (terms.loose(one.profile) for one in expected)
        whole = terms.action in ("add", "delete")  # these need to know when a record was created
        return Pages.read(client, terms, wanted, collections, data_only=not whole)

    def _not_added(
        self, expected: Expectation, rows: pl.DataFrame, found: FoundRecords, sent_at: datetime
    ) -> pl.Series:
        """Return the rows of an `add` for which no equal profile was made since; all, where more are equal than were sent.

        Chunks that share a key were final before this one was sent, so a profile that came certainly after that is none
        of theirs; where somebody else makes equal ones too they prove nothing.
        """
        spelled = expected.apart or (expected,)
        there = {profile.id: profile for one in spelled for profile in found.profiles(one.profile)}
        left = [one for one in there.values() if created_since(one.created, sent_at)]
        wanted = {seq: expectation_of(rows.slice(at, 1), self.rules) for at, seq in enumerate(rows["_seq"])}
        missing = []
        for seq, one in wanted.items():
            own = next((profile for profile in left if self._equal(one, profile)), None)
            if own is None:
                missing.append(seq)
            else:
                left.remove(own)
        if any(self._equal(one, profile) for one in wanted.values() for profile in left):
            return rows["_seq"]
        return pl.Series("_seq", missing, dtype=pl.UInt64)

    def _equal(self, expected: Expectation, profile: Profile) -> bool:
        return not differences(expected, _Only(profile), self.terms)


def _by_others(one: Difference, rows: pl.DataFrame, sent_at: datetime) -> bool:
    """Return whether somebody else has written a column since; a value of an earlier row of ours is no sign of that."""
    if one.stored is None or not modified_since(one.modified, sent_at):
        return False
    return one.place not in rows.columns or one.stored not in rows[one.place].fill_null("")


@dataclass(frozen=True)
class _Only:
    """One profile, as if it were all that is found; `add` has no collections on the method of imports (data rule 25)."""

    profile: Profile

    def profiles(self, expected: Mapping[str, str | None]) -> list[Profile]:  # noqa: ARG002 - the shape of FoundRecords
        return [self.profile]

    def subprofiles(self, profile: Profile, collection: str) -> list[Subprofile]:  # noqa: ARG002
        return []
