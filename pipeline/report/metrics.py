"""Write what runs did for Prometheus, as the text file that its node exporter reads (edge: one file)."""

from __future__ import annotations

import os
import sqlite3
from collections import Counter as Counted
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError, Problem
from pipeline.report.history import summary_of
from pipeline.state.last import Last, last_of_all
from pipeline.state.ledger import Ledger

_EXTRA = "install the extra: pip install 'copernica-import[metrics]'"
_WHERE = "metrics.textfile"
# The parts of `records` that are outcomes; they add up to what was read (data rule 2).
_OUTCOMES = (
    "read", "malformed", "rejected", "collapsed", "accepted", "unchanged", "confirmed", "failed", "unknown", "unsent",
)  # fmt: skip
_NUMBERS = {
    "seconds": "Wall time of the last run of a job in seconds.",
    "api_calls": "Requests to the API by the last run of a job.",
    "imports": "Imports that the last run of a job has made.",
    "bytes_sent": "Bytes that the last run of a job has sent.",
}


def write_metrics(path: Path, state_dir: Path) -> Problem | None:
    """Write the metrics of every job of a state folder to `path`, whole, for everybody to read; a problem where it cannot."""
    try:
        import prometheus_client
    except ImportError:
        return Problem("metrics need prometheus-client", _WHERE, _EXTRA)
    registry = prometheus_client.CollectorRegistry()
    try:
        _fill(prometheus_client, registry, state_dir)
        prometheus_client.write_to_textfile(str(path), registry)
        path.chmod(0o644)
    except (PipelineError, sqlite3.Error) as error:
        return Problem(
            f"the metrics could not be gathered: {type(error).__name__}", _WHERE, "see the errors of the run"
        )
    except OSError as error:
        return Problem(
            f"the metrics cannot be written: {os.strerror(error.errno or 0)}", f"{_WHERE} {path}", "mend the path"
        )
    return None


def textfile_problem(path: Path) -> Problem | None:
    """Return why metrics could not be written to a place, None where nothing speaks against it."""
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        return Problem(
            "metrics cannot be written there", f"{_WHERE} {path}", "name a file in a folder that may be written"
        )
    try:
        import prometheus_client  # noqa: F401
    except ImportError:
        return Problem("metrics need prometheus-client", _WHERE, _EXTRA)
    return None


def _fill(library: Any, registry: Any, state_dir: Path) -> None:
    runs = _gauge(library, registry, "runs", "Runs of a job that the state folder knows, by status.", "job", "status")
    is_open = _gauge(library, registry, "open_runs", "Runs of a job that are still open.", "job")
    records = _gauge(library, registry, "records", "Records of the last run of a job, by outcome.", "job", "outcome")
    words = "Rejects of the last run of a job, by code and column."
    rejects = _gauge(library, registry, "rejects", words, "job", "code", "column")
    numbers = {name: _gauge(library, registry, name, words, "job") for name, words in _NUMBERS.items()}
    if (state_dir / "ledger.sqlite").exists():
        for job, (newest, states, still_open) in _known(state_dir).items():
            for status, count in states.items():
                runs.labels(job, status).set(count)
            is_open.labels(job).set(still_open)
            for outcome in _OUTCOMES:
                records.labels(job, outcome).set((newest.get("records") or {}).get(outcome) or 0)
            for one in newest.get("set_aside") or ():
                rejects.labels(job, one["code"], one["column"]).set(one["count"])
            for name, gauge in numbers.items():
                gauge.labels(job).set(newest.get(name) or 0)
    _times(library, registry, last_of_all(state_dir))


def _times(library: Any, registry: Any, jobs: Mapping[str, Last]) -> None:
    exits = _gauge(library, registry, "last_exit_code", "Exit code of the last run of a job.", "job")
    ended = _gauge(library, registry, "last_run_timestamp_seconds", "When the last run of a job ended.", "job")
    good = _gauge(
        library, registry, "last_success_timestamp_seconds", "When a run of a job last ended with exit code 0.", "job"
    )
    for job, last in jobs.items():
        exits.labels(job).set(last.exit_code)
        ended.labels(job).set(_timestamp(last.at))
        if last.success_at is not None:
            good.labels(job).set(_timestamp(last.success_at))


def _known(state_dir: Path) -> dict[str, tuple[Mapping[str, Any], Counted[str], int]]:
    """Return per job the summary of its newest run that ended, its runs by status, and how many are open."""
    ledger = Ledger(state_dir)
    try:
        found: dict[str, tuple[Mapping[str, Any], Counted[str], int]] = {}
        for job, counts in ledger.ended_runs().items():
            newest = ledger.last(job, ended=True)
            states = Counted[str]({state: count for state, (count, _) in counts.items()})
            if newest is not None:
                found[job] = summary_of(ledger, newest), states, sum(still_open for _, still_open in counts.values())
        return found
    finally:
        ledger.close()


def _gauge(library: Any, registry: Any, name: str, words: str, *labels: str) -> Any:
    return library.Gauge(f"copernica_import_{name}", words, labels, registry=registry)


def _timestamp(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()
