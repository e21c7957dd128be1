"""Write schema modules to a folder and load them; build jobs from a few words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import JobError
from pipeline.model.job import Job
from pipeline.validate.schema import load_schema
from pipeline.validate.spec import TargetSchema

IMPORTS = """\
import datetime, decimal
import pandera.polars as pa
import polars as pl
from pipeline.fields import *
"""

Load = Callable[[str], TargetSchema]
Refuse = Callable[[str], list[tuple[str, str, str]]]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Load the schema `S` of a module whose imports are there already."""

    def _load(body: str) -> TargetSchema:
        (tmp_path / "feed.py").write_text(IMPORTS + body, encoding="utf-8")
        return load_schema("feed.py:S", tmp_path)

    return _load


@pytest.fixture
def refused(load: Load) -> Refuse:
    """Give the problems (where without the reference, what, do) of a schema `S` that is refused."""

    def _refused(body: str) -> list[tuple[str, str, str]]:
        with pytest.raises(JobError) as raised:
            load(body)
        return [(found.where.removeprefix("feed.py:S"), found.what, found.do) for found in raised.value.problems]

    return _refused


def job_of(
    keys: list[str],
    columns: dict[str, Any] | None = None,
    constants: dict[str, str] | None = None,
    ignore: list[str] | None = None,
    **target: Any,
) -> Job:
    """Build a job of these parts; everything else is as harmless as can be."""
    words = {"api": "v4", "database": "D", "action": "update or add", "ignore_empty_fields": True}
    words |= {"followups": False, "rebuild": True, "key_fields": keys} | target
    return Job.model_validate(
        {
            "job": "customers",
            "source": {"files": ["a.csv"], "delimiter": ","},
            "columns": columns or {},
            "constants": constants or {},
            "ignore": ignore or [],
            "schema": "feed.py:S",
            "target": words,
            "load": {"mode": "auto"},
            "path": Path("job.yaml"),
        }
    )
