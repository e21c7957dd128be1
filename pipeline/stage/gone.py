"""Find the profile keys that full dumps no longer have, and list them (edge: confirmed state, gone.csv; data rule 44).

Per job the keys that its dumps have had are kept beside the confirmed state, as texts: a key is gone when a number of dumps
in a row do not have it. A key that another job has confirmed stays, and one that was deleted is forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipeline.stage.units import UnitFiles
from pipeline.state.confirmed import Confirmed
from pipeline.state.entries import home
from pipeline.state.files import write_whole
from pipeline.state.frame_file import StateFault, read_frame, write_frame
from pipeline.validate.keys import fold, hashed

MOST_MISSED = 255


@dataclass(frozen=True)
class Gone:
    """Count the keys that a job's dumps miss; `keys` are the profile's key fields, `after` dumps make a key gone.

    `rejected` are the `_key`s of rejected rows: what they name is there.
    """

    state: Confirmed
    job: str
    keys: tuple[str, ...]
    after: int
    rejected: pl.Series

    @property
    def folder(self) -> Path:
        """Return where the job's keys are kept."""
        return self.state.folder / "keys" / self.job

    def write(self, units: UnitFiles, path: Path) -> tuple[int, bool]:
        """Take a whole dump; write `path` where keys are gone and return how many, and whether this is the first dump."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        first, bits, found = not any(self.folder.iterdir()), self.state.meta.bits, []
        for at in range(self.state.partitions):
            kept, gone_here = self._taken(at, bits, units)
            write_frame(self._path(at), kept)
            found.append(gone_here)
        for stale in set(self.folder.iterdir()) - {self._path(at) for at in range(self.state.partitions)}:
            stale.unlink()
        gone = pl.concat(found)
        path.unlink(missing_ok=True)
        if gone.height:
            write_whole(path, gone.sort(self.keys).write_csv().encode())
        return gone.height, first

    def count(self, units: UnitFiles) -> int:
        """Return how many keys a whole dump would make gone; nothing is written."""
        if self.job not in self.state.meta.jobs or not self.folder.is_dir():
            return 0
        # The state is partitioned anew only when a run begins to send.
        bits = max(units.bits, self.state.meta.bits)
        return sum(self._taken(at, bits, units)[1].height for at in range(1 << bits))

    def _taken(self, at: int, bits: int, units: UnitFiles) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Count one partition of `bits` anew; returns all its keys as they are kept, and those that are gone."""
        bit = self.state.meta.bit(self.job)
        here = units.keys_part(at, bits)
        before = self._read(at, bits)
        missed = before.join(here.select("profile", "unit"), on=["profile", "unit"], how="anti")
        seen = self._known_by_key(at, bits)
        missed = missed.join(seen, on=["profile", "unit"], how="inner").with_columns(
            pl.min_horizontal(pl.col("missed") + 1, MOST_MISSED).cast(pl.UInt8).alias("missed")
        )
        named = hashed([fold(missed[name]) for name in self.keys]) if missed.height else pl.Series(dtype=pl.UInt64)
        missed = missed.with_columns(
            pl.when(named.is_in(self.rejected.implode()))
            .then(0)
            .otherwise(pl.col("missed"))
            .cast(pl.UInt8)
            .alias("missed")
        )
        fresh = here.with_columns(pl.lit(0, pl.UInt8).alias("missed"))
        kept = pl.concat([missed.select(fresh.columns), fresh])
        gone = missed.filter((pl.col("missed") >= self.after) & ((pl.col("jobs") & ~pl.lit(bit, pl.UInt16)) == 0))
        return kept, gone.select(self.keys)

    def _known_by_key(self, at: int, bits: int) -> pl.DataFrame:
        """Return `profile`, `unit` and the `jobs` that confirmed it, of the profile keys of a partition of the state."""
        profiles = [number for number, one in enumerate(self.state.meta.scopes) if one.level in ("", "*")]
        entries = self.state.entries(at >> (bits - self.state.meta.bits)).filter(pl.col("scope").is_in(profiles))
        entries = entries.filter(self._own(at, bits))
        masks = [(pl.col("jobs") & (1 << bit)).max() for bit in range(16)]
        return entries.group_by("profile", "unit").agg(pl.sum_horizontal(masks).cast(pl.UInt16).alias("jobs"))

    def _read(self, at: int, bits: int) -> pl.DataFrame:
        """Read what was there before, also where it was partitioned by fewer bits; what cannot be read begins anew."""
        schema = self._schema()
        for fewer in range(bits, -1, -1):
            path = self.folder / f"{fewer:02d}-{at >> (bits - fewer):04d}"
            if path.exists():
                try:
                    return read_frame(path, schema).filter(self._own(at, bits))
                except StateFault:
                    break
        return pl.DataFrame(schema=schema)

    def _own(self, at: int, bits: int) -> pl.Expr:
        return home(pl.col("profile"), bits) == at

    def _schema(self) -> dict[str, pl.DataType]:
        return {
            "profile": pl.UInt64(),
            "unit": pl.UInt64(),
            **dict.fromkeys(self.keys, pl.String()),
            "missed": pl.UInt8(),
        }

    def _path(self, at: int) -> Path:
        return self.folder / f"{self.state.meta.bits:02d}-{at:04d}"
