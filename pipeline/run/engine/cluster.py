"""Open a Dask cluster as what parts are worked on by (edge: the network; needs the extra `dask`)."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from concurrent.futures import CancelledError, Executor
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import version
from typing import Any

from pipeline.errors import JobError, Problem

# What must be the same on all machines: another version may read, check or hash in another way.
_PACKAGES = ("copernica-import", "dask", "distributed", "pandera", "polars", "pydantic")
_CONNECT_S = 5


def versions() -> dict[str, str]:
    """Return the versions of what takes parts in, on the machine that it runs on."""
    python = ".".join(platform.python_version_tuple()[:2])
    return {"python": python, **{name: version(name) for name in _PACKAGES}}


class Cluster:
    """The workers of a Dask scheduler; a lost worker costs its parts, which others take, a lost scheduler ends the reading."""

    most_attempts = 1
    width = 0

    def __init__(self, address: str) -> None:
        self._address = address
        self._where = f"engine.dask: {address}"

    @property
    def lost(self) -> tuple[type[BaseException], ...]:
        """Return the errors with which the cluster ends, or with which it gives a part up that killed several workers."""
        distributed, comm = import_module("distributed"), import_module("distributed.comm")
        return CancelledError, comm.CommClosedError, distributed.KilledWorker

    @contextmanager
    def open(self) -> Iterator[tuple[Executor, int]]:
        """Connect for a block; raises JobError without the extra, a scheduler or workers, or with other versions."""
        client = self._client()
        try:
            threads = self._threads(client)
            yield client.get_executor(pure=False), threads
        finally:
            client.close(timeout=_CONNECT_S)

    def _client(self) -> Any:
        try:
            distributed = import_module("distributed")
        except ImportError as error:
            what = f"engine.dask needs {getattr(error, 'name', None) or 'a package'}, which is not installed"
            raise JobError(Problem(what, self._where, "pip install 'copernica-import[dask]'")) from None
        try:
            return distributed.Client(self._address, timeout=_CONNECT_S, set_as_default=False)
        except (OSError, ValueError) as error:
            what = f"the scheduler cannot be reached: {' '.join(str(error).split())[:200]}"
            raise JobError(Problem(what, self._where, "see that it runs: dask scheduler")) from None

    def _threads(self, client: Any) -> int:
        """Return how many parts the workers take at a time, once all are found to have our versions."""
        workers = client.scheduler_info(n_workers=-1)["workers"]
        if not workers:
            raise JobError(Problem("the scheduler has no workers", self._where, f"dask worker {self._address}"))
        mine = versions()
        found: dict[str, Any] = client.run(versions, on_error="return")
        problems = [_difference(name, there, mine) for name, there in sorted(found.items())]
        wrong = [Problem(what, self._where, "install the same versions there") for what in problems if what]
        if wrong:
            raise JobError(*wrong)
        return sum(int(worker["nthreads"]) for worker in workers.values())

    def problem(self, error: BaseException) -> Problem:
        """Return what to report when the cluster was lost."""
        what = f"the cluster was lost while it read the dumps ({type(error).__name__}); nothing was sent"
        return Problem(what, self._where, "see the logs of scheduler and workers, then run again")


def _difference(worker: str, there: Any, mine: dict[str, str]) -> str:
    if not isinstance(there, dict):
        return f"the worker {worker} cannot load copernica-import: {type(there).__name__}: {there}"[:300]
    others = [f"{name} {there.get(name)}, here {known}" for name, known in mine.items() if there.get(name) != known]
    return f"the worker {worker} has other versions: {'; '.join(others)}" if others else ""
