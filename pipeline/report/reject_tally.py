"""Count rejects by code and column while they are written, and keep a few places and masked values of each (pure)."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from pipeline.model.counts import SetAside
from pipeline.model.rows import Batch

# How many places and masked values are kept of each code and column.
MOST_PLACES = 5
MOST_MASKED = 3
MOST_MASKED_CHARS = 40

_JOINED = " | "


class RejectTally:
    """The rejects of a run by code and column; its size depends on the columns of the job alone."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], SetAside] = {}

    @property
    def set_aside(self) -> tuple[SetAside, ...]:
        """Return what was counted, the most frequent first."""
        return tuple(sorted(self._found.values(), key=lambda one: (-one.count, one.code, one.column)))

    def add(self, batch: Batch, faults: pl.DataFrame) -> None:
        """Count the malformed records of a batch and the rows that `faults` (FAULTS_SCHEMA) names."""
        if not batch.malformed.height and not faults.height:
            return
        lines = pl.col("_line").head(MOST_PLACES)
        for code, count, first in (
            batch.malformed.group_by("_code", maintain_order=True).agg(pl.len(), lines).iter_rows()
        ):
            self._count(batch, code, "", count, first)
        rows = faults.select("_code", pl.col("_column").fill_null(""), "_row", batch.frame["_line"][faults["_row"]])
        kinds = rows.group_by("_code", "_column", maintain_order=True)
        # Few kinds of rows, however many rows: they are taken apart in Python.
        for joined, named, count, at, first in kinds.agg(pl.len(), pl.col("_row").head(MOST_MASKED), lines).iter_rows():
            codes, columns = joined.split(_JOINED), named.split(_JOINED)
            if len(columns) != len(codes):  # a column's name holds the separator itself
                columns = [""] * len(codes)
            for code, column in zip(codes, columns, strict=True):
                self._count(batch, code, column, count, first)
                if column in batch.frame.columns and len(self._found[code, column].masked) < MOST_MASKED:
                    self._keep_masked(code, column, batch.frame[column][at])

    def _count(self, batch: Batch, code: str, column: str, count: int, lines: list[int]) -> None:
        known = self._found.get((code, column), SetAside(code, column, 0))
        places = (*known.places, *((batch.file.name, line) for line in lines))[:MOST_PLACES]
        self._found[code, column] = replace(known, count=known.count + count, places=places)

    def _keep_masked(self, code: str, column: str, values: pl.Series) -> None:
        known = self._found[code, column]
        shapes = [masked(value) for value in values if value]
        self._found[code, column] = replace(known, masked=tuple(dict.fromkeys((*known.masked, *shapes)))[:MOST_MASKED])


def masked(value: str) -> str:
    """Return the shape of a value: letters as x or X, digits as 9, anything else as it is; shortened."""
    shape = "".join(
        "9" if one.isdigit() else "X" if one.isupper() else "x" if one.isalpha() else one
        for one in value[:MOST_MASKED_CHARS]
    )
    return shape if len(value) <= MOST_MASKED_CHARS else shape[:-1] + "…"
