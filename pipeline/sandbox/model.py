"""Describe databases, collections, fields, interests and records as the sandbox keeps them (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar, Literal

from pipeline.sandbox.php import BLANKS

Kind = Literal["profile", "subprofile"]

# API sheet 13; phone_fax and phone_gsm are old spellings that are still documented.
TYPES = (
    "text", "email", "phone", "phone_fax", "phone_gsm", "big", "select", "integer", "float",
    "date", "empty_date", "datetime", "empty_datetime", "foreign_key",
)  # fmt: skip
TEXT_TYPES = frozenset({"text", "email", "phone", "phone_fax", "phone_gsm"})
# Characters a text field holds when no length is given: the plausible maximum (API sheet 13, C18).
DEFAULT_LENGTH = 255
_ZEROS = {
    "integer": "0",
    "float": "0",
    "foreign_key": "0",
    "date": "0000-00-00",
    "datetime": "0000-00-00 00:00:00",
}


@dataclass(frozen=True)
class Field:
    """One field of a database or collection; `key` is unique in the account, `id` within its owner."""

    key: str
    id: int
    name: str
    type: str = "text"
    value: str = ""
    length: int = 0
    textlines: int = 1
    displayed: bool = True
    ordered: bool = False
    hidden: bool = False
    index: bool = False
    description: str = ""

    @cached_property
    def zero(self) -> str:
        """What the field holds when it is written empty: never its default (API sheet 13)."""
        return _ZEROS.get(self.type, "")

    @cached_property
    def options(self) -> tuple[str, ...]:
        """List the choices of a select, right-trimmed and without the star of the default (API sheet 13)."""
        return tuple(self._option(line) for line in self._lines())

    @cached_property
    def default(self) -> str:
        """The text that a new record takes when the field is not mentioned."""
        if self.type != "select":
            return self.value
        return next((self._option(line) for line in self._lines() if line.rstrip(BLANKS).endswith("*")), "")

    @cached_property
    def most_chars(self) -> int | None:
        """The number of characters that fit, None where there is no limit."""
        return (self.length or DEFAULT_LENGTH) if self.type in TEXT_TYPES else None

    def _lines(self) -> list[str]:
        text = self.value.replace("\r\n", "\n").rstrip("\n")
        return text.split("\n") if text else []

    @staticmethod
    def _option(line: str) -> str:
        line = line.rstrip(BLANKS)
        return line[:-1].rstrip(BLANKS) if line.endswith("*") else line


@dataclass(frozen=True)
class Interest:
    """One interest of a database."""

    id: int
    name: str
    group: str = ""


@dataclass
class Owner:
    """The fields of what records belong to: a database (profiles) or a collection (subprofiles)."""

    id: int
    name: str
    description: str = ""
    delete_behaviour: str = "remove"
    fields: list[Field] = field(default_factory=list)

    kind: ClassVar[Kind]

    def field_named(self, name: str) -> Field | None:
        """Find a field by its name in any case (API sheet 3.1)."""
        folded = name.lower()
        return next((one for one in self.fields if one.name.lower() == folded), None)

    def field_with_id(self, number: int) -> Field | None:
        """Find a field by its id, which is unique within its owner only (API sheet 3.2)."""
        return next((one for one in self.fields if one.id == number), None)


@dataclass
class Collection(Owner):
    """One collection; its id is unique across databases (API sheet 3.2)."""

    database: int = 0
    created: str = ""

    kind = "subprofile"


@dataclass
class Database(Owner):
    """One database with its interests and collections."""

    archived: bool = False
    created: str = ""
    unsubscribe: dict[str, str] = field(default_factory=dict)
    interests: list[Interest] = field(default_factory=list)
    collections: list[Collection] = field(default_factory=list)

    kind = "profile"

    def interest_named(self, name: str) -> Interest | None:
        """Find an interest by its name in any case."""
        return next((one for one in self.interests if one.name.lower() == name.lower()), None)


@dataclass(slots=True)
class Record:
    """One profile or subprofile; `values` is by field key, `removed` is "" or the time stamp.

    `profile` is 0 for a profile. A value that is not there is the zero of its type: what a field added later shows.
    """

    kind: Kind
    id: int
    owner: int
    secret: str
    created: str
    modified: str
    profile: int = 0
    removed: str = ""
    values: dict[str, str] = field(default_factory=dict)
    interests: set[int] = field(default_factory=set)
