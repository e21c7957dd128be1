"""Call the command line within the test, and a job file to call it with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import click
import pytest

from pipeline.__main__ import main
from pipeline.cli import cli

JOB = """\
job: customers
source:
  files: [a.csv]
  delimiter: ","
schema: customers.py:Customers
target:
  api: v4
  database: Customers
  action: update or add
  key_fields: [CustomerID]
  ignore_empty_fields: true
  followups: false
  rebuild: true
load:
  mode: imports
"""


class Called(NamedTuple):
    """How a command ended."""

    exit_code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Callable[..., Called]:
    def call_main(*words: object, commands: click.Group = cli) -> Called:
        exit_code = main([str(word) for word in words], commands)
        return Called(exit_code, *capsys.readouterr())

    return call_main


@pytest.fixture
def job(tmp_path: Path) -> Path:
    path = tmp_path / "job.yaml"
    path.write_text(JOB)
    return path


@pytest.fixture(autouse=True)
def no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the environment of whoever runs the tests out of them."""
    for name in ("TOKEN", "TOKEN_FILE", "API_URL", "AUTH_URL", "STATE_DIR"):
        monkeypatch.delenv(f"COPERNICA_{name}", raising=False)
