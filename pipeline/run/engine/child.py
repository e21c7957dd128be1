"""Set a worker process up before it loads anything (edge: signals, environment)."""

from __future__ import annotations

import gc
import logging
import os
import signal
import threading
from multiprocessing import connection, parent_process

# As in `__main__`: what importing makes stays.
GC_THRESHOLD = 250_000


def begin(threads: int) -> None:
    """Leave Ctrl-C to the parent, end with it, log nothing, know no token, and use so many threads for polars."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    gc.set_threshold(GC_THRESHOLD)
    for name in ("COPERNICA_TOKEN", "COPERNICA_TOKEN_FILE"):
        os.environ.pop(name, None)
    os.environ["POLARS_MAX_THREADS"] = str(threads)
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    logger = logging.getLogger("pipeline")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    """End when the parent has ended, however that was: a pool's own processes would wait for work for ever."""
    connection.wait([sentinel])
    os._exit(1)
