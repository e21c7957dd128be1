"""Write failed.csv, unknown.csv and open.csv: the rows of a run that are not confirmed, as valid inputs (edge: run folder).

The target columns in canonical text, then the trailing columns of a rejects file and `_followed_by`: the place of the
later row of the same key that was sent. Each file is written whole, from the ledger and the staged rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipeline.model.formulas import defused
from pipeline.model.row_state import RowState, Why
from pipeline.model.rows import REJECT_COLUMNS
from pipeline.stage.lanes import Lanes
from pipeline.state.files import write_whole

FOLLOWED_BY = "_followed_by"
FILES: Mapping[RowState, str] = {
    RowState.FAILED: "failed.csv",
    RowState.SEVERAL: "failed.csv",
    RowState.UNKNOWN: "unknown.csv",
    RowState.ASIDE: "open.csv",
}


@dataclass(frozen=True)
class SetAsideFiles:
    """The files of one run: `columns` are the target columns, `file_names` those of its dumps by position."""

    folder: Path
    lanes: Lanes
    columns: Sequence[str]
    file_names: Sequence[str]

    def write(self, rows: Sequence[tuple[int, RowState, Why]], unsent: pl.Series) -> dict[str, int]:
        """Write the files, and remove those that have no row any more; returns the rows of each.

        `rows` are those that are not confirmed, by `_seq`, each with its state and why; `unsent` are the `_seq`s of rows
        that are still to be sent: they follow nothing.
        """
        counts: dict[str, int] = {}
        noted = pl.DataFrame(
            [(at, FILES[state], why.code, why.column, why.message) for at, state, why in rows],
            schema={
                "_seq": pl.UInt64,
                "_into": pl.String,
                "_code": pl.String,
                "_column": pl.String,
                "_message": pl.String,
            },
            orient="row",
        )
        found = self._with_followers(noted, unsent) if rows else None
        for name in dict.fromkeys(FILES.values()):
            path = self.folder / name
            part = None if found is None else found.filter(pl.col("_into") == name)
            if part is None or part.is_empty():
                path.unlink(missing_ok=True)
                continue
            write_whole(path, self._csv(part))
            counts[name] = part.height
        return counts

    def _with_followers(self, noted: pl.DataFrame, unsent: pl.Series) -> pl.DataFrame:
        """Join the noted rows with their cells and with the place of the next row of their key that was sent."""
        cells = self._collect(pl.col("_seq").is_in(noted["_seq"].implode()))
        keys = cells["_key"].unique()
        others = pl.concat([noted["_seq"], unsent])
        same_key = self._collect(
            pl.col("_key").is_in(keys.implode()) & (pl.col("_key") != 0) & ~pl.col("_seq").is_in(others.implode())
        )
        names = pl.DataFrame({"_file": range(len(self.file_names)), "_name": self.file_names}).cast(
            {"_file": pl.UInt32}
        )
        place = pl.format("{}:{}", pl.col("_name"), pl.col("_line")).alias(FOLLOWED_BY)
        followers = same_key.join(names, on="_file").select("_key", "_seq", place).sort("_seq")
        rows = cells.join(noted, on="_seq").join(names, on="_file").sort("_seq")
        return rows.join_asof(
            followers.with_columns((pl.col("_seq")).alias("_next")),
            on="_seq",
            by="_key",
            strategy="forward",
            check_sortedness=False,
        )

    def _collect(self, wanted: pl.Expr) -> pl.DataFrame:
        frames = (frame.filter(wanted) for lane in self.lanes.lanes() for frame in self.lanes.frames(lane))
        found = [frame for frame in frames if frame.height]
        return pl.concat(found, how="diagonal") if found else self._empty()

    def _empty(self) -> pl.DataFrame:
        schema = dict.fromkeys(self.columns, pl.String()) | {"_file": pl.UInt32(), "_line": pl.UInt64()}
        return pl.DataFrame(schema=schema | {"_record": pl.UInt64(), "_key": pl.UInt64(), "_seq": pl.UInt64()})

    def _csv(self, rows: pl.DataFrame) -> bytes:
        """Return rows as CSV; what is empty is written as nothing."""
        rows = rows.with_columns(pl.col("_name").alias("_file"), pl.lit(None, pl.String).alias("_raw"))
        texts = rows.select(pl.col(*self.columns, *REJECT_COLUMNS, FOLLOWED_BY).cast(pl.String))
        blanked = defused(texts).with_columns(pl.when(pl.col(pl.String) != "").then(pl.col(pl.String)))
        return blanked.write_csv().encode()
