"""Make databases, collections, fields and interests (edge: HTTP, by `send`; API sheet 8).

A set-up POST goes out once. Where its outcome is not known, what it should have made is looked up by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pipeline.copernica.answers import is_unknown_id, made, object_of
from pipeline.copernica.endpoints import get
from pipeline.copernica.failures import LostError, NotSentError, RefusedError
from pipeline.copernica.paging import Row, Send, by_offset
from pipeline.copernica.structure import whole
from pipeline.copernica.versions import Version
from pipeline.copernica.wire import Kind, Request, json_body, path


@dataclass(frozen=True)
class NewField:
    """A field to make. `value` is the default; for a select the options, one per line, a star behind the default."""

    name: str
    type: str = "text"
    value: str | None = None
    length: int | None = None
    index: bool = False

    @property
    def body(self) -> dict[str, Any]:
        """Return what is sent: only what is set."""
        given = {"value": self.value, "length": self.length, "index": self.index or None}
        return {"name": self.name, "type": self.type} | {key: it for key, it in given.items() if it is not None}


class SetUp:
    """The set-up calls of a client; each returns the id of what it made, and raises LostError where that is not known."""

    def __init__(self, version: Version, send: Send) -> None:
        self._version, self._send = version, send

    def database(self, name: str, description: str = "") -> int:
        """Make a database."""
        where, body = path("databases"), {"name": name, "description": description}
        return self._make("database", where, body, lambda: self._database(name))

    def collection(self, database_id: int, name: str) -> int:
        """Make a collection; its name has letters and underscores only."""
        return self._listed("collection", ("database", database_id), {"name": name})

    def field(self, database_id: int, field: NewField) -> int:
        """Make a field of a database; records that exist get the zero of its type, not its default."""
        return self._listed("field", ("database", database_id), field.body)

    def collection_field(self, collection_id: int, field: NewField) -> int:
        """Make a field of a collection."""
        return self._listed("field", ("collection", collection_id), field.body)

    def interest(self, database_id: int, name: str, group: str = "") -> int:
        """Make an interest."""
        return self._listed("interest", ("database", database_id), {"name": name} | ({"group": group} if group else {}))

    def _listed(self, noun: str, parent: tuple[str, int], body: dict[str, Any]) -> int:
        where = path(*parent, f"{noun}s")
        rows = by_offset(self._send, Request("GET", where), self._version.page_rows)
        return self._make(noun, where, body, lambda: _named(rows, body["name"]))

    def _make(self, noun: str, where: str, body: dict[str, Any], look: Callable[[], int | None]) -> int:
        """Post once; where the outcome is not known, `look` for what is there now."""
        request = Request("POST", where, body=json_body(body), kind=Kind.SET_UP)
        try:
            return made(request, self._send(request), noun)
        except (LostError, NotSentError) as error:
            lost = error
        found = look()
        if found is None:
            raise lost
        return found

    def _database(self, name: str) -> int | None:
        try:
            row = object_of(self._send(get("database", name)))
        except RefusedError as error:
            if is_unknown_id(error.words):
                return None
            raise
        return _named([row], name)


def _named(rows: Iterable[Row], name: str) -> int | None:
    return next((whole(row["ID"]) for row in rows if str(row.get("name", "")).casefold() == name.casefold()), None)
