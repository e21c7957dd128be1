"""Pass over one JSON value that is too long or too deep to be decoded, and see that it is whole (pure)."""

from __future__ import annotations

import re

from pipeline.extract.json.window import Window

# What may come next: the first characters of tokens, 0 for any number or word.
_VALUE = '{["0'
_KEY = '"'
_COLON = ":"
_MORE = ",}]"
_CLOSING = {"}": "{", "]": "["}

_SCALAR = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|true|false|null|NaN|-?Infinity")
_STRING = re.compile(r'(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+')
# The longest word or escape, which may be cut by the end of the window.
_CUT_CHARS = 16
# Levels that are kept, a byte each, to tell objects from lists. A guess far above what is no attack.
_MOST_LEVELS = 1 << 24
# A number is held whole. As much a guess.
_MOST_DIGITS = 1 << 16


class NotJsonError(Exception):
    """What is wrong, at the place where the window stands."""


def skim(window: Window) -> None:
    """Move the window behind the value that begins where it stands; no more than a number is held, and no value made.

    Takes what Python's decoder takes, at any depth. Raises NotJsonError for anything else, also a number of more than 64 Ki
    characters.
    """
    opened = bytearray()
    may = _VALUE
    while may != _MORE or opened:
        char = window.next_char()
        kind = char if char in '{[]}",:' else "0"
        if not char:
            raise NotJsonError("the array breaks off")
        if kind not in may or (kind in _CLOSING and opened[-1:] != _CLOSING[kind].encode()):
            raise NotJsonError("Expecting something else")
        if kind == "0":
            _pass_scalar(window)
        else:
            window.at += 1
        if kind == '"':
            _pass_string(window)
        may = _behind(kind, may, opened)


def _behind(kind: str, before: str, opened: bytearray) -> str:
    """Return what may follow a token, and keep track of what is open."""
    if kind in "{[":
        if len(opened) == _MOST_LEVELS:
            raise NotJsonError("nested more deeply than can be followed")
        opened.append(ord(kind))
        return _KEY + "}" if kind == "{" else _VALUE + "]"
    if kind in _CLOSING:
        opened.pop()
    if kind == ",":
        return _KEY if opened.endswith(b"{") else _VALUE
    if kind == '"' and before.startswith(_KEY):
        return _COLON
    return _VALUE if kind == ":" else _MORE


def _pass_scalar(window: Window) -> None:
    while True:
        match = _SCALAR.match(window.text, window.at)
        end = match.end() if match else window.at
        if end - window.at > _MOST_DIGITS:
            raise NotJsonError("a number is too long")
        if window.ended or end + _CUT_CHARS < len(window.text):
            break
        window.fill()
    if match is None:
        raise NotJsonError("Expecting value")
    window.at = end


def _pass_string(window: Window) -> None:
    """Pass over the rest of a string and its closing quote."""
    while True:
        match = _STRING.match(window.text, window.at)
        window.at = match.end() if match else window.at
        if window.text.startswith('"', window.at):
            window.at += 1
            return
        left = window.text[window.at : window.at + _CUT_CHARS]
        if left and (window.ended or left[0] != "\\" or len(left) == _CUT_CHARS):
            raise NotJsonError("a text holds what no text can hold")
        if window.ended:
            raise NotJsonError("the array breaks off")
        window.fill()
