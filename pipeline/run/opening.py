"""Open what a command needs to work on runs: the ledger, the locks, the API and the database (wiring)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from urllib.parse import urlsplit

from pipeline.config.environment import read_environment
from pipeline.errors import ApiRefusedError, Problem
from pipeline.load.waiting import Waiting
from pipeline.model.job import Job
from pipeline.report.progress import Reporter
from pipeline.run.context import Context
from pipeline.run.signals import interrupts
from pipeline.run.target import LiveTarget, connected, meet
from pipeline.state.find import find_newest, open_ledger
from pipeline.state.folder import private_files
from pipeline.state.ledger import Ledger
from pipeline.state.lock import Lock, Patience, database_lock, job_lock
from pipeline.state.register import Register
from pipeline.state.run_records import RunRow
from pipeline.state.storage import storage_faults


@dataclass(frozen=True)
class Call:
    """One call of a command: the ledger it works with, its terminal and the wish to stop.

    It waits `wait_s` for locks; None is as long as for imports where nobody is at a terminal (data rule 39).
    """

    ledger: Ledger
    reporter: Reporter
    stop: Event
    wait_s: float | None

    def lock(self, job: str) -> Lock:
        """Return the lock of a job."""
        return job_lock(self.ledger.state_dir, job, Patience(self.wait_s or 0.0, self.stop))

    @contextmanager
    def holding(self, row: RunRow) -> Iterator[RunRow]:
        """Hold the lock of a run's job for a block, and yield the run as it is then, after waiting."""
        with interrupts(self.stop), self.lock(row.job):
            yield find_newest(self.ledger, row.id)

    @contextmanager
    def meeting(self, row: RunRow) -> Iterator[Context]:
        """Yield what surrounds a run that was begun before, at the database that it went to."""
        environment, job = read_environment(os.environ), Job.model_validate_json(row.job_copy)
        _refuse_other_host(row, environment.api_url)
        with connected(job, environment, self.stop) as client:
            target = meet(client, job, patient=not self.reporter.on_terminal)
            with self.surrounding(job, target) as context:
                yield context

    @contextmanager
    def surrounding(self, job: Job, target: LiveTarget) -> Iterator[Context]:
        """Yield what surrounds the runs of a process; the database's lock is not taken yet."""
        at_terminal, url = self.reporter.on_terminal, target.client.api_url
        lock_wait_s = self.wait_s if self.wait_s is not None else 0.0 if at_terminal else job.load.wait_s
        lock = database_lock(url, target.database.id, Patience(lock_wait_s, self.stop))
        waiting = Waiting(
            target.client,
            self.stop.wait,
            job.load.wait_s,
            job.load.poll.most_s,
            lambda: _given_back(lock),
            self.reporter.describe if at_terminal else None,
        )
        with Register.open(url, target.database.id, self.ledger.state_dir) as register:
            yield Context(target, lock, register, self.ledger, self.reporter, waiting, self.stop)


@contextmanager
def opened(state_dir: Path, reporter: Reporter, wait_s: float | None = None) -> Iterator[Call]:
    """Open the ledger of a state folder for a command that works on one of its runs; raises JobError where there is none."""
    with private_files(), storage_faults(state_dir), closing(open_ledger(state_dir)) as ledger:
        yield Call(ledger, reporter, Event(), wait_s)


@contextmanager
def _given_back(lock: Lock) -> Iterator[None]:
    """Release a lock that is held while the block runs, and take it again when it ends."""
    lock.__exit__()
    try:
        yield
    finally:
        lock.__enter__()


def _refuse_other_host(row: RunRow, api_url: str) -> None:
    """Refuse another host than the run went to, where its imports and ids mean nothing; a port may have changed."""
    then, now = urlsplit(f"//{row.api_host}").hostname, urlsplit(api_url).hostname
    if then != now:
        what = f"the run went to {then}, and the API is now {now}"
        raise ApiRefusedError(Problem(what, "COPERNICA_API_URL", "set it as it was, or close the run"))
