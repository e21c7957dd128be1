"""Write the commands that messages, reports and mails suggest, so that they work when pasted from any folder (edge)."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

PROGRAM = "copernica-import"


def command(name: str, *words: str | Path, state_dir: Path | None = None) -> str:
    """Return a command line: the program's own path, `name`, the words, and `--state-dir` where one is given.

    A `Path` becomes absolute; whatever the shell would take apart is quoted.
    """
    parts = [*program(), name, *(str(word.absolute()) if isinstance(word, Path) else word for word in words)]
    if state_dir is not None:
        parts += ["--state-dir", str(state_dir.absolute())]
    return shlex.join(parts)


def program() -> tuple[str, ...]:
    """Return how this program is called: the script's absolute path, else the interpreter with `-m pipeline`."""
    called = Path(sys.argv[0]) if sys.argv and sys.argv[0] else Path()
    for script in (called, Path(sys.executable).parent / PROGRAM):
        if script.name == PROGRAM and script.is_file():
            return (str(script.absolute()),)
    return (str(Path(sys.executable).absolute()), "-m", "pipeline")
