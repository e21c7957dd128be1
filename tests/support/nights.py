"""Nights of the sample shop: long waits take no time, and a process can be stopped at any of its steps."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from pipeline.sandbox import Sandbox
from tests.support.command import Ran
from tests.support.disk import Disk
from tests.support.journey import words_of
from tests.support.places import ROOT
from tests.support.shop import Shop

# How far the clock leaps at once.
LEAP_S = 900.0
# Polls in a row after which their imports are waited for.
POLLS = 12
# How a run ends that has taken nothing of its dump, which has to be brought again.
NOT_TAKEN = ("refused", "interrupted")
CRASH = [sys.executable, "-m", "tests.resume.crash"]
# Between two steps of a clock that flows.
FLOW_S = 0.01


@contextmanager
def _ticking(every_s: float, tick: Callable[[], object]) -> Iterator[None]:
    """Call `tick` from a thread, every so many seconds, while the block runs."""
    stop = threading.Event()

    def go_on() -> None:
        while not stop.wait(every_s):
            tick()

    thread = threading.Thread(target=go_on, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def leaping(sandbox: Sandbox, leap_s: float = LEAP_S) -> AbstractContextManager[None]:
    """Let the virtual clock leap whenever a run does nothing but ask for the time."""

    def leap() -> None:
        last = [one["path"] for one in sandbox.journal()[-POLLS:]]
        polls = len(last) == POLLS and all("/import/" in path for path in last)
        waits = len(last) > 1 and all(path.endswith("/identity") for path in last[-2:])
        if waits or polls:
            sandbox.advance(leap_s)

    return _ticking(0.02, leap)


def flowing(sandbox: Sandbox, times: float = 100.0) -> AbstractContextManager[None]:
    """Let the virtual clock run so many times as fast as the real one."""
    return _ticking(FLOW_S, lambda: sandbox.advance(FLOW_S * times))


@dataclass(frozen=True)
class Stop:
    """Where a process is stopped (a place of `crash.py` and the number of the step) and by which signal."""

    where: str
    step: int
    signal: str = "SIGKILL"


def run_apart(shop: Shop, *settings: str, stop: Stop | None = None, disk: Mapping[str, str] | None = None) -> Ran:
    """Run the job in a process of its own, which is stopped if it comes to that step; `disk` is of `Disk.environment`."""
    stop = stop or Stop("none", 0)
    process = subprocess.Popen(
        [*CRASH, stop.where, str(stop.step), "run", str(shop.job), *words_of(settings), "--json"],
        cwd=ROOT,
        env={**os.environ, **shop.environment(), "CRASH_SIGNAL": stop.signal, **(disk or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        with leaping(shop.sandbox):
            out, err = process.communicate(timeout=120)
    finally:
        process.kill()
        process.wait()
    return Ran(process.returncode, out, err)


def lose_power(shop: Shop, disk: Disk, stop: Stop, names: Any, *settings: str) -> Ran:
    """Run the job until the power is lost at a step."""
    disk.begin()
    ran = run_apart(shop, *settings, stop=stop, disk=disk.environment(POWER_KEPT=disk.kept))
    disk.cut_power(names)
    return ran


def last_run(shop: Shop) -> dict[str, Any] | None:
    """Return the newest run, if there is one."""
    if not (shop.state / "ledger.sqlite").exists():
        return None
    runs = shop.ask("runs").document["runs"]
    return runs[0] if runs else None


def was_taken(before: dict[str, Any] | None, after: dict[str, Any] | None) -> bool:
    """Return whether the last run has taken its dump; one that was refused or stopped before asks for it again."""
    return after is not None and after != before and (after["status"] not in NOT_TAKEN or after["open"])


def open_runs(shop: Shop) -> list[str]:
    """List the runs that are open."""
    return [run["run"] for run in shop.ask("runs").document["runs"] if run["open"]]
