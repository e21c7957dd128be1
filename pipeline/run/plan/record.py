"""Keep a plan beside the staged rows of its run, so that `apply` knows what it was made of (edge: the run's folder)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from pipeline.model.job import Job
from pipeline.stage.partitions import write_rows
from pipeline.state.files import write_whole
from pipeline.state.folder import RunFolder

_NAME = "plan.json"
_ROWS = "to-send.arrow"
_APPLIED = "applied.json"

# Days that the rows of a plan stay that nobody applies.
KEPT_DAYS = 7


@dataclass(frozen=True)
class PlanRecord:
    """When a plan was made (UTC, by our clock), of which job file and schema (digests), and what its rows become.

    `unchanged` rows need not be sent, `left` ones were not checked or have several matches.
    """

    planned_at: str
    job_sha256: str
    schema_sha256: str
    to_send: int
    unchanged: int
    left: int

    @property
    def at(self) -> datetime:
        """Return when the plan was made."""
        return datetime.fromisoformat(self.planned_at)

    def write(self, folder: RunFolder, to_send: pl.Series) -> None:
        """Write the `_seq` of the rows that are to be sent beside the staged rows, and the record in the run's folder."""
        rows = folder.staged / "plan"
        rows.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_rows(to_send.rename("_seq").sort().to_frame(), rows / _ROWS)
        write_whole(folder.path / _NAME, json.dumps(asdict(self)).encode())

    @classmethod
    def read(cls, folder: RunFolder) -> PlanRecord | None:
        """Read it back, also when the rows are gone; None where the run made no plan."""
        try:
            return cls(**json.loads((folder.path / _NAME).read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None


def rows_to_send(staged: Path) -> pl.Series:
    """Read the `_seq` of the planned rows."""
    return pl.read_ipc(staged / "plan" / _ROWS)["_seq"]


def digest_of(path: Path) -> str:
    """Digest a file, "" where it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def schema_path(job: Job) -> Path:
    """Return the file of a job's schema."""
    return job.folder / job.schema_path.rpartition(":")[0]


def write_applied(staged: Path, unchanged: int, left: int) -> None:
    """Keep how many rows an apply need not send, and how many it leaves, for whoever resumes it."""
    write_whole(staged / "plan" / _APPLIED, json.dumps([unchanged, left]).encode())


def read_applied(staged: Path) -> tuple[int, int]:
    """Read back the rows that need not be sent and those that are left; zeros for a run that applies no plan."""
    try:
        unchanged, left = json.loads((staged / "plan" / _APPLIED).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return 0, 0
    return unchanged, left
