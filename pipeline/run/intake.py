"""Take the input in: extract, link and validate every record, set rejects aside, hand accepted rows on (wiring)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace

import polars as pl

from pipeline.errors import Problem
from pipeline.log import get_logger
from pipeline.model.columns import LiveField
from pipeline.model.counts import Intake
from pipeline.model.rows import Batch, Checked
from pipeline.report.followed import Followed
from pipeline.report.progress import Reporter
from pipeline.report.rejects import RejectsWriter
from pipeline.run.engine.reading import reading_of
from pipeline.run.engine.terms import Terms
from pipeline.run.observe import Observer
from pipeline.run.prepare import PreparedJob


def take_in(
    plan: PreparedJob,
    live: Mapping[str, LiveField] | None,
    rejects: RejectsWriter,
    keep: Callable[[Batch, pl.DataFrame], None],
    reporter: Reporter,
    terms: Terms,
    *,
    follow: bool = False,
) -> Intake:
    """Read all files; `keep` is called with the accepted rows of every batch, `rejects` gets the rest.

    With `follow` (rows will be sent) rejects name the later row of their key, so that they do not overwrite it when mended.
    Raises InputError when a file is refused, after all files were looked at.
    """
    intake, reading = Intake(), reading_of(plan, live, terms)
    followed, seen_bytes, good = Followed(), 0, Counter[int]()
    observer = Observer(plan.link, plan.job.source.encoding)

    batches = iter(reading)
    with reporter.stage("read and validate", reading.bytes_total) as advance, closing(batches):
        for taken in batches:
            batch, checked = taken.batch, taken.checked
            observer.see(batch, checked, taken.nulls)
            rejects.write(batch, checked.faults)
            if follow:
                followed.add(batch, checked)
            keep(batch, checked.accepted)
            if plan.job.target.gone == "report":
                intake.rejected_keys.extend(checked.rejected_keys.drop_nulls().unique())
            good[batch.file.index] += checked.accepted.height
            advance(reading.bytes_read - seen_bytes, _count(intake, batch, checked))
            seen_bytes = reading.bytes_read
    rejects.follow(followed)
    intake.facts = tuple(replace(one, good=good[one.file.index]) for one in reading.facts)
    intake.set_aside = rejects.set_aside
    intake.hints = tuple(observer.reject_problems())
    _warn(*observer.null_problems(), *intake.hints)
    intake.check()
    return intake


def _count(intake: Intake, batch: Batch, checked: Checked) -> int:
    """Count the rows of a batch by what becomes of them; returns how many there are."""
    intake.malformed += batch.malformed.height
    intake.rejected += checked.faults.height
    intake.rejected_by_target += int(checked.faults["_by_target"].sum())
    intake.valid += checked.accepted.height
    return batch.malformed.height + checked.faults.height + checked.accepted.height


def _warn(*problems: Problem) -> None:
    for problem in problems:
        get_logger().warning("values.look_wrong", what=problem.what, where=problem.where, do=problem.do)
