"""Write the commands that messages, reports and mails suggest, so that they work when pasted from any folder (edge)."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.model.job import Job  # `--help` of a command needs no models

PROGRAM = "copernica-import"


def command(*words: str | Path, state_dir: Path | None = None) -> str:
    """Return a command line: the program's own path, the words (the command first), and `--state-dir` where one is given.

    A `Path` becomes absolute; whatever the shell would take apart is quoted.
    """
    parts = [*program(), *(str(word.absolute()) if isinstance(word, Path) else word for word in words)]
    if state_dir is not None:
        parts += ["--state-dir", str(state_dir.absolute())]
    return shlex.join(parts)


def job_command(name: str, job: Job, *words: str | Path, state_dir: Path | None = None) -> str:
    """Return a command line on a job, with the `--set`s that it was read with."""
    settings = (word for setting in job.settings for word in ("--set", setting))
    return command(name, job.path, *words, *settings, state_dir=state_dir)


def program() -> tuple[str, ...]:
    """Return how this program is called: the script's absolute path, else the interpreter with `-m pipeline`."""
    called = Path(sys.argv[0]) if sys.argv and sys.argv[0] else Path()
    for script in (called, Path(sys.executable).parent / PROGRAM):
        if script.name == PROGRAM and script.is_file():
            return (str(script.absolute()),)
    return (str(Path(sys.executable).absolute()), "-m", "pipeline")
