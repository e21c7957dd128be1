"""Wait inside a run for what passes by itself, and show what it waits for (edge: the API client, a lock, the log).

Time is that of the API host: a GET from time to time learns it, and shows that the API answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta

from pipeline.copernica import ApiError, CancelledError, Client
from pipeline.load.imports import stop_of
from pipeline.log import get_logger
from pipeline.model.outcome import Stop, StopCode, StoppedError

# One line of the log in so many seconds; a terminal has a countdown in place of it.
LINE_S = 60.0
# Between two steps of the countdown.
STEP_S = 1.0

Show = Callable[[str], None]


@dataclass
class Waiting:
    """The patience of one process: at most `left_s` seconds of waiting in all, with a question for the time every `every_s`.

    `away` is entered while it waits: it gives the database's lock back. `wait` sleeps and returns True when the run was
    interrupted; `show` takes the countdown of a terminal, None where there is none. `waited` says whether anybody else may
    have sent something meanwhile.
    """

    client: Client
    wait: Callable[[float], bool]
    left_s: float
    every_s: float = 60.0
    away: Callable[[], AbstractContextManager[object]] = nullcontext
    show: Show | None = None
    waited: bool = False

    def until(self, then: datetime, what: str) -> None:
        """Wait until then; raises StoppedError when the patience is over first, or the run is interrupted."""
        now = began = self.client.server_now()
        if then <= now:
            return
        last = began + timedelta(seconds=max(self.left_s, 0.0))
        self.waited = True
        with self._shown() as show, self.away():
            while now < (end := min(then, last)):
                ask_at = min(end, now + timedelta(seconds=self.every_s))
                while now < ask_at:
                    show((end - now).total_seconds(), f"{what}, until {then.astimezone():%H:%M:%S}")
                    if self.wait(min((ask_at - now).total_seconds(), STEP_S)):
                        raise StoppedError(Stop(StopCode.INTERRUPTED, f"interrupted while waiting: {what}"))
                    now = self.client.server_now()
                self.answer()
                now = self.client.server_now()
        self.left_s -= (now - began).total_seconds()
        if now < then:
            raise StoppedError(Stop(StopCode.WAITING, f"{what}; the time for waiting is over (load.wait_s)"))

    def answer(self) -> None:
        """Return when a GET was answered; raises StoppedError when the API is away for longer than the job allows."""
        try:
            self.client.identity(limited=False)
        except CancelledError as error:
            raise StoppedError(Stop(StopCode.INTERRUPTED, error.message)) from None
        except ApiError as error:
            raise StoppedError(Stop(stop_of(error).code, error.message)) from None

    @contextmanager
    def _shown(self) -> Iterator[Callable[[float, str], None]]:
        """Yield what shows the waiting: a countdown on a terminal, else one line of the log a minute."""
        lines_at = float("inf")

        def show(left_s: float, what: str) -> None:
            nonlocal lines_at
            if self.show is not None:
                minutes, seconds = divmod(int(left_s), 60)
                self.show(f"waiting {minutes}:{seconds:02d}: {what}")
            elif lines_at - left_s >= LINE_S:
                get_logger().info("run.waiting", what=what, left_s=round(left_s))
                lines_at = left_s

        try:
            yield show
        finally:
            if self.show is not None:
                self.show("")
