"""Let two stages of the way work at the same time, each in order (pure but for threads)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import ParamSpec, TypeVar

T = TypeVar("T")
R = TypeVar("R")
P = ParamSpec("P")

# Items of one stage that are worked on at the same time: what this is measured for has two cores.
WORKERS = 2


class Pool(ThreadPoolExecutor):
    """Run each task in the context of the thread that submits it, so that its log goes where that one's goes."""

    def submit(self, task: Callable[P, R], /, *words: P.args, **named: P.kwargs) -> Future[R]:
        """Submit a task."""
        return super().submit(copy_context().run, task, *words, **named)  # type: ignore[arg-type]


def side_by_side(work: Callable[[T], R], items: Iterable[T], *, ahead: int = 1) -> Generator[R]:
    """Work on a few items at the same time, one per core, and give what comes of them in their order.

    `ahead` more are made meanwhile: faster where making one takes its time, and more memory. An error, of the work or of
    making an item, is raised where that item's result would be.
    """
    iterator, end = iter(items), object()

    def take(item: Future[T | object]) -> R | object:
        found = item.result()
        return end if found is end else work(found)  # type: ignore[arg-type]

    with Pool(1, "make") as maker, Pool(WORKERS, "work") as workers:
        waiting = deque(workers.submit(take, maker.submit(next, iterator, end)) for _ in range(WORKERS + ahead))
        while (result := waiting.popleft().result()) is not end:
            waiting.append(workers.submit(take, maker.submit(next, iterator, end)))
            yield result  # type: ignore[misc]


@contextmanager
def behind(work: Callable[[T], None]) -> Iterator[Callable[[T], None]]:
    """Yield a function that has `work` done in a thread, one item after another in order, one item behind.

    What `work` raises is raised at one of the next calls, or when the block ends.
    """
    waiting: list[Future[None]] = []

    def put(item: T) -> None:
        if waiting:
            waiting.pop().result()
        waiting.append(pool.submit(work, item))

    with Pool(1, thread_name_prefix="behind") as pool:
        yield put
        if waiting:
            waiting.pop().result()
