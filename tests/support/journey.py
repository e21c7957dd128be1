"""A job in a folder of its own and the sandbox that it goes to, over real HTTP and real files."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from pipeline.sandbox import Sandbox
from tests.support.command import Ran, Word, call


@dataclass
class Journey:
    """A job in a folder of its own, and the sandbox that it goes to."""

    sandbox: Sandbox
    folder: Path

    @property
    def state(self) -> Path:
        """Return the state folder of the job."""
        return self.folder / ".copernica-import"

    def write(self, name: str, text: str | bytes) -> Path:
        """Write a file of the journey."""
        path = self.folder / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def environment(self, **other: str) -> dict[str, str]:
        """Return the environment that names the sandbox and keeps the state of the host in the folder of the test."""
        return {
            "COPERNICA_API_URL": self.sandbox.api_url,
            "COPERNICA_AUTH_URL": self.sandbox.auth_url,
            "COPERNICA_TOKEN": self.sandbox.token,
            "COPERNICA_HOST_DIR": str(self.folder / "host"),
            "XDG_STATE_HOME": str(self.folder / "user-state"),
            **other,
        }

    def call(self, command: str, job: Path, *words: Word, **environment: str) -> Ran:
        """Call a command on a job of this journey."""
        return call(command, job, *words, environment=self.environment(**environment))

    def ask(self, *words: Word, **environment: str) -> Ran:
        """Call a command that takes no job (`resume`, `runs`, `status`, …) on the state folder of this journey."""
        return call(*words, "--state-dir", self.state, environment=self.environment(**environment))

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

    def ledger(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Ask the ledger, as anybody can."""
        connection = sqlite3.connect(self.state / "ledger.sqlite")
        try:
            return connection.execute(statement, values).fetchall()
        finally:
            connection.close()


def unprovoked(sandbox: Sandbox, request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    """List the hazards that the sandbox saw, but for those that the test provokes: `@pytest.mark.provokes(code, …)`."""
    provoked = {code for mark in request.node.iter_markers("provokes") for code in mark.args}
    return [one for one in sandbox.hazards() if one["code"] not in provoked]


@dataclass
class Sandboxes:
    """The sandboxes of one test. Each is new: starting one takes 3 ms; ending one waits 200 ms, so nobody waits for it."""

    running: list[Sandbox] = field(default_factory=list)

    def start(self, structure: Mapping[str, Any] | Path | None, **settings: Any) -> Sandbox:
        """Start a sandbox; `settings` as in `Sandbox`."""
        sandbox = Sandbox(structure=structure, **settings)
        self.running.append(sandbox.__enter__())
        return sandbox

    def hazards(self, request: pytest.FixtureRequest) -> list[dict[str, Any]]:
        """List the hazards of all that the test did not announce."""
        return [one for sandbox in self.running for one in unprovoked(sandbox, request)]

    def end(self) -> list[Thread]:
        """End all in the background; the threads can be waited for."""
        ending = [Thread(target=sandbox.__exit__, args=(None, None, None)) for sandbox in self.running]
        for thread in ending:
            thread.start()
        return ending


def words_of(settings: Iterable[str]) -> list[str]:
    """Return `--set` for each setting."""
    return [word for setting in settings for word in ("--set", setting)]
