"""Turn the first Ctrl-C or SIGTERM into a request to stop, the second into a stop (edge: signals)."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, current_thread, main_thread
from types import FrameType


@contextmanager
def interrupts(stop: Event) -> Iterator[None]:
    """Set `stop` on the first signal and raise KeyboardInterrupt on the second; does nothing outside the main thread."""
    if current_thread() is not main_thread():
        yield
        return

    def on_signal(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature that signal demands
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
