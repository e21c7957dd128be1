"""Build jobs, specs and batches for the tests of validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.model.columns import FieldSpec, LiveField
from pipeline.model.files import SourceFile
from pipeline.model.job import Job
from pipeline.model.rows import MALFORMED_SCHEMA, Batch
from pipeline.validate.batch import Validator
from pipeline.validate.link import Link

DTYPES: Mapping[str, pl.DataType] = {
    "text": pl.String(),
    "integer": pl.Int64(),
    "decimal": pl.Float64(),
    "date": pl.Date(),
    "datetime": pl.Datetime("us"),
    "yesno": pl.Boolean(),
    "choice": pl.String(),
}


def spec(name: str, kind: Any = "text", *, nullable: bool = True, **words: Any) -> FieldSpec:
    """A FieldSpec with the natural dtype of its kind."""
    return FieldSpec(name, kind, words.pop("dtype", DTYPES[kind]), nullable, **words)


def job(
    *,
    source: Mapping[str, Any] | None = None,
    target: Mapping[str, Any] | None = None,
    load: Mapping[str, Any] | None = None,
    **words: Any,
) -> Job:
    """A job over CSV with key CustomerID, `update or add` and ignore_empty_fields; every part can be said otherwise."""
    return Job.model_validate(
        {
            "job": "test",
            "source": {"files": ["x.csv"], "delimiter": ",", **(source or {})},
            "schema": "x.py:X",
            "target": {
                "api": "v4",
                "database": "Customers",
                "action": "update or add",
                "key_fields": ["CustomerID"],
                "ignore_empty_fields": True,
                "followups": False,
                "rebuild": False,
                **(target or {}),
            },
            "load": {"mode": "imports", **(load or {})},
            "path": Path("x.yaml"),
            **words,
        }
    )


def batch(columns: Mapping[str, Sequence[str | None]], absent: Mapping[str, Sequence[bool]] | None = None) -> Batch:
    """A batch whose records stand on lines 2, 3 and so on."""
    frame = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))
    height = frame.height
    frame = frame.with_columns(
        pl.int_range(2, height + 2, dtype=pl.UInt64, eager=True).alias("_line"),
        pl.int_range(1, height + 1, dtype=pl.UInt64, eager=True).alias("_record"),
        pl.lit(None, pl.UInt32).alias("_element"),
    )
    file = SourceFile(Path("x.csv"), "x.csv", 3, 0, 0)
    return Batch(file, frame, pl.DataFrame(schema=MALFORMED_SCHEMA), None if absent is None else pl.DataFrame(absent))


def validator(
    specs: Sequence[FieldSpec],
    of: Job | None = None,
    live: Mapping[str, LiveField] | None = None,
    checks: Any = None,
) -> Validator:
    """A Validator over specs, a job and live fields."""
    of = of or job()
    return Validator(of, Link.compile(of, specs), specs, checks, live)
