"""Lay nested JSON objects out in rows: dotted columns, one row per element of a list (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

from pipeline.model.columns import Expected

_NOTHING: frozenset[str] = frozenset()
_EMPTY: Mapping[str, str | None] = MappingProxyType({})
# A path that is this much longer than any known one is not spelt out for every key below it.
_LONG_PATH = 1 << 10


@dataclass(frozen=True)
class Layout:
    """What the job knows of the objects: columns (JSON paths), what is ignored, and which paths are lists of a collection.

    `below` has for every path above a known column or list the known columns under it. Nothing is known below a path that
    is longer than `longest`, and `ignored_lengths` are the lengths of the ignored paths: so a long path is looked up in
    linear time.
    """

    columns: tuple[str, ...]
    known: frozenset[str]
    ignored: frozenset[str]
    lists: frozenset[str]
    below: Mapping[str, frozenset[str]]
    track_absent: bool
    longest: int
    ignored_lengths: tuple[int, ...]

    @classmethod
    def of(cls, expected: Expected, lists: frozenset[str]) -> Layout:
        """Compile what the job expects; a column under an ignored path is ignored, too."""
        every = dict.fromkeys((*expected.required, *expected.optional))
        columns = tuple(name for name in every if not _covered(name, expected.ignored))
        below: dict[str, set[str]] = {}
        for name in columns:
            for path in _above(name):
                below.setdefault(path, set()).add(name)
        for path in lists:
            for above in (path, *_above(path)):
                below.setdefault(above, set())
        frozen = {path: frozenset(names) for path, names in below.items()}
        known = frozenset(columns)
        longest = max(map(len, (*known, *expected.ignored, *lists)), default=0)
        lengths = tuple(sorted({len(path) for path in expected.ignored}))
        return cls(columns, known, expected.ignored, lists, frozen, expected.track_absent, longest, lengths)

    def ignores(self, path: str) -> bool:
        """Return whether a path, or one above it, is ignored."""
        return any(
            path[length : length + 1] in ("", ".") and path[:length] in self.ignored for length in self.ignored_lengths
        )


class Row(NamedTuple):
    """One row: its values by column (those of the object, then those of the element), the list and the element that it
    came from, and the columns whose key was missing."""

    own: Mapping[str, str | None]
    inner: Mapping[str, str | None] = _EMPTY
    of_list: str | None = None
    element: int | None = None
    absent: frozenset[str] = _NOTHING

    @property
    def values(self) -> dict[str, str | None]:
        """Return the values of all columns that are there."""
        return {**self.own, **self.inner}


class Laid(NamedTuple):
    """An object laid out: its rows, or why not.

    `unknown` paths and `unfit` ones (with the reason) refuse the file; a `double` column makes the object malformed.
    """

    rows: Sequence[Row]
    unknown: Sequence[str] = ()
    unfit: Sequence[tuple[str, str]] = ()
    double: str | None = None


def lay_out(obj: Mapping[str, Any], layout: Layout) -> Laid:
    """Lay one object out in rows (data rule 20).

    Keys are joined with a dot. Each element of a list of objects is a row with the columns of the object beside its own;
    several lists give their rows one after the other, in the order of the lists in the object. Null, a missing list and
    `[]` are the same; an object without elements is one row.
    """
    return _Walk(layout).object(obj)


@dataclass
class _Level:
    """The columns of an object or of an element, and those that an explicit null above them empties."""

    values: dict[str, str | None] = field(default_factory=dict)
    emptied: set[str] = field(default_factory=set)


class _Walk:
    """The walk over one object."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._rows: list[Row] = []
        self._unknown: list[str] = []
        self._unfit: list[tuple[str, str]] = []
        self._double: str | None = None
        self._lists: dict[str, list[Any]] = {}
        # Elements with the same keys lack the same columns.
        self._absent: dict[tuple[str | None, frozenset[str], frozenset[str]], frozenset[str]] = {}

    def object(self, obj: Mapping[str, Any]) -> Laid:
        own = _Level()
        self._walk(obj, "", own, inside=False)
        for path, elements in self._lists.items():
            for position, element in enumerate(elements, 1):
                level = _Level()
                self._walk(element, f"{path}.", level, inside=True)
                if not own.values.keys().isdisjoint(level.values):
                    self._double = min(own.values.keys() & level.values.keys())
                row = Row(own.values, level.values or _EMPTY, path, position)
                self._rows.append(self._with_absent(row, own.emptied, level.emptied))
        if not self._rows:
            self._rows.append(self._with_absent(Row(own.values), own.emptied, set()))
        return Laid(self._rows, self._unknown, self._unfit, self._double)

    def _walk(self, obj: Mapping[str, Any], prefix: str, level: _Level, *, inside: bool) -> None:
        for key, value in obj.items():
            path = prefix + key
            if self._layout.ignores(path):
                continue
            if len(path) > self._layout.longest + _LONG_PATH:
                self._unknown.append(path)
            elif isinstance(value, dict) and value:
                if path in self._layout.lists and not inside and not _holds_a_list(value, f"{path}.", self._layout):
                    self._list(path, [value])
                else:
                    self._walk(value, f"{path}.", level, inside=inside)
            elif isinstance(value, list) and value:
                if inside:
                    self._unfit.append((path, "a list inside an element of a list"))
                elif all(isinstance(element, dict) for element in value):
                    self._list(path, value)
                else:
                    self._unfit.append((path, "a list whose elements are no objects"))
            else:
                self._leaf(path, value, level)

    def _list(self, path: str, elements: list[Any]) -> None:
        if path in self._lists:
            self._double = path
        self._lists[path] = elements

    def _leaf(self, path: str, value: Any, level: _Level) -> None:
        """Put a scalar, null, `[]` or `{}` in its column."""
        if path in self._layout.known:
            if path in level.values:
                self._double = path
            level.values[path] = _text(value)
        elif path in self._layout.below and _text(value) is None:
            if value != {}:
                level.emptied |= self._layout.below[path]
        else:
            self._unknown.append(path)

    def _with_absent(self, row: Row, emptied: set[str], inner_emptied: set[str]) -> Row:
        """Name the columns whose key was missing; those of a list of which the row is no element are not absent."""
        if not self._layout.track_absent:
            return row
        kind = row.of_list, frozenset(row.inner), frozenset(inner_emptied)
        absent = self._absent.get(kind)
        if absent is None:
            there = row.own.keys() | row.inner.keys() | emptied | inner_emptied
            lists = self._layout.lists | self._lists.keys()
            mine = frozenset({row.of_list} if row.of_list else ())
            missing = (name for name in self._layout.columns if name not in there)
            absent = frozenset(name for name in missing if _in_list(name, mine) or not _in_list(name, lists))
            self._absent[kind] = absent
        return row._replace(absent=absent)


def _text(value: Any) -> str | None:
    """Return the text of a scalar (data rule 8); null, `[]` and `{}` have none."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else None


def _above(path: str) -> Iterable[str]:
    """Yield the paths above a path: `a` and `a.b` for `a.b.c`."""
    at = path.find(".")
    while at >= 0:
        yield path[:at]
        at = path.find(".", at + 1)


def _holds_a_list(obj: Mapping[str, Any], prefix: str, layout: Layout) -> bool:
    """Return whether an object cannot stand in place of a list of one, since there is a list in it that counts."""
    return any(
        not layout.ignores(prefix + key)
        and (
            (isinstance(value, list) and bool(value))
            or (isinstance(value, dict) and _holds_a_list(value, f"{prefix}{key}.", layout))
        )
        for key, value in obj.items()
    )


def _covered(path: str, ignored: frozenset[str]) -> bool:
    return bool(ignored) and (path in ignored or not ignored.isdisjoint(_above(path)))


def _in_list(column: str, lists: Iterable[str]) -> bool:
    return any(column.startswith(f"{path}.") for path in lists)
