"""Open the ledger of a state folder and find a run in it (edge: SQLite)."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import JobError, Problem
from pipeline.state.advice import command
from pipeline.state.ledger import Ledger
from pipeline.state.run_records import RunRow


def open_ledger(state_dir: Path) -> Ledger:
    """Open a ledger that is there; raises JobError where no run was ever made."""
    if not (state_dir / "ledger.sqlite").exists():
        do = "name the state folder with --state-dir (it is beside the job file), or run the job"
        raise JobError(Problem("there is no run here", str(state_dir), do))
    return Ledger(state_dir)


def find(ledger: Ledger, run: str | None) -> RunRow:
    """Find a run by its id, or the newest open one, or else the newest; raises JobError where there is none."""
    if run is not None:
        return find_newest(ledger, run)
    rows = ledger.open_runs()
    return rows[-1] if rows else find_newest(ledger, None)


def find_newest(ledger: Ledger, run: str | None) -> RunRow:
    """Find a run by its id, or else the newest; raises JobError where there is none."""
    if run is not None:
        found = ledger.run(run)
        if found is None:
            do = f"list them: {command('runs', state_dir=ledger.state_dir)}"
            raise JobError(Problem(f"there is no run {run}", str(ledger.state_dir), do))
        return found
    rows = ledger.runs(most=1)
    if not rows:
        raise JobError(Problem("there is no run here", str(ledger.state_dir), "run a job first"))
    return rows[0]
