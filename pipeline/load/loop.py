"""Send chunks one after another with the ledger ahead of the wire, holding what must wait (wiring)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import polars as pl
import structlog

from pipeline.copernica import ApiError
from pipeline.load.chunks import Chunk
from pipeline.load.imports import Imports
from pipeline.load.outcome import Ending, Outcome
from pipeline.state.ledger import ChunkEntry, Ledger

T = TypeVar("T")


@dataclass
class LoadReport:
    """What became of the staged rows: chunks and rows by ending, and what a person has to know of the rest.

    `stopped` is the fault that ended the loading early, `accepted` counts the imports that Copernica took, `rebuilt` says
    whether the last import ended confirmed.
    """

    chunks: dict[str, int] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    troubles: list[tuple[Chunk, Outcome]] = field(default_factory=list)
    stopped: ApiError | None = None
    interrupted: bool = False
    accepted: int = 0
    rebuilt: bool = False

    def count(self, ending: str, rows: int) -> None:
        """Count one chunk."""
        self.chunks[ending] = self.chunks.get(ending, 0) + 1
        self.rows[ending] = self.rows.get(ending, 0) + rows


@dataclass(frozen=True)
class Loading:
    """What the loop works with: the run's id, its ledger, the way, and the outside (progress, interrupt)."""

    run: str
    ledger: Ledger
    way: Imports
    advance: Callable[[int], None]
    interrupted: Callable[[], bool]


def load(chunks: Iterable[Chunk], loading: Loading) -> LoadReport:
    """Send the chunks in order, one import at a time.

    A chunk that shares a profile key with one that is not confirmed is held: later values must not be followed by
    earlier ones (data rule 23). A fault that concerns the whole run (token, budget, refusal) ends the loop.
    """
    report = LoadReport()
    blocked: list[pl.Series] = []
    for chunk, last in with_last(ahead(chunks)):
        if loading.interrupted():
            report.interrupted = True
            break
        entry = entry_of(chunk)
        if any(chunk.rows["_key"].is_in(keys.implode()).any() for keys in blocked):
            loading.ledger.held(loading.run, entry, loading.way.name)
            report.count("held", chunk.rows.height)
            blocked.append(chunk.rows["_key"].unique())
            continue
        outcome = _send(chunk, entry, last, loading, report)
        if outcome is None:
            break
        report.count(outcome.ending, chunk.rows.height)
        loading.advance(chunk.rows.height)
        _log(chunk, outcome)
        if outcome.ending is Ending.CONFIRMED:
            report.rebuilt = last
            continue
        report.troubles.append((chunk, outcome))
        blocked.append(chunk.rows["_key"].unique())
        if outcome.ending is Ending.SUBMITTED:
            break
    return report


def _send(chunk: Chunk, entry: ChunkEntry, last: bool, loading: Loading, report: LoadReport) -> Outcome | None:
    """Send one chunk and wait for its end; None when the loop has to stop before the chunk was taken."""
    ledger, run, ordinal = loading.ledger, loading.run, chunk.ordinal
    ledger.sending(run, entry, loading.way.name)
    try:
        import_id = loading.way.send(chunk, last=last)
    except ApiError as error:
        if error.maybe_sent:
            ledger.unknown(run, ordinal, error.message)
            return Outcome(Ending.UNKNOWN, error.message)
        ledger.not_sent(run, ordinal, error.message)
        report.stopped = error
        return None
    ledger.submitted(run, ordinal, import_id)
    report.accepted += 1
    try:
        outcome = loading.way.settle(import_id, chunk.rows.height)
    except ApiError as error:
        report.stopped = error
        return Outcome(Ending.SUBMITTED, f"import {import_id} was taken, but asking for it failed: {error.message}")
    if outcome.ending is Ending.CONFIRMED:
        ledger.confirmed(run, ordinal)
    elif outcome.ending is Ending.FAILED:
        ledger.failed(run, ordinal, outcome.message)
    return outcome


def entry_of(chunk: Chunk) -> ChunkEntry:
    """Give what the ledger keeps of a chunk."""
    first, last = chunk.places
    return ChunkEntry(
        chunk.ordinal, chunk.lane.phase, chunk.lane.carried, chunk.rows.height, chunk.digest, first, last
    )


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
