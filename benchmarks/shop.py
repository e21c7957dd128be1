"""A job in a folder of its own with a sandbox as its target, for sections that count calls."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.sandbox import Sandbox


@dataclass(frozen=True)
class Shop:
    """The folder of a job (`job.yaml`, `schema.py`, `dump.csv`), its sandbox, and the Python that has the program."""

    folder: Path
    sandbox: Sandbox
    python: str

    def dump(self, header: str, lines: Iterable[str]) -> None:
        """Write the dump."""
        (self.folder / "dump.csv").write_text("\n".join([header, *lines]) + "\n")

    def call(self, *words: str, may_end: Collection[int] = (0,)) -> dict[str, Any]:
        """Run a command of the program; returns its document. Raises CalledProcessError where it ends with another code."""
        environment = {
            **os.environ,
            "COPERNICA_API_URL": self.sandbox.api_url,
            "COPERNICA_AUTH_URL": self.sandbox.auth_url,
            "COPERNICA_TOKEN": self.sandbox.token,
            "COPERNICA_HOST_DIR": str(self.folder / "host"),
        }
        command = [self.python, "-m", "pipeline", *words, "--json"]
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        if done.returncode not in may_end:
            raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
        found: dict[str, Any] = json.loads(done.stdout)
        return found


@contextmanager
def opened(
    python: str, fields: Sequence[Mapping[str, Any]], schema: str, job: str, faults: Sequence[Mapping[str, Any]] = ()
) -> Iterator[Shop]:
    """Yield a shop whose database `Shop` has these fields; it goes with the block."""
    structure = {"databases": [{"name": "Shop", "fields": list(fields)}]}
    with tempfile.TemporaryDirectory() as name, Sandbox(structure=structure, faults=list(faults)) as sandbox:
        folder = Path(name)
        (folder / "schema.py").write_text(schema)
        (folder / "job.yaml").write_text(job)
        yield Shop(folder, sandbox, python)
