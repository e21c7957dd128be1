"""Write job files and read them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.config.read import read_job
from pipeline.errors import JobError, Problem


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def write_job(text: str) -> Path:
        path = tmp_path / "job.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write_job


@pytest.fixture
def problems(write: Callable[[str], Path]) -> Callable[..., list[Problem]]:
    """Read a job that is wrong and give its problems, places without the folder of the test."""

    def problems_of(text: str, *settings: str) -> list[Problem]:
        path = write(text)
        with pytest.raises(JobError) as error:
            read_job(path, settings)
        folder = f"{path.parent}/"
        return [Problem(one.what, one.where.replace(folder, ""), one.do) for one in error.value.problems]

    return problems_of
