"""Write the accepted rows of `validate`: canonical text under the target columns, null as empty (edge)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from pipeline.model.rows import Batch
from pipeline.report.part_file import PartFile, spare


class AcceptedWriter:
    """Write accepted rows to `path` (.csv or .ndjson) in the order given; nothing of them is kept in memory.

    `columns` are target columns, with `origin` followed by `_file` (the file's name), `_line` and `_record`. The file
    stands in its place when the `with` block ends, also without a row; after an exception nothing has changed. Raises
    UsageError for a place that cannot be written.
    """

    def __init__(self, path: Path, columns: Sequence[str], *, origin: bool) -> None:
        self._columns = (*columns, *(("_file", "_line", "_record") if origin else ()))
        self._part = PartFile(path)
        self._write_rows(pl.DataFrame(schema=dict.fromkeys(self._columns, pl.String)), header=True)

    def write(self, batch: Batch, accepted: pl.DataFrame) -> None:
        """Add the accepted rows of a batch, in the staged layout."""
        spare(self._part.path, [batch.file])
        named = accepted.with_columns(pl.lit(batch.file.name).alias("_file")).select(self._columns)
        self._write_rows(named, header=False)

    def __enter__(self) -> AcceptedWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._part.end(whole=kind is None)

    def _write_rows(self, rows: pl.DataFrame, *, header: bool) -> None:
        file, is_csv = self._part.file, self._part.path.suffix == ".csv"
        if not is_csv or rows.width == 1:
            # In a CSV of one column "" stands for empty: a line without anything would be no record.
            rows = rows.with_columns(pl.col(pl.String).fill_null(""))
        if is_csv:
            rows.write_csv(file, include_header=header)
        elif rows.height:
            rows.write_ndjson(file)
