"""Stage accepted rows: settle them as they come where each key's rows stand together, else by partitions (edge: run folder)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl

from pipeline.model.counts import Settled, Staged
from pipeline.stage.key_runs import Runs
from pipeline.stage.lanes import Lanes
from pipeline.stage.partitions import Partitions
from pipeline.stage.sample import Sampler
from pipeline.stage.settle import Rules, settle
from pipeline.stage.units import UnitFiles
from pipeline.threads import side_by_side


class Stager:
    """Take accepted rows in the staged layout, in file order, and lay them out in lanes.

    As long as no profile key has come back after another one (`Runs` finds out), every batch holds all rows of its keys
    (the last key's are held back for the next batch) and is settled at once. The first key that comes back sends everything
    through partition files. Both give the same lanes but for the order of customers. Without a profile key every batch is
    complete as it is. `sampler` makes an empty sampler; with
    `whole` all rows go to one lane, for the per-profile method. `units` takes the digests of what the rows would leave.
    """

    def __init__(
        self,
        folder: Path,
        partitions: int,
        rules: Rules,
        sampler: Callable[[], Sampler],
        *,
        whole: bool,
        units: UnitFiles | None = None,
    ) -> None:
        self._folder, self._count, self._rules, self._new_sampler = folder, partitions, rules, sampler
        self._whole, self.units = whole, units
        self._held: pl.DataFrame | None = None
        self._runs = Runs(folder / "runs")
        self._partitions: Partitions | None = None
        self._rows = 0
        self._start_over()

    def _start_over(self) -> None:
        self.staged, self.sampler = Staged(), self._new_sampler()
        self.lanes = Lanes(self._folder / "lanes")
        if self.units is not None:
            self.units.start_over()

    def add(self, rows: pl.DataFrame) -> None:
        """Append accepted rows; `_seq` UInt64 numbers all rows of the run from 0. Raises OSError when the disk is full."""
        if rows.is_empty():
            return
        rows = rows.drop("_element").with_columns(
            pl.int_range(self._rows, self._rows + rows.height, dtype=pl.UInt64).alias("_seq")
        )
        self._rows += rows.height
        if self._partitions is None:
            rows = self._settle_now(rows)
        if self._partitions is not None:
            self._partitions.add(rows)

    def finish(self) -> None:
        """Settle what is left; then `lanes`, `staged` and `sampler` are complete."""
        if self._partitions is None and self._held is not None:
            held, self._held = self._held, None
            self._runs.add(held["_key"].head(1))
            self._keep(self._settled(held))
            if self._runs.came_back():
                self._partition()
        self._runs.forget()
        if self._partitions is not None:
            frames = self._partitions.frames()
            for settled in side_by_side(self._settled, frames, ahead=0):
                self._keep(settled)
        if self.units is not None:
            self.units.flush()

    def _settle_now(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Settle the keys that are complete; gives the rows back where keys do not stand together."""
        if not self._rules.keys.profile:
            self._keep(self._settled(rows))
            return rows
        if self._held is not None:
            rows = pl.concat([self._held, rows])
        keys = rows["_key"]
        starts = keys.ne_missing(keys.shift()).arg_true()
        firsts = keys.gather(starts)
        self._runs.add(firsts[:-1])
        if firsts.n_unique() < firsts.len():
            self._held = None
            self._partition()
            return rows
        last = int(starts[-1])
        self._held = rows.slice(last)
        if last:
            self._keep(self._settled(rows.slice(0, last)))
        return rows

    def _partition(self) -> None:
        """Move what was settled so far to partition files; what collapsed then stays collapsed."""
        self._runs.forget()
        self._partitions = Partitions(self._folder / "partitions", self._count)
        for rows in self.lanes.take_back():
            self._partitions.add(rows.drop("_profile", "_unit", strict=False))
        collapsed = self.staged.collapsed
        self._start_over()
        self.staged.collapsed = collapsed

    def _settled(self, rows: pl.DataFrame) -> tuple[Settled, pl.DataFrame | None]:
        """Settle complete keys, and digest their units where they are wanted."""
        settled = settle(rows, self._rules)
        if self.units is None:
            return settled, None
        numbered, units = self.units.numbered(settled.rows)
        return replace(settled, rows=numbered), units

    def _keep(self, found: tuple[Settled, pl.DataFrame | None]) -> None:
        settled, units = found
        if self.units is not None and units is not None:
            settled = replace(settled, rows=self.units.add(settled.rows, units))
        if self._whole:
            self.lanes.add_whole(settled.rows, self._rules.sets.all)
        else:
            self.lanes.add(settled.rows)
        self.sampler.look(settled.rows)
        self.staged.add(settled)
