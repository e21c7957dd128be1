"""Lay out for a person what an undo would do (pure)."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.model.job import Job
from pipeline.report.screen import marked, rendered, section
from pipeline.report.summary import counted
from pipeline.run.plan.differ import PROFILE
from pipeline.run.plan.screens import value
from pipeline.run.undo.judge import WHY
from pipeline.run.undo.look import Findings
from pipeline.state.run_records import RunRow

_MOST_FIELDS = 10


def screen(row: RunRow, found: Findings) -> str:
    """Return totals, the values by field, examples, what is left and why, and what cannot be brought back."""
    fields = [(name, f"{count:,}") for name, count in found.fields.most_common(_MOST_FIELDS)]
    examples = [(str(one["key"]), str(one["field"]), value(one["now"]), value(one["before"])) for one in found.examples]
    left = [(str(one["key"]), str(one["field"] or one["record"]), WHY[str(one["why"])]) for one in found.conflicts]
    return rendered([
        f"undo of run {row.id}, begun {row.started_at[:19].replace('T', ' ')} UTC",
        *section(("count", ""), list(_totals(found)), wide=(1,)),
        *section(("field", "values"), fields),
        *section(("for example", "field", "now", "back to"), examples, wide=(0, 2, 3)),
        *section(("left", "", "why"), left, wide=(0, 2)),
        "",
        marked(_notes(row, found)),
    ])  # fmt: skip


def question(found: Findings) -> str:
    """Return what a person is asked."""
    if found.rows:
        return f"Restore {counted(found.rows, 'record')}?"
    return "Nothing comes back. Let the files of this run be run again?"


def _totals(found: Findings) -> Iterator[tuple[str, str]]:
    yield f"{found.rows:,}", "records to be restored"
    for why, count in found.left.most_common():
        yield f"{count:,}", f"left: {WHY[why]}"
    for level, count in found.created.items():
        yield f"{count:,}", f"made by the run ({_noun(level)}): listed, not deleted"
    for level, count in found.deleted.items():
        yield f"{count:,}", f"deleted by the run ({_noun(level)}): listed"


def _noun(level: str) -> str:
    return "profiles" if level == PROFILE else f"subprofiles of {level}"


def _notes(row: RunRow, found: Findings) -> Iterator[tuple[str, str, str]]:
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
        what = "records that the run made stay: delete them by a job with action delete that takes the list"
        yield "warning", what, ""
    if found.deleted:
        yield "warning", "records that the run deleted do not come back; made anew they get other ids", ""
    if found.keyless:
        what = f"{counted(found.keyless, 'row')} made profiles without a key: nothing finds them again"
        yield "warning", what, ""
    if found.rows:
        yield "info", "the next dump sends its values again", ""
