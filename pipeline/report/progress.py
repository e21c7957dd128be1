"""Show how far a command is, on a terminal (edge: stderr)."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

# A bar never shows more while its stage goes on: the last step may be the one that fails.
MOST_PERCENT = 99


class Step(Protocol):
    """Move the bar of a stage on."""

    def __call__(self, count: int, rows: int | None = None) -> None:
        """Count so many of the stage's total, and the rows among them where the total is of something else."""


class Reporter:
    """Draw one progress bar per stage on a terminal, and nothing anywhere else, nor with `quiet`.

    `stream` takes the place of stderr. `on_progress` is called with the name of a stage, how much is done, and its total.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        quiet: bool = False,
        on_progress: Callable[[str, int, int | None], None] | None = None,
    ) -> None:
        self._stream, self._quiet, self._on_progress = stream, quiet, on_progress
        self._bar: _Bar | None = None

    @property
    def on_terminal(self) -> bool:
        """Return whether a person watches."""
        return not self._quiet and self._on_progress is None and (self._stream or sys.stderr).isatty()

    def describe(self, words: str) -> None:
        """Show what the stage does at present in place of its name; "" shows its name again."""
        if self._bar is not None:
            self._bar.describe(words)

    @contextmanager
    def stage(self, name: str, total: int | None) -> Iterator[Step]:
        """Yield what moves this stage's bar on; `total` is in rows or bytes, None where it is not known.

        The bar shows share, rows, rows per second and time left; at its end a line with rows, seconds and rate stays.
        """
        if self._on_progress is not None:
            yield _counted(name, total, self._on_progress)
            return
        stream = self._stream or sys.stderr
        if not self.on_terminal:
            yield lambda count, rows=None: None  # noqa: ARG005 - the shape of a step
            return
        self._bar = bar = _Bar(stream, name, total)
        try:
            with bar.shown as progress:
                yield bar.step(progress)
        finally:
            self._bar = None
            bar.leave_line()


def _counted(name: str, total: int | None, on_progress: Callable[[str, int, int | None], None]) -> Step:
    """Return what counts a stage on; many threads may call it, one is let through to the callback at a time."""
    lock, done = Lock(), 0

    def step(count: int, rows: int | None = None) -> None:  # noqa: ARG001 - the shape of a step
        nonlocal done
        with lock:
            done += count
            on_progress(name, done, total)

    return step


class _Bar:
    """The bar of one stage, and the line that stays of it."""

    def __init__(self, stream: TextIO, name: str, total: int | None) -> None:
        # Loaded here: a nightly run has no terminal, and `--help` no bar.
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        self._name, self._total, self._rows, self._started_s = name, total, 0, time.monotonic()
        self._console = Console(file=stream)
        share = "{task.fields[share]}"
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn(share), TextColumn("{task.fields[rate]}"))
        times = (TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn()) if total else (TimeElapsedColumn(),)
        self.shown = Progress(*columns, *times, console=self._console, transient=True)
        self._task: TaskID = self.shown.add_task(name, total=total, share="", rate="")

    def step(self, progress: Progress) -> Step:
        """Return what moves the bar on."""
        lock = Lock()

        def step(count: int, rows: int | None = None) -> None:
            with lock:
                self._rows += count if rows is None else rows
                done = progress.tasks[0].completed + count
                share = f"{min(MOST_PERCENT, int(100 * done / self._total))}%" if self._total else ""
                progress.update(self._task, completed=done, share=share, rate=self._rate())

        return step

    def describe(self, words: str) -> None:
        """Show words in place of the stage's name."""
        self.shown.update(self._task, description=words or self._name)

    def leave_line(self) -> None:
        """Write what the stage came to."""
        if self._rows:
            self._console.print(
                f"{self._name}: {self._rate()}, {time.monotonic() - self._started_s:.1f} s", highlight=False
            )

    def _rate(self) -> str:
        seconds = max(time.monotonic() - self._started_s, 0.001)
        return f"{self._rows:,} rows, {self._rows / seconds:,.0f} rows/s"
