"""Read the `fields` parameter: expressions of name, operator and value (pure; API sheet 6)."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pipeline.sandbox.hazards import Notes
from pipeline.sandbox.model import Field, Owner, Record
from pipeline.sandbox.php import BLANKS
from pipeline.sandbox.values import Coerced, coerce, folded, sortable

_EXPRESSION = re.compile(r"^(.+?)([=<>!~]{1,2})(.*)$", re.DOTALL)
_ORDER: dict[str, Callable[[tuple[float, str], tuple[float, str]], bool]] = {
    "<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge,
}  # fmt: skip
_OPERATORS = frozenset({"==", "!=", "<>", "=~", "!~", *_ORDER})
SPECIAL = ("id", "code", "modified")

Special = Literal["id", "code", "modified"]


@dataclass(frozen=True)
class Condition:
    """One valid selector: a field or special name, the operator and the wanted text, normalised like a write."""

    target: Field | Special
    operator: str
    wanted: str


def read(expressions: list[str], owner: Owner, now: datetime, notes: Notes) -> list[Condition]:
    """Read the expressions that hold; the others are dropped silently, each with its hazard (API sheet 6.1)."""
    conditions = []
    for expression in expressions:
        found = _EXPRESSION.match(expression.strip(BLANKS))
        if found is None or found[2] not in _OPERATORS:
            notes.note("selector_unparseable", "selector", expression)
            continue
        target = _target(found[1], owner, notes)
        if target is None:
            continue
        if found[3].strip(BLANKS) == "":
            notes.note("selector_empty_value", "selector", expression)
        wanted = _wanted(target, found[2], found[3], now)
        if wanted.hazard and found[3].strip(BLANKS):
            notes.note(wanted.hazard, "selector", expression)
        conditions.append(Condition(target, found[2], wanted.text))
    return conditions


def _target(name: str, owner: Owner, notes: Notes) -> Field | Special | None:
    known = owner.field_named(name)
    if known is not None:
        return known
    for special in SPECIAL:
        if name.lower() == special:
            return special  # type: ignore[return-value]
    trimmed = name.strip(BLANKS)
    if trimmed != name and (owner.field_named(trimmed) or trimmed.lower() in SPECIAL):
        notes.note("selector_blank_before_operator", "selector on", name)
    else:
        notes.note("selector_unknown_field", "selector on", name)
    return None


def _wanted(target: Field | Special, operator: str, text: str, now: datetime) -> Coerced:
    """Normalise the value like a write, with the hazard where that changes it."""
    if operator in ("=~", "!~"):
        return Coerced(text)
    field = target if isinstance(target, Field) else _SPECIAL_FIELDS[target]
    if field.type == "select":
        # A text that is none of the choices is compared as it is: it matches nothing, and never what is blank.
        return Coerced(text, None if text in field.options else "selector_not_a_member")
    if field.most_chars is not None:
        # What is too long for its field is not cut: it matches nothing.
        return Coerced(text)
    wanted = coerce(field, text, now)
    return Coerced(wanted.text, "selector_value_bent" if wanted.hazard else None)


def stored(record: Record, target: Field | Special) -> str:
    """Return what a record holds of a field or special name."""
    if isinstance(target, Field):
        return record.values.get(target.key, target.zero)
    return {"id": str(record.id), "code": record.secret, "modified": record.modified}[target]


def holds(condition: Condition, record: Record, accents: bool) -> bool:
    """Return whether a record meets `condition`."""
    field = condition.target if isinstance(condition.target, Field) else _SPECIAL_FIELDS[condition.target]
    return _holds(condition, field, stored(record, condition.target), accents)


def _holds(condition: Condition, field: Field, stored: str, accents: bool) -> bool:
    if condition.operator in ("=~", "!~"):
        return is_like(condition.wanted, stored) == (condition.operator == "=~")
    if condition.operator in ("==", "!=", "<>"):
        equal = folded(field, stored, accents) == folded(field, condition.wanted, accents)
        return equal == (condition.operator == "==")
    return _ORDER[condition.operator](sortable(field, stored), sortable(field, condition.wanted))


def is_like(pattern: str, text: str) -> bool:
    """Compare without case; `%` is any run, `_` one character, no escape. Nothing is tried twice."""
    pattern, text = pattern.lower(), text.lower()
    head, *others = pattern.split("%")
    if not others:
        return len(head) == len(text) and _find(head, text, 0, len(text)) == 0
    *middle, tail = others
    start, end = len(head), len(text) - len(tail)
    if start > end or _find(head, text, 0, start) != 0 or _find(tail, text, end, len(text)) != end:
        return False
    for part in middle:
        # The earliest place is as good as any later one.
        found = _find(part, text, start, end)
        if found < 0:
            return False
        start = found + len(part)
    return True


def _find(part: str, text: str, start: int, end: int) -> int:
    """Find the first place of `part` in `text[start:end]`, -1 for none; `_` fits any character."""
    if "_" not in part:
        return text.find(part, start, end)
    pattern = "".join("." if char == "_" else re.escape(char) for char in part)
    found = re.compile(pattern, re.DOTALL).search(text, start, end)
    return found.start() if found else -1


_SPECIAL_FIELDS = {
    "id": Field(key="", id=0, name="id", type="integer"),
    "code": Field(key="", id=0, name="code"),
    "modified": Field(key="", id=0, name="modified", type="datetime"),
}
