"""Requests and answers as values, and how they are spelled on the wire (pure).

Nothing in a `Request` is secret: the token is added by the transport, so that a request can be printed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from urllib.parse import quote


class Kind(Enum):
    """What may be done when a request fails (API sheet 18, first column)."""

    READ = "read"
    SAME_STATE = "same state"  # PUT of one record, its fields or interests: twice is as once
    UPDATE_MANY = "update many"  # PUT with a selector that the new values leave true
    UPDATE_MOVING = "update moving"  # PUT with a selector that the new values may break
    UPSERT = "upsert"  # PUT with a selector and `create`
    CREATE = "create"  # POST of a profile or subprofile
    DELETE = "delete"
    IMPORT = "import"
    SET_UP = "set-up"  # POST of a database, collection, field or interest


class Connection(Enum):
    """On what connection a request may go (data rule 30)."""

    POOLED = "pooled"
    RECENT = "recent"  # a kept one whose last answer is less than RECENT_S old, else a new one
    FRESH = "fresh"  # always a new one


@dataclass(frozen=True)
class Request:
    """One request below the version's base: `path` starts with a slash and is percent-encoded, `query` is not.

    `limited` requests count for the limit of calls.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    kind: Kind = Kind.READ
    connection: Connection = Connection.POOLED
    limited: bool = True

    def __repr__(self) -> str:
        names = ",".join(name for name, _ in self.query)
        return f"Request({self.method} {self.path}{'?' + names if names else ''}, {len(self.body or b'')} bytes)"

    @property
    def target(self) -> str:
        """Return path and query, percent-encoded; `+`, `%`, `&`, blanks and everything outside ASCII are escaped."""
        if not self.query:
            return self.path
        return (
            self.path
            + "?"
            + "&".join(f"{quote(name, safe='[]')}={quote(value, safe='')}" for name, value in self.query)
        )


@dataclass(frozen=True)
class Response:
    """One answer; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""

    @classmethod
    def of(cls, status: int, headers: Iterable[tuple[str, str]], body: bytes = b"") -> Response:
        """Make one from headers in any case; the first of several equal names stands."""
        lowered: dict[str, str] = {}
        for name, value in headers:
            lowered.setdefault(name.lower(), value)
        return cls(status, lowered, body)

    def __repr__(self) -> str:
        return f"Response({self.status}, {len(self.body)} bytes)"


def path(*elements: str | int) -> str:
    """Join path elements, each percent-encoded whole.

    Raises ValueError for an element that a path cannot carry: empty, `.`, `..`, an id below 1 (API sheet 3.2: an empty
    one counts as an invalid id; dots are resolved on the way).
    """
    for element in elements:
        if str(element) in ("", ".", "..") or (isinstance(element, int) and element < 1):
            raise ValueError(f"no name or id: {str(element)!r}")
    return "/" + "/".join(quote(str(element), safe="") for element in elements)


def json_body(value: object) -> bytes:
    """Write JSON as UTF-8 without blanks; raises ValueError for lone surrogates, which have no UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8")


_QUERY = re.compile(r"\?[^\s\"'<>]*")
# A shorter one would tear every other word apart; real tokens have dozens of characters.
_LEAST_SECRET_CHARS = 4


def redact(text: str, secrets: Sequence[str] = ()) -> str:
    """Take the query out of every URL and every secret (as it is and percent-encoded) out of a text."""
    for secret in secrets:
        for form in {secret, quote(secret, safe=""), quote(secret)}:
            if len(form) >= _LEAST_SECRET_CHARS:
                text = text.replace(form, "…")
    return _QUERY.sub(lambda found: "?…" if "=" in found[0] else found[0], text)
