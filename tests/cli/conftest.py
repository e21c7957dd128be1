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
from tests.support.job import SMALLEST


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
    path.write_text(SMALLEST)
    return path
