"""Hold what is about to be sent, and count what the database holds (edge: the run's folder, the API client)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import polars as pl

from pipeline.copernica import Client, Database
from pipeline.model.columns import Keys, Sets
from pipeline.model.counts import Staged
from pipeline.model.job import Job
from pipeline.stage.lanes import Lanes

KeyTexts = tuple[str, ...]

# The order in which keys are sampled: the same every night, so that the same keys are looked up (data rule 35).
_SAMPLE_SEED = 2_024


@dataclass
class Sending:
    """A run before its first send: its staged rows in `folder`, their counts, and the database that they go to.

    `limited` means that only the first rows were taken, `lanes_name` names the folder of those staged rows that are sent.
    Nothing of it is kept in memory that grows with the rows. Each count of the database costs one call, once.
    """

    job: Job
    sets: Sets
    staged: Staged
    folder: Path
    client: Client
    database: Database
    limited: bool = False
    lanes_name: str = "lanes"
    _subprofiles_there: dict[str, int] = field(default_factory=dict)

    @property
    def keys(self) -> Keys:
        """Return the key fields of the job."""
        return Keys.of(self.job.target.key_fields)

    @property
    def lanes(self) -> Lanes:
        """Return the staged rows."""
        return Lanes(self.folder / self.lanes_name)

    @cached_property
    def imports(self) -> int:
        """Return how many imports the rows are, at least: chunks may be more than `chunk_rows` makes them, never fewer."""
        return sum(-(-size // self.job.load.chunk_rows) for size in self._lane_sizes)

    @property
    def scattered(self) -> int:
        """Return over how many phases and sets of columns the rows are scattered, each with imports of its own."""
        return len(self._lane_sizes)

    @cached_property
    def _lane_sizes(self) -> tuple[int, ...]:
        return tuple(self.lanes.sizes().values())

    @cached_property
    def carried(self) -> Mapping[str, int]:
        """Count the rows that carry each collection."""
        found: Counter[str] = Counter()
        for carries, count in self.staged.carrying.items():
            found.update(dict.fromkeys(self.sets.collections_of(int(carries)), count))
        return found

    @property
    def deletes(self) -> Mapping[str, int]:
        """Count the records that a delete means where each key has one: by the collection, or as profiles."""
        return {"profiles": self.staged.accepted} if self.job.target.delete_target == "profile" else self.carried

    @cached_property
    def profiles_there(self) -> int:
        """Count the profiles of the database."""
        return self.client.count(self.database)

    def subprofiles_there(self, collection: str) -> int:
        """Count the subprofiles of a collection, whosever they are."""
        if collection not in self._subprofiles_there:
            there = self.client.count_subprofiles(self.database.collections[collection])
            self._subprofiles_there[collection] = there
        return self._subprofiles_there[collection]

    def profile_keys(self) -> Iterator[pl.DataFrame]:
        """Yield the distinct profile keys, a partition at a time: `_key` and the texts of the first row that has it."""
        for frame in self.lanes.partitions(("_key", *self.keys.profile)):
            yield frame.unique("_key", keep="first")

    def sample(self, size: int) -> list[KeyTexts]:
        """Return the texts of profile keys: of the same dump the same ones, of another one those of them that it has.

        They are the first in an order that depends on the keys alone.
        """
        best = pl.DataFrame(schema={"_key": pl.UInt64, "_rank": pl.UInt64, "_frame": pl.UInt32})
        for position, frame in enumerate(self.lanes.partitions(("_key",))):
            ranked = frame.unique().with_columns(
                _rank=pl.col("_key").hash(_SAMPLE_SEED), _frame=pl.lit(position, pl.UInt32)
            )
            best = pl.concat([best, ranked.bottom_k(size, by="_rank")]).unique("_key").bottom_k(size, by="_rank")
        frames = set(best["_frame"])
        texts = [frame.join(best, on="_key") for frame in self.lanes.partitions(("_key", *self.keys.profile), frames)]
        if not texts:
            return []
        return list(pl.concat(texts).unique("_key", keep="first").sort("_rank").select(self.keys.profile).iter_rows())
