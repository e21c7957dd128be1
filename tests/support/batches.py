"""Make batches as extract gives them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from pipeline.model.files import SourceFile
from pipeline.model.rows import FAULTS_SCHEMA, MALFORMED_SCHEMA, Batch, Origin


def source(name: str = "a.csv", index: int = 0) -> SourceFile:
    return SourceFile(Path("/nowhere") / name, name, index, 0, 0)


def faults(*rows: tuple[int, str, str, str]) -> pl.DataFrame:
    """Return faults of (row, codes, columns, messages)."""
    return pl.DataFrame([(*row, False) for row in rows], schema=dict(FAULTS_SCHEMA), orient="row")


def malformed(*rows: tuple[int, int, str, str, str]) -> pl.DataFrame:
    """Return malformed records of (line, record, code, message, raw)."""
    return pl.DataFrame(list(rows), schema=dict(MALFORMED_SCHEMA), orient="row")


def csv_batch(
    columns: dict[str, list[str]],
    records: list[int],
    *bad: tuple[int, int, str, str, str],
    file: SourceFile | None = None,
) -> Batch:
    """Return a CSV batch whose records stand on the line behind their number."""
    places: dict[str, Any] = {
        "_line": pl.Series([record + 1 for record in records], dtype=pl.UInt64),
        "_record": pl.Series(records, dtype=pl.UInt64),
        "_element": pl.Series([None] * len(records), dtype=pl.UInt32),
    }
    texts = {name: pl.Series(values, dtype=pl.String) for name, values in columns.items()}
    return Batch(file or source(), pl.DataFrame(texts | places), malformed(*bad))


def json_batch(
    objects: list[dict[str, Any]],
    rows: list[tuple[int, str | None, int | None]],
    *bad: tuple[int, int, str, str, str],
    records: list[int] | None = None,
) -> Batch:
    """Return a JSON batch of rows (object, list, element); the objects are records 1, 2, … each on its own line."""
    numbers = records or list(range(1, len(objects) + 1))
    record = [numbers[at] for at, _, _ in rows]
    frame = pl.DataFrame(
        {
            "_line": pl.Series(record, dtype=pl.UInt64),
            "_record": pl.Series(record, dtype=pl.UInt64),
            "_element": pl.Series([element for _, _, element in rows], dtype=pl.UInt32),
        }
    )
    origin = Origin(objects, [at for at, _, _ in rows], [name for _, name, _ in rows])
    return Batch(source("a.ndjson"), frame, malformed(*bad), origin=origin)
