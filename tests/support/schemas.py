"""Build jobs for schemas from a few words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.model.job import Job
from pipeline.validate.spec import TargetSchema

Load = Callable[[str], TargetSchema]
Refuse = Callable[[str], list[tuple[str, str, str]]]


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
