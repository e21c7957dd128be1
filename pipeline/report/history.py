"""Show what the ledger knows of runs and chunks, for people and as documents (edge: the ledger)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.model.chunk import ChunkState
from pipeline.report.summary import one_line
from pipeline.state.advice import command
from pipeline.state.chunk_records import ChunkRow
from pipeline.state.ledger import Ledger
from pipeline.state.lock import holder_of
from pipeline.state.run_records import RunRow, RunState

# How many chunks that are not confirmed are named.
MOST_TROUBLES = 20


def summary_of(ledger: Ledger, row: RunRow) -> dict[str, Any]:
    """Return the summary of a run, with when it was; of one that has no summary yet, what the ledger knows.

    A run that was killed is `interrupted`, whatever the ledger has: nobody holds its lock.
    """
    found = dict(row.summary or _unfinished_summary(ledger, row))
    if row.state is RunState.RUNNING:
        goes_on = bool(holder_of(ledger.state_dir, row.job))
        found |= {"status": "running" if goes_on else "interrupted", "exit_code": None}
    undone_by = ledger.undone_by(row.id)
    return found | {
        "open": row.open,
        "limit": row.limit,
        "started_at": row.started_at,
        "ended_at": row.ended_at,
        **({} if undone_by is None else {"undone_by": undone_by}),
    }


def _unfinished_summary(ledger: Ledger, row: RunRow) -> dict[str, Any]:
    """Count what a run without a summary has done so far."""
    chunks = ledger.chunks(row.id)
    counts = {name: sum(getattr(one, name) for one in chunks) for name in ("confirmed", "failed", "unknown")}
    unsent = None if row.accepted is None else row.accepted - sum(counts.values())
    return {
        "run": row.id,
        "job": row.job,
        "status": row.state.value,
        "exit_code": None,
        "records": {"accepted": row.accepted, **counts, "unsent": unsent},
        "chunks": {**Counter(one.word for one in chunks), "total": len(chunks)},
        "imports": sum(one.import_id is not None for one in chunks),
        "forced": list(row.forced),
    }


def without_lists(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run's summary for `runs --json`: every value but the lists."""
    return {name: value for name, value in summary.items() if not isinstance(value, list | tuple)}


def table(summaries: Iterable[Mapping[str, Any]]) -> str:
    """Return runs as a table: when, job, verdict, exit code, counts, seconds, calls, and the run's id."""
    head = (
        "when (UTC)",
        "job",
        "verdict",
        "exit",
        "read",
        "rejected",
        "unchanged",
        "confirmed",
        "seconds",
        "calls",
        "run",
    )
    rows = [head, *(tuple(_cells(one)) for one in summaries)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(head))]
    return "".join(f"{_aligned(row, widths).rstrip()}\n" for row in rows)


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    """Put words to the left of their column, numbers to the right."""
    words = (0, 1, 2, len(widths) - 1)
    pairs = enumerate(zip(row, widths, strict=True))
    return "  ".join(cell.ljust(width) if at in words else cell.rjust(width) for at, (cell, width) in pairs)


def _cells(summary: Mapping[str, Any]) -> Iterator[str]:
    records = summary.get("records") or {}
    yield summary["started_at"][:16].replace("T", " ")
    yield summary["job"]
    undone = ", undone" if summary.get("undone_by") else ""
    yield f"{summary['status']}{', open' if summary['open'] and summary['status'] != 'running' else ''}{undone}"
    yield "" if summary["exit_code"] is None else str(summary["exit_code"])
    yield _count(records.get("read"))
    yield _count(None if records.get("read") is None else records.get("malformed", 0) + records.get("rejected", 0))
    yield _count(records.get("unchanged"))
    yield _count(records.get("confirmed"))
    yield f"{summary['seconds']:,.0f}" if summary.get("seconds") is not None else ""
    yield _count(summary.get("api_calls"))
    yield str(summary["run"])


def standing_of(ledger: Ledger, row: RunRow) -> dict[str, Any]:
    """Return where a run stands as a document: its summary, who runs it, and its chunks one by one."""
    chunks = ledger.chunks(row.id)
    holder = holder_of(ledger.state_dir, row.job) if row.state is RunState.RUNNING else ""
    listed = [{name: value for name, value in one.to_dict().items() if name != "message"} for one in chunks]
    return {**summary_of(ledger, row), "holder": holder or None, "chunk_list": listed}


def describe(ledger: Ledger, row: RunRow, now: datetime) -> str:
    """Return where a run stands for a person: its counts, chunks by state, what is wrong, and what to do next.

    `now` is in UTC; from it and the first chunk's time come rate and time left.
    """
    summary, chunks = summary_of(ledger, row), ledger.chunks(row.id)
    lines = [one_line(summary), f"started {row.started_at[:19].replace('T', ' ')} UTC"]
    lines += _chunk_counts(chunks)
    lines += list(_troubles(chunks))
    if summary["status"] == "running":
        lines += ["", f"It is running ({holder_of(ledger.state_dir, row.job)}). {_speed(row, chunks, now)}".rstrip()]
    elif summary["open"]:
        lines += ["", f"To finish it: {command('resume', row.id, state_dir=ledger.state_dir)}"]
    elif summary.get("go_on"):
        lines += ["", summary["go_on"]]
    report = Path(summary["report"]) if summary.get("report") else None
    lines += ["", f"report: {report}"] if report is not None and report.exists() else []
    return "\n".join(lines) + "\n"


def _chunk_counts(chunks: Sequence[ChunkRow]) -> list[str]:
    lines = []
    words = dict.fromkeys(chunk.word for chunk in chunks if chunk.state is not ChunkState.SPLIT)
    for word in words:
        found = [chunk for chunk in chunks if chunk.word == word]
        if found:
            rows = sum(chunk.rows for chunk in found)
            chunk_word, row_word = "chunk " if len(found) == 1 else "chunks", "row" if rows == 1 else "rows"
            lines.append(f"{word:<12}{len(found):>6} {chunk_word} {rows:>12,} {row_word}")
    return ["", *lines] if lines else []


def _troubles(chunks: Sequence[ChunkRow]) -> Iterator[str]:
    troubles = [one for one in chunks if one.word not in ("confirmed", "held", "split")]
    for chunk in troubles[:MOST_TROUBLES]:
        # The message is ours: Copernica's words may quote a customer, and stay in the ledger.
        sent = f", import {chunk.import_id}" if chunk.import_id is not None else ""
        sent += f": {chunk.message}" if chunk.message else ""
        yield f"chunk {chunk.ordinal}: {chunk.word}, {chunk.rows:,} rows{sent}"
    if len(troubles) > MOST_TROUBLES:
        yield f"… and {len(troubles) - MOST_TROUBLES} more"


def _speed(row: RunRow, chunks: Sequence[ChunkRow], now: datetime) -> str:
    """Return rows confirmed, rate and time left of a run that is running."""
    if row.accepted is None:
        return "It reads the dumps."
    begun = min((one.sending_at for one in chunks if one.sending_at), default=None)
    confirmed = sum(one.confirmed for one in chunks)
    words = f"{confirmed:,} of {row.accepted:,} rows are confirmed"
    if confirmed == row.accepted:
        return f"{words}; a sample is read back."
    if begun is None or not confirmed:
        return f"{words}."
    rate = confirmed / max((now - datetime.fromisoformat(begun).astimezone(UTC)).total_seconds(), 0.001)
    return f"{words}, {rate:,.0f} rows/s, about {(row.accepted - confirmed) / rate:,.0f} s left."


def _count(number: int | None) -> str:
    return "" if number is None else f"{number:,}"
