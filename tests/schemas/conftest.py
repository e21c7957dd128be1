"""Write schema modules to a folder and load them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import JobError
from pipeline.validate.schema import load_schema
from pipeline.validate.spec import TargetSchema
from tests.support.schemas import Load, Refuse

IMPORTS = """\
import datetime, decimal
import pandera.polars as pa
import polars as pl
from pipeline.fields import *
"""


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Load the schema `S` of a module whose imports are there already."""

    def _load(body: str) -> TargetSchema:
        (tmp_path / "feed.py").write_text(IMPORTS + body, encoding="utf-8")
        return load_schema("feed.py:S", tmp_path)

    return _load


@pytest.fixture
def refused(load: Load) -> Refuse:
    """Return the problems (where without the reference, what, do) of a schema `S` that is refused."""

    def _refused(body: str) -> list[tuple[str, str, str]]:
        with pytest.raises(JobError) as raised:
            load(body)
        return [(found.where.removeprefix("feed.py:S"), found.what, found.do) for found in raised.value.problems]

    return _refused
