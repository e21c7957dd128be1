"""Cut a JSON object down to one element of its lists and write it with its numbers as they stood (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import Any

from pipeline.model.rows import REJECT_KEYS, JsonNumber


def only_element(body: dict[str, Any], lists: Iterable[str], kept: str | None, element: int | None) -> dict[str, Any]:
    """Return the object without the lists at the paths `lists`, but for element number `element` of the list `kept`.

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
        return f"{_json(body, encode_basestring)}\n".encode()
    except UnicodeEncodeError:
        return f"{_json(body, encode_basestring_ascii)}\n".encode()


def _json(value: Any, quoted: Callable[[str], str]) -> str:
    if isinstance(value, str):
        return str(value) if isinstance(value, JsonNumber) else quoted(value)
    if isinstance(value, dict):
        return "{" + ",".join([f"{quoted(key)}:{_json(one, quoted)}" for key, one in value.items()]) + "}"
    if isinstance(value, list):
        return "[" + ",".join([_json(one, quoted) for one in value]) + "]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(int(value))
