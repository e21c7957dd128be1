"""Look who holds the lock of a job, without taking it away from anybody (edge: flock)."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from pipeline.state.lock import lock_file, words_of


def holder_of(state_dir: Path, job: str) -> str:
    """Return which process runs a job at present, such as `pid 17`; empty where none does.

    A run that ends takes its name out of the lock file, so the lock is tried only where a name stands: what is found
    then is a run that goes on, or one that was killed.
    """
    try:
        file = os.open(lock_file(state_dir, job), os.O_RDONLY)
    except OSError:
        return ""
    try:
        words = words_of(os.pread(file, 4096, 0))
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
