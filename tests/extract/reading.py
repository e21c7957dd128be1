"""Read bytes in tests, with or without a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.extract import Extraction, find_files
from pipeline.extract.csv.reader import CsvReader
from pipeline.extract.native import readers
from pipeline.extract.reading import Found, Task
from pipeline.model.columns import Expected
from pipeline.model.files import SourceFile
from pipeline.model.job import Source
from pipeline.model.rows import Batch


def blocks_of(data: bytes, size: int) -> Iterator[bytes]:
    """Cut bytes into blocks."""
    return (data[at : at + size] for at in range(0, len(data), size))


def source(**words: Any) -> Source:
    """Return a CSV source with a comma, changed by words."""
    return Source.model_validate({"files": ["x"], "delimiter": ",", **words})


def read_csv_bytes(
    data: bytes, columns: Sequence[str], *, block: int = 1 << 20, batch_rows: int = 1000, **words: Any
) -> tuple[list[Batch], Found]:
    """Read CSV bytes that are UTF-8 already; `header=` in words names the columns of data without a header."""
    file = SourceFile(Path("x.csv"), "x.csv", 0, len(data), 0)
    task = Task(file, source(**words), Expected(tuple(columns)), batch_rows=batch_rows)
    found = Found()
    return list(CsvReader(task, found).read(blocks_of(data, block))), found


def rows_of(batches: Sequence[Batch]) -> list[tuple[Any, ...]]:
    """Return the rows of all batches, `_line`, `_record` and `_element` last."""
    return [row for batch in batches for row in batch.frame.rows()]


def malformed_of(batches: Sequence[Batch]) -> list[tuple[int, int, str]]:
    """Return line, record and code of all malformed records."""
    return [row[:3] for batch in batches for row in batch.malformed.rows()]


def extract(path: Path, expected: Expected, **options: Any) -> tuple[list[Batch], Extraction]:
    """Read one file; options that Extraction does not know are words of the source."""
    ours = {name: options.pop(name) for name in ("limit", "lists", "batch_rows", "block_bytes") if name in options}
    files = find_files([path.name], path.parent)
    extraction = Extraction(files, source(**options), expected, **ours)
    return list(extraction), extraction


def frame_of(batches: Sequence[Batch]) -> pl.DataFrame:
    """Return all rows as one frame."""
    return pl.concat([batch.frame for batch in batches])


def compiled() -> bool:
    """Return whether the compiled readers are in use."""
    return readers("pipeline.extract.csv._csv", "pipeline.extract.csv.fallback").__name__.endswith("_csv")
