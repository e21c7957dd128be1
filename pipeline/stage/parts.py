"""Keep the rows that are chunks of their own, beside the staged rows that they come from (edge: the run's folder)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import polars as pl

from pipeline.stage.partitions import read_rows
from pipeline.state.files import sync


class Parts:
    """One file per chunk of its own, on disk before the ledger knows the chunk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, ordinal: int, rows: pl.DataFrame) -> None:
        """Write the rows of a chunk; raises OSError when the disk is full."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._path(ordinal)
        rows.write_ipc(path, compression="uncompressed")
        sync(path)
        sync(self._folder)

    def read(self, ordinal: int) -> pl.DataFrame:
        """Read the rows of a chunk; raises RunDamagedError for a file that is missing or torn."""
        return read_rows(self._path(ordinal))

    def positions(self, ordinals: Iterable[int]) -> pl.Series:
        """Return the `_seq`s of all rows in some chunks."""
        found = [self.read(one)["_seq"] for one in ordinals]
        return pl.concat([pl.Series("_seq", [], dtype=pl.UInt64), *found])

    def _path(self, ordinal: int) -> Path:
        return self._folder / f"{ordinal:06d}.arrow"
