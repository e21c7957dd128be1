"""Read requests the way PHP does: nested parameters, JSON or form bodies (pure; API sheet 3)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

from pipeline.sandbox.hazards import Notes
from pipeline.sandbox.php import id_of, integer_of

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_FORM, _JSON = "application/x-www-form-urlencoded", "application/json"
# PHP reads JSON and parameters only so deep; deeper JSON is unreadable, a deeper parameter is dropped.
_MOST_JSON_DEPTH, _MOST_PARAMETER_DEPTH = 512, 64


@dataclass
class Request:
    """One API request: version 1 to 4, path elements, parameters, parsed body and the notes on it."""

    version: int
    method: str
    elements: list[str]
    query_text: str = ""
    raw_body: bytes = b""
    content_type: str = ""
    base_url: str = ""
    number: int = 0
    versioned: bool = True
    notes: Notes = field(default_factory=Notes)
    query: dict[str, Any] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=dict)

    def parse(self, other_types: str = "ignore") -> None:
        """Fill `query` and `body`. Raises ValueError for a body that cannot be read; `body` is then empty.

        `other_types` decides what is done with a body that is neither JSON nor a form: ignore, json (read it as JSON) or
        error (unknown of the real API, U4).
        """
        self.query = nested(self.query_text, self.notes)
        self.body = {}
        if not self.raw_body.strip():
            return
        if self.method == "GET":
            self.notes.note("body_ignored")
            return
        kind = self.content_type.split(";")[0].strip().lower()
        if kind == _FORM:
            self.body = nested(self.raw_body.decode("utf-8", "replace"), self.notes)
            return
        if kind != _JSON:
            self.notes.note("body_content_type", kind or "none")
            if other_types == "error":
                raise ValueError("neither JSON nor a form")
        if kind == _JSON or other_types == "json":
            self.body = self._read_json()

    def _read_json(self) -> dict[str, Any]:
        try:
            found = loads(self.raw_body, self.notes)
            if not isinstance(found, (dict, list)):
                raise ValueError("JSON, but neither object nor list")
        except ValueError as error:
            reason = str(error) if type(error) is ValueError else "no JSON in UTF-8"
            self.notes.note("body_unreadable", reason)
            raise
        return found if isinstance(found, dict) else {str(number): one for number, one in enumerate(found)}


def loads(body: bytes, notes: Notes) -> Any:
    """Parse JSON in UTF-8 without a mark; a lone surrogate, which no store can hold, becomes a question mark.

    Raises ValueError, also where it is nested too deeply.
    """

    def made(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            notes.note("body_doubled_key")
        return found

    try:
        found = json.loads(body.decode(), parse_constant=_no_json, object_pairs_hook=made)
        if _deeper(found, _MOST_JSON_DEPTH):
            raise RecursionError
    except RecursionError:
        raise ValueError(f"JSON of more than {_MOST_JSON_DEPTH} levels") from None
    if _SURROGATE.search(body):
        text = json.dumps(found, ensure_ascii=False)
        whole = text.encode("utf-8", "replace")
        if whole != text.encode("utf-8", "surrogatepass"):
            notes.note("body_lone_surrogate")
            found = json.loads(whole)
    return found


def _deeper(found: object, most: int) -> bool:
    level = [found]
    for _ in range(most):
        level = [
            child
            for one in level
            for child in (one.values() if isinstance(one, dict) else one if isinstance(one, list) else ())
            if type(child) is dict or type(child) is list
        ]
        if not level:
            return False
    return True


def _no_json(word: str) -> None:
    """Refuse NaN and Infinity, which Python would read."""
    raise ValueError(f"{word} is no JSON")


def elements_of(raw_path: str) -> list[str]:
    """Split a path; slashes at the end are ignored, an empty element in the middle is one (API sheet 3.2)."""
    return [unquote(element) for element in raw_path.strip("/").split("/")] if raw_path.strip("/") else []


def nested(text: str, notes: Notes) -> dict[str, Any]:
    """Decode `a=1&b[]=2&c[d]=3` into nested dicts as PHP does; a list is a dict with keys "0", "1", ..."""
    result: dict[str, Any] = {}
    following: dict[int, int] = {}
    for name, value in parse_qsl(text, keep_blank_values=True, errors="replace"):
        key, inner = _split(name)
        if len(inner) > _MOST_PARAMETER_DEPTH:
            notes.note("unknown_parameter", key)
            continue
        place = result
        for deeper in inner:
            if not isinstance(place.get(key), dict):
                place[key] = {}
                following[id(place[key])] = 0
            place = place[key]
            number = id_of(deeper)
            if deeper == "" or number is not None:
                number = following[id(place)] if number is None else number
                following[id(place)] = max(following[id(place)], number + 1)
            key = deeper if deeper else str(number)
        if key in place:
            notes.note("parameter_doubled", name)
        place[key] = value
    return result


def _split(name: str) -> tuple[str, list[str]]:
    """Split `a[b][]` into `a` and its keys; brackets that do not close belong to the name."""
    start, keys = name.find("["), []
    place = start
    while start > 0 and name[place : place + 1] == "[":
        end = name.find("]", place)
        if end < 0:
            break
        keys.append(name[place + 1 : end])
        place = end + 1
    return (name[:start], keys) if keys else (name, [])


def integer(value: object, default: int) -> int:
    """Read `start` or `limit` (API sheet 3.3): cast like PHP; an empty array counts as absent, another one as 1."""
    if value is None:
        return default
    if isinstance(value, (dict, list)):
        return 1 if value else default
    return integer_of(str(value))
