"""Put what the target lacks, and what was made, into words (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pipeline.report.screen import marked, rendered, table
from pipeline.report.summary import errors_of
from pipeline.run.setup import Lack, Setup
from pipeline.state.advice import job_command


def document(found: Setup, made: Sequence[Lack], state_dir: Path | None) -> dict[str, Any]:
    """Return the document of `--json`."""
    return {
        "status": "done",
        "exit_code": 0,
        "job": found.job.job,
        "account": found.identity.id,
        "database": found.job.target.database if found.database is None else found.database.name,
        "lacks": [lack.to_dict() for lack in found.lacks],
        "created": [lack.to_dict() for lack in made],
        "notes": errors_of(found.notes),
        "go_on": _next(found, made, state_dir),
    }


def screen(found: Setup) -> str:
    """Return what is lacking as a table, and what is there and left alone."""
    where = f"account {found.identity.id} ({found.identity.name})"
    name = found.job.target.database if found.database is None else f"{found.database.name} ({found.database.id})"
    parts: list[Any] = [f"{where}, database {name}", ""]
    if found.lacks:
        parts += [table(("lacks", "name", "type", "length", "index", "choices"), map(_row, found.lacks), wide=(5,)), ""]
    notes = list(_notes(found))
    parts += [marked(notes), ""] if notes else []
    return rendered(parts)


def _row(lack: Lack) -> Sequence[str]:
    made = lack.field
    if made is None:
        return lack.kind, lack.name, "", "", "", ""
    choices = (made.value or "").replace("\n", ", ") if made.type == "select" else ""
    return lack.kind, lack.name, made.type, str(made.length or ""), "yes" if made.index else "", choices


def _notes(found: Setup) -> Iterator[tuple[str, str, str]]:
    for note in found.notes:
        yield "warning", f"{note.where}: {note.what}", note.do


def ending(found: Setup, made: Sequence[Lack], state_dir: Path | None) -> str:
    """Return what was made, and the next command."""
    if not found.lacks:
        line = ("ok", "the target has all that the job needs", "")
    elif made:
        line = ("ok", f"made {len(made)} of {len(found.lacks)}", "")
    else:
        line = ("info", "nothing was made", "")
    return rendered([marked([line]), "", f"Next: {_next(found, made, state_dir)}"])


def _next(found: Setup, made: Sequence[Lack], state_dir: Path | None) -> str:
    if found.lacks and not made:
        return job_command("setup", found.job, "--yes", state_dir=state_dir)
    return job_command("check", found.job, state_dir=state_dir)
