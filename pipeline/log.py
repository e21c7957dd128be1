"""Set up the log of one invocation: to stderr, without a secret in it (edge: stderr).

Modules that log call `structlog.get_logger()` when they do; only the command line calls `configure`.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

import structlog

REDACTED = "[redacted]"

# A shorter secret is not looked for in running text: the sandbox's own token is an ordinary word.
_SHORTEST_SECRET = 8

_SECRET_KEYS = frozenset({"authorization", "token", "access_token", "password", "secret", "fields"})
# What is secret by its form: tokens and selectors in URLs (v1 and v2 repeat both in `Location`), headers, JWTs.
_SECRET_FORMS = (
    re.compile(r"(?<!\w)((?:access_token|fields)(?:\[\]|%5B%5D)?=)[^&\s\"'<>]*", re.IGNORECASE),
    re.compile(r"(authorization[\"']?\s*[:=]\s*[\"']?)[^\r\n\"',}]+", re.IGNORECASE),
    re.compile(r"\b(Bearer\s+)[\w.~+/=-]+", re.IGNORECASE),
    re.compile(r"\b()eyJ[\w-]+\.[\w-]+\.[\w-]+"),
)


class Redactor:
    """Take secrets out of log events; a structlog processor.

    `secrets` are texts that never show, wherever they stand. Mappings and lists are gone through; anything but numbers,
    booleans and None becomes text.
    """

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        self._secrets = tuple(secret for secret in secrets if len(secret) >= _SHORTEST_SECRET)

    def __call__(self, logger: Any, name: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:  # noqa: ARG002
        """Clean one event."""
        return {key: self._value(key, value) for key, value in event.items()}

    def text(self, text: str) -> str:
        """Take secrets out of a text."""
        for secret in self._secrets:
            text = text.replace(secret, REDACTED)
        for form in _SECRET_FORMS:
            text = form.sub(lambda match: match[1] + REDACTED, text)
        return text

    def _value(self, key: str, value: Any) -> Any:
        if key.lower() in _SECRET_KEYS:
            return REDACTED
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, Mapping):
            return {str(inner): self._value(str(inner), one) for inner, one in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._value("", one) for one in value]
        return self.text(str(value))


def _head_first(logger: Any, name: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:  # noqa: ARG001
    """Put when, how grave and what before the rest, for whoever reads the lines in a mail of cron."""
    return {**{key: event[key] for key in ("timestamp", "level", "event") if key in event}, **event}


class _Stderr:
    """Write lines to the stderr of the moment (a progress bar puts itself in its place while it runs)."""

    def msg(self, line: str) -> None:
        try:
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()
        except (OSError, ValueError):
            # Nobody reads any more. A run that has begun to send is not to end for that.
            pass

    debug = info = warning = error = critical = log = msg


def configure(secrets: Sequence[str]) -> None:
    """Send the log to stderr: for people on a terminal, else one JSON object per line; times in UTC.

    `secrets` are kept out of it, with whatever looks like one.
    """
    on_terminal = sys.stderr.isatty()
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer()
    if on_terminal:
        # Not the fancy traceback: it shows the values of local variables.
        renderer = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _head_first,
            Redactor(secrets),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: _Stderr(),
        cache_logger_on_first_use=False,
    )
