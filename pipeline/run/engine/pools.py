"""Open what parts are worked on by: processes of this machine, or the workers of a Dask cluster (edge: processes, network)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from multiprocessing import get_context
from typing import Protocol

from pipeline.errors import Problem
from pipeline.run.engine.child import begin


class Pool(Protocol):
    """Where parts are worked on; it is opened `most_attempts` times where it is lost.

    `width` is how many parts it works on at a time, 0 where that is known only once it is open.
    """

    most_attempts: int
    width: int

    @property
    def lost(self) -> tuple[type[BaseException], ...]:
        """Return the errors with which it ends as a whole."""

    def open(self) -> AbstractContextManager[tuple[Executor, int]]:
        """Open it for a block: an executor, and how many parts it works on at a time."""

    def problem(self, error: BaseException) -> Problem:
        """Return what to report when it was lost for good."""


class Processes:
    """Processes of this machine, started anew (`spawn`): a fork would copy threads and locks in the middle of their work."""

    lost = (BrokenProcessPool,)
    most_attempts = 3

    def __init__(self, count: int) -> None:
        self.width = count

    @contextmanager
    def open(self) -> Iterator[tuple[Executor, int]]:
        """Open the pool; its processes end with the block."""
        threads = max(1, len(os.sched_getaffinity(0)) // self.width)
        pool = ProcessPoolExecutor(self.width, get_context("spawn"), begin, (threads,))
        try:
            yield pool, self.width
        except BaseException:
            # Nobody waits for what they are reading any more. Public only from Python 3.14 on (`terminate_workers`).
            for process in list((pool._processes or {}).values()):
                process.terminate()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def problem(self, error: BaseException) -> Problem:  # noqa: ARG002 - nothing more is known
        """Return what to report when processes were killed again and again."""
        what = f"a process that read the dumps was killed, {self.most_attempts} times in a row; nothing was sent"
        return Problem(what, "engine.processes", "see whether memory ran out; fewer processes need less of it")
