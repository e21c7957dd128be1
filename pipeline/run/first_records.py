"""Read the first records of a dump, and show what would become of them (wiring)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipeline.errors import InputError, Problem
from pipeline.model.columns import LiveField
from pipeline.model.counts import SetAside
from pipeline.report.rejects import RejectsWriter
from pipeline.report.summary import counted
from pipeline.run.observe import Observer, count_nulls, free_texts
from pipeline.run.prepare import PreparedJob

# Enough to see what is wrong with all of them.
FIRST_RECORDS = 1_000
# Causes that are named, the most frequent first.
_MOST_CAUSES = 8


@dataclass(frozen=True)
class FirstRecords:
    """What the first records of a dump are like: why the file is refused, what is worth a word, or that all are good."""

    refusals: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    good: str = ""


def read_first(plan: PreparedJob, live: Mapping[str, LiveField] | None) -> FirstRecords:
    """Validate the first records of the one file of a plan."""
    validator, rejects = plan.validator(live), RejectsWriter(None)
    observer, texts = Observer(plan.link, plan.job.source.encoding), free_texts(plan.schema, plan.link)
    (file,) = plan.files
    read = bad = 0
    try:
        for batch in plan.extraction(FIRST_RECORDS, batch_rows=FIRST_RECORDS):
            checked = validator.check(batch)
            rejects.write(batch, checked.faults)
            observer.see(batch, checked, count_nulls(checked.accepted, texts))
            read += batch.frame.height + batch.malformed.height
            bad += batch.malformed.height + checked.faults.height
    except InputError as error:
        return FirstRecords(refusals=error.problems)
    which = f"{'first ' if read == FIRST_RECORDS else ''}{counted(read, 'record')}"
    every = which if read == 1 else f"all of the {which}" if read == FIRST_RECORDS else f"all {which}"
    good = f"{file.name}: {every if not bad else f'{read - bad:,} of the {which}'} can be sent"
    warnings = (*_set_aside(rejects, which, bad, file.name), *observer.reject_problems(), *observer.null_problems())
    return FirstRecords(warnings=warnings, good=good if bad < read or not read else "")


def _set_aside(rejects: RejectsWriter, which: str, bad: int, name: str) -> Iterator[Problem]:
    """Name what would be set aside in one warning, each cause with its first line."""
    causes = [
        f"{one.count:,} {one.code}" + (f" in {one.column}" if one.column else "") + _line(one)
        for one in rejects.set_aside
    ]
    if causes:
        more = len(causes) - _MOST_CAUSES
        listed = ", ".join(causes[:_MOST_CAUSES]) + (f" and {more} more causes" if more > 0 else "")
        what = f"{bad:,} of the {which} would be set aside: {listed}"
        yield Problem(what, name, "see one with `preview --record`; docs/codes.md explains the codes")


def _line(one: SetAside) -> str:
    return f" (line {one.places[0][1]})" if one.places else ""
