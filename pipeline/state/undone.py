"""Record which run undoes which (edge: SQLite).

The table is made where it is missing: a ledger without it has no undone run.
"""

from __future__ import annotations

from pipeline.state.database import Database

TABLE = """CREATE TABLE IF NOT EXISTS undone (
    undo TEXT PRIMARY KEY, run TEXT NOT NULL
) STRICT, WITHOUT ROWID"""
# A condition on `run.id`: that run counts as confirmed no more.
NOT_UNDONE = "run.id NOT IN (SELECT undone.run FROM undone)"


def note_undo(db: Database, run: str, undo: str) -> None:
    """Record that `undo` is about to bring back what was before `run`; again it changes nothing."""
    db.execute("INSERT OR IGNORE INTO undone (undo, run) VALUES (?, ?)", (undo, run))


def undone_by(db: Database, run: str) -> str | None:
    """Return the newest run that undoes a run, None where none does."""
    found = db.execute("SELECT undo FROM undone WHERE run = ? ORDER BY undo DESC LIMIT 1", (run,)).fetchone()
    return None if found is None else str(found[0])


def undoes(db: Database, undo: str) -> str | None:
    """Return the run that a run undoes, None where it is no undo."""
    found = db.execute("SELECT run FROM undone WHERE undo = ?", (undo,)).fetchone()
    return None if found is None else str(found[0])
