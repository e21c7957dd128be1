"""Selectors that cannot be built unsafely (pure; API sheet 1, 6).

A selector that Copernica does not understand is dropped in silence, and then every profile is meant. So the only way to
one is a field that was read from the live structure, the operator `==`, and a value that can be matched.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipeline.copernica.structure import Field

# Special names of the `fields` parameter (API sheet 6): a field that is called so may be shadowed, or shadow.
_SPECIAL = frozenset({"id", "code", "modified"})
# What splits name from value; a blank at the rim of a name makes it unknown (API sheet 6).
_UNSAFE_NAME = re.compile(r"[=<>!~\x00-\x1f\x7f]|^\s|\s$|^$")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
# Values of these types are cast before they are compared, so that `==abc` means 0 (API sheet 6).
_PLAIN: Mapping[str, re.Pattern[str]] = {
    "integer": re.compile(r"-?[0-9]+"),
    "foreign_key": re.compile(r"[0-9]+"),
    "float": re.compile(r"-?[0-9]+(\.[0-9]+)?"),
    "date": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"),
    "empty_date": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"),
    "datetime": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}"),
    "empty_datetime": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}"),
}


def why_never(name: str) -> str | None:
    """Return why no record can be selected by a field of this name; None where it can."""
    if name.casefold() in _SPECIAL:
        return f"a field called {name!r} cannot be selected by: Copernica has its own meaning for it"
    return f"a field called {name!r} cannot be selected by" if _UNSAFE_NAME.search(name) else None


@dataclass(frozen=True)
class Selector:
    """One condition `field == value`. Raises ValueError for a name or value that Copernica could misread."""

    field: Field
    value: str

    @classmethod
    def equals(cls, field: Field, value: str) -> Selector:
        """Select records whose `field` equals `value` (text without regard to case, numbers and dates by value)."""
        return cls(field, value)

    def __post_init__(self) -> None:
        name = self.field.name
        if never := why_never(name):
            raise ValueError(never)
        if not self.value.strip():
            raise ValueError(f"an empty value for {name!r} would select every record without one")
        if self.value != self.value.strip():
            raise ValueError(f"a value for {name!r} with outer blanks would never be matched")
        if _CONTROL.search(self.value):
            raise ValueError(f"a value for {name!r} has a control character or no UTF-8")
        plain = _PLAIN.get(self.field.type)
        if plain and not plain.fullmatch(self.value):
            raise ValueError(f"a value for {name!r} is no plain {self.field.type} and would be read as another")

    def __repr__(self) -> str:
        return f"Selector({self.field.name}==…)"

    @property
    def expression(self) -> str:
        """Return the text behind `fields[]=`, not yet percent-encoded."""
        return f"{self.field.name}=={self.value}"


def query_of(selectors: Iterable[Selector], fields: Mapping[str, Field]) -> tuple[tuple[str, str], ...]:
    """Return the `fields[]` parameters of selectors, which are ANDed.

    Raises ValueError for a selector on a field that is not one of `fields`: it would be dropped.
    """
    pairs = []
    for selector in selectors:
        if fields.get(selector.field.name) != selector.field:
            raise ValueError(f"field {selector.field.name!r} is not one of the fields that were read")
        pairs.append(("fields[]", selector.expression))
    return tuple(pairs)


def survives(selectors: Iterable[Selector], written: Mapping[str, str]) -> bool:
    """Return whether records still match after `written` was put into them, so that the same PUT may go twice."""
    folded = {name.casefold(): value for name, value in written.items()}
    return all(folded.get(one.field.name.casefold(), one.value) == one.value for one in selectors)
