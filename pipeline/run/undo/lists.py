"""Write what an undo does and leaves to files: changes, conflicts, records that were made and taken (edge: files).

undo.csv and conflicts.csv are for people; created.csv has keys, an input of a job that deletes; deleted.csv has values.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from pipeline.model.formulas import defused
from pipeline.report.part_file import PartFile
from pipeline.run.plan.differ import PROFILE
from pipeline.run.plan.stored import stored
from pipeline.run.plan.terms import PlanTerms
from pipeline.run.undo.judge import Judged

BACK = ("record", "key", "id", "field", "now", "before")
LEFT = (*BACK, "why")


class Lists:
    """The lists of one undo; those that have a row appear in `folder` when the block ends well."""

    def __init__(self, folder: Path, terms: PlanTerms) -> None:
        self._folder, self._terms = folder, terms
        self._parts: dict[str, PartFile] = {}

    def __enter__(self) -> Lists:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for part in self._parts.values():
            part.end(whole=kind is None)

    def add(self, judged: Judged) -> None:
        """Append what was judged of some records."""
        for changes in judged.changes:
            self._write("undo.csv", defused(changes.filter(pl.col("why").is_null()).select(BACK)))
            self._write("conflicts.csv", defused(changes.filter(pl.col("why").is_not_null()).select(LEFT)))
        for level, rows in judged.created.items():
            self._write(named("created", level), rows.select(*self._keys(level)))
        for level, rows in judged.deleted.items():
            columns = self._terms.sets.of_profile if level == PROFILE else self._terms.sets.of_collection(level)
            owner = () if level == PROFILE else self._terms.keys.profile
            self._write(named("deleted", level), rows.select(*owner, *(self._value(name) for name in columns)))

    def _value(self, name: str) -> pl.Expr:
        """Return a value as a job would take it: a zero date is an empty one."""
        field, value = self._terms.live[name], pl.col(name)
        return (stored(value, field) if "date" in field.type else value).alias(name)

    def _keys(self, level: str) -> Sequence[str]:
        own = () if level == PROFILE else self._terms.keys.collections.get(level, ())
        return (*self._terms.keys.profile, *own)

    def _write(self, name: str, rows: pl.DataFrame) -> None:
        if rows.is_empty():
            return
        header = name not in self._parts
        part = self._parts.setdefault(name, PartFile(self._folder / name))
        rows.write_csv(part.file, include_header=header)


def named(kind: str, level: str) -> str:
    """Return the name of the list of profiles, or of the subprofiles of a collection: a job takes one kind of records."""
    return f"{kind}.csv" if level == PROFILE else f"{kind}-{level}.csv"
