"""Read the structure file: account, databases, fields, interests, collections, switches (edge: YAML file)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

from pipeline.errors import JobError, Problem
from pipeline.sandbox import switches as switch_rules
from pipeline.sandbox.model import TYPES, Collection, Database
from pipeline.sandbox.model import Field as ModelField
from pipeline.sandbox.store import Store
from pipeline.sandbox.yaml_file import read_yaml

FIELD_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
COLLECTION_NAME = re.compile(r"[A-Za-z_]+")
RESERVED = frozenset({"id", "code"})

Behaviour = Literal["remove", "nothing", "unsubscribe"]
Name = Annotated[str, StringConstraints(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FieldSpec(_Strict):
    """One field of a structure file; `value` is the default, or the choices of a select as a list or lines."""

    name: Name
    type: str = "text"
    value: str | int | float | list[str] = ""
    length: int = 0
    textlines: int = 1
    displayed: bool = True
    ordered: bool = False
    hidden: bool = False
    index: bool = False
    description: str = ""

    @field_validator("name")
    @classmethod
    def _named(cls, name: str) -> str:
        if not FIELD_NAME.fullmatch(name) or name.lower() in RESERVED:
            raise ValueError("a field name is a letter, then letters, digits and _; not id, not code")
        return name

    @field_validator("type")
    @classmethod
    def _typed(cls, name: str) -> str:
        if name not in TYPES:
            raise ValueError(f"no field type; one of {', '.join(TYPES)}")
        return name

    def field(self) -> ModelField:
        """Make the field; its id and key come when it is added."""
        value = "\n".join(self.value) if isinstance(self.value, list) else str(self.value)
        return ModelField(key="", id=0, **{**self.model_dump(), "value": value})


class InterestSpec(_Strict):
    """One interest of a structure file."""

    name: Name
    group: str = ""


class CollectionSpec(_Strict):
    """One collection of a structure file."""

    name: Name
    id: int = 0
    description: str = ""
    fields: list[FieldSpec] = []
    delete_behaviour: Behaviour = "remove"

    @field_validator("name")
    @classmethod
    def _named(cls, name: str) -> str:
        if not COLLECTION_NAME.fullmatch(name):
            raise ValueError("a collection name has only letters and _")
        return name


class DatabaseSpec(_Strict):
    """One database of a structure file."""

    name: Name
    id: int = 0
    description: str = ""
    archived: bool = False
    fields: list[FieldSpec] = []
    interests: list[InterestSpec] = []
    collections: list[CollectionSpec] = []
    delete_behaviour: Behaviour = "remove"
    unsubscribe: dict[str, str] = {}


class Account(_Strict):
    """The account that the token belongs to."""

    id: str = "34"
    name: str = "Sandbox"
    description: str = ""
    company: str = "Sandbox"


class Structure(_Strict):
    """What a sandbox starts with."""

    account: Account = Account()
    databases: list[DatabaseSpec] = []
    switches: dict[str, Any] = Field(default_factory=dict)


def read_structure(source: Path | str | Mapping[str, Any] | None) -> Structure:
    """Read a structure from a file or a mapping; None is an empty account. Raises JobError with all problems."""
    where = str(source) if isinstance(source, (Path, str)) else "structure"
    content = read_yaml(Path(source)) if isinstance(source, (Path, str)) else source
    try:
        structure = Structure.model_validate(content if content is not None else {})
    except ValidationError as error:
        raise JobError(*(_problem(where, dict(one)) for one in error.errors())) from error
    problems = switch_rules.problems(structure.switches, f"{where}: switches") + _doubles(structure, where)
    if problems:
        raise JobError(*problems)
    return structure


def _problem(where: str, error: dict[str, Any]) -> Problem:
    place = ".".join(str(part) for part in error["loc"])
    return Problem(
        str(error["msg"]).removeprefix("Value error, "), f"{where}: {place}" if place else where, "see docs/sandbox.md"
    )


def _doubles(structure: Structure, where: str) -> list[Problem]:
    """Find names that are used twice: databases, and what shares the names of one database (API sheet 13)."""
    found = _twice([one.name for one in structure.databases], f"{where}: databases")
    for one in structure.databases:
        place = f"{where}: {one.name}"
        names = [field.name for field in one.fields] + [interest.name for interest in one.interests]
        found += _twice(names + [each.name for each in one.collections], place)
        for each in one.collections:
            found += _twice([field.name for field in each.fields], f"{place}.{each.name}")
    return found


def _twice(names: list[str], where: str) -> list[Problem]:
    folded = [name.lower() for name in names]
    return [
        Problem(f"the name {name} is used twice", where, "names are unique in any case")
        for number, name in enumerate(names)
        if folded.index(name.lower()) < number
    ]


def build(structure: Structure, store: Store, stamp: str) -> None:
    """Add the databases that the store does not have yet (inside `Store.writing`)."""
    catalogue = store.catalogue
    for one in structure.databases:
        store.counters.at_least("database", one.id)
        for each in one.collections:
            store.counters.at_least("collection", each.id)
    for one in structure.databases:
        if any(known.name.lower() == one.name.lower() for known in catalogue.databases.values()):
            continue
        database = Database(one.id, one.name, one.description, one.delete_behaviour, archived=one.archived)
        database.created, database.unsubscribe = stamp, dict(one.unsubscribe)
        catalogue.add_database(database)
        for spec in one.fields:
            catalogue.add_field(database, spec.field())
        for interest in one.interests:
            catalogue.add_interest(database, interest.name, interest.group)
        for each in one.collections:
            collection = Collection(each.id, each.name, each.description, each.delete_behaviour, created=stamp)
            catalogue.add_collection(database, collection)
            for spec in each.fields:
                catalogue.add_field(collection, spec.field())
