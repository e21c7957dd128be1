"""Databases, collections, fields and interests as Copernica has them now (pure; API sheet 7, 13)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from dataclasses import field as member
from types import MappingProxyType
from typing import TypeVar


@dataclass(frozen=True)
class Field:
    """One field. `length` in characters or None, `choices` of a select in order, without blank ones; ids are unique per
    database only."""

    id: int
    name: str
    type: str
    length: int | None = None
    index: bool = False
    choices: tuple[str, ...] = ()
    default: str = ""


@dataclass(frozen=True)
class Interest:
    """One interest of a database."""

    id: int
    name: str
    group: str = ""


@dataclass(frozen=True)
class Collection:
    """One collection with its fields by exact name, in order."""

    id: int
    name: str
    fields: Mapping[str, Field] = member(default_factory=dict)

    def field(self, name: str) -> Field | None:
        """Find a field whatever the case; the exact spelling is in its `name`."""
        return _find(self.fields, name)


@dataclass(frozen=True)
class Database:
    """One database with fields, collections and interests by exact name, in order."""

    id: int
    name: str
    fields: Mapping[str, Field] = member(default_factory=dict)
    collections: Mapping[str, Collection] = member(default_factory=dict)
    interests: Mapping[str, Interest] = member(default_factory=dict)

    def field(self, name: str) -> Field | None:
        """Find a field whatever the case."""
        return _find(self.fields, name)

    def collection(self, name: str) -> Collection | None:
        """Find a collection whatever the case."""
        return _find(self.collections, name)

    def interest(self, name: str) -> Interest | None:
        """Find an interest whatever the case."""
        return _find(self.interests, name)


_N = TypeVar("_N", Field, Interest, Collection)


def by_name(things: Iterable[_N]) -> Mapping[str, _N]:
    """Index things by their exact name, in order."""
    return MappingProxyType({thing.name: thing for thing in things})


def _find(things: Mapping[str, _N], name: str) -> _N | None:
    exact = things.get(name)
    if exact is not None:
        return exact
    folded = name.casefold()
    return next((thing for thing in things.values() if thing.name.casefold() == folded), None)


def field_of(row: Mapping[str, object]) -> Field:
    """Read one row of a list of fields (API sheet 4.3, 7, 13).

    The options of a select stand in `value`, one per line (CRLF or LF), blanks behind them do not count, and a star
    behind one marks the default. Raises KeyError, TypeError or ValueError where the row is not one.
    """
    kind = str(row.get("type") or "text").lower()
    value = "" if row.get("value") is None else str(row["value"])
    choices: tuple[str, ...] = ()
    if kind == "select":
        options = [line.rstrip() for line in value.replace("\r\n", "\n").split("\n")]
        starred = [option[:-1].rstrip() for option in options if option.endswith("*")]
        value = starred[0] if starred else ""
        choices = tuple(bare for bare in (option.removesuffix("*").rstrip() for option in options) if bare)
    return Field(
        whole(row["ID"]), str(row["name"]), kind, _length(row.get("length")), truth(row.get("index")), choices, value
    )


def interest_of(row: Mapping[str, object]) -> Interest:
    """Read one row of a list of interests; raises as `field_of`."""
    return Interest(whole(row["ID"]), str(row["name"]), str(row.get("group") or ""))


def whole(value: object) -> int:
    """Read an id or counter that may be a number or its digits (API sheet 4.3); raises ValueError for anything else."""
    if isinstance(value, bool) or not re.fullmatch(r"-?[0-9]{1,18}", str(value)):
        raise ValueError("no whole number")
    return int(str(value))


def truth(value: object) -> bool:
    """Read a boolean that may be spelled `1`, `"0"`, `"false"`, `null` (API sheet 3.3, ⚠C10)."""
    if isinstance(value, str):
        return value.strip().lower() not in ("", "0", "false", "no")
    return bool(value)


def _length(value: object) -> int | None:
    try:
        length = whole(value)
    except ValueError:
        return None
    return length if length > 0 else None
