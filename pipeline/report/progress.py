"""Show how far a command is, on a terminal; say hints to the person who runs it (edge: stderr)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO


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

    def say(self, text: str) -> None:
        """Say a line to the person, on stderr."""
        print(text, file=self._stream or sys.stderr, flush=True)
