"""Name the texts that programs write for "no value", which are values to us unless a job says otherwise (pure)."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True)
class Texts:
    """Texts that look like a null. `sure` ones hardly ever mean anything else; `doubtful` ones may be values."""

    sure: frozenset[str]
    doubtful: frozenset[str]

    def among(self, cells: pl.Series) -> pl.Series:
        """Return which cells (String) are such a text; a Boolean without nulls."""
        every = sorted(self.sure | self.doubtful)
        longest = max(map(len, every))
        short = (cells.str.len_bytes() <= longest).fill_null(False)
        if not short.any():
            return short
        return (short & cells.is_in(every)).fill_null(False)


NULL_LIKE = Texts(
    frozenset({"NULL", "null", "Null", "\\N", "#N/A", "N/A", "n/a", "#NULL!", "(null)", "<NULL>"}),
    frozenset({"NA", "None", "none", "NaN", "nan", "-", "--", "nil"}),
)
