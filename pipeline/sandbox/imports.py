"""Run imports as asynchronous jobs on one worker thread, in the order of their POST per database (edge: threads)."""

from __future__ import annotations

import threading
import time
import zlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from pipeline.sandbox.clock import Clock
from pipeline.sandbox.hazards import Notes
from pipeline.sandbox.import_plan import ImportPlan
from pipeline.sandbox.import_rows import RowWork
from pipeline.sandbox.store import Store
from pipeline.sandbox.switches import Switches

# Rows in one transaction: what a request may have to wait for, about 15 ms.
BATCH_ROWS = 250
# Between two batches, so that a request that waits for the lock gets it.
_BREATH_S = 0.0005
_STATUS = {"waiting": "ready for start", "parked": "ready for start", "running": "importing", "finished": "finished"}


@dataclass(frozen=True)
class Script:
    """What a fault does to an import; None and False do nothing.

    `hang` starts and never moves, `delay_s` virtual seconds pass before it starts, it fails after `fail_after` rows
    with `message` (`finish`: lastrun is set then), and it is final only at the poll number `polls`.
    """

    hang: bool = False
    delay_s: float = 0.0
    fail_after: int | None = None
    message: str = ""
    finish: bool = True
    polls: int = 0


@dataclass(frozen=True)
class Shown:
    """How a fault changes the answer to one poll: counters `false`, counters of the poll before, totallines too many."""

    no_counters: bool = False
    late: bool = False
    extra_lines: int = 0


@dataclass
class Job:
    """One import; `state` is waiting, running, finished, failed or parked."""

    id: int
    plan: ImportPlan
    notes: Notes
    script: Script
    starts_at_s: float = 0.0
    state: str = "waiting"
    processed: int = 0
    total: int = 0
    lastrun: str = ""
    lasterror: str = ""
    polled: int = 0
    shown: int = 0
    cancelled: bool = False
    counts: Counter[str] = field(default_factory=Counter)

    def document(self) -> dict[str, object]:
        """Describe it for `GET /_sandbox/imports` and for the store."""
        kinds = ("created", "updated", "ignored", "deleted", "skipped")
        plan = self.plan
        return {
            "id": self.id, "database": plan.database.id, "name": plan.name, "action": plan.action, "state": self.state,
            "rows": self.total, "processed": self.processed, "lastrun": self.lastrun, "lasterror": self.lasterror,
            "rebuild": plan.rebuild, "followups": plan.followups, "remove_missing": plan.remove_missing,
            "ignore_empty_fields": plan.ignore_empty, "columns": list(plan.columns),
            "profiles": {kind: self.counts[f"profiles_{kind}"] for kind in kinds},
            "subprofiles": {kind: self.counts[f"subprofiles_{kind}"] for kind in kinds},
        }  # fmt: skip


class Imports:
    """Queue imports, work on them one after another, and report on each.

    The worker is a daemon thread that starts with the first import and ends with `close`.
    """

    def __init__(self, store: Store, clock: Clock, switches: Switches) -> None:
        self._store = store
        self._clock = clock
        self._switches = switches
        self._changed = threading.Condition()
        self._jobs: dict[int, Job] = {}
        self._busy = False
        self._closed = False
        self._thread: threading.Thread | None = None
        self._past = {int(one["id"]): _cut_off(one) for one in store.imports()}

    def add(self, plan: ImportPlan, notes: Notes, script: Script, body: bytes) -> Job:
        """Add an import (inside `Store.writing`); call `wake` after the transaction."""
        job = Job(self._store.counters.next("import"), plan, notes, script, total=len(plan.rows))
        job.starts_at_s = self._clock.epoch_s() + script.delay_s
        job.state = "waiting" if plan.autostart else "parked"
        self._store.save_import(job.id, job.document(), zlib.compress(body, 1))
        with self._changed:
            self._jobs[job.id] = job
        return job

    def wake(self) -> None:
        """Let the worker look for work: after an import was added or the clock moved."""
        with self._changed:
            if self._thread is None and self._jobs and not self._closed:
                self._thread = threading.Thread(target=self._work, name="sandbox-imports", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def poll(self, number: int, shown: Shown) -> dict[str, object] | None:
        """Answer `GET import/ID` (API sheet 12): counters as texts, lastrun false until it is final."""
        job = self._jobs.get(number)
        if job is None:
            past = self._past.get(number)
            return _status(past, shown) if past else None
        job.polled += 1
        document = job.document()
        if job.polled < job.script.polls and job.state in ("finished", "failed"):
            seen = min(job.processed, job.total * job.polled // job.script.polls)
            document.update(processed=seen, lastrun="", lasterror="", state="running")
        before, job.shown = job.shown, int(str(document["processed"]))
        if shown.late:
            document["processed"] = before
        return _status(document, shown)

    def reports(self) -> list[dict[str, Any]]:
        """List the internal reports by id."""
        with self._changed:
            found = {**self._past, **{number: job.document() for number, job in self._jobs.items()}}
        return [found[number] for number in sorted(found)]

    def settle(self, timeout_s: float) -> bool:
        """Wait until nothing is left that could start by itself now; return whether that came in time."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._busy and self._ready() is None, timeout_s)

    def clear(self) -> None:
        """Forget all imports; the one that runs stops first."""
        with self._changed:
            for job in self._jobs.values():
                job.cancelled = True
            self._jobs, self._past = {}, {}
            self._changed.wait_for(lambda: not self._busy)

    def close(self) -> None:
        """End the worker; a running import stops where it is."""
        with self._changed:
            self._closed = True
            for job in self._jobs.values():
                job.cancelled = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _ready(self) -> Job | None:
        """Find the oldest import that may start; one that a fault delays lets the others pass."""
        now_s = self._clock.epoch_s()
        waiting = (one for one in self._jobs.values() if one.state == "waiting" and one.starts_at_s <= now_s)
        return next(waiting, None)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                job = self._ready()
                while job is None and not self._closed:
                    delayed = any(one.state == "waiting" for one in self._jobs.values())
                    self._changed.wait(0.2 if delayed else None)
                    job = self._ready()
                if self._closed or job is None:
                    return
                self._busy = True
                job.state = "running"
            if not job.script.hang:
                self._run(job)

    def _run(self, job: Job) -> None:
        work = RowWork(job.plan, self._store, self._switches, job.notes)
        job.counts = work.counts
        error = job.plan.error
        try:
            while not error and not job.cancelled and job.processed < self._end(job):
                error = self._step(job, work)
                time.sleep(_BREATH_S)
            if job.cancelled:
                return
            if not error and job.script.fail_after is not None:
                error = job.script.message
            if not error:
                with self._store.writing():
                    work.finish(self._clock.now())
        except Exception as failure:  # noqa: BLE001 (a bug here must show in the import, not kill the worker)
            error = f"sandbox bug: {failure!r}"
        self._end_job(job, error)

    def _end(self, job: Job) -> int:
        after = job.script.fail_after
        return job.total if after is None else min(after, job.total)

    def _step(self, job: Job, work: RowWork) -> str:
        rows = job.plan.rows[job.processed : min(job.processed + BATCH_ROWS, self._end(job))]
        with self._store.writing():
            done, error = work.run(rows, job.processed + 1, self._clock.now())
            # With the rows, so that the counters are right whenever the process ends.
            self._store.save_import(job.id, {**job.document(), "processed": job.processed + done})
        job.processed += done
        return error

    def _end_job(self, job: Job, error: str) -> None:
        with self._changed:
            if job.cancelled:
                return
            job.plan.rows = []
            job.lasterror = error
            finishes = not error or job.script.finish
            job.lastrun = self._clock.stamp() if finishes else ""
            job.state = "failed" if error else "finished"
        with self._store.writing():
            self._store.save_import(job.id, job.document())


def _cut_off(document: dict[str, Any]) -> dict[str, Any]:
    """Mark what an earlier sandbox on the same store left unfinished."""
    if document["state"] in ("waiting", "running"):
        document.update(state="failed", lasterror="Interrupted by a restart")
    return document


def _status(document: dict[str, Any], shown: Shown) -> dict[str, object]:
    return {
        "ID": str(document["id"]),
        "name": document["name"],
        "type": document["action"],
        "status": _STATUS.get(str(document["state"]), "failed"),
        "totallines": not shown.no_counters and str(document["rows"] + shown.extra_lines),
        "processedLines": not shown.no_counters and str(document["processed"]),
        "lastrun": document["lastrun"] or False,
        "nextrun": False,
        "lasterror": document["lasterror"] or False,
    }
