"""Read requests the way PHP does: nested parameters, generous booleans, JSON or form bodies (pure; API sheet 3)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

from pipeline.sandbox.hazards import Notes

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_NUMBER = re.compile(r"\s*[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*")


@dataclass
class Request:
    """Carry one API request: version 1 to 4, path elements, parameters, parsed body and the notes on it."""

    version: int
    method: str
    elements: list[str]
    query_text: str = ""
    raw_body: bytes = b""
    content_type: str = ""
    base_url: str = ""
    number: int = 0
    notes: Notes = field(default_factory=Notes)
    query: dict[str, Any] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=dict)

    def parse(self) -> None:
        """Fill `query` and `body`; a body that cannot be read counts as empty (unknown of the real API, U4)."""
        self.query = nested(self.query_text)
        self.body = self._read_body()

    def _read_body(self) -> dict[str, Any]:
        if not self.raw_body.strip():
            return {}
        if self.content_type.split(";")[0].strip().lower() == "application/x-www-form-urlencoded":
            return nested(self.raw_body.decode("utf-8", "replace"))
        try:
            found = loads(self.raw_body)
        except ValueError:
            self.notes.note("body_unreadable", "no JSON")
            return {}
        if isinstance(found, dict):
            return found
        if isinstance(found, list):
            return {str(number): one for number, one in enumerate(found)}
        self.notes.note("body_unreadable", "JSON, but no object")
        return {}


def loads(body: bytes) -> Any:
    """Parse JSON; a lone surrogate, which no store can hold, becomes a question mark. Raises ValueError."""
    found = json.loads(body, parse_constant=_no_json)
    if _SURROGATE.search(body):
        found = json.loads(json.dumps(found, ensure_ascii=False).encode("utf-8", "replace"))
    return found


def _no_json(word: str) -> None:
    """Refuse NaN and Infinity, which Python would read."""
    raise ValueError(f"{word} is no JSON")


def elements_of(raw_path: str) -> list[str]:
    """Split a path; slashes at the end are ignored, an empty element in the middle is one (API sheet 3.2)."""
    return [unquote(element) for element in raw_path.strip("/").split("/")] if raw_path.strip("/") else []


def nested(text: str) -> dict[str, Any]:
    """Decode `a=1&b[]=2&c[d]=3` into nested dicts as PHP does; a list is a dict with keys "0", "1", ..."""
    result: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True, errors="replace"):
        head, bracket, rest = name.partition("[")
        keys = re.findall(r"\[([^\]]*)\]", bracket + rest) if bracket else []
        place, key = result, head
        for inner in keys:
            if not isinstance(place.get(key), dict):
                place[key] = {}
            place = place[key]
            key = inner if inner else str(sum(1 for one in place if one.isdigit()))
        place[key] = value
    return result


def boolean(value: object) -> bool:
    """Read a boolean parameter (API sheet 3.3): true, yes, numbers from 1 and arrays are true, all else is false."""
    if isinstance(value, bool):
        return value
    if isinstance(value, (dict, list)):
        return True
    if isinstance(value, (int, float)):
        return abs(value) >= 1
    text = str(value).lower()
    return text in ("true", "yes") or (_NUMBER.fullmatch(text) is not None and abs(float(text)) >= 1)


def number_of(value: object) -> int | None:
    """Read an id: ASCII digits that fit 64 bits, or such a JSON number; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return None
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def integer(value: object, default: int) -> int:
    """Read `start` or `limit` (API sheet 3.3): cast like PHP; an empty array counts as absent, another one as 1."""
    if value is None:
        return default
    if isinstance(value, (dict, list)):
        return 1 if value else default
    found = re.match(r"\s*[+-]?[0-9]{1,18}", str(value))
    return int(found[0]) if found else 0
