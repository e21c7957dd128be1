"""Let two stages of the way work at the same time, each in order (pure but for threads)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

# Items that may wait between two stages; more would only cost memory.
WAITING = 2
# Items of one stage that are worked on at the same time: what this is measured for has two cores.
WORKERS = 2


def ahead(items: Iterable[T]) -> Iterator[T]:
    """Make the next item in a thread while the present one is worked on."""
    iterator = iter(items)
    end = object()
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as pool:
        future = pool.submit(next, iterator, end)
        while (item := future.result()) is not end:
            future = pool.submit(next, iterator, end)
            yield item  # type: ignore[misc]


def side_by_side(work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Work on a few items at the same time, one per core, and give what comes of them in the order of the items.

    Where making the items ends with an error, what came before it is given first.
    """
    waiting: deque[Future[R]] = deque()
    fault: Exception | None = None
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="side-by-side") as pool:
        iterator = iter(items)
        while fault is None:
            try:
                waiting.append(pool.submit(work, next(iterator)))
            except StopIteration:
                break
            except Exception as error:  # noqa: BLE001 - raised below, in its turn
                fault = error
            if len(waiting) >= WORKERS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    if fault is not None:
        raise fault


@contextmanager
def behind(work: Callable[[T], None]) -> Iterator[Callable[[T], None]]:
    """Give a function that has `work` done in a thread, one item after another in order, a few items behind.

    What `work` raises is raised at one of the next calls, or when the block ends.
    """
    waiting: list[Future[None]] = []

    def put(item: T) -> None:
        while len(waiting) >= WAITING:
            waiting.pop(0).result()
        waiting.append(pool.submit(work, item))

    with ThreadPoolExecutor(1, thread_name_prefix="behind") as pool:
        yield put
        for future in waiting:
            future.result()
