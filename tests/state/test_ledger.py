"""The moves of a run in the ledger: one legal move per verb, and every other one raises."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.state.ledger import Ledger, RunEntry, RunState

RUN = "shop-1"
VERBS: dict[str, Callable[[Ledger], None]] = {
    "resumed": lambda ledger: ledger.resumed(RUN),
    "fell_back": lambda ledger: ledger.fell_back(RUN, "refused"),
    "staged": lambda ledger: ledger.staged(RUN, 5),
    "end": lambda ledger: ledger.end(RUN, RunState.DONE, {}),
    "give_up": lambda ledger: ledger.give_up(RUN),
}
OPEN = {"resumed", "give_up"}
LEGAL = {
    RunState.RUNNING: set(VERBS),
    RunState.INCOMPLETE: OPEN,
    RunState.INTERRUPTED: OPEN,
    RunState.DONE: set(),
    RunState.REFUSED: set(),
    RunState.CLOSED: set(),
}


def entry() -> RunEntry:
    return RunEntry(RUN, "shop", "job.yaml", "{}", None, True, (), "localhost", "1", 1, {}, "imports")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    found = Ledger(tmp_path)
    yield found
    found.close()


def bring_to(ledger: Ledger, state: RunState) -> None:
    """Begin the run and bring it to a state."""
    ledger.begin(entry(), ())
    if state is RunState.CLOSED:
        ledger.give_up(RUN)
    elif state is not RunState.RUNNING:
        ledger.end(RUN, state, {})


@pytest.mark.parametrize("state", list(RunState))
@pytest.mark.parametrize("verb", list(VERBS))
def test_a_run_moves_only_where_that_is_legal(ledger: Ledger, state: RunState, verb: str) -> None:
    """What is done, refused or closed stays; only what runs is staged, falls back and ends."""
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


@pytest.mark.parametrize("state", [RunState.RUNNING, RunState.CLOSED])
def test_no_run_ends_in_what_is_no_ending(ledger: Ledger, state: RunState) -> None:
    ledger.begin(entry(), ())
    with pytest.raises(ValueError, match="cannot end"):
        ledger.end(RUN, state, {})
