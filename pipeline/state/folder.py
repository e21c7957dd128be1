"""Lay out the state folder and a run's folder in it, private to the user (edge)."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any

from pipeline.errors import JobError, Problem
from pipeline.state.files import write_whole

# In the state folder: a mark for each run whose staged rows are kept, with the time (ISO 8601) from which on they are to go.
KEPT = "kept-rows"


# The umask belongs to the process, and several runs may share it: the first block sets it, the last one sets it back.
_umask_lock = Lock()
_umasks_before: list[int] = []


@contextmanager
def private_files() -> Iterator[None]:
    """Make whatever is made in the block readable by its user only: it may hold customers' data."""
    with _umask_lock:
        _umasks_before.append(os.umask(0o077))
    try:
        yield
    finally:
        with _umask_lock:
            before = _umasks_before.pop()
            if not _umasks_before:
                os.umask(before)


class RunFolder:
    """The files of one run: `run.json`, rejects, and `staged/` while rows are needed.

    Folders are 0700, files 0600: they hold customers' data.
    """

    def __init__(self, state_dir: Path, run: str) -> None:
        self.path = state_dir / "runs" / run
        self.run = run

    @property
    def summary_path(self) -> Path:
        """Return the path of the run's summary."""
        return self.path / "run.json"

    @property
    def log_path(self) -> Path:
        """Return the path of the run's log: a line of JSON per event, of every command that worked on it."""
        return self.path / "log.ndjson"

    @property
    def report_path(self) -> Path:
        """Return the path of the run's report."""
        return self.path / "report.html"

    @property
    def staged(self) -> Path:
        """Return the folder of staged rows."""
        return self.path / "staged"

    @classmethod
    def new(cls, state_dir: Path, job: str, now: datetime) -> RunFolder:
        """Make the folder of a new run, named after its job and its start in UTC with four random digits behind.

        No two starts of one second get the same name. Raises JobError when the state folder cannot be written.
        """
        runs = state_dir / "runs"
        try:
            runs.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in (state_dir, runs):
                folder.chmod(0o700)
            return cls(state_dir, _made(runs, f"{job}-{now:%Y%m%dT%H%M%SZ}"))
        except OSError as error:
            what = f"the state folder cannot be written: {error.strerror}"
            do = "make it writable or name another one with --state-dir"
            raise JobError(Problem(what, str(runs), do)) from None

    def write_summary(self, summary: dict[str, Any]) -> None:
        """Write `run.json`, also of a run whose folder is lost: it has to end."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(self.summary_path, (json.dumps(summary, ensure_ascii=False, indent=1) + "\n").encode())

    @property
    def keep_mark(self) -> Path:
        """Return the place of the mark that the staged rows are kept."""
        return self.path.parent.parent / KEPT / self.run

    @classmethod
    def with_kept_rows(cls, state_dir: Path) -> Iterator[RunFolder]:
        """Yield the runs whose staged rows are kept though they have ended."""
        with suppress(FileNotFoundError):
            yield from (cls(state_dir, path.name) for path in sorted((state_dir / KEPT).iterdir()))

    def kept_until(self) -> datetime | None:
        """Return how long the staged rows of an ended run are kept, None where that cannot be read."""
        try:
            until = datetime.fromisoformat(self.keep_mark.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return None if until.tzinfo is None else until

    def end_staged(self, keep_days: int, now: datetime) -> None:
        """Delete the staged rows, or have them kept for some days."""
        if keep_days <= 0:
            self.drop_staged()
        elif self.staged.is_dir():
            self.keep_mark.parent.mkdir(mode=0o700, exist_ok=True)
            write_whole(self.keep_mark, (now + timedelta(days=keep_days)).isoformat().encode())

    def place_staged(self, staged_dir: Path | None) -> None:
        """Let the staged rows lie in another folder (`state.staged_dir`), found by a link; raises JobError."""
        if staged_dir is None:
            return
        try:
            elsewhere = staged_dir.absolute() / self.run
            elsewhere.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.staged.symlink_to(elsewhere)
        except OSError as error:
            what = f"staged rows cannot be kept there: {error.strerror}"
            where = f"state.staged_dir: {staged_dir}"
            raise JobError(Problem(what, where, "make it writable, or name another")) from None

    def drop_staged(self) -> None:
        """Delete the staged rows, wherever they lie."""
        shutil.rmtree(self.staged.resolve(), ignore_errors=True)
        if self.staged.is_symlink():
            self.staged.unlink()
        self.keep_mark.unlink(missing_ok=True)


def _made(runs: Path, start: str) -> str:
    while True:
        name = f"{start}-{secrets.token_hex(2)}"
        with suppress(FileExistsError):
            (runs / name).mkdir(mode=0o700)
            return name
