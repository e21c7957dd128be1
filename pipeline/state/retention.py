"""Delete what runs have left when its time has come: customers' data early, the record of a run late (edge: files, SQLite).

An open run keeps everything. Automatically only what was not looked at before is looked at, so that thousands of past runs do
not slow a run down: how far it came stands in `retention.json`, by job and kind.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import ValidationError

from pipeline.log import get_logger
from pipeline.model.job import Job, State
from pipeline.state.files import write_whole
from pipeline.state.folder import RunFolder
from pipeline.state.ledger import Ledger
from pipeline.state.storage import storage_faults

NAME = "retention.json"
_BEGINNING = ""
# Files of a run with values of customers, by the setting that keeps them; everything else in its folder has none.
_KINDS = {
    "keep_rejects": (
        "rejects.csv", "rejects.ndjson", "failed.csv", "unknown.csv", "open.csv", "gone.csv", "changed.csv", "*.part",
        "keys", "zeros-*.arrow",
    ),
    "keep_before": ("before*", "undo.csv", "conflicts.csv", "created*.csv", "deleted*.csv"),
}  # fmt: skip


@dataclass
class Pruned:
    """What was deleted: whole runs, and in how many others files of each kind; `bytes` of all of it."""

    runs: int = 0
    staged: int = 0
    rejects: int = 0
    before: int = 0
    bytes: int = 0

    def __add__(self, other: Pruned) -> Pruned:
        return Pruned(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))

    def __str__(self) -> str:
        return (
            f"{self.runs:,} runs, the rejects and failed rows of {self.rejects:,}, the values from before of {self.before:,},"
            f" the staged rows of {self.staged:,}; {self.bytes / 1e6:,.1f} MB"
        )


def prune(ledger: Ledger, job: str, keep: State, now: datetime, *, whole: bool = False) -> Pruned:
    """Delete what the runs of one job have left and need not keep; days count from the start of a run.

    `whole` looks at all runs, not only at those whose time has come since it was done last. Raises OSError.
    """
    found = Pruned()
    progress = _Progress(ledger.state_dir)
    for kind, days in (
        ("keep_runs", keep.keep_runs),
        ("keep_rejects", keep.keep_rejects),
        ("keep_before", keep.keep_before),
    ):
        before = (now.astimezone(UTC) - timedelta(days=days)).isoformat(timespec="milliseconds")
        since = _BEGINNING if whole else progress.of(job, kind)
        waits = ""
        for run, started_at, is_open in ledger.runs_between(job, since, before):
            if is_open:
                waits = waits or started_at
            elif kind == "keep_runs":
                _forget(ledger, run, found)
            else:
                _delete(RunFolder(ledger.state_dir, run).path, kind, found)
        progress.reached(job, kind, waits or before)
    _drop_staged(ledger.state_dir, now, found)
    progress.write()
    return found


def prune_all(ledger: Ledger, now: datetime) -> Pruned:
    """Look at all runs of each job, by the settings of its last one; raises StorageError."""
    found = Pruned()
    with storage_faults(ledger.state_dir):
        for job in ledger.jobs():
            found += prune(ledger, job, _settings(ledger, job), now, whole=True)
        ledger.shrink()
    return found


def _settings(ledger: Ledger, job: str) -> State:
    """Return the settings of the last run of a job, the defaults where its job file is not known any more."""
    try:
        return State() if (last := ledger.last(job)) is None else Job.model_validate_json(last.job_copy).state
    except ValidationError:
        return State()


class _Progress:
    """How far it came: by job and kind, when the oldest run started that may have something left."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / NAME
        try:
            self._reached: dict[str, dict[str, str]] = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self._reached = {}
        self._changed = False

    def of(self, job: str, kind: str) -> str:
        found = self._reached.get(job, {}).get(kind, _BEGINNING)
        return found if isinstance(found, str) else _BEGINNING

    def reached(self, job: str, kind: str, at: str) -> None:
        # A day is exact enough: the file is not written on every run.
        if at[:10] != self.of(job, kind)[:10]:
            self._reached.setdefault(job, {})[kind] = at
            self._changed = True

    def write(self) -> None:
        if self._changed:
            write_whole(self._path, json.dumps(self._reached).encode())


def _forget(ledger: Ledger, run: str, found: Pruned) -> None:
    """Delete a run's folder, then its record: what is left of an interrupted attempt is found again."""
    folder = RunFolder(ledger.state_dir, run)
    found.bytes += sum(_size(path) for path in folder.path.rglob("*"))
    folder.drop_staged()
    shutil.rmtree(folder.path, ignore_errors=True)
    ledger.forget(run)
    found.runs += 1


def _delete(folder: Path, kind: str, found: Pruned) -> None:
    paths = [path for pattern in _KINDS[kind] for path in folder.glob(pattern)]
    for path in paths:
        if path.is_dir():
            found.bytes += sum(_size(one) for one in path.rglob("*"))
            shutil.rmtree(path)
        else:
            found.bytes += _size(path)
            path.unlink(missing_ok=True)
    if kind == "keep_rejects":
        # Every run that sent something has hashes of its keys (`explain`); they are no rejects.
        found.rejects += any(path.name != "keys" for path in paths)
    else:
        found.before += bool(paths)


def _drop_staged(state_dir: Path, now: datetime, found: Pruned) -> None:
    """Delete staged rows that were kept for some days, of all jobs."""
    for folder in RunFolder.with_kept_rows(state_dir):
        until = folder.kept_until()
        if until is None:
            get_logger().warning("staged.kept", why="its mark is no time", mark=str(folder.keep_mark))
        elif until <= now:
            found.bytes += sum(_size(path) for path in folder.staged.rglob("*"))
            found.staged += 1
            folder.drop_staged()


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size if path.is_file() else 0
    except OSError:
        return 0
