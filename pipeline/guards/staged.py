"""Ask the staged rows what the guards need to know, in memory that does not grow with them (edge: the run's folder)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from pipeline.model.columns import Keys, Sets
from pipeline.model.counts import Staged
from pipeline.stage.lanes import Lanes

KeyTexts = tuple[str, ...]

# Of this many settled frames, chosen at random, keys are sampled; reading all of them would take as long as sending.
SAMPLED_FRAMES = 4


@dataclass(frozen=True)
class Planned:
    """What is about to be sent: rows, profiles (distinct keys that are not maybe the same; without a key every row is
    one), rows per carried collection, imports (at least) and the lanes that they come from."""

    rows: int
    profiles: int
    carried: Mapping[str, int]
    imports: int
    lanes: int

    def deletes(self, target: str | None) -> Mapping[str, int]:
        """Count the records that a delete of `target` means where each key has one: by the collection, or as profiles."""
        return {"profiles": self.rows} if target == "profile" else dict(self.carried)


@dataclass(frozen=True)
class StagedRows:
    """The lanes of a run with what gives their columns meaning."""

    lanes: Lanes
    sets: Sets
    keys: Keys

    def planned(self, staged: Staged, chunk_rows: int) -> Planned:
        """Count what is about to be sent; chunks may be more than `chunk_rows` makes them, never fewer."""
        sizes = self.lanes.sizes().values()
        imports = sum(-(-size // chunk_rows) for size in sizes)
        carried: Counter[str] = Counter()
        for carries, count in staged.carrying.items():
            carried.update(dict.fromkeys(self.sets.collections_of(int(carries)), count))
        return Planned(staged.accepted, staged.profiles, dict(carried), imports, len(sizes))

    def profile_keys(self) -> Iterator[pl.DataFrame]:
        """Give the distinct profile keys, a partition at a time: `_key` and the texts of the first row that has it."""
        for frame in self.lanes.partitions(("_key", *self.keys.profile)):
            yield frame.unique("_key", keep="first")

    def sample(self, size: int, seed: int) -> list[KeyTexts]:
        """Choose profile keys at random, the same ones for a seed."""
        best = pl.DataFrame()
        # Inside a lane the rows of a key stand together, so the first ones hold a key once per lane at most.
        enough = size * len(self.lanes.lanes())
        for frame in self.lanes.partitions(("_key", *self.keys.profile), most=SAMPLED_FRAMES, seed=seed):
            firsts = frame.filter((pl.col("_key") != pl.col("_key").shift()).fill_null(True))
            ranked = firsts.with_columns(pl.col("_key").hash(seed).alias("_rank")).bottom_k(enough, by="_rank")
            best = pl.concat([best, ranked.unique("_key")], how="diagonal").bottom_k(size, by="_rank")
        return [] if best.is_empty() else list(best.sort("_rank").select(self.keys.profile).iter_rows())
