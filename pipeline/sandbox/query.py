"""Find the records of a database or collection that meet selectors, in order and by page (edge: SQLite)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.sandbox.model import Field, Owner, Record
from pipeline.sandbox.records import Records
from pipeline.sandbox.selectors import Condition, holds
from pipeline.sandbox.values import folded, sortable

_COLUMNS = {"id": "id", "code": "secret", "modified": "modified"}
_SQL = {"==": "=", "!=": "!=", "<>": "!=", "<": "<", ">": ">", "<=": "<=", ">=": ">="}
# SQLite nests one level per condition, at most 1000; what is above this is left to Python.
_MOST_IN_SQL = 50


@dataclass(frozen=True)
class Page:
    """The records of one page and, if wanted, how many there are in all."""

    records: list[Record]
    total: int | None


@dataclass(frozen=True)
class Wish:
    """Which page in which order; `by` is a field, or "id", "modified" or "random"."""

    start: int = 0
    limit: int = 100
    total: bool = True
    by: Field | str = "id"
    descending: bool = False


def matching(records: Records, owner: Owner, conditions: list[Condition], profile: int = 0) -> Iterator[Record]:
    """Yield the records that meet the conditions, by id; removed ones never do (API sheet 6)."""
    where, parameters, rest = _where(records, owner, conditions, profile)
    for record in records.many(owner.kind, where, parameters, "ORDER BY id"):
        if all(holds(one, record, records.accents) for one in rest):
            yield record


def page(records: Records, owner: Owner, conditions: list[Condition], wish: Wish, profile: int = 0) -> Page:
    """Return one page of the records that meet the conditions."""
    where, parameters, rest = _where(records, owner, conditions, profile)
    usable = wish.limit >= 1 and wish.start >= 0
    if not rest and wish.by == "id":
        total = records.count(owner.kind, where, parameters) if wish.total else None
        if not usable:
            return Page([], total)
        tail = f"ORDER BY id {'DESC' if wish.descending else 'ASC'} LIMIT ? OFFSET ?"
        return Page(list(records.many(owner.kind, where, [*parameters, wish.limit, wish.start], tail)), total)
    found = list(matching(records, owner, conditions, profile))
    _sort(found, wish)
    total = len(found) if wish.total else None
    return Page(found[wish.start : wish.start + wish.limit] if usable else [], total)


def _sort(found: list[Record], wish: Wish) -> None:
    by = wish.by
    if by == "random":
        random.shuffle(found)
    elif isinstance(by, Field):
        found.sort(key=lambda one: sortable(by, one.values.get(by.key, by.zero)), reverse=wish.descending)
    elif by == "modified":
        found.sort(key=lambda one: one.modified, reverse=wish.descending)
    elif wish.descending:
        found.reverse()


def _where(
    records: Records, owner: Owner, conditions: list[Condition], profile: int
) -> tuple[str, list[object], list[Condition]]:
    """Return the condition for SQLite with its parameters, and what is left to Python."""
    parts, parameters, rest = ["owner = ?", "removed = ''"], [owner.id], []
    if profile:
        parts, parameters = ["profile = ?", *parts], [profile, *parameters]
    values: list[object] = list(parameters)
    for condition in conditions:
        target, operator = condition.target, condition.operator
        if len(parts) > _MOST_IN_SQL:
            rest.append(condition)
        elif not isinstance(target, Field) and operator in _SQL:
            parts.append(f"{_COLUMNS[target]} {_SQL[operator]} ?")
            values.append(int(condition.wanted) if target == "id" else condition.wanted)
        elif isinstance(target, Field) and operator in ("==", "!=", "<>"):
            records.key(owner, target)
            known = "IN (SELECT id FROM lookup WHERE field = ? AND folded = ?)"
            parts.append(f"id {'' if operator == '==' else 'NOT '}{known}")
            values += [target.key, folded(target, condition.wanted, records.accents)]
        else:
            rest.append(condition)
    return " AND ".join(parts), values, rest
