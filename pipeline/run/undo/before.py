"""Read what a run will replace before its first request, and keep it (wiring; data rules 29, 45)."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping

import polars as pl

from pipeline.log import get_logger
from pipeline.model.columns import Kind, LiveField, Sets
from pipeline.model.job import Job, Target
from pipeline.run.context import Context, RunId
from pipeline.run.plan.compare import read_live
from pipeline.run.plan.live import LiveRecords
from pipeline.run.plan.terms import PlanTerms
from pipeline.run.prepare import prepare
from pipeline.run.target import refusing
from pipeline.stage.key_index import PROBE
from pipeline.stage.lanes import Lanes
from pipeline.stage.manifest import Manifest
from pipeline.state.before import Before

WHERE = "the values from before (load.before)"


def keep_before(context: Context, run: RunId, manifest: Manifest) -> bool:
    """Keep the records that the rows to send will write, once per run; returns whether any were read now.

    Unless the job sets `max_calls`, what it reads for this is not limited: the limit follows from what it sends. Raises
    ApiRefusedError where the target cannot be read, InterruptedRunError when that was interrupted. A run that has sent
    something cannot read it any more.
    """
    before = Before(run.folder.path)
    if before.whole:
        return False
    if context.ledger.sent_anything(run.run):
        get_logger().warning("before.lost", what="the values from before are lost: this run cannot be undone")
        return False
    before.start_over()
    terms = image_terms(run.job, manifest.sets, context.target.live, prepare(run.job, None).kinds)
    lanes = Lanes(run.folder.staged / manifest.lanes)
    work = run.folder.staged / "before"
    shutil.rmtree(work, ignore_errors=True)
    target, calls = context.target, context.target.client.calls
    if run.job.guards.max_calls is None:
        target.client.limit_calls(None)
    refuses = refusing(WHERE, "nothing was sent; run the job again later")
    with refuses, context.reporter.stage("keep the values from before", None):
        live, method = read_live(target, terms, lanes, work)
    records = _put(before, live)
    before.finish({
        "probe": PROBE,
        "account": target.identity.id,
        "database": target.database.id,
        "sets": dataclasses.asdict(terms.sets),
        "kinds": {name: kind for name, kind in terms.kinds.items() if name in terms.sets.columns},
        "count": live.count,
    })  # fmt: skip
    shutil.rmtree(work, ignore_errors=True)
    get_logger().info("before.kept", records=records, method=method, calls=target.client.calls - calls)
    return True


def _put(before: Before, live: LiveRecords) -> int:
    """Keep the records that were read, a partition at a time; returns how many there are."""
    records = 0
    named = {"profiles": live.profiles} | {f"sub{at}": one for at, one in enumerate(live.subprofiles.values())}
    for name, files in named.items():
        for frame in files.frames():
            before.put(f"{name}-{int(frame['_key'][0]) % live.count:04d}", frame)
            records += frame.height
    before.put("unread", pl.DataFrame({"_key": pl.Series(list(live.unread), dtype=pl.UInt64)}))
    return records


def image_terms(job: Job, sets: Sets, live: Mapping[str, LiveField], kinds: Mapping[str, Kind]) -> PlanTerms:
    """Return what is read of each record: the columns that are sent, of what is deleted all there are."""
    if job.target.action == "delete":
        sets = _whole_records(job.target, sets, live)
    return PlanTerms(job.target, sets, live, kinds)


def _whole_records(target: Target, sets: Sets, live: Mapping[str, LiveField]) -> Sets:
    """Return the sets of everything that goes with a deleted record."""
    collections = sets.collections
    if target.delete_target == "profile":
        collections = tuple(dict.fromkeys(name.partition(".")[0] for name, one in live.items() if _dotted(name, one)))
    interests = tuple(name for name, one in live.items() if one.type == "interest")
    columns = tuple(
        name for name, one in live.items() if not _dotted(name, one) or name.partition(".")[0] in collections
    )
    return Sets(columns, collections, interests)


def _dotted(name: str, field: LiveField) -> bool:
    return "." in name and field.type != "interest"
