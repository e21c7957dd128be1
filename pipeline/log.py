"""Set up the log of one invocation: to stderr and into the run's folder, without a secret in it (edge: stderr, files).

Modules that log call `structlog.get_logger()` when they do; only the command line calls `configure`.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Mapping, MutableMapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any

import structlog

REDACTED = "[redacted]"

# A shorter secret is not looked for in running text: the sandbox's own token is an ordinary word.
_SHORTEST_SECRET = 8

# Events that wait for the run's folder; some tens come before it.
_MOST_WAITING = 1000

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


def _head_first(logger: Any, name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:  # noqa: ARG001
    """Put when, how grave and what before the rest."""
    return {**{key: event[key] for key in ("timestamp", "level", "event") if key in event}, **event}


class _LogFiles:
    """Write each event as a line of JSON into the files of this invocation; a structlog processor.

    Events before the run's folder is known wait for its file. A log that cannot be written ends no run.
    """

    def __init__(self) -> None:
        self._files: list[int] = []
        self._lock = Lock()
        self.begin()

    def begin(self) -> None:
        """Close the files of an earlier invocation in the same process."""
        for file in self._files:
            os.close(file)
        self._files.clear()
        self._waiting: list[Mapping[str, Any]] | None = []
        self._run: str | None = None

    def __call__(self, logger: Any, name: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:  # noqa: ARG002
        """Write one event and pass it on."""
        with self._lock:
            for file in self._files:
                _append(file, event, self._run)
            if self._waiting is not None and len(self._waiting) < _MOST_WAITING:
                self._waiting.append(event)
        return event

    @property
    def any(self) -> bool:
        """Return whether there is a file."""
        return bool(self._files)

    def add(self, path: Path) -> None:
        """Write to `path`, too, from now on; raises OSError."""
        with self._lock:
            self._files.append(_opened(path))

    def keep(self, path: Path, run: str) -> None:
        """Write to `path` whatever was logged so far and from now on, each event with its run; no error where it cannot."""
        with self._lock:
            self._run = run
            with suppress(OSError):
                file = _opened(path)
                for event in self._waiting or ():
                    _append(file, event, run)
                self._files.append(file)
            self._waiting = None


def _opened(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def _append(file: int, event: Mapping[str, Any], run: str | None) -> None:
    known = event if run is None or "run" in event else {**event, "run": run}
    with suppress(OSError):
        os.write(file, f"{json.dumps(known, ensure_ascii=False)}\n".encode(errors="backslashreplace"))


_files = _LogFiles()


def log_to(path: Path) -> None:
    """Write the log of this invocation to `path` as well (`--log`); raises OSError where that cannot be opened."""
    _files.add(path)


def keep_log(path: Path, run: str) -> None:
    """Keep the log of this invocation in a run's folder, from the first event on."""
    _files.keep(path, run)


def has_file() -> bool:
    """Return whether a file keeps what is logged."""
    return _files.any


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


def _only_what_matters(logger: Any, name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:  # noqa: ARG001
    """Leave routine events to the log file: a terminal shows progress in their place."""
    if event.get("level") in ("debug", "info"):
        raise structlog.DropEvent
    return event


def _nothing(logger: Any, name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:  # noqa: ARG001
    """Keep stderr for the summary; only a traceback that no file has taken is shown."""
    if "exception" in event and not _files.any:
        return event
    raise structlog.DropEvent


def configure(secrets: Sequence[str], *, quiet: bool = False) -> None:
    """Send the log to stderr: on a terminal warnings for people, else one JSON object per line; times in UTC.

    With `quiet` it goes to files alone (`keep_log`, `log_to`). `secrets` are kept out, with whatever looks like one.
    """
    _files.begin()
    on_terminal = sys.stderr.isatty()
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer()
    if on_terminal:
        # Not the fancy traceback: it shows the values of local variables.
        renderer = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    shown: list[structlog.typing.Processor] = [_nothing] if quiet else [_only_what_matters] if on_terminal else []
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _head_first,
            Redactor(secrets),
            _files,
            *shown,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: _Stderr(),
        cache_logger_on_first_use=False,
    )
