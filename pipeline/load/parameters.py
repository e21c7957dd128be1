"""Hold what the loop works with, and what is called as chunks go (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import Event

import polars as pl

from pipeline.copernica import Client
from pipeline.load.cut import Shape
from pipeline.load.flight import Flight
from pipeline.load.imports import Imports
from pipeline.load.pending import NO_KEYS, Item
from pipeline.load.profiles.method import Profiles
from pipeline.load.settle import Reader
from pipeline.load.waiting import Waiting
from pipeline.model.chunk import Chunk
from pipeline.model.job import Job
from pipeline.stage.parts import Parts
from pipeline.state.chunk_records import ChunkBook
from pipeline.state.register import RunRegister
from pipeline.state.row_records import RowRecords


@dataclass(frozen=True)
class Loading:
    """What the loop works with.

    `cut` yields the chunks, the same ones each time. `method` is how the run sends; `falls_back` says that rows may go per
    profile where imports do not serve, after `fall_back` was called with the reason. `older` are the keys of open runs that
    are older: their rows come first. `again` says that others may have sent something since the rows were staged. With
    `sends` False nothing is sent, what is on its way is settled. `closes` gives up chunks that Copernica refuses. `before` is
    called before anything of a chunk is on the wire, `doubtful` with the keys of an import that is presumed dead, and might
    walk one day.
    """

    client: Client
    job: Job
    shape: Shape
    cut: Callable[[], Iterator[Chunk]]
    book: ChunkBook
    records: Callable[[int], RowRecords]
    parts: Parts
    register: RunRegister
    imports: Imports
    flight: Flight[Item]
    profiles: Profiles
    reader: Reader
    waiting: Waiting
    interrupted: Event
    method: str
    falls_back: bool
    fall_back: Callable[[str], None]
    advance: Callable[[int], None] = lambda _rows: None
    before: Callable[[Chunk], None] = lambda _chunk: None
    doubtful: Callable[[pl.Series], None] = lambda _keys: None
    older: pl.Series = field(default_factory=lambda: NO_KEYS)
    again: bool = False
    sends: bool = True
    closes: bool = False
