"""Look who holds the lock of a job, without taking it away from anybody (edge: flock)."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path


def holder_of(state_dir: Path, job: str) -> str:
    """Say which process runs a job at present, such as `pid 17`; empty where none does.

    A run that ends takes its name out of the lock file, so the lock is tried only where a name stands: what is found
    then is a run that goes on, or one that was killed.
    """
    try:
        file = os.open(state_dir / "locks" / f"{job}.lock", os.O_RDONLY)
    except OSError:
        return ""
    try:
        words = _named(os.pread(file, 4096, 0))
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


def _named(holder: bytes) -> str:
    try:
        found = json.loads(holder)
        return f"pid {found['pid']} on {found['host']}"
    except (ValueError, KeyError, TypeError):
        return ""
