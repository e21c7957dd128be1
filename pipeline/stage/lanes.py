"""Keep settled rows as lanes, one folder per phase and set, and read them back in the order of sending (edge)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl


@dataclass(frozen=True, order=True)
class Lane:
    """The rows of one phase and one set of carried columns; lanes are sent in this order (data rules 18, 19)."""

    phase: int
    carried: int

    @property
    def folder_name(self) -> str:
        """Name the lane's folder so that names sort as lanes do."""
        return f"{self.phase:08d}-{self.carried:016x}"

    @classmethod
    def of_folder(cls, name: str) -> Lane:
        """Read a lane back from its folder's name."""
        phase, _, carried = name.partition("-")
        return cls(int(phase), int(carried, 16))


class Lanes:
    """Append settled partitions, read lanes back frame by frame.

    Inside a lane the rows of one profile key stand together and in file order, so that a chunk can end between two keys.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._written = 0
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def add_whole(self, rows: pl.DataFrame, carried: int) -> None:
        """Append a settled partition to one lane whatever its rows carry, for the way that sends them one by one."""
        self._write(Lane(0, carried), rows)
        self._written += 1

    def add(self, rows: pl.DataFrame) -> None:
        """Append a settled partition (staged layout with `_seq` and `_phase`)."""
        if rows["_phase"].n_unique() == 1 and rows["_set"].n_unique() == 1:
            parts = [rows]
        else:
            parts = rows.partition_by("_phase", "_set", maintain_order=True)
        for part in parts:
            self._write(Lane(part["_phase"][0], part["_set"][0]), part)
        self._written += 1

    def _write(self, lane: Lane, rows: pl.DataFrame) -> None:
        folder = self._folder / lane.folder_name
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / f"{self._written:06d}.arrow"
        _keys_together(rows.drop("_phase")).write_ipc(path, compression="uncompressed")

    def lanes(self) -> tuple[Lane, ...]:
        """List the lanes in the order of sending."""
        return tuple(sorted(Lane.of_folder(path.name) for path in self._folder.iterdir()))

    def frames(self, lane: Lane) -> Iterator[pl.DataFrame]:
        """Give the rows of a lane, a settled partition at a time."""
        for path in sorted((self._folder / lane.folder_name).iterdir()):
            yield pl.read_ipc(path)


def _keys_together(rows: pl.DataFrame) -> pl.DataFrame:
    """Order rows by the first appearance of their profile key, then by file order, unless they already stand so."""
    keys = rows["_key"]
    runs = 1 + int((keys != keys.shift()).sum() or 0) if rows.height else 0
    if runs == keys.n_unique():
        return rows
    first = rows.select(pl.col("_seq").min().over("_key").alias("_first"))
    return rows.with_columns(first).sort("_first", "_seq").drop("_first")
