"""What a journey needs: a sandbox, a folder for job and schema, and the command line."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from pipeline.__main__ import main
from pipeline.sandbox import Sandbox

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"


@dataclass
class Ran:
    """How a command ended: its exit code, stdout and stderr, and the document of `--json`."""

    exit_code: int
    stdout: str
    stderr: str
    document: dict[str, Any] = field(default_factory=dict)

    @property
    def records(self) -> dict[str, Any]:
        """Give the counts of the summary."""
        return self.document["records"]


def call(*words: str | os.PathLike[str], environment: dict[str, str] | None = None) -> Ran:
    """Call the command line in this process with `--json`."""
    out, err = io.StringIO(), io.StringIO()
    with patch.dict(os.environ, environment or {}), redirect_stdout(out), redirect_stderr(err):
        exit_code = main([*map(os.fspath, words), "--json"])
    return Ran(exit_code, out.getvalue(), err.getvalue(), json.loads(out.getvalue()))


@dataclass
class Journey:
    """A job in a folder of its own, and the sandbox that it goes to."""

    sandbox: Sandbox
    folder: Path

    def write(self, name: str, text: str | bytes) -> Path:
        """Write a file of the journey."""
        path = self.folder / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def environment(self, **other: str) -> dict[str, str]:
        """Give the environment that names the sandbox."""
        return {
            "COPERNICA_API_URL": self.sandbox.api_url,
            "COPERNICA_AUTH_URL": self.sandbox.auth_url,
            "COPERNICA_TOKEN": self.sandbox.token,
            "XDG_STATE_HOME": str(self.folder / "user-state"),
            **other,
        }

    def call(self, command: str, job: Path, *words: str | os.PathLike[str], **environment: str) -> Ran:
        """Call a command on a job of this journey."""
        return call(command, job, *words, environment=self.environment(**environment))

    def posted(self) -> list[dict[str, Any]]:
        """List the changing requests that the sandbox saw."""
        return [
            entry
            for entry in self.sandbox.journal()
            if entry["method"] != "GET" and "authenticate" not in entry["path"]
        ]

    def profiles(self, database: str) -> list[dict[str, Any]]:
        """List the profiles of a database by the values of their fields."""
        return sorted(self.sandbox.contents(database)["profiles"], key=lambda one: list(one["fields"].values()))


def unprovoked(sandbox: Sandbox, request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    """List the hazards that the sandbox saw, but for those that the test provokes: `@pytest.mark.provokes(code, …)`."""
    provoked = {code for mark in request.node.iter_markers("provokes") for code in mark.args}
    return [one for one in sandbox.hazards() if one["code"] not in provoked]


@pytest.fixture
def journey(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[[dict[str, Any]], Journey]]:
    """Make journeys whose sandboxes are closed at the end of the test, and must have seen no hazard till then."""
    running: list[Sandbox] = []

    def start(structure: dict[str, Any] | Path, **settings: Any) -> Journey:
        sandbox = Sandbox(structure=structure, **settings)
        running.append(sandbox.__enter__())
        return Journey(sandbox, tmp_path)

    yield start
    seen = [one for sandbox in running for one in unprovoked(sandbox, request)]
    for sandbox in running:
        sandbox.__exit__(None, None, None)
    assert seen == []
