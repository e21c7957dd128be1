"""Tell what the ledger knows of runs and chunks, for people and as documents (wiring)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.state.advice import command
from pipeline.state.chunk_records import ChunkRow, ChunkState
from pipeline.state.ledger import UNFINISHED, RunRow, RunState


def outline(row: RunRow) -> dict[str, Any]:
    """Give a run as a document: where it stands, when, how many rows."""
    records = (row.summary or {}).get("records") or {}
    return {
        "run": row.id,
        "job": row.job,
        "state": row.state.value,
        "started_at": row.started_at,
        "ended_at": row.ended_at,
        "accepted": row.accepted,
        "confirmed": records.get("confirmed"),
        "limit": row.limit,
        "forced": list(row.forced),
    }


def line_of(row: RunRow) -> str:
    """Give a run as a line of a table."""
    known = outline(row)
    counts = f"{_count(known['confirmed'])} of {_count(known['accepted'])} confirmed"
    return f"{row.id:<48} {row.state:<12} {row.started_at[:19]}Z  {counts}"


def describe(row: RunRow, chunks: Sequence[ChunkRow], state_dir: Path, holder: str = "") -> str:
    """Say where a run stands: counts of chunks by state, the troubles one by one, and how to go on.

    `holder` names the process that runs the job at present, empty where none does.
    """
    lines = [line_of(row), ""]
    for state in ChunkState:
        found = [chunk for chunk in chunks if chunk.state is state]
        if found:
            rows = sum(chunk.rows for chunk in found)
            chunk_word, row_word = "chunk " if len(found) == 1 else "chunks", "row" if rows == 1 else "rows"
            lines.append(f"{state.value:<12}{len(found):>6} {chunk_word} {rows:>12,} {row_word}")
    for chunk in chunks:
        if chunk.state not in (ChunkState.CONFIRMED, ChunkState.HELD):
            said = chunk.message or (f"import {chunk.import_id}" if chunk.import_id is not None else "no message")
            lines.append(f"chunk {chunk.ordinal}: {chunk.state.value}: {said}")
    if row.state is RunState.RUNNING and holder:
        lines += ["", f"It is running ({holder})."]
    elif row.state in UNFINISHED:
        lines += ["", f"To go on: {command('resume', row.id, state_dir=state_dir)}"]
    return "\n".join(lines) + "\n"


def _count(number: int | None) -> str:
    return "?" if number is None else f"{number:,}"
