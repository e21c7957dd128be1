"""Cut a JSON object down to one element of its lists and write it with its numbers as they stood (pure)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from pipeline.records import REJECT_KEYS, JsonNumber


def only_element(body: dict[str, Any], lists: Iterable[str], kept: str | None, element: int | None) -> dict[str, Any]:
    """Give the object without the lists at the paths `lists`, but for element number `element` of the list `kept`.

    A missing list is the same as an empty one (data rule 20), so the object read again gives exactly that row. An
    object that stands in place of a list is its one element. What an earlier run added (REJECT_KEYS) goes.
    """
    body = {key: value for key, value in body.items() if key not in REJECT_KEYS}
    for path in lists:
        keys = _keys_of(body, path)
        if keys is not None:
            body = _cut(body, keys, element if path == kept else None)
    return body


def _keys_of(body: dict[str, Any], path: str) -> tuple[str, ...] | None:
    """Find the keys that a dotted path leads along; a key may hold dots itself."""
    if path in body:
        return (path,)
    for key, value in body.items():
        if path.startswith(f"{key}.") and isinstance(value, dict):
            rest = _keys_of(value, path[len(key) + 1 :])
            if rest is not None:
                return (key, *rest)
    return None


def _cut(body: dict[str, Any], keys: tuple[str, ...], element: int | None) -> dict[str, Any]:
    key, rest = keys[0], keys[1:]
    if rest:
        return body | {key: _cut(body[key], rest, element)}
    if element is None:
        return {name: value for name, value in body.items() if name != key}
    value = body[key]
    return body | {key: [value[element - 1]]} if isinstance(value, list) else body


def line_of(body: dict[str, Any]) -> bytes:
    """Write an object as one line of UTF-8; where a text holds half a surrogate pair, all of it in escapes."""
    try:
        return f"{_json(body, ascii_only=False)}\n".encode()
    except UnicodeEncodeError:
        return f"{_json(body, ascii_only=True)}\n".encode()


def _json(value: Any, *, ascii_only: bool) -> str:
    if isinstance(value, JsonNumber):
        return str(value)
    if isinstance(value, dict):
        pairs = (
            f"{json.dumps(key, ensure_ascii=ascii_only)}:{_json(one, ascii_only=ascii_only)}"
            for key, one in value.items()
        )
        return "{" + ",".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_json(one, ascii_only=ascii_only) for one in value) + "]"
    return json.dumps(value, ensure_ascii=ascii_only)
