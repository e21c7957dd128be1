"""End a run before its first send: compare what is staged with the live target, and keep the plan (wiring; data rule 46)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.copernica import CallLimitError
from pipeline.errors import ApiRefusedError, Problem
from pipeline.model.job import Job
from pipeline.run.plan.changes import ChangesFile
from pipeline.run.plan.compare import Comparison, compare_staged
from pipeline.run.plan.differ import PROFILE, Class
from pipeline.run.plan.record import PlanRecord, digest_of, schema_path
from pipeline.run.plan.terms import PlanTerms
from pipeline.run.target import LiveTarget, refusing
from pipeline.stage.lanes import Lanes
from pipeline.stage.manifest import Manifest
from pipeline.state.run_records import RunRow

if TYPE_CHECKING:
    from pipeline.run.context import RunId
    from pipeline.run.prepare import PreparedJob

_CALLS_PER_IMPORT = 3  # the POST and two polls


@dataclass(frozen=True)
class Planned:
    """A plan: the entry of the summary, and what a person reads beside it."""

    counts: Mapping[str, Any]
    comparison: Comparison
    imports: int
    bytes_planned: int
    seconds: float | None = None

    @property
    def changes(self) -> int:
        """Return how many rows would create or change something."""
        return int(self.counts["create"]) + int(self.counts["update"])


def terms_of(plan: PreparedJob, target: LiveTarget) -> PlanTerms:
    """Return what comparing needs to know."""
    return PlanTerms(plan.job.target, plan.link.sets, target.live, plan.kinds)


def make_plan(target: LiveTarget, run: RunId, plan: PreparedJob, manifest: Manifest, out: Path | None) -> Planned:
    """Compare the staged rows with the target, and keep what `apply` needs beside them.

    Raises ApiRefusedError where the target cannot be read, InterruptedRunError when that was interrupted.
    """
    job, folder, terms = plan.job, run.folder, terms_of(plan, target)
    lanes = Lanes(folder.staged / "lanes")
    where = "the comparison with the database"
    with refusing(where, "nothing was sent; plan again later"), ChangesFile(out) as sink:
        try:
            found = compare_staged(target, terms, lanes, folder.staged / "plan", sink)
        except CallLimitError as error:
            do = "raise guards.max_calls, or pass --force max_calls"
            raise ApiRefusedError(Problem(error.message, where, do, "max_calls")) from None
    left = found.rows[Class.SEVERAL] + found.rows[Class.NOT_CHECKED]
    record = PlanRecord(
        datetime.now(UTC).isoformat(),
        digest_of(job.path),
        digest_of(schema_path(job)),
        found.to_send.len(),
        found.rows[Class.UNCHANGED],
        left,
    )
    record.write(folder, found.to_send)
    imports, size = _cost(lanes, found, job)
    # The structure and the guards cost `apply` what they cost the plan.
    calls = target.client.calls - found.calls + _calls(found, manifest, terms)
    calls += _CALLS_PER_IMPORT * imports if run.choice.method == "imports" else _single_calls(found, manifest, terms)
    calls = calls if found.to_send.len() else 0
    return Planned(_counts(found, calls), found, imports if run.choice.method == "imports" else 0, size)


def _counts(found: Comparison, calls: int) -> dict[str, Any]:
    """Return the entry `plan` of the summary: rows by what becomes of them, and records beside."""
    levels = sorted({level for level, _ in found.records}, key=lambda level: (level != PROFILE, level))
    return {
        "create": found.rows[Class.CREATE],
        "update": found.rows[Class.UPDATE],
        "unchanged": found.rows[Class.UNCHANGED],
        "gone": None,
        "several": found.rows[Class.SEVERAL],
        "not_checked": found.rows[Class.NOT_CHECKED],
        "calls_planned": calls,
        "calls_made": found.calls,
        "records": {
            level: {one.name.lower(): found.records[level, one] for one in Class if found.records[level, one]}
            for level in levels
        },
    }


def _cost(lanes: Lanes, found: Comparison, job: Job) -> tuple[int, int]:
    """Return the imports that the planned rows need, at least, and about the bytes of their bodies."""
    imports = size = 0
    sent = found.to_send
    for lane in lanes.lanes():
        rows = bytes_ = 0
        for frame in lanes.frames(lane):
            mine = frame.filter(frame["_seq"].is_in(sent.implode()))
            rows += mine.height
            names = [name for name in mine.columns if not name.startswith("_")]
            if mine.height:
                # Quotes, colon and comma, and the name of the column with each cell.
                bytes_ += sum(int(mine[name].str.len_bytes().sum()) + mine.height * (len(name) + 6) for name in names)
        imports += max(-(-rows // job.load.chunk_rows), -(-bytes_ // job.load.chunk_bytes))
        size += bytes_
    return imports, size


def _calls(found: Comparison, manifest: Manifest, terms: PlanTerms) -> int:
    """Return about how many calls `apply` makes to read the planned keys again, and to read a sample back."""
    levels = 1 + len(terms.sets.collections)
    again = min(found.calls, levels + _keys(found, manifest) * levels)
    return again + len(manifest.sample) * levels


def _single_calls(found: Comparison, manifest: Manifest, terms: PlanTerms) -> int:
    """Return about how many calls the per-profile method needs: lookups, and a write per record."""
    touched = (Class.CREATE, Class.UPDATE)
    writes = sum(count for (_, one), count in found.records.items() if one in touched)
    return writes + _keys(found, manifest) * (1 + len(terms.sets.collections))


def _keys(found: Comparison, manifest: Manifest) -> int:
    """Return how many profile keys the rows have that are to be sent, at most."""
    return min(found.to_send.len(), manifest.staged.profiles or found.to_send.len())


def seconds_per_row(runs: Iterable[RunRow]) -> float | None:
    """Return how long the last run of a job that was done took per row; None where there was none."""
    for row in runs:
        summary = row.summary or {}
        confirmed = summary.get("records", {}).get("confirmed", 0)
        if summary.get("status") == "done" and confirmed:
            return float(summary.get("seconds", 0.0)) / int(confirmed)
    return None
