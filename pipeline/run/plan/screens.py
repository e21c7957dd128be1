"""Lay a plan out for a person (pure)."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.errors import shortened
from pipeline.report.screen import marked, rendered, section
from pipeline.report.summary import counted
from pipeline.run.plan.differ import PROFILE, Class
from pipeline.run.plan.plan import Planned

MOST_FIELDS = 10
_TITLES = {
    "create": "to be created", "update": "to be changed", "unchanged": "unchanged", "several": "with several matches",
    "not_checked": "not checked", "gone": "keys gone from the dumps",
}  # fmt: skip
_CLASSES = ("create", "update", "unchanged")


def screen(planned: Planned, head: str, go_on: str) -> str:
    """Return totals, the changes by field, examples, costs, and the next command."""
    counts, found = planned.counts, planned.comparison
    totals = [
        (f"{counts[name]:,}", title) for name, title in _TITLES.items() if counts[name] or name in ("create", "update")
    ]
    records = [
        (level if level != PROFILE else "profiles", *(f"{of.get(name, 0):,}" for name in _CLASSES))
        for level, of in counts["records"].items()
    ]
    fields = [(name, f"{count:,}") for name, count in found.fields.most_common(MOST_FIELDS)]
    examples = [(str(one["key"]), str(one["field"]), value(one["old"]), value(one["new"])) for one in found.examples]
    return rendered([
        head,
        *section(("rows", ""), totals, wide=(1,)),
        *section(("records", *_CLASSES), records if len(records) > 1 else ()),
        *section(("field", "changes"), fields),
        *section(("for example", "field", "old", "new"), examples, wide=(0, 2, 3)),
        "",
        marked(_costs(planned)),
        "",
        go_on,
    ])  # fmt: skip


def value(cell: object) -> str:
    """Return what a cell of a comparison holds, shortened."""
    return shortened("" if cell is None else str(cell), 60) or "(empty)"


def _costs(planned: Planned) -> Iterator[tuple[str, str, str]]:
    counts = planned.counts
    if planned.changes:
        imports = f"{counted(planned.imports, 'import')}, " if planned.imports else ""
        size, calls = f"{planned.bytes_planned:,} bytes", counted(counts["calls_planned"], "call")
        yield "info", f"apply needs about {imports}{size} and {calls}", ""
    method = {"none": "nothing was asked", "pages": "paging the database", "lookups": "looking keys up"}
    yield "info", f"comparing took {counted(counts['calls_made'], 'call')} ({method[planned.comparison.method]})", ""
    if planned.seconds is not None and planned.changes:
        yield "info", f"about {max(1, round(planned.seconds)):,} s, by the last run of this job", ""
    for reason, count in planned.comparison.unread.most_common(5):
        yield "warning", f"{count:,} keys were not looked up: {reason}", ""
    doubtful = counts["not_checked"]
    if doubtful:
        yield "warning", f"{doubtful:,} rows were not checked: their key may be the same as another spelling of it", ""
    if planned.comparison.rows[Class.SEVERAL]:
        yield "warning", "rows whose key several profiles have are not applied: make the keys unique in Copernica", ""
