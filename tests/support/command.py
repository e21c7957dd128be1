"""Call the command line within the test, or as a process of its own."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from pipeline.__main__ import main

Word = str | os.PathLike[str]


@dataclass
class Ran:
    """How a command ended: its exit code, stdout and stderr, and the document of `--json`."""

    exit_code: int
    stdout: str
    stderr: str
    document: dict[str, Any] = field(default_factory=dict)

    @property
    def records(self) -> dict[str, Any]:
        """Return the counts of the summary."""
        return self.document["records"]


def call(*words: Word, environment: dict[str, str] | None = None) -> Ran:
    """Call the command line in this process with `--json`."""
    ran = call_plain(*words, "--json", environment=environment)
    ran.document = json.loads(ran.stdout)
    return ran


def call_plain(*words: Word, environment: dict[str, str] | None = None) -> Ran:
    """Call the command line in this process as it is typed."""
    out, err = io.StringIO(), io.StringIO()
    with patch.dict(os.environ, environment or {}), redirect_stdout(out), redirect_stderr(err):
        exit_code = main([*map(os.fspath, words)])
    return Ran(exit_code, out.getvalue(), err.getvalue())


def call_in_process(*words: Word, environment: dict[str, str] | None = None) -> Ran:
    """Call the command line with `--json` in a process of its own: for signals, locks and what is loaded."""
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", *map(os.fspath, words), "--json"],
        env={**os.environ, **(environment or {})}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return Ran(done.returncode, done.stdout, done.stderr, json.loads(done.stdout or "{}"))
