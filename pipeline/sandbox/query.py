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


@dataclass(frozen=True)
class Page:
    """Carry the records of one page and, when it was asked for, how many there are in all."""

    records: list[Record]
    total: int | None


@dataclass(frozen=True)
class Wish:
    """Say which page in which order; `by` is a field, or "id", "modified" or "random"."""

    start: int = 0
    limit: int = 100
    total: bool = True
    by: Field | str = "id"
    descending: bool = False


def matching(records: Records, owner: Owner, conditions: list[Condition], profile: int = 0) -> Iterator[Record]:
    """Go through all records that meet the conditions, by id; removed ones never do (API sheet 6)."""
    where, parameters, rest = _where(records, owner, conditions, profile)
    for record in records.many(owner.kind, where, parameters, "ORDER BY id"):
        if _holds(record, rest, records.accents):
            yield record


def page(records: Records, owner: Owner, conditions: list[Condition], wish: Wish, profile: int = 0) -> Page:
    """Give one page of the records that meet the conditions."""
    where, parameters, rest = _where(records, owner, conditions, profile)
    usable = wish.limit >= 1 and wish.start >= 0
    if not rest and wish.by == "id":
        total = records.count(owner.kind, where, parameters) if wish.total else None
        if not usable:
            return Page([], total)
        tail = f"ORDER BY id {'DESC' if wish.descending else 'ASC'} LIMIT ? OFFSET ?"
        return Page(list(records.many(owner.kind, where, [*parameters, wish.limit, wish.start], tail)), total)
    found = [
        one for one in records.many(owner.kind, where, parameters, "ORDER BY id") if _holds(one, rest, records.accents)
    ]
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


def _holds(record: Record, rest: list[Condition], accents: bool) -> bool:
    for condition in rest:
        field = condition.target
        if isinstance(field, Field) and not holds(condition, record.values.get(field.key, field.zero), accents):
            return False
    return True


def _where(
    records: Records, owner: Owner, conditions: list[Condition], profile: int
) -> tuple[str, list[object], list[Condition]]:
    """Put what SQLite can answer into a condition; the rest is left to Python."""
    parts, parameters, rest = ["owner = ?", "removed = ''"], [owner.id], []
    if profile:
        parts, parameters = ["profile = ?", *parts], [profile, *parameters]
    values: list[object] = list(parameters)
    for condition in conditions:
        target, operator = condition.target, condition.operator
        if not isinstance(target, Field):
            parts.append(_special(target, operator))
            values.append(int(condition.wanted) if target == "id" and operator in _SQL else condition.wanted)
        elif operator in ("==", "!=", "<>"):
            records.key(owner, target)
            known = "IN (SELECT id FROM lookup WHERE field = ? AND folded = ?)"
            parts.append(f"id {'' if operator == '==' else 'NOT '}{known}")
            values += [target.key, folded(target, condition.wanted, records.accents)]
        else:
            rest.append(condition)
    return " AND ".join(parts), values, rest


def _special(target: str, operator: str) -> str:
    column = _COLUMNS[target]
    if operator in _SQL:
        return f"{column} {_SQL[operator]} ?"
    return f"CAST({column} AS TEXT) {'' if operator == '=~' else 'NOT '}LIKE ?"
