"""Find the staged rows that were refused in an earlier run with the same values (edge: the run's folder; data rule 26).

They travel last, and with them all rows of their keys: later values must not be followed by earlier ones. Which they are is
kept beside the staged rows, so that a later process cuts the same chunks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import polars as pl

from pipeline.stage.lanes import Lanes
from pipeline.stage.partitions import read_rows
from pipeline.state.files import write_whole

NAME = "late.arrow"


def hashes(rows: pl.DataFrame, columns: Sequence[str], salt: int) -> pl.Series:
    """Return a salted hash of the values of each row (UInt64); an empty cell is as good as none."""
    return rows.select(pl.col(columns).fill_null("")).hash_rows(salt).alias("_hash")


@dataclass(frozen=True)
class Late:
    """The rows of one run that travel last; `by` is their key column, or `_seq` where the job has no key."""

    by: str
    values: pl.Series

    def apart(self, frames: Iterable[pl.DataFrame], *, late: bool) -> Iterator[pl.DataFrame]:
        """Yield the rows that travel last, or the others."""
        for rows in frames:
            mask = rows[self.by].is_in(self.values.implode())
            kept = rows.filter(mask if late else ~mask)
            if kept.height:
                yield kept

    def write(self, staged: Path) -> None:
        """Put them beside the staged rows, on disk when this returns."""
        content = BytesIO()
        self.values.alias(self.by).to_frame().write_ipc(content, compression="uncompressed")
        write_whole(staged / NAME, content.getvalue())

    @classmethod
    def read(cls, staged: Path) -> Late | None:
        """Return what was found when the run began to send, None where there was nothing."""
        path = staged / NAME
        if not path.exists():
            return None
        found = read_rows(path).to_series()
        return cls(found.name, found)

    @classmethod
    def find(cls, lanes: Lanes, columns: Sequence[str], refused: tuple[pl.Series, int], *, keyed: bool) -> Late | None:
        """Look for rows whose values are among the refused hashes, made with this salt; None where there are none."""
        known, salt = refused
        by = "_key" if keyed else "_seq"
        found = [pl.Series(by, [], dtype=pl.UInt64)]
        for rows in lanes.partitions((by, *columns)):
            found.append(rows[by].filter(hashes(rows, columns, salt).is_in(known.implode())))
        values = pl.concat(found).unique()
        return cls(by, values) if values.len() else None
