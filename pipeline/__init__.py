"""Bring CSV and JSON dumps into Copernica over its REST API without losing, doubling or bending a record.

The public Python API (docs/python.md). Each name is loaded when it is first used: importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.config.read import read_job
    from pipeline.copernica import Client
    from pipeline.errors import (
        ApiRefusedError,
        Exit,
        IncompleteError,
        InputError,
        InterruptedRunError,
        JobError,
        LockedError,
        PipelineError,
        Problem,
        UsageError,
    )
    from pipeline.model.job import Job
    from pipeline.report.summary import Summary
    from pipeline.run.api import check_job, run_job, validate_job
    from pipeline.run.check import CheckResult
    from pipeline.sandbox import Sandbox

__version__ = "0.1.0"

__all__ = [
    "ApiRefusedError",
    "CheckResult",
    "Client",
    "Exit",
    "IncompleteError",
    "InputError",
    "InterruptedRunError",
    "Job",
    "JobError",
    "LockedError",
    "PipelineError",
    "Problem",
    "Sandbox",
    "Summary",
    "UsageError",
    "check_job",
    "read_job",
    "run_job",
    "validate_job",
]

_HOMES = {
    "CheckResult": "pipeline.run.check",
    "Client": "pipeline.copernica",
    "Job": "pipeline.model.job",
    "Sandbox": "pipeline.sandbox",
    "Summary": "pipeline.report.summary",
    "check_job": "pipeline.run.api",
    "read_job": "pipeline.config.read",
    "run_job": "pipeline.run.api",
    "validate_job": "pipeline.run.api",
}


def __getattr__(name: str) -> Any:
    """Load a public name on its first use."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "pipeline.errors")), name)


def __dir__() -> list[str]:
    """List the public names before they are loaded."""
    return sorted({*globals(), *__all__})
