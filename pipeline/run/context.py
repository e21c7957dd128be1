"""Name what surrounds a run, and which run it is (wiring)."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Event

from pipeline.load.choice import Choice
from pipeline.model.files import SourceFile
from pipeline.model.job import Job
from pipeline.report.progress import Reporter
from pipeline.run.target import LiveTarget
from pipeline.state.folder import RunFolder
from pipeline.state.ledger import Ledger, Way
from pipeline.state.register import Register


@dataclass(frozen=True)
class Site:
    """What surrounds a run: the live database, the way, the ledger and the register, the terminal, the wish to stop."""

    target: LiveTarget
    choice: Choice
    ledger: Ledger
    register: Register
    reporter: Reporter
    stop: Event


@dataclass(frozen=True)
class RunId:
    """Which run it is: its id, job and files, and how it was called.

    `cut_for` is the way that it began with, by which its chunks are cut. `resumed` says that an earlier process began it,
    `replay_of` names the run whose rows it takes.
    """

    run: str
    job: Job
    files: tuple[SourceFile, ...]
    limit: int | None
    forced: frozenset[str]
    folder: RunFolder
    cut_for: Way
    resumed: bool = False
    replay_of: str | None = None
