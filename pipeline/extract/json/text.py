"""Decode JSON values without bending them: numbers keep their text, double keys and odd characters are seen (pure)."""

from __future__ import annotations

import json
import re
from typing import Any

from pipeline.errors import shown
from pipeline.model.rows import JsonNumber

_SURROGATE = re.compile("[\ud800-\udfff]")
# Undecodable bytes in text that was decoded with marks.
_MARK = re.compile("[\udc00-\udcff]")

# Brackets, and whole texts so that the brackets in them do not count.
_LEVELS = re.compile(r'[{}\[\]]|"(?:[^"\\]|\\.)*+"?', re.DOTALL)

# Levels of objects and lists in one element: a guess far above any dump, and far below what Python can follow.
MOST_DEPTH = 100

Fault = tuple[str, str]

TOO_DEEP: Fault = ("too_deep", "nested more deeply than can be followed")


class Decoder:
    """Decode one value at a time; what the decoder saw on the way is in `fault` until the next one (data rule 8)."""

    def __init__(self) -> None:
        self._double: str | None = None
        self._constant: str | None = None
        self._json = json.JSONDecoder(
            object_pairs_hook=self._object, parse_float=JsonNumber, parse_int=JsonNumber, parse_constant=self._not_json
        )

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        obj = dict(pairs)
        if len(obj) != len(pairs):
            seen: set[str] = set()
            self._double = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        return obj

    def _not_json(self, name: str) -> None:
        self._constant = name

    def value(self, text: str) -> tuple[Any, int]:
        """Decode the value that a text begins with; returns where it ends, too.

        Raises JSONDecodeError for text that is no JSON, RecursionError for what is nested too deeply: Python's versions
        differ in how deep they follow, so a text with a fault more than `MOST_DEPTH` levels down is too deep in all.
        """
        self._double = self._constant = None
        try:
            return self._json.raw_decode(text)
        except json.JSONDecodeError as error:
            if _opened(text[: error.pos]) > MOST_DEPTH:
                raise RecursionError from error
            raise

    def fault(self, value: Any, text: str, *, marked: bool = False) -> Fault | None:
        """Return code and message of what makes the value, decoded last and from `text`, malformed; None if fine.

        With `marked` bytes that did not decode may be in the text as lone surrogates.
        """
        escaped = "\\u" in text
        deep = _opened(text) > MOST_DEPTH
        if isinstance(value, dict) and not (marked or escaped or deep or self._constant or self._double is not None):
            return None
        if not isinstance(value, dict):
            return "not_an_object", f"{_kind(value)} where an object should be"
        if marked and _MARK.search(text):
            return "not_decodable", "bytes that do not decode"
        if self._constant is not None:
            return "not_json", f"{self._constant} is no JSON"
        if self._double is not None:
            return "duplicate_key", f"the key {shown(self._double)} stands twice in one object"
        if deep:
            return TOO_DEEP
        return _odd_character(value) if escaped else None


def _opened(text: str) -> int:
    """Return the most levels of objects and lists that are open at a time in a text; 0 for surely few."""
    if text.count("{") + text.count("[") <= MOST_DEPTH:
        return 0
    levels = most = 0
    for token in _LEVELS.finditer(text):
        if token[0] in "{[":
            levels += 1
            most = max(most, levels)
        elif token[0] in "}]":
            levels -= 1
    return most


def _kind(value: Any) -> str:
    if isinstance(value, JsonNumber):
        return "a number"
    names = {list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names[type(value)]


def _odd_character(value: Any) -> Fault | None:
    """Search all keys and texts of a value for escapes that are no character, and for NUL."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting += (*item.keys(), *item.values())
        elif isinstance(item, list):
            waiting += item
        elif isinstance(item, str):
            if _SURROGATE.search(item):
                return "lone_surrogate", "a text holds one half of a surrogate pair"
            if "\0" in item:
                return "nul", "a text holds a NUL character"
    return None
