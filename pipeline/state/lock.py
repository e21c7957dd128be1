"""Hold a lock that dies with the process, so that two runs of a job never meet (edge: flock)."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from pipeline.errors import LockedError, Problem


class Lock:
    """A context manager around `flock` on one file, which names its holder (pid, host, since).

    Raises LockedError at once when another process holds it.
    """

    def __init__(self, path: Path, what: str) -> None:
        self._path = path
        self._what = what
        self._file = -1

    def __enter__(self) -> Lock:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._file, 4096, 0).decode("utf-8", "replace")
            os.close(self._file)
            raise LockedError(
                Problem(f"another run holds the lock of {self._what} ({_words(holder)})", do="wait until it has ended")
            ) from None
        os.ftruncate(self._file, 0)
        since = datetime.now(UTC).isoformat(timespec="seconds")
        os.pwrite(
            self._file, json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": since}).encode(), 0
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)


def _words(holder: str) -> str:
    try:
        found = json.loads(holder)
        return f"pid {found['pid']} on {found['host']} since {found['since']}"
    except (ValueError, KeyError, TypeError):
        return "its holder is not named yet"
