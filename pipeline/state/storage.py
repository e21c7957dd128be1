"""Turn what the disk refuses (full, read-only, not ours) into an error with its exit code (edge)."""

from __future__ import annotations

import errno
import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import IncompleteError, JobError, Problem
from pipeline.state.database import is_damage

# What storage answers when it does not take what it is given. Anything else is no fault of the disk.
_STORAGE = frozenset(
    {
        errno.EACCES, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOENT, errno.ENOSPC,
        errno.ENOTDIR, errno.EPERM, errno.EROFS, errno.ESTALE,
    }
)  # fmt: skip
# polars gives the number in the text only.
_DAMAGED = "see whether the disk is sound; put the folder back from a backup, or move it away and look what was sent"
_NUMBER = re.compile(r"\(os error ([0-9]+)\)")


class StorageError(JobError):
    """The state folder did not take what had to be kept, before anything was sent: the environment is wrong."""


class StorageStoppedError(IncompleteError):
    """The same after something was sent, or may have been: the run can be gone on with."""


@contextmanager
def storage_faults(state_dir: Path, maybe_sent: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Raise StorageError, or StorageStoppedError with `maybe_sent`, for a fault of the disk in the block.

    Other errors pass: an OSError that is not about storage is a bug, and must look like one.
    """
    try:
        yield
    except (OSError, sqlite3.DatabaseError) as error:
        reason = _reason(error)
        if reason is None:
            raise
        sent = _ask(maybe_sent)
        if is_damage(error):
            problem = Problem(f"a file of the state folder is damaged: {reason}", str(state_dir), _DAMAGED)
        else:
            problem = Problem(f"the state folder cannot be written: {reason}", str(state_dir), _advice(sent))
        raise (StorageStoppedError if sent else StorageError)(problem) from None


def _ask(maybe_sent: Callable[[], bool]) -> bool:
    """Ask whether anything may have been sent; where the ledger cannot be read, it may."""
    try:
        return maybe_sent()
    except (OSError, sqlite3.Error):
        return True


def _reason(error: OSError | sqlite3.DatabaseError) -> str | None:
    if is_damage(error):
        return str(error)
    if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
        return None
    if isinstance(error, sqlite3.OperationalError):
        # Everything else that SQLite calls so is a statement of ours that it does not understand.
        return str(error) if (getattr(error, "sqlite_errorcode", 0) & 0xFF) != sqlite3.SQLITE_ERROR else None
    found = _NUMBER.search(str(error))
    number = error.errno if error.errno is not None else int(found[1]) if found else None
    return os.strerror(number) if number in _STORAGE and number is not None else None


def _advice(sent: bool) -> str:
    make_room = "see that there is room on the disk and that the folder may be written"
    return f"{make_room}; then resume goes on" if sent else f"{make_room}, or name another one with --state-dir"
