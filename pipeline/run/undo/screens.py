"""Lay out for a person what an undo would do (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipeline.model.job import Job
from pipeline.report.screen import marked, rendered, table
from pipeline.report.summary import counted
from pipeline.run.plan.differ import PROFILE
from pipeline.run.undo.judge import WHY
from pipeline.run.undo.look import Found
from pipeline.state.run_records import RunRow

_MOST_FIELDS = 10


def screen(row: RunRow, found: Found) -> str:
    """Return totals, the values by field, examples, what is left and why, and what cannot be brought back."""
    parts: list[Any] = [f"undo of run {row.id}, begun {row.started_at[:19].replace('T', ' ')} UTC", "", *_totals(found)]
    parts += [*_fields(found), *_examples(found), *_conflicts(found), "", marked(_notes(row, found))]
    return rendered(parts)


def question(found: Found) -> str:
    """Return what a person is asked."""
    if found.rows:
        return f"Restore {counted(found.rows, 'record')}?"
    return "Nothing comes back. Let the files of this run be run again?"


def _totals(found: Found) -> Iterator[Any]:
    rows = [(f"{found.rows:,}", "records to be restored")]
    rows += [(f"{count:,}", f"left: {WHY[why]}") for why, count in found.left.most_common()]
    rows += [
        (f"{count:,}", f"made by the run ({_noun(level)}): listed, not deleted")
        for level, count in found.created.items()
    ]
    rows += [(f"{count:,}", f"deleted by the run ({_noun(level)}): listed") for level, count in found.deleted.items()]
    yield table(("count", ""), rows, wide=(1,))


def _noun(level: str) -> str:
    return "profiles" if level == PROFILE else f"subprofiles of {level}"


def _fields(found: Found) -> Iterator[Any]:
    if found.fields:
        yield ""
        yield table(
            ("field", "values"), [(name, f"{count:,}") for name, count in found.fields.most_common(_MOST_FIELDS)]
        )


def _examples(found: Found) -> Iterator[Any]:
    if found.examples:
        yield ""
        rows = [
            (str(one["key"]), str(one["field"]), _value(one["now"]), _value(one["before"])) for one in found.examples
        ]
        yield table(("for example", "field", "now", "back to"), rows, wide=(0, 2, 3))


def _conflicts(found: Found) -> Iterator[Any]:
    if found.conflicts:
        yield ""
        rows = [(str(one["key"]), str(one["field"] or one["record"]), WHY[str(one["why"])]) for one in found.conflicts]
        yield table(("left", "", "why"), rows, wide=(0, 2))


def _value(value: object) -> str:
    text = "" if value is None else str(value)
    return (text if len(text) <= 60 else text[:59] + "…") or "(empty)"


def _notes(row: RunRow, found: Found) -> Iterator[tuple[str, str, str]]:
    """Name the files, and what cannot be brought back."""
    for path in sorted(found.lists.glob("*.csv")):
        yield "info", f"{path.name}: {path.absolute()}", ""
    target = Job.model_validate_json(row.job_copy).target
    yield "warning", "times of creation and change stay as they are: bringing a value back is a change, too", ""
    if target.followups:
        yield "warning", "followups that the run has started, and what they have sent, stay", ""
    yield "warning", "automations that start on a change may start again", ""
    if found.not_compared:
        names = ", ".join(found.not_compared)
        yield "warning", f"{names}: Copernica rewrites these values, so they are left as the run has sent them", ""
    if found.created:
        yield (
            "warning",
            "records that the run made stay: delete them by a job with action delete that takes the list",
            "",
        )
    if found.deleted:
        yield "warning", "records that the run deleted do not come back; made anew they get other ids", ""
    if found.keyless:
        what = f"{counted(found.keyless, 'row')} made profiles without a key: nothing finds them again"
        yield "warning", what, ""
    if found.rows:
        yield "info", "the next dump sends its values again", ""
