"""Write a run's report as one self-contained HTML file (edge: files; Jinja2 is loaded here alone)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.errors import JobError, Problem
from pipeline.log import get_logger
from pipeline.model.chunk import ChunkState
from pipeline.model.codes import CODES
from pipeline.model.counts import SetAside
from pipeline.report.history import summary_of
from pipeline.report.html.plots import COLOURS, runs_plot, time_line
from pipeline.report.html.time_line import by_state, lines_of
from pipeline.report.summary import Summary
from pipeline.state.advice import command
from pipeline.state.chunk_records import ChunkRow
from pipeline.state.files import write_whole
from pipeline.state.folder import RunFolder
from pipeline.state.ledger import Ledger
from pipeline.state.run_records import RunRow, RunState

TEMPLATES = Path(__file__).parent / "templates"
# What a page shows of lists that may be long; the files of the run have all of it.
MOST_RUNS, MOST_CHUNKS, MOST_SET_ASIDE, MOST_FILES, MOST_PROBLEMS = 30, 50, 200, 200, 50
# The two bars of the flow: what became of what was read, and of what was accepted.
_OF_READ = ("malformed", "rejected", "collapsed", "accepted")
_OF_ACCEPTED = ("unchanged", "confirmed", "failed", "unknown", "unsent")
_VERDICTS = {
    "done": ("good", "Done"),
    "validated": ("good", "Validated"),
    "planned": ("calm", "Planned"),
    "running": ("calm", "Running"),
    "incomplete": ("warn", "Not complete"),
    "interrupted": ("warn", "Interrupted"),
    "refused": ("bad", "Refused"),
}

TONES = {status: f"var(--{tone})" for status, (tone, _) in _VERDICTS.items()}


@dataclass(frozen=True)
class RunReport:
    """What a report shows: the run's summary document, its rejects, its chunks, the job's last runs and the job itself."""

    summary: Mapping[str, Any]
    set_aside: Sequence[SetAside]
    chunks: Sequence[ChunkRow]
    runs: Sequence[Mapping[str, Any]]
    job: Mapping[str, Any]
    state_dir: Path


def write_report(folder: RunFolder, ledger: Ledger, summary: Summary) -> Path | None:
    """Write `report.html` into the run's folder and return its path; None, and a warning, where that cannot be done."""
    return _write(folder, _gathered(ledger, folder.run, summary.to_dict(), summary.set_aside))


def report_of(ledger: Ledger, row: RunRow) -> Path:
    """Return the report of a run, written anew where it is missing or the run was resumed since; raises JobError.

    Of rejects only what the summary keeps is known then: one place each, and no shapes of values.
    """
    folder = RunFolder(ledger.state_dir, row.id)
    if folder.report_path.exists() and row.summary is not None and row.state is not RunState.RUNNING:
        return folder.report_path.absolute()
    summary = summary_of(ledger, row)
    path = _write(folder, _gathered(ledger, row.id, summary, _kept(summary))) if folder.path.is_dir() else None
    if path is None:
        do = "see that its folder is there and may be written"
        raise JobError(Problem("the report of this run cannot be written", str(folder.path), do))
    return path.absolute()


def _write(folder: RunFolder, report: RunReport) -> Path | None:
    try:
        write_whole(folder.report_path, render(report).encode())
    except OSError as error:
        get_logger().warning("report.not_written", reason=error.strerror)
        return None
    return folder.report_path


def _gathered(ledger: Ledger, run: str, summary: Mapping[str, Any], set_aside: Sequence[SetAside]) -> RunReport:
    row = ledger.run(run)
    others = [one for one in ledger.runs(summary["job"], MOST_RUNS + 1) if one.id != run]
    known = [summary_of(ledger, one) for one in others][: MOST_RUNS - 1]
    if row is not None:
        known = [dict(summary) | {"started_at": row.started_at}, *known]
    job = {} if row is None else json.loads(row.job_copy)
    shown = {"started_at": row.started_at if row else ""} | dict(summary)
    return RunReport(shown, set_aside, ledger.chunks(run), known, job, ledger.state_dir)


def _kept(summary: Mapping[str, Any]) -> list[SetAside]:
    return [
        SetAside(one["code"], one["column"], one["count"], ((one["example"]["file"], one["example"]["line"]),))
        for one in summary.get("set_aside") or ()
    ]


def render(report: RunReport) -> str:
    """Return the page of a run."""
    summary, records = report.summary, report.summary.get("records") or {}
    tone, verdict = _VERDICTS.get(summary["status"], ("calm", str(summary["status"])))
    page: str = template("run.html").render(
        summary=summary,
        records=records,
        tone=tone,
        verdict=verdict,
        next_step=summary.get("go_on") or "",
        colours=COLOURS,
        tones=TONES,
        problems=list(summary.get("problems") or summary.get("errors") or ())[:MOST_PROBLEMS],
        flow=[_bar("read", records, _OF_READ), _bar("accepted", records, _OF_ACCEPTED)],
        set_aside=[_reject(one) for one in report.set_aside[:MOST_SET_ASIDE]],
        set_aside_more=max(0, len(report.set_aside) - MOST_SET_ASIDE),
        chunk_states=by_state(report.chunks),
        chunk_lines=lines_of(report.chunks),
        chunk_plot=_chunk_plot(report.chunks),
        troubles=_troubles(report.chunks),
        numbers=_numbers(summary),
        runs=report.runs,
        runs_plot=_runs_plot(report.runs),
        files=list(summary.get("files") or ())[:MOST_FILES],
        job=json.dumps(report.job, indent=2, ensure_ascii=False),
        replay=command("replay", str(summary["run"]), state_dir=report.state_dir) if _has_rejects(summary) else "",
        history=command("runs", str(summary["job"]), state_dir=report.state_dir),
    )
    return page


def template(name: str) -> Any:
    """Return a template; whatever it is filled with is escaped."""
    return _environment().get_template(name)


@cache
def _environment() -> Any:
    # Here and not at the top: no other command needs it. Once: it keeps the templates that it has compiled (60 ms).
    import jinja2

    loader = jinja2.FileSystemLoader(TEMPLATES)
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["n"] = _n
    return environment


def _n(number: object) -> str:
    """Write a number with thousands apart, a dash for what is not known."""
    if not isinstance(number, int | float):
        return "–"
    return f"{number:,.1f}" if isinstance(number, float) else f"{number:,}"


def _bar(whole: str, records: Mapping[str, Any], parts: Sequence[str]) -> dict[str, Any]:
    total = records.get(whole) or 0
    found = [(name, records.get(name) or 0) for name in parts]
    shares = [
        (name, count, 100 * count / total if total else 0, COLOURS.get(name, "var(--good)")) for name, count in found
    ]
    return {"whole": whole, "total": total, "parts": shares}


def _reject(one: SetAside) -> dict[str, Any]:
    known = CODES.get(one.code)
    lines: dict[str, list[str]] = {}
    for file, line in one.places:
        lines.setdefault(file or "", []).append("" if line is None else f"{line:,}")
    return {
        "code": one.code,
        "column": one.column,
        "count": one.count,
        "title": known.title if known else "",
        "advice": known.advice if known else "",
        "places": [(file, ", ".join(numbers)) for file, numbers in lines.items()],
        "masked": one.masked,
    }


def _has_rejects(summary: Mapping[str, Any]) -> bool:
    return bool(summary.get("rejects"))


def _troubles(chunks: Sequence[ChunkRow]) -> dict[str, Any]:
    found = [one for one in chunks if one.state not in (ChunkState.CONFIRMED, ChunkState.SPLIT)]
    return {"first": found[:MOST_CHUNKS], "more": max(0, len(found) - MOST_CHUNKS)}


def _numbers(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    seconds, records = summary.get("seconds"), summary.get("records") or {}
    confirmed, verify = records.get("confirmed") or 0, summary.get("verify") or {}
    rate = f"{confirmed / seconds:,.0f} rows/s" if seconds and confirmed else "–"
    return [
        ("Seconds", _n(seconds)),
        ("Throughput", rate),
        ("API calls", _n(summary.get("api_calls"))),
        ("Imports", _n(summary.get("imports"))),
        ("Other writes", _n(summary.get("writes"))),
        ("Bytes sent", _n(summary.get("bytes_sent"))),
        ("Read back", f"{verify.get('equal', 0):,} of {verify['checked']:,} equal" if verify.get("checked") else "–"),
        ("Rebuild", summary.get("rebuild") or "–"),
        ("Method", ": ".join(filter(None, (summary.get("way"), summary.get("way_reason")))) or "–"),
        ("Overridden guards", ", ".join(summary.get("forced") or ()) or "none"),
    ]


def _chunk_plot(chunks: Sequence[ChunkRow]) -> str:
    lines = lines_of(chunks)[::-1]
    if not lines:
        return ""
    series: dict[str, list[Any]] = {"wait": [{"value": one.start_s} for one in lines]}
    for state in dict.fromkeys(one.state for one in lines[::-1]):
        series[state] = [
            {"value": max(one.seconds, 0.001), "label": f"chunk {one.name}: {one.state}, {one.rows:,} rows"}
            if one.state == state
            else None
            for one in lines
        ]
    return time_line([one.name for one in lines], series)


def _runs_plot(runs: Sequence[Mapping[str, Any]]) -> str:
    oldest_first = list(reversed(runs))
    if len(oldest_first) < 2:
        return ""
    series = {}
    for name in ("confirmed", "unchanged", "collapsed", "rejected", "malformed", "failed", "unknown", "unsent"):
        counts = [(one.get("records") or {}).get(name) or 0 for one in oldest_first]
        if any(counts):
            series[name] = [
                {"value": count, "label": f"{one['run']}: {count:,} {name}"}
                for one, count in zip(oldest_first, counts, strict=True)
            ]
    return runs_plot([one["started_at"][5:10] for one in oldest_first], series) if series else ""
