"""Write the index of all runs of a state folder as one self-contained HTML file (edge: files)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.report.history import summary_of
from pipeline.report.html.page import TONES, template
from pipeline.state.files import write_whole
from pipeline.state.folder import RunFolder
from pipeline.state.ledger import Ledger

MOST_RUNS = 1000
NAME = "index.html"


def write_index(ledger: Ledger) -> Path:
    """Write `index.html` into the state folder, with links to the reports that are there; raises OSError."""
    summaries = [summary_of(ledger, row) for row in ledger.runs()]
    newest: dict[str, Mapping[str, Any]] = {}
    for one in summaries:
        newest.setdefault(one["job"], one)
    shown = [_linked(ledger.state_dir, one) for one in summaries[:MOST_RUNS]]
    page = template("index.html").render(
        runs=shown,
        jobs=list(newest.values()),
        total=len(summaries),
        state_dir=ledger.state_dir.absolute(),
        tones=TONES,
        with_job=True,
    )
    path = ledger.state_dir / NAME
    write_whole(path, page.encode())
    return path.absolute()


def _linked(state_dir: Path, summary: Mapping[str, Any]) -> dict[str, Any]:
    """Add where the report of a run is, relative to the index."""
    report = RunFolder(state_dir, summary["run"]).report_path
    link = report.relative_to(state_dir).as_posix()
    return {**summary, "has_report": report.exists(), "link": link}
