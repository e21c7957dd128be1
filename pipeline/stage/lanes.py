"""Keep settled rows as lanes, one folder per phase and set, and read them back in the order of sending (edge)."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipeline.model.columns import Lane
from pipeline.stage.partitions import read_rows, write_rows
from pipeline.threads import side_by_side


@dataclass(frozen=True)
class Choice:
    """Which rows of a settled frame are sent (Boolean), and for how many of the others one of these stands."""

    send: pl.Series
    stood_for: int


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
        write_rows(rows.drop("_phase"), path)

    def lanes(self) -> tuple[Lane, ...]:
        """List the lanes in the order of sending."""
        return tuple(sorted(Lane.of_folder(path.name) for path in self._folder.iterdir()))

    def frames(self, lane: Lane) -> Iterator[pl.DataFrame]:
        """Yield the rows of a lane, a settled partition at a time."""
        for path in self._paths(lane):
            yield read_rows(path)

    def narrowed(self, to: Path, choose: Callable[[pl.DataFrame], Choice]) -> Iterator[tuple[pl.DataFrame, Choice]]:
        """Copy the rows that `choose` sends to lanes in another folder, and yield each settled frame with its choice.

        A frame has all lanes together, the rows of a profile key in file order. Several are chosen from at the same time.
        """
        shutil.rmtree(to, ignore_errors=True)
        Lanes(to)

        def copied(of_frame: list[Path]) -> tuple[pl.DataFrame, Choice]:
            parts = [read_rows(path).with_columns(pl.lit(at).alias("_lane")) for at, path in enumerate(of_frame)]
            rows = parts[0] if len(parts) == 1 else pl.concat(parts).sort("_profile", "_seq")
            choice = choose(rows)
            kept = rows.filter(choice.send)
            for at, path in enumerate(of_frame):
                left = kept.filter(pl.col("_lane") == at).drop("_lane")
                if left.height:
                    folder = to / path.parent.name
                    folder.mkdir(mode=0o700, exist_ok=True)
                    write_rows(left, folder / path.name)
            return rows, choice

        return side_by_side(copied, self._frames())

    def take_back(self) -> Iterator[pl.DataFrame]:
        """Yield all rows, frame by frame in the order of adding, each in file order, and forget them."""
        for of_frame in self._frames():
            yield pl.concat([pl.read_ipc(path) for path in of_frame]).sort("_seq")
            for path in of_frame:
                path.unlink()
        shutil.rmtree(self._folder)

    def sizes(self) -> dict[Lane, int]:
        """Count the rows of each lane."""
        return {
            lane: sum(pl.scan_ipc(path).select(pl.len()).collect().item() for path in self._paths(lane))
            for lane in self.lanes()
        }

    def partitions(self, columns: Sequence[str], only: Container[int] | None = None) -> Iterator[pl.DataFrame]:
        """Yield some columns of each settled frame, its lanes put together; all rows of a profile key are in one.

        `only` takes the frames at these positions, counted from 0.
        """
        for position, of_frame in enumerate(self._frames()):
            if only is None or position in only:
                yield pl.concat([pl.read_ipc(path, columns=list(columns)) for path in of_frame])

    def _frames(self) -> list[list[Path]]:
        """List the files of each settled frame, in the order of adding; a file's name is its frame's number."""
        paths: dict[str, list[Path]] = {}
        for lane in self.lanes():
            for path in self._paths(lane):
                paths.setdefault(path.name, []).append(path)
        return [of_frame for _, of_frame in sorted(paths.items())]

    def _paths(self, lane: Lane) -> list[Path]:
        return sorted((self._folder / lane.folder_name).iterdir())
