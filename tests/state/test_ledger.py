"""The moves of a run in the ledger: one legal move per verb, and every other one raises."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.state.ledger import Ledger
from pipeline.state.run_records import Destination, RunEntry, RunState

RUN = "shop-1"
VERBS: dict[str, Callable[[Ledger], None]] = {
    "met": lambda ledger: ledger.met(RUN, Destination("localhost", "1", 1, {}, "imports")),
    "resumed": lambda ledger: ledger.resumed(RUN),
    "applied": lambda ledger: ledger.applied(RUN),
    "fell_back": lambda ledger: ledger.fell_back(RUN, "refused"),
    "staged": lambda ledger: ledger.staged(RUN, 5, is_open=True),
    "end": lambda ledger: ledger.end(RUN, RunState.DONE, {}),
}
LEGAL = {
    RunState.RUNNING: {"met", "fell_back", "staged", "end"},
    RunState.PLANNED: {"applied"},
    RunState.INCOMPLETE: set(),
    RunState.INTERRUPTED: set(),
    RunState.DONE: set(),
    RunState.REFUSED: set(),
}


def entry() -> RunEntry:
    return RunEntry(RUN, "shop", "job.yaml", "{}", None, True, ())


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    found = Ledger(tmp_path)
    yield found
    found.close()


def bring_to(ledger: Ledger, state: RunState) -> None:
    """Begin the run and bring it to a state, closed."""
    ledger.begin(entry())
    if state is not RunState.RUNNING:
        ledger.end(RUN, state, {})


@pytest.mark.parametrize("state", list(RunState))
@pytest.mark.parametrize("verb", list(VERBS))
def test_a_run_moves_only_where_that_is_legal(ledger: Ledger, state: RunState, verb: str) -> None:
    """What has ended stays; only what runs is staged, falls back and ends, and only a plan is applied."""
    bring_to(ledger, state)
    before = ledger.run(RUN)
    if verb in LEGAL[state]:
        VERBS[verb](ledger)
        return
    with pytest.raises(ValueError, match="run shop-1 cannot"):
        VERBS[verb](ledger)
    assert ledger.run(RUN) == before


@pytest.mark.parametrize("verb", list(VERBS))
def test_a_run_that_is_not_there_does_not_move(ledger: Ledger, verb: str) -> None:
    with pytest.raises(ValueError, match="run shop-1 cannot"):
        VERBS[verb](ledger)


def test_no_run_ends_as_running(ledger: Ledger) -> None:
    ledger.begin(entry())
    with pytest.raises(ValueError, match="cannot end"):
        ledger.end(RUN, RunState.RUNNING, {})


@pytest.mark.parametrize("state", [RunState.INCOMPLETE, RunState.INTERRUPTED])
def test_only_an_open_run_is_resumed(ledger: Ledger, state: RunState) -> None:
    """One that is closed has ended for good."""
    ledger.begin(entry())
    ledger.end(RUN, state, {}, is_open=True)
    ledger.resumed(RUN)
    ledger.end(RUN, state, {})
    with pytest.raises(ValueError, match="cannot be resumed"):
        ledger.resumed(RUN)
