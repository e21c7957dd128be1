"""Spread accepted rows over partition files by profile key, in file order (edge: the run's folder)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from pipeline.errors import Problem, RunDamagedError

# A partition is read whole, so its share of the input decides the memory of a run, whatever the size of the input.
PARTITION_BYTES = 8 * 1024**2
MOST_PARTITIONS = 1024
# Texts as offsets into one buffer: read back faster than views, and smaller.
COMPAT = pl.CompatLevel.oldest()
# Rows held back until they are worth a file per partition.
BUFFERED_ROWS = 200_000


def partition_count(input_bytes: int) -> int:
    """Return how many partitions an input of this many bytes is spread over; an estimate of the decompressed size will do."""
    return max(1, min(MOST_PARTITIONS, -(-input_bytes // PARTITION_BYTES)))


def write_rows(rows: pl.DataFrame, path: Path) -> None:
    """Write rows to a file of the run's folder; raises OSError when the disk is full."""
    rows.write_ipc(path, compression="uncompressed", compat_level=COMPAT)


def read_rows(path: Path) -> pl.DataFrame:
    """Read rows of the run's folder; raises RunDamagedError for a file that is missing or torn."""
    try:
        return pl.read_ipc(path)
    except (FileNotFoundError, pl.exceptions.PolarsError) as error:
        what = f"staged rows of the run cannot be read ({type(error).__name__})"
        raise RunDamagedError(Problem(what, str(path), "run its dumps again")) from None


class Partitions:
    """Append frames in the staged layout with `_seq`, read them back a partition at a time.

    Rows of one profile key ("maybe the same", data rule 15) are always in one partition, in the order in which they came.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self._folder = folder
        self.count = count
        self._buffers: list[list[pl.DataFrame]] = [[] for _ in range(count)]
        self._buffered = 0
        self._segments = [0] * count
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def add(self, rows: pl.DataFrame) -> None:
        """Append accepted rows; raises OSError when the disk is full."""
        if self.count == 1:
            self._buffers[0].append(rows)
        else:
            rows = rows.with_columns((pl.col("_key") % self.count).alias("_home")).sort("_home", maintain_order=True)
            homes = rows.drop_in_place("_home").rle().struct.unnest()
            start = 0
            for height, number in homes.iter_rows():
                self._buffers[number].append(rows.slice(start, height))
                start += height
        self._buffered += rows.height
        if self._buffered >= BUFFERED_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what is held back."""
        for number, buffer in enumerate(self._buffers):
            if buffer:
                path = self._path(number, self._segments[number])
                # For so few rows half the time of the format with a table of contents.
                pl.concat(buffer).write_ipc_stream(path, compression="uncompressed", compat_level=COMPAT)
                self._segments[number] += 1
                buffer.clear()
        self._buffered = 0

    def frames(self) -> Iterator[pl.DataFrame]:
        """Yield each partition that has rows as one frame, and delete its files once the next one is asked for."""
        self.flush()
        for number, segments in enumerate(self._segments):
            paths = [self._path(number, segment) for segment in range(segments)]
            if paths:
                yield pl.concat([pl.read_ipc_stream(path) for path in paths], rechunk=True)
            for path in paths:
                path.unlink()

    def again(self) -> Iterator[pl.DataFrame]:
        """Yield each partition that has rows as one frame, and leave it there."""
        self.flush()
        for number, segments in enumerate(self._segments):
            if segments:
                yield pl.concat([pl.read_ipc_stream(self._path(number, at)) for at in range(segments)])

    def _path(self, number: int, segment: int) -> Path:
        return self._folder / f"{number:04d}-{segment:06d}.arrow"


def paired(*every: Partitions) -> Iterator[list[pl.DataFrame | None]]:
    """Yield the partitions of several sets of files side by side, in the order of their numbers; None where one has none."""
    waiting = [one.frames() for one in every]
    heads = [next(frames, None) for frames in waiting]
    count = every[0].count
    while any(head is not None for head in heads):
        homes = [int(head["_key"][0]) % count for head in heads if head is not None]
        home = min(homes)
        mine = [head is not None and int(head["_key"][0]) % count == home for head in heads]
        yield [head if here else None for head, here in zip(heads, mine, strict=True)]
        heads = [next(frames, None) if here else head
                 for frames, head, here in zip(waiting, heads, mine, strict=True)]  # fmt: skip
