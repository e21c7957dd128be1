"""Find out whether a profile key came back after another one, from files that hold every key once per run (edge)."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl

from pipeline.stage.partitions import write_rows

# What is compared at once.
KEYS_AT_ONCE = 1_000_000


class Runs:
    """Keep the key of each run of equal keys (`_key` UInt64, 8 bytes), in the order of the input, out of memory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._keys = self._files = 0
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def add(self, keys: pl.Series) -> None:
        """Append the keys of the next runs; raises OSError when the disk is full."""
        if keys.len():
            write_rows(keys.to_frame("_key"), self._folder / f"{self._files:06d}.arrow")
            self._keys += keys.len()
            self._files += 1

    def came_back(self) -> bool:
        """Return whether a key stands in two runs, looking at a share of all keys at a time."""
        shares = 1 + self._keys // KEYS_AT_ONCE
        return any(keys.n_unique() < keys.len() for keys in (self._share(number, shares) for number in range(shares)))

    def forget(self) -> None:
        """Delete the files."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _share(self, number: int, shares: int) -> pl.Series:
        """Return the keys that leave `number` when divided by `shares`, from all files."""
        parts = [pl.Series("_key", dtype=pl.UInt64)]
        for file in range(self._files):
            keys = pl.read_ipc(self._folder / f"{file:06d}.arrow")["_key"]
            parts.append(keys if shares == 1 else keys.filter(keys % shares == number))
        return pl.concat(parts)
