"""Pass over one JSON value that is too long or too deep to be decoded, and see that it is whole (pure)."""

from __future__ import annotations

import re

from pipeline.extract.json.window import Window

# What may come next: the first characters of tokens, 0 for any number or word.
_VALUE = b'{["0'
_KEY = b'"'
_COLON = b":"
_MORE = b",}]"
_CLOSING = {b"}": b"{", b"]": b"["}

_SCALAR = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|true|false|null|NaN|-?Infinity")
_STRING = re.compile(rb'(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+')
# The longest word or escape, which may be cut by the end of the window.
_CUT_BYTES = 16
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
        kind = window.next_byte()
        if not kind:
            raise NotJsonError("the array breaks off")
        kind = kind if kind in b'{[]}",:' else b"0"
        if kind not in may or (kind in _CLOSING and opened[-1:] != _CLOSING[kind]):
            raise NotJsonError("Expecting something else")
        if kind == b"0":
            _pass_scalar(window)
        else:
            window.at += 1
        if kind == b'"':
            _pass_string(window)
        may = _behind(kind, may, opened)


def _behind(kind: bytes, before: bytes, opened: bytearray) -> bytes:
    """Return what may follow a token, and keep track of what is open."""
    if kind in b"{[":
        if len(opened) == _MOST_LEVELS:
            raise NotJsonError("nested more deeply than can be followed")
        opened += kind
        return _KEY + b"}" if kind == b"{" else _VALUE + b"]"
    if kind in _CLOSING:
        opened.pop()
    if kind == b",":
        return _KEY if opened.endswith(b"{") else _VALUE
    if kind == b'"' and before.startswith(_KEY):
        return _COLON
    return _VALUE if kind == b":" else _MORE


def _pass_scalar(window: Window) -> None:
    while True:
        match = _SCALAR.match(window.data, window.at)
        end = match.end() if match else window.at
        if end - window.at > _MOST_DIGITS:
            raise NotJsonError("a number is too long")
        if window.ended or end + _CUT_BYTES < len(window.data):
            break
        window.fill()
    if match is None:
        raise NotJsonError("Expecting value")
    window.at = end


def _pass_string(window: Window) -> None:
    """Pass over the rest of a string and its closing quote."""
    while True:
        match = _STRING.match(window.data, window.at)
        window.at = match.end() if match else window.at
        if window.data.startswith(b'"', window.at):
            window.at += 1
            return
        left = window.data[window.at : window.at + _CUT_BYTES]
        if left and (window.ended or left[:1] != b"\\" or len(left) == _CUT_BYTES):
            raise NotJsonError("a text holds what no text can hold")
        if window.ended:
            raise NotJsonError("the array breaks off")
        window.fill()
