"""Read the `fields` parameter: expressions of name, operator and value (pure; API sheet 6)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pipeline.sandbox.hazards import Notes
from pipeline.sandbox.model import Field, Owner
from pipeline.sandbox.values import coerce, folded, sortable

_EXPRESSION = re.compile(r"^(.+?)([=<>!~]{1,2})(.*)$", re.DOTALL)
_OPERATORS = frozenset({"==", "!=", "<>", "<", ">", "<=", ">=", "=~", "!~"})
SPECIAL = ("id", "code", "modified")

Special = Literal["id", "code", "modified"]


@dataclass(frozen=True)
class Condition:
    """Carry one valid selector: a field or special name, the operator and the wanted text, normalised like a write."""

    target: Field | Special
    operator: str
    wanted: str


def read(expressions: list[str], owner: Owner, now: datetime, notes: Notes) -> list[Condition]:
    """Read the expressions that hold; the others are dropped silently, each with its hazard (API sheet 6.1)."""
    conditions = []
    for expression in expressions:
        found = _EXPRESSION.match(expression.strip())
        if found is None or found[2] not in _OPERATORS:
            notes.note("selector_unparseable", "selector", expression)
            continue
        target = _target(found[1], owner, notes)
        if target is None:
            continue
        if found[3].strip() == "":
            notes.note("selector_empty_value", "selector", expression)
        conditions.append(Condition(target, found[2], _wanted(target, found[2], found[3], now)))
    return conditions


def _target(name: str, owner: Owner, notes: Notes) -> Field | Special | None:
    known = owner.field_named(name)
    if known is not None:
        return known
    for special in SPECIAL:
        if name.lower() == special:
            return special  # type: ignore[return-value]
    trimmed = name.strip()
    if trimmed != name and (owner.field_named(trimmed) or trimmed.lower() in SPECIAL):
        notes.note("selector_blank_before_operator", "selector on", name)
    else:
        notes.note("selector_unknown_field", "selector on", name)
    return None


def _wanted(target: Field | Special, operator: str, text: str, now: datetime) -> str:
    if operator in ("=~", "!~"):
        return text
    if isinstance(target, Field):
        # A selector is not cut to the length of its field: what is too long matches nothing.
        return text if target.most_chars is not None else coerce(target, text, now).text
    if target == "id":
        digits = re.match(r"\s*([+-]?[0-9]{1,18})", text)
        return str(int(digits[1])) if digits else "0"
    if target == "modified":
        return coerce(_MODIFIED, text, now).text
    return text


def holds(condition: Condition, stored: str, accents: bool) -> bool:
    """Say whether a stored value of a field meets `condition`; like is without case, `%` any run, `_` one character."""
    field = condition.target if isinstance(condition.target, Field) else _MODIFIED
    if condition.operator in ("=~", "!~"):
        return bool(like(condition.wanted).fullmatch(stored)) == (condition.operator == "=~")
    if condition.operator in ("==", "!=", "<>"):
        equal = folded(field, stored, accents) == folded(field, condition.wanted, accents)
        return equal == (condition.operator == "==")
    left, right = sortable(field, stored), sortable(field, condition.wanted)
    if condition.operator == "<":
        return left < right
    if condition.operator == ">":
        return left > right
    return left <= right if condition.operator == "<=" else left >= right


def like(pattern: str) -> re.Pattern[str]:
    """Compile a like pattern: `%` is any run, `_` one character, no escape."""
    parts = (".*" if char == "%" else "." if char == "_" else re.escape(char) for char in pattern)
    return re.compile("".join(parts), re.IGNORECASE | re.DOTALL)


_MODIFIED = Field(key="", id=0, name="modified", type="datetime")
