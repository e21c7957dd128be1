"""Log the events of one invocation: to stderr or the caller's logging, and into the run's folder (edge: stderr, files).

Modules that log call `get_logger()` when they do. The command line calls `configure`, which writes to stderr. The Python API
enters `invocation`, which hands events to the `logging` of the caller, so that several runs in one process keep their logs
apart. No secret gets past the redactor of either.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
    """Take secrets out of log events.

    `secrets` are texts that never show, wherever they stand. Mappings and lists are gone through; anything but numbers,
    booleans and None becomes text.
    """

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        self._secrets = tuple(secret for secret in secrets if len(secret) >= _SHORTEST_SECRET)

    def __call__(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Return one event without secrets."""
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


class _LogFiles:
    """Write each event as a line of JSON into the files of one invocation.

    Events before the run's folder is known wait for its file. A log that cannot be written ends no run.
    """

    def __init__(self) -> None:
        self._files: list[int] = []
        self._lock = Lock()
        self._waiting: list[Mapping[str, Any]] | None = []
        self._run: str | None = None

    def write(self, event: Mapping[str, Any]) -> None:
        """Write one event."""
        with self._lock:
            for file in self._files:
                _append(file, event, self._run)
            if self._waiting is not None and len(self._waiting) < _MOST_WAITING:
                self._waiting.append(event)

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

    def close(self) -> None:
        """Close the files."""
        with self._lock:
            for file in self._files:
                os.close(file)
            self._files.clear()


def _opened(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def _append(file: int, event: Mapping[str, Any], run: str | None) -> None:
    known = event if run is None or "run" in event else {**event, "run": run}
    with suppress(OSError):
        os.write(file, f"{json.dumps(known, ensure_ascii=False)}\n".encode(errors="backslashreplace"))


class _Invocation:
    """Where the events of one invocation go: cleaned, into its files, and to `show`."""

    def __init__(self, secrets: Sequence[str], show: Callable[[dict[str, Any]], None]) -> None:
        self._redactor, self._show, self.files = Redactor(secrets), show, _LogFiles()

    def take(self, event: Mapping[str, Any]) -> None:
        """Log one event."""
        clean = self._redactor(event)
        self.files.write(clean)
        self._show(clean)


def _hand_to_logging(event: dict[str, Any]) -> None:
    """Hand an event to the logger `pipeline`, its values behind its name, as `key=value` and in `record.event`."""
    level = logging.getLevelNamesMapping().get(str(event.get("level", "info")).upper(), logging.INFO)
    values = {key: value for key, value in event.items() if key not in ("timestamp", "level", "event", "exception")}
    words = [str(event.get("event", "")), *(f"{key}={value!r}" for key, value in values.items())]
    text = " ".join(words) + (f"\n{event['exception']}" if "exception" in event else "")
    logging.getLogger("pipeline").log(level, "%s", text, extra={"event": event})


# The command line has one invocation in its process; each run that Python code calls has its own.
_process = _Invocation((), _hand_to_logging)
_own: ContextVar[_Invocation | None] = ContextVar("invocation", default=None)


def _current() -> _Invocation:
    return _own.get() or _process


def _head_first(event: Mapping[str, Any]) -> dict[str, Any]:
    """Put when, how grave and what before the rest."""
    return {**{key: event[key] for key in ("timestamp", "level", "event") if key in event}, **event}


@cache
def get_logger() -> structlog.typing.FilteringBoundLogger:
    """Return the logger of all modules; its events go where the current invocation sends them."""
    # Loaded with the first event: it takes a tenth of a second, and most commands have none.
    import structlog

    def take(logger: Any, name: str, event: MutableMapping[str, Any]) -> str:  # noqa: ARG001 - a processor
        _current().take(_head_first(event))
        raise structlog.DropEvent

    logger: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
        None,
        processors=(
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            take,
        ),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=False,
    )
    return logger


def log_to(path: Path) -> None:
    """Write the log of this invocation to `path` as well (`--log`); raises OSError where that cannot be opened."""
    _current().files.add(path)


def keep_log(path: Path, run: str) -> None:
    """Keep the log of this invocation in a run's folder, from the first event on."""
    _current().files.keep(path, run)


def has_file() -> bool:
    """Return whether a file keeps what is logged."""
    return _current().files.any


@contextmanager
def invocation(secrets: Sequence[str]) -> Iterator[None]:
    """Send what is logged inside the block, in this thread and in those of `pipeline.threads`, to the caller's logging."""
    mine = _Invocation(secrets, _hand_to_logging)
    before = _own.set(mine)
    try:
        yield
    finally:
        _own.reset(before)
        mine.files.close()


def configure(secrets: Sequence[str], *, quiet: bool = False) -> None:
    """Send the log to stderr: on a terminal warnings for people, else one JSON object per line; times in UTC.

    With `quiet` it goes to files alone (`keep_log`, `log_to`), but for a traceback that no file has taken. `secrets` are
    kept out, with whatever looks like one.
    """
    global _process
    on_terminal = sys.stderr.isatty()

    def show(event: dict[str, Any]) -> None:
        # A terminal shows progress in place of routine events.
        routine = event.get("level") in ("debug", "info")
        if (quiet and ("exception" not in event or has_file())) or (on_terminal and routine):
            return
        _to_stderr(_for_people(event) if on_terminal else json.dumps(event))

    # What libraries log, tracebacks too, would go to stderr; what matters of it comes back as an error.
    logging.basicConfig(handlers=[logging.NullHandler()])
    _process.files.close()
    _process = _Invocation(secrets, show)


def _for_people(event: dict[str, Any]) -> str:
    import structlog

    # Not the fancy traceback: it shows the values of local variables.
    renderer = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    return str(renderer(None, "", event))


def _to_stderr(line: str) -> None:
    """Write a line to the stderr of the moment: a progress bar puts itself in its place while it runs."""
    try:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        # Nobody reads any more. A run that has begun to send is not to end for that.
        pass
