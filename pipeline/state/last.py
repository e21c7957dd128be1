"""Remember how the last attempt of each job ended, also of one that never became a run (edge: one small file per job)."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline.state.files import write_whole

FOLDER = "last"


@dataclass(frozen=True)
class Last:
    """How an attempt ended: exit code and time, and when one last ended with 0; times are ISO 8601 in UTC."""

    exit_code: int
    at: str
    success_at: str | None = None


def last_of(state_dir: Path, job: str) -> Last | None:
    """Return the last attempt of a job, None where none is known."""
    with suppress(OSError, ValueError, TypeError):
        return Last(**json.loads((state_dir / FOLDER / f"{job}.json").read_text(encoding="utf-8")))
    return None


def last_of_all(state_dir: Path) -> dict[str, Last]:
    """Return the last attempt of every job."""
    names = sorted(path.stem for path in (state_dir / FOLDER).glob("*.json"))
    return {name: last for name in names if (last := last_of(state_dir, name)) is not None}


def remember(state_dir: Path, job: str, exit_code: int, at: str) -> None:
    """Record how an attempt ended at `at`; where the state folder cannot be written nothing is."""
    before = last_of(state_dir, job)
    success_at = at if exit_code == 0 else before.success_at if before else None
    if not state_dir.is_dir():
        return  # nothing has run here yet, and an attempt that was refused makes no state folder
    with suppress(OSError):
        (state_dir / FOLDER).mkdir(mode=0o700, exist_ok=True)
        write_whole(state_dir / FOLDER / f"{job}.json", json.dumps(asdict(Last(exit_code, at, success_at))).encode())
