"""Gather what is wrong with the rows of a batch into one frame, one row per rejected record (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from pipeline.records import FAULTS_SCHEMA

_SEPARATOR = " | "
# More than the ranks of a batch: two for each target column.
_MOST_RANKS = 1 << 20


@dataclass
class Faults:
    """The faults of one batch, added column by column; of several in one column the one that was added first counts.

    `sources` names the dump column of each target; a target without one stands for itself.
    """

    sources: Mapping[str, str | None]
    rejected: pl.Series
    _found: list[pl.DataFrame] = field(default_factory=list)

    @classmethod
    def of(cls, height: int, sources: Mapping[str, str | None]) -> Faults:
        """Start with no fault in `height` rows; the order of `sources` is the order of the columns in a reject."""
        return cls(sources, pl.repeat(False, height, dtype=pl.Boolean, eager=True))

    def add(self, target: str, bad: pl.DataFrame | None, *, key: bool = False, live: bool = False) -> None:
        """Add the faults of one target column: `_row` UInt32, `code` and `message`, at most one per row.

        Key faults come first in a reject; `live` ones are those that only the live field knows of (data rule 12).
        """
        if bad is None or bad.is_empty():
            return
        column = self.sources.get(target) or target
        place = list(self.sources).index(target)
        rank = place if key else place + len(self.sources)
        self._found.append(
            bad.select(
                pl.col("_row").cast(pl.UInt32),
                pl.col("code").alias("_code"),
                pl.lit(column).alias("_column"),
                pl.col("message").alias("_message"),
                pl.lit(live).alias("_by_target"),
                pl.lit(place, pl.UInt32).alias("_target"),
                pl.lit(rank, pl.UInt32).alias("_rank"),
            )
        )
        self.rejected = self.rejected.scatter(bad["_row"], True)

    def frame(self) -> pl.DataFrame:
        """Give FAULTS_SCHEMA, one row per rejected row in the order of the batch."""
        if not self._found:
            return pl.DataFrame(schema=FAULTS_SCHEMA)
        found = pl.concat(self._found)
        several = found["_row"].is_duplicated()
        if not several.any():
            return found.select(*FAULTS_SCHEMA).sort("_row")
        joined = _joined(found.filter(several))
        return pl.concat([found.filter(~several).select(*FAULTS_SCHEMA), joined]).sort("_row")


def _joined(found: pl.DataFrame) -> pl.DataFrame:
    """Join the faults of each row, in the order of key faults first, then of the columns."""
    first = found.unique(["_row", "_target"], keep="first", maintain_order=True)
    # A value that holds the separator would make the three columns disagree.
    message = pl.col("_message").str.replace_all(_SEPARATOR, " ¦ ", literal=True)
    ordered = first.with_columns(message).sort(pl.col("_row").cast(pl.UInt64) * _MOST_RANKS + pl.col("_rank"))
    texts = [pl.col(name).str.join(_SEPARATOR) for name in ("_code", "_column", "_message")]
    joined = ordered.group_by("_row", maintain_order=True).agg(*texts, pl.col("_by_target").all())
    return joined.select(*FAULTS_SCHEMA)
