"""Profiles, subprofiles and the identity of a token, as they are read (pure; API sheet 7, 8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.copernica.failures import UnexpectedResponseError
from pipeline.copernica.structure import whole


@dataclass(frozen=True)
class Profile:
    """One profile. Field values are texts under the names as defined; those of a removed profile are blank.

    `database` is None, and `created` or `modified` (naive local time of Copernica) empty, where the answer does not have it
    (`dataonly`).
    """

    id: int
    fields: Mapping[str, str]
    interests: tuple[str, ...] = ()
    removed: bool = False
    database: int | None = None
    created: str = ""
    modified: str = ""

    def __repr__(self) -> str:
        return f"Profile({self.id}{', removed' if self.removed else ''})"


@dataclass(frozen=True)
class Subprofile:
    """One subprofile. `profile` and `collection` are the ids that it belongs to; times as for a profile."""

    id: int
    fields: Mapping[str, str]
    profile: int | None = None
    collection: int | None = None
    removed: bool = False
    created: str = ""
    modified: str = ""

    def __repr__(self) -> str:
        return f"Subprofile({self.id}{', removed' if self.removed else ''})"


@dataclass(frozen=True)
class Identity:
    """The account that a token belongs to; `id` is a text, as it stands in the job file."""

    id: str
    name: str


def profile_of(row: Mapping[str, Any]) -> Profile:
    """Read one profile; raises KeyError, TypeError or ValueError where the row is none (see `answers.read_row`)."""
    return Profile(
        whole(row["ID"]),
        values_of(row["fields"]),
        names_of(row.get("interests")),
        _removed(row),
        _maybe(row.get("database")),
        _text(row.get("created")),
        _text(row.get("modified")),
    )


def subprofile_of(row: Mapping[str, Any]) -> Subprofile:
    """Read one subprofile; raises as `profile_of`."""
    return Subprofile(
        whole(row["ID"]),
        values_of(row["fields"]),
        _maybe(row.get("profile")),
        _maybe(row.get("collection")),
        _removed(row),
        _text(row.get("created")),
        _text(row.get("modified")),
    )


def identity_of(answer: Mapping[str, Any]) -> Identity:
    """Read an identity: flat or inside `data`, the key `id` or `ID` (API sheet 8, ⚠C13)."""
    inner = answer.get("data")
    lowered = {str(key).lower(): value for key, value in (inner if isinstance(inner, dict) else answer).items()}
    if not str(lowered.get("id") or ""):
        raise UnexpectedResponseError("the answer names no account")
    return Identity(*(str(lowered.get(key) or "") for key in ("id", "name")))


def values_of(fields: object) -> Mapping[str, str]:
    """Read field values, all as texts; an empty array stands for no fields. Raises TypeError for anything else."""
    if fields == []:
        return {}
    if not isinstance(fields, dict):
        raise TypeError("no fields")
    return {str(name): _text(value) for name, value in fields.items()}


def names_of(interests: object) -> tuple[str, ...]:
    """Read interests that are on: a list of names, of objects with a name, or a map from name to on or off."""
    if interests is None:
        return ()
    if isinstance(interests, dict):
        return tuple(str(name) for name, on in interests.items() if on)
    if not isinstance(interests, list):
        raise TypeError("no interests")
    return tuple(str(one["name"] if isinstance(one, dict) else one) for one in interests)


def _removed(row: Mapping[str, Any]) -> bool:
    return row.get("removed") not in (None, False, "", "false", 0)


def _maybe(value: object) -> int | None:
    return None if value in (None, "", False) else whole(value)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "1" if value else ""
    return "" if value is None else str(value)
