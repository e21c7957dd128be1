"""Imports: what is asked for, the body of the request, and how an import stands (pure; API sheet 11, 12)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.copernica.failures import UnexpectedResponseError
from pipeline.copernica.structure import whole
from pipeline.copernica.wire import Connection, Kind, Request, json_body

ACTIONS = ("add", "update", "update or add", "ignore or add", "delete")


@dataclass(frozen=True)
class ImportRequest:
    """One import into one database.

    Everything dangerous is required (API sheet 11.3): `key_fields` for every action but `add` (dotted for a
    collection, beside at least one of the profile), `delete_target` (`profile` or `subprofile`) with `delete` and only
    with it. `removeMissing` is always sent as false and `autostart` as true; `location` does not exist here. Raises
    ValueError for a combination whose meaning nobody knows.
    """

    database_id: int
    name: str
    action: str
    key_fields: tuple[str, ...]
    ignore_empty_fields: bool
    delete_target: str | None = None
    followups: bool = False
    rebuild: bool = False

    def __post_init__(self) -> None:
        dotted = [key for key in self.key_fields if "." in key]
        if self.action not in ACTIONS:
            raise ValueError(f"no action of an import: {self.action!r}")
        if not self.name.strip():
            raise ValueError("an import needs a name, the only trace of it that a person can find")
        if self.action != "add" and len(dotted) == len(self.key_fields):
            raise ValueError(f"{self.action!r} needs a key field of the profile: without one it may hit every profile")
        if (self.action == "delete") != (self.delete_target is not None):
            raise ValueError("delete_target belongs to delete, and delete needs it")
        if self.delete_target not in (None, "profile", "subprofile"):
            raise ValueError(f"no target of delete: {self.delete_target!r}")
        if self.delete_target is not None and (self.delete_target == "subprofile") != bool(dotted):
            raise ValueError("deleting subprofiles needs a key field of the collection, deleting profiles has none")
        if any(type(flag) is not bool for flag in (self.ignore_empty_fields, self.followups, self.rebuild)):
            raise ValueError("flags of an import are True or False: a text may be taken for true")


@dataclass(frozen=True)
class ImportStatus:
    """How an import stands: rows in all and processed, end of its last run (naive local time of Copernica) and last
    error, both None as long as there is none. `status` is free text, for people only."""

    id: int
    status: str
    total: int
    processed: int
    last_run: str | None
    last_error: str | None


def post(wanted: ImportRequest, rows_json: bytes) -> Request:
    """Build `POST imports` around the bytes of a JSON array, which is neither parsed nor copied per row.

    Every row must have the same keys in the same order (API sheet 11.4); who wrote the array has seen to it. Raises
    ValueError where the bytes are no array, or an empty one.
    """
    rows = rows_json.strip()
    if not (re.match(rb"\[\s*[^\s\]]", rows) and rows.endswith(b"]")):
        raise ValueError("the rows of an import must be a JSON array with at least one row")
    head: dict[str, object] = {"database": wanted.database_id, "name": wanted.name, "action": wanted.action}
    if wanted.key_fields:
        head["keyFields"] = list(wanted.key_fields)
    if wanted.delete_target is not None:
        head["deleteTarget"] = wanted.delete_target
    head |= {
        "ignoreEmptyFields": wanted.ignore_empty_fields,
        "removeMissing": False,
        "followups": wanted.followups,
        "rebuild": wanted.rebuild,
        "autostart": True,
    }
    body = b"".join((json_body(head)[:-1], b',"source":', rows, b"}"))
    return Request("POST", "/imports", body=body, kind=Kind.IMPORT, connection=Connection.FRESH)


def status_of(answer: Mapping[str, Any]) -> ImportStatus:
    """Read the answer of `GET import/$id`: keys in any case, counters as texts (API sheet 12, ⚠C17).

    Raises UnexpectedResponseError where id or counters are missing.
    """
    lowered = {str(key).lower(): value for key, value in answer.items()}
    try:
        return ImportStatus(
            whole(lowered["id"]),
            str(lowered.get("status") or ""),
            whole(lowered["totallines"]),
            whole(lowered["processedlines"]),
            _said(lowered.get("lastrun")),
            _said(lowered.get("lasterror")),
        )
    except (KeyError, ValueError):
        raise UnexpectedResponseError("the answer does not hold the state of the import") from None


def _said(value: object) -> str | None:
    text = "" if value in (None, False) else str(value).strip()
    return None if text in ("", "false", "0000-00-00 00:00:00") else text
