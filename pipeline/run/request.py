"""Name what a command asks of the conductor: one value per command that works on a job (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from pipeline.model.job import Job  # `--help` of a command needs no models

# The guards that `--force` can override (data rule 36); everything else has no override.
Guard = Literal[
    "already_loaded",
    "key_without_index",
    "max_age",
    "max_calls",
    "max_deletes",
    "max_rejects",
    "max_unmatched",
    "min_new_files",
    "min_records",
    "min_share_of_last",
    "unique_keys",
]
GUARDS: tuple[str, ...] = get_args(Guard)


@dataclass(frozen=True)
class PlanRequest:
    """End the run before its first send, with a plan; `out` is a .csv or .ndjson file for every change."""

    out: Path | None


@dataclass(frozen=True)
class RunRequest:
    """A whole run: `files` replace the job's own where given (as written, relative to the working folder).

    `limit` takes the first rows only, None takes all; `forced` holds names of `GUARDS`; `wait_s` is how long to wait for
    locks that another run holds, None for the default. `replay_of` names the run whose rows these are.
    With `plan` nothing is sent, with `full` unchanged rows are, too.
    """

    job: Job
    files: tuple[str, ...]
    limit: int | None
    forced: frozenset[str]
    state_dir: Path
    wait_s: float | None = None
    replay_of: str | None = None
    plan: PlanRequest | None = None
    full: bool = False


@dataclass(frozen=True)
class ValidateRequest:
    """Extract and validate without network; `accepted` and `rejects` are .csv or .ndjson files to write.

    `origin` adds `_file, _line, _record` to the accepted rows; `limit` takes the first rows only, None takes all.
    """

    job: Job
    files: tuple[str, ...]
    accepted: Path | None
    rejects: Path | None
    origin: bool
    limit: int | None = None


@dataclass(frozen=True)
class ApplyRequest:
    """Send the rows that the plan of `run` found to be created or changed, where it is not older than `max_age_s`."""

    run: str
    max_age_s: float
    state_dir: Path
    wait_s: float | None = None


@dataclass(frozen=True)
class ReplayRequest:
    """Run the mended rejects, failed or open rows of `run`, or `files`, mended copies of them (as written)."""

    run: str
    files: tuple[str, ...]
    forced: frozenset[str]
    state_dir: Path
    wait_s: float | None = None


@dataclass(frozen=True)
class ResumeRequest:
    """Finish an open run: `run` is its id or the name of its job, None for the only one that is open.

    `max_settle_calls` takes the place of the job's own.
    """

    run: str | None
    max_settle_calls: int | None
    state_dir: Path
    wait_s: float | None = None


@dataclass(frozen=True)
class CloseRequest:
    """End an open run by decision."""

    run: str
    state_dir: Path


@dataclass(frozen=True)
class UndoRequest:
    """Bring back what was before `run`; with `yes` without a question."""

    run: str
    yes: bool
    forced: frozenset[str]
    state_dir: Path
    wait_s: float | None = None
