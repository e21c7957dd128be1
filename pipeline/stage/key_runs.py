"""Find out whether a profile key came back after another one, with a million in memory at a time (edge: the run's folder)."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl

from pipeline.stage.partitions import write_rows

# What is kept in memory, and compared, at once.
KEYS_AT_ONCE = 1_000_000


class Runs:
    """Keep the key of each run of equal keys (`_key` UInt64, 8 bytes), in the order of the input; many of them in files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: list[pl.Series] = []
        self._keys = self._files = 0

    def add(self, keys: pl.Series) -> None:
        """Append the keys of the next runs; raises OSError when the disk is full."""
        self._held.append(keys)
        self._keys += keys.len()
        if sum(map(len, self._held)) >= KEYS_AT_ONCE:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_rows(pl.concat(self._held).to_frame("_key"), self._folder / f"{self._files:06d}.arrow")
            self._held.clear()
            self._files += 1

    def came_back(self) -> bool:
        """Return whether a key stands in two runs, looking at a share of all keys at a time."""
        shares = 1 + self._keys // KEYS_AT_ONCE
        return any(keys.n_unique() < keys.len() for keys in (self._share(number, shares) for number in range(shares)))

    def forget(self) -> None:
        """Forget the keys."""
        self._held.clear()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _share(self, number: int, shares: int) -> pl.Series:
        """Return the keys that leave `number` when divided by `shares`."""
        files = (pl.read_ipc(self._folder / f"{file:06d}.arrow")["_key"] for file in range(self._files))
        of_share = (keys if shares == 1 else keys.filter(keys % shares == number) for keys in (*files, *self._held))
        return pl.concat([pl.Series("_key", dtype=pl.UInt64), *of_share])
