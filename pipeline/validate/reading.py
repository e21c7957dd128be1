"""Say what is wrong with the reading words of a job: dates, time zones, number marks, yes and no (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from zoneinfo import ZoneInfo

from pipeline.errors import Problem, shown
from pipeline.job import ColumnReading, Job, Source
from pipeline.validate.forms import FormError, compile_form


def reading_problems(job: Job) -> Iterator[Problem]:
    """Name every word of `source` and of a single column that cannot be followed, with its place in the job file."""
    yield from _problems(job.source, "source")
    found = {str(problem.what) for problem in _problems(job.source, "source")}
    for column in job.columns:
        for problem in _problems(job.reading(column), f"columns.{column}"):
            if problem.what not in found:
                yield problem


def _problems(reading: Source | ColumnReading, where: str) -> Iterator[Problem]:
    for form in reading.dates:
        try:
            compile_form(form)
        except FormError as error:
            yield Problem(f"{shown(form)} is no form of a date: {error}", f"{where}.dates", error.do)
    try:
        ZoneInfo(reading.timezone)
    except (KeyError, ValueError, OSError):
        do = "use a name of the IANA database, such as Europe/Amsterdam or UTC"
        yield Problem(f"{shown(reading.timezone)} is no time zone", f"{where}.timezone", do)
    mark = reading.thousands
    if mark is not None and (mark == reading.decimal or mark.isalnum() or mark in "+-"):
        do = "use another character than the decimal mark, a sign, a letter or a digit"
        yield Problem(f"{shown(mark)} cannot separate thousands", f"{where}.thousands", do)
    both = set(reading.true_values) & set(reading.false_values)
    if both:
        do = "list it in one of the two"
        yield Problem(f"{shown(min(both))} is in true_values and in false_values", where, do)
