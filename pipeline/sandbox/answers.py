"""Make answers: statuses and headers per version, the one error shape, list wrappers (pure; API sheet 4, 5)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from urllib.parse import quote

from pipeline.sandbox.wire import Request

JSON_TYPE = "application/json"


@dataclass
class Answer:
    """The status, headers in the order they are sent, body, and the id of what was created for the journal."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    created: str = ""


class ApiError(Exception):
    """Refuse a request with a message, as the API does: nearly always with 400 (API sheet 4.2)."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.status = status

    def answer(self) -> Answer:
        """Make the answer."""
        return as_json({"error": {"message": self.message}}, self.status)


def as_json(content: object, status: int = 200) -> Answer:
    """Answer with JSON, of exactly the type `application/json` (API sheet 4.1)."""
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    return Answer(status, [("Content-Type", JSON_TYPE)], body)


def created(request: Request, place: str, number: int) -> Answer:
    """Answer that `place` was created: an empty body, the id in X-Created, the address in X-location.

    The address has version 1 in all versions but 4 (API sheet 4.1).
    """
    url = f"{request.base_url}/v{4 if request.version == 4 else 1}/{place}"
    return Answer(201, [("X-Created", str(number)), ("X-location", url)], b"", str(number))


def updated(request: Request) -> Answer:
    """Answer that one entity was updated: 204 in v3 and v4, 303 with a Location that repeats the token before."""
    if request.version >= 3:
        return Answer(204)
    elements = request.elements
    if len(elements) >= 3 and elements[2] == "fields":
        elements = elements[:2]
    return Answer(303, [("Location", _located(request, "/".join(quote(one) for one in elements)))])


def updated_many(request: Request) -> Answer:
    """Answer that any number of entities was updated; nobody learns how many."""
    return Answer(204 if request.version >= 3 else 200)


def created_by_update(request: Request, place: str, number: int) -> Answer:
    """Answer that an update of many made one, because nothing matched and `create` was set."""
    if request.version >= 3:
        return created(request, place, number)
    headers = [("X-Created", str(number)), ("Location", _located(request, place))]
    return Answer(303, headers, b"", str(number))


def deleted(request: Request, what: str = "") -> Answer:
    """Answer that something was deleted; `what` is "profile 123"."""
    return Answer(204 if request.version >= 3 else 200, [("X-deleted", what)] if what else [])


def _located(request: Request, place: str) -> str:
    query = f"?{request.query_text}" if request.query_text else ""
    return f"{request.base_url}/{place}{query}"


def wrapped(data: list[object], start: int = 0, limit: int = 1000, total: int | None = None) -> dict[str, object]:
    """Wrap a list: start, limit, count, data and, unless it is None, total; in this order (API sheet 5)."""
    content: dict[str, object] = {"start": start, "limit": limit, "count": len(data), "data": data}
    if total is not None:
        content["total"] = total
    return content
