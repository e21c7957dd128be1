"""Send chunks one after another with the ledger ahead of the wire, holding what must wait (wiring)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import polars as pl
import structlog

from pipeline.load.chunks import Chunk
from pipeline.load.outcome import Ending, Outcome, Way
from pipeline.state.ledger import ChunkEntry, Ledger

T = TypeVar("T")


@dataclass
class LoadReport:
    """What became of the staged rows: chunks by ending, rows by outcome, and what a person has to know of the rest.

    `rows` has confirmed, failed and unknown; what is missing from the accepted rows is unsent. `rebuilt` says whether the
    last chunk ended confirmed, `stopped` why nothing more was sent.
    """

    chunks: dict[str, int] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    unmatched: int | None = None
    troubles: list[tuple[Chunk, Outcome]] = field(default_factory=list)
    stopped: str = ""
    interrupted: bool = False
    rebuilt: bool = False

    @property
    def anything_sent(self) -> bool:
        """Say whether any chunk may have reached Copernica."""
        return any(ending not in ("unsent", "held") for ending in self.chunks)

    def count(self, ending: str, outcome: Outcome) -> None:
        """Count one chunk."""
        self.chunks[ending] = self.chunks.get(ending, 0) + 1
        for name in ("confirmed", "failed", "unknown"):
            self.rows[name] = self.rows.get(name, 0) + getattr(outcome, name)
        if outcome.unmatched is not None:
            self.unmatched = (self.unmatched or 0) + outcome.unmatched


@dataclass(frozen=True)
class Loading:
    """What the loop works with: the run's id, its ledger, the way, and the outside (progress, interrupt)."""

    run: str
    ledger: Ledger
    way: Way
    advance: Callable[[int], None]
    interrupted: Callable[[], bool]


def load(chunks: Iterable[Chunk], loading: Loading) -> LoadReport:
    """Send the chunks in order, one at a time.

    A chunk that shares a profile key with one that is not confirmed is held: later values must not be followed by
    earlier ones (data rule 23). A fault that concerns the whole run (token, budget, refusal) ends the loop.
    """
    report = LoadReport()
    open_keys: list[pl.Series] = []
    for chunk, last in with_last(ahead(chunks)):
        if loading.interrupted():
            report.interrupted = True
            break
        record = loading.ledger.chunk(loading.run, entry_of(chunk), loading.way.name)
        if any(chunk.rows["_key"].is_in(keys.implode()).any() for keys in open_keys):
            record.hold()
            open_keys.append(chunk.rows["_key"].unique())
            report.chunks["held"] = report.chunks.get("held", 0) + 1
            continue
        outcome = loading.way.carry(chunk, record, last=last)
        report.count(outcome.ending, outcome)
        loading.advance(chunk.rows.height)
        _log(chunk, outcome)
        report.rebuilt = last and outcome.ending is Ending.CONFIRMED
        if outcome.open_keys is not None:
            report.troubles.append((chunk, outcome))
            open_keys.append(outcome.open_keys)
        if outcome.stop:
            report.stopped = outcome.message
            break
    report.interrupted = report.interrupted or loading.interrupted()
    return report


def entry_of(chunk: Chunk) -> ChunkEntry:
    """Give what the ledger keeps of a chunk."""
    first, last = chunk.places
    return ChunkEntry(chunk.ordinal, chunk.lane.phase, chunk.lane.carried, chunk.rows.height, chunk.digest, first, last)


def ahead(items: Iterable[T]) -> Iterator[T]:
    """Make the next item in a thread while the present one is worked on."""
    iterator = iter(items)
    end = object()
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as pool:
        future = pool.submit(next, iterator, end)
        while (item := future.result()) is not end:
            future = pool.submit(next, iterator, end)
            yield item  # type: ignore[misc]


def with_last(items: Iterable[T]) -> Iterator[tuple[T, bool]]:
    """Pair every item with whether it is the last one."""
    iterator = iter(items)
    for item in iterator:
        for following in iterator:
            yield item, False
            item = following
        yield item, True


def _log(chunk: Chunk, outcome: Outcome) -> None:
    structlog.get_logger().info(
        f"chunk.{outcome.ending}",
        chunk=chunk.ordinal,
        rows=chunk.rows.height,
        phase=chunk.lane.phase,
        message=outcome.message or None,
    )
