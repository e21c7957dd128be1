"""Describe how the input of a run is read, and what a reading of it is (pure)."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Protocol

from pipeline.model.files import FileFacts
from pipeline.run.engine.check import Taken


class Reading(Protocol):
    """A reading of the input: batches in file order, each checked; then `facts` is complete.

    Iterate once; raises InputError with the refusals of all files at the end.
    """

    bytes_total: int

    @property
    def bytes_read(self) -> int:
        """Return the stored bytes that were read so far."""

    @property
    def facts(self) -> tuple[FileFacts, ...]:
        """Return what was found in each file."""

    def __iter__(self) -> Generator[Taken]:
        """Yield the batches; to be closed where they are not all taken."""


@dataclass(frozen=True)
class Terms:
    """How the input is read: `limit` takes the first rows, `folder` is for the batches of other processes, `stop` ends it.

    Without `keeps_rows` accepted rows are only counted, and may come without their columns.
    """

    limit: int | None = None
    folder: Path | None = None
    stop: Event | None = None
    keeps_rows: bool = True
