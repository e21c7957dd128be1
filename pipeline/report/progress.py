"""Show how far a command is, on a terminal; say hints to the person who runs it (edge: stderr)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TextIO


class Advance:
    """Move a bar by the rows of a chunk as they end, and by what is left of it at its end; many threads may call `rows`."""

    def __init__(self, advance: Callable[[int], None]) -> None:
        self._advance, self._lock, self._within = advance, Lock(), 0

    def rows(self, count: int) -> None:
        """Move on by rows within a chunk."""
        with self._lock:
            self._within += count
            self._advance(count)

    def chunk(self, count: int) -> None:
        """Move on to the end of a chunk of so many rows."""
        with self._lock:
            rest, self._within = count - self._within, 0
            self._advance(rest)


class Reporter:
    """Draw one progress bar per stage on a terminal, and nothing anywhere else.

    `stream` takes the place of stderr.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    @contextmanager
    def stage(self, name: str, total: int | None) -> Iterator[Callable[[int], None]]:
        """Give a function that moves this stage's bar on by so many of `total` (bytes or rows; None: not known)."""
        stream = self._stream or sys.stderr
        if not stream.isatty():
            yield lambda count: None  # noqa: ARG005 - the shape of advance
            return
        # Loaded here: a nightly run has no terminal, and `--help` no bar.
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
        with Progress(*columns, console=Console(file=stream), transient=True) as progress:
            task = progress.add_task(name, total=total)
            yield lambda count: progress.advance(task, count)
