"""Lay a plan out for a person (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.report.screen import marked, rendered, table
from pipeline.report.summary import counted
from pipeline.run.plan.differ import PROFILE, Class
from pipeline.run.plan.plan import Planned

MOST_FIELDS = 10
_TITLES = {
    "create": "to be created", "update": "to be changed", "unchanged": "unchanged", "several": "with several matches",
    "not_checked": "not checked", "gone": "keys gone from the dumps",
}  # fmt: skip


def screen(planned: Planned, head: str, go_on: str) -> str:
    """Return totals, the changes by field, examples, costs, and the next command."""
    parts: list[Any] = [head, "", *_totals(planned.counts), *_records(planned), *_fields(planned), *_examples(planned)]
    parts += ["", marked(_costs(planned)), "", go_on]
    return rendered(parts)


def _totals(counts: Mapping[str, Any]) -> Iterator[Any]:
    rows = [
        (f"{counts[name]:,}", title) for name, title in _TITLES.items() if counts[name] or name in ("create", "update")
    ]
    yield table(("rows", ""), rows, wide=(1,))


def _records(planned: Planned) -> Iterator[Any]:
    found = planned.counts["records"]
    if len(found) > 1:
        rows = [
            (level if level != PROFILE else "profiles", *(f"{of.get(name, 0):,}" for name in _CLASSES))
            for level, of in found.items()
        ]
        yield ""
        yield table(("records", *_CLASSES), rows)


_CLASSES = ("create", "update", "unchanged")


def _fields(planned: Planned) -> Iterator[Any]:
    if planned.comparison.fields:
        yield ""
        rows = [(name, f"{count:,}") for name, count in planned.comparison.fields.most_common(MOST_FIELDS)]
        yield table(("field", "changes"), rows)


def _examples(planned: Planned) -> Iterator[Any]:
    if planned.comparison.examples:
        yield ""
        rows = [
            (str(one["key"]), str(one["field"]), _value(one["old"]), _value(one["new"]))
            for one in planned.comparison.examples
        ]
        yield table(("for example", "field", "old", "new"), rows, wide=(0, 2, 3))


def _value(value: object) -> str:
    text = "" if value is None else str(value)
    shortened = text if len(text) <= 60 else text[:59] + "…"
    return shortened or "(empty)"


def _costs(planned: Planned) -> Iterator[tuple[str, str, str]]:
    counts = planned.counts
    if planned.changes:
        imports = f"{counted(planned.imports, 'import')}, " if planned.imports else ""
        yield (
            "info",
            f"apply needs about {imports}{planned.bytes_planned:,} bytes and {counted(counts['calls_planned'], 'call')}",
            "",
        )
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
