"""Name what surrounds the runs of one process, and which run is worked on (wiring)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from threading import Event

from pipeline.load.choice import Choice
from pipeline.load.waiting import Waiting
from pipeline.model.files import SourceFile
from pipeline.model.job import Job
from pipeline.report.progress import Reporter
from pipeline.run.target import LiveTarget, read_again
from pipeline.state.folder import RunFolder
from pipeline.state.ledger import Ledger
from pipeline.state.lock import Lock
from pipeline.state.register import Register
from pipeline.state.run_records import Method


@dataclass(frozen=True)
class Context:
    """What surrounds the runs of one process: the live database with its lock and register, the ledger, the terminal.

    `waiting` is the patience of all of them together, `stop` the wish to stop.
    """

    target: LiveTarget
    lock: Lock
    register: Register
    ledger: Ledger
    reporter: Reporter
    waiting: Waiting
    stop: Event


@dataclass(frozen=True)
class RunId:
    """Which run it is: its id, job and files, how it was called, and how it sends.

    `cut_for` is the method that it began with, by which its chunks are cut. `resumed` means that an earlier process began it,
    `replay_of` names the run whose rows it takes, `only_plan` that it ends before its first send, `full` that unchanged rows
    are sent, too.
    """

    run: str
    job: Job
    files: tuple[SourceFile, ...]
    limit: int | None
    forced: frozenset[str]
    folder: RunFolder
    choice: Choice
    cut_for: Method
    own_files: bool
    resumed: bool = False
    replay_of: str | None = None
    only_plan: bool = False
    full: bool = False


def up_to_date(context: Context) -> Context:
    """Return what surrounds a run once it holds the lock: where it had to wait for that, the structure is read again."""
    return replace(context, target=read_again(context.target)) if context.lock.waited else context
