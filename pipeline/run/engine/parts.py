"""Name what crosses a process border: the work, one part of the input, what was found in it, and its batches as files.

A part is a whole file, or a piece of a large plain one. Nothing else is shared between processes. (pure but for the files)
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from pipeline.errors import Problem
from pipeline.extract import Piece
from pipeline.model.columns import LiveField
from pipeline.model.files import FileFacts, SourceFile
from pipeline.model.job import Job
from pipeline.run.engine.check import Taken
from pipeline.state.files import open_private


@dataclass(frozen=True)
class Work:
    """What a worker knows of the run: its job, the live structure where that is known, and the folder of the batches.

    Without `keeps_rows` the accepted rows are only counted: they come without their columns.
    """

    job: Job
    live: Mapping[str, LiveField] | None
    folder: Path
    keeps_rows: bool = True


@dataclass(frozen=True)
class Part:
    """A part of the input; `number` counts them over all files, in file order, from 0."""

    number: int
    file: SourceFile
    piece: Piece | None = None

    @property
    def size_bytes(self) -> int:
        """Return its stored bytes."""
        return self.file.size_bytes if self.piece is None else self.piece.end.offset - self.piece.start.offset


@dataclass(frozen=True)
class Outcome:
    """What was found in a part: how many batches and rows, the facts of a whole file, why its file is refused."""

    batches: int
    records: int
    facts: tuple[FileFacts, ...]
    problems: tuple[Problem, ...]


def write_batch(work: Work, part: int, number: int, taken: Taken) -> None:
    """Write a batch: accepted rows as Arrow, then the rest beside them, so that what has both is whole. Raises OSError.

    A second attempt of a worker that was thought lost writes the same bytes, so that it does no harm.
    """
    rows, rest = _paths(work.folder, part, number)
    accepted = taken.checked.accepted if work.keeps_rows else taken.checked.accepted.select("_file")
    for path, write in (
        (rows, lambda to: accepted.write_ipc(to, compression="uncompressed")),
        (rest, lambda to: pickle.dump(taken.without_accepted(), to, pickle.HIGHEST_PROTOCOL)),
    ):
        own = path.with_name(f"{path.name}.{os.getpid()}")
        with open_private(own) as file:
            write(file)
        own.replace(path)


def has_batch(folder: Path, part: int, number: int) -> bool:
    """Return whether a batch is there."""
    return _paths(folder, part, number)[1].exists()


def take_batch(folder: Path, part: int, number: int) -> Taken:
    """Return a batch and remove its files; the rows are mapped, not copied. Raises OSError where it is not there."""
    rows, rest = _paths(folder, part, number)
    with rest.open("rb") as file:
        taken: Taken = pickle.load(file)  # noqa: S301 - written by ourselves into a private folder
    accepted = pl.read_ipc(rows)
    rows.unlink()
    rest.unlink()
    return replace(taken, checked=replace(taken.checked, accepted=accepted))


def _paths(folder: Path, part: int, number: int) -> tuple[Path, Path]:
    name = f"{part:06d}-{number:06d}"
    return folder / f"{name}.rows", folder / f"{name}.rest"
