"""Hold locks that die with the process, so that two runs of a job, or on one database, never meet (edge: flock)."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from urllib.parse import urlsplit

from pipeline.errors import InterruptedRunError, JobError, LockedError, Problem
from pipeline.state.host import database_name, host_dir, open_shared

# Between two tries for a lock that is held.
_PAUSE_S = 0.1
# A holder writes its name right after it got the lock; so long may an empty file be looked at again.
_NAMING_S = 1.0


class Patience:
    """How long a command may wait for its locks in all: `wait_s` seconds from now, 0 for not at all.

    `stop` ends the waiting as an interrupt.
    """

    def __init__(self, wait_s: float = 0.0, stop: Event | None = None) -> None:
        self._until_s = time.monotonic() + wait_s
        self._stop = stop or Event()

    def wait(self) -> bool:
        """Wait a moment; False where no time is left. Raises InterruptedRunError on the wish to stop."""
        left_s = self._until_s - time.monotonic()
        if left_s > 0 and self._stop.wait(min(_PAUSE_S, left_s)):
            raise InterruptedRunError(Problem("interrupted while waiting for a lock", do="nothing was sent"))
        return left_s > 0


class Lock:
    """A context manager around `flock` on one file, which names its holder (pid, host, since).

    Raises LockedError when another process holds it and no patience is left, at once without any; JobError where the
    file cannot be made.
    """

    def __init__(self, path: Path, what: str, patience: Patience | None = None) -> None:
        self._path, self._what = path, what
        self._patience = patience or Patience()
        self._file = -1
        self.waited = False  # somebody else had it when it was asked for last

    def __enter__(self) -> Lock:
        self._file, self.waited = self._opened(), False
        try:
            while not self._taken():
                self.waited = True
                if not self._patience.wait():
                    what = f"another run holds the lock of {self._what} ({self._holder()})"
                    do = "wait until it has ended, or let this one wait for it with --wait SECONDS"
                    raise LockedError(Problem(what, do=do))
        except BaseException:
            os.close(self._file)
            raise
        since = datetime.now(UTC).isoformat(timespec="seconds")
        holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": since}
        # The lock holds without a name, too: a full disk is reported where rows would be lost.
        with suppress(OSError):
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, json.dumps(holder).encode(), 0)
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            os.ftruncate(self._file, 0)
        os.close(self._file)

    def _opened(self) -> int:
        try:
            return open_shared(self._path)
        except OSError as error:
            what = f"the lock of {self._what} cannot be made: {error.strerror}"
            raise JobError(Problem(what, str(self._path), "make the folder writable")) from None

    def _taken(self) -> bool:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _holder(self) -> str:
        until_s = time.monotonic() + _NAMING_S
        while not (words := _words_of(os.pread(self._file, 4096, 0))) and time.monotonic() < until_s:
            time.sleep(_PAUSE_S / 10)
        return words or "its holder is not named"


def job_lock(state_dir: Path, job: str, patience: Patience) -> Lock:
    """Return the lock of a job in its state folder."""
    return Lock(_lock_file(state_dir, job), f"job {job}", patience)


def database_lock(api_url: str, database_id: int, patience: Patience, environ: Mapping[str, str] = os.environ) -> Lock:
    """Return the lock of one database of one API host, which all runs of the host share; raises JobError for no place."""
    host = urlsplit(api_url).hostname
    path = host_dir(environ) / "locks" / f"{database_name(api_url, database_id)}.lock"
    return Lock(path, f"database {database_id} of {host}", patience)


def holder_of(state_dir: Path, job: str) -> str:
    """Return which process runs a job at present, such as `pid 17`; empty where none does.

    A run that ends takes its name out of the lock file, so the lock is tried only where a name stands: what is found
    then is a run that goes on, or one that was killed.
    """
    try:
        file = os.open(_lock_file(state_dir, job), os.O_RDONLY)
    except OSError:
        return ""
    try:
        words = _words_of(os.pread(file, 4096, 0))
        if not words:
            return ""
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return words
    except OSError:
        return ""
    finally:
        os.close(file)
    return ""


def _words_of(holder: bytes) -> str:
    """Name who holds a lock by what stands in its file; empty where nobody does."""
    try:
        found = json.loads(holder)
        return f"pid {found['pid']} on {found['host']} since {found['since']}"
    except (ValueError, KeyError, TypeError):
        return ""


def _lock_file(state_dir: Path, job: str) -> Path:
    """Return the file of a job's lock."""
    return state_dir / "locks" / f"{job}.lock"
