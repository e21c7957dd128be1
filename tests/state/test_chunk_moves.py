"""The moves of a chunk in the ledger: one verb per legal move, and every other one raises (invariants 7, 8)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from pipeline.model.chunk import ChunkState, Reason
from pipeline.state.chunk_records import ChunkBook, ChunkRow
from pipeline.state.ledger import Ledger
from pipeline.state.run_records import RunEntry

Verb = Callable[[ChunkBook, ChunkRow], ChunkRow]
VERBS: dict[str, Verb] = {
    "sending": lambda book, row: book.sending(row, "imports"),
    "sending one by one": lambda book, row: book.sending(row, "profiles"),
    "submitted": lambda book, row: book.submitted(row, 88),
    "unsent": lambda book, row: book.unsent(row, "refused"),
    "unknown": lambda book, row: book.unknown(row, "lost"),
    "failed": lambda book, row: book.failed(row, "failed", "words"),
    "confirmed": lambda book, row: book.confirmed(row),
    "ended": lambda book, row: book.ended(row, unknown=row.rows),
    "split": lambda book, row: book.set_apart(row, [replace(PART, ordinal=len(book.rows()) + 1)]),
}
# How a chunk comes to a state, and what may be done to it there.
PATHS = {
    ChunkState.UNSENT: (),
    ChunkState.SENDING: ("sending",),
    ChunkState.SUBMITTED: ("sending", "submitted"),
    ChunkState.UNKNOWN: ("sending", "unknown"),
    ChunkState.FAILED: ("sending", "failed"),
    ChunkState.CONFIRMED: ("sending", "confirmed"),
    ChunkState.ENDED: ("ended",),
    ChunkState.SPLIT: ("split",),
}
LEGAL = {
    ChunkState.UNSENT: {"sending", "sending one by one", "ended", "split"},
    ChunkState.SENDING: {"sending one by one", "submitted", "unsent", "unknown", "failed", "confirmed", "ended"},
    ChunkState.SUBMITTED: {"unknown", "failed", "confirmed", "ended"},
    ChunkState.UNKNOWN: {"sending one by one", "confirmed", "ended", "split"},
    ChunkState.FAILED: {"sending one by one", "confirmed", "ended", "split"},
    ChunkState.CONFIRMED: set(),
    ChunkState.ENDED: set(),
    ChunkState.SPLIT: set(),
}
CHUNK = ChunkRow(1, 1, 0, Reason.CUT, 0, 0, 5, "digest", (0, 2), (0, 6), "imports")
PART = ChunkRow(2, 1, 0, Reason.HELD, 0, 0, 5, "digest", (0, 2), (0, 6), "imports")


_numbers = itertools.count()


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """Open one ledger for all moves: each is on disk when it returns, which takes its time."""
    found = Ledger(tmp_path_factory.mktemp("ledger"))
    yield found
    found.close()


@pytest.fixture
def book(ledger: Ledger) -> ChunkBook:
    """Begin a run."""
    run = f"shop-{next(_numbers)}"
    ledger.begin(RunEntry(run, "shop", "job.yaml", "{}", None, True, ()))
    return ledger.book(run)


@pytest.mark.parametrize("state", list(ChunkState))
@pytest.mark.parametrize("verb", list(VERBS))
def test_a_chunk_moves_only_where_that_is_legal(book: ChunkBook, state: ChunkState, verb: str) -> None:
    """Above all: an import that may have been accepted is never sent again, and what is final stays."""
    book.add(CHUNK)
    row = CHUNK
    for step in PATHS[state]:
        row = VERBS[step](book, row)
    assert row.state is state
    before = book.rows()
    if verb in LEGAL[state]:
        assert book.rows()[0] != VERBS[verb](book, row)
        return
    with pytest.raises(ValueError, match="cannot become"):
        VERBS[verb](book, row)
    assert book.rows() == before
