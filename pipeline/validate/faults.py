"""Gather what is wrong with the rows of a batch into one frame, one row per rejected record (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from pipeline.model.rows import FAULTS_SCHEMA

_SEPARATOR = " | "


@dataclass(frozen=True)
class _Layer:
    """The faults of one column and cause: `_row`, `_code`, `_message`, and what they have in common."""

    rows: pl.DataFrame
    column: str
    rank: int
    live: bool

    def single(self, slots: pl.Series) -> pl.DataFrame:
        """Return the faults of rows that have no other one, as FAULTS_SCHEMA."""
        alone = self.rows.filter(slots.gather(self.rows["_row"]).is_null())
        return alone.select(
            "_row",
            "_code",
            pl.lit(self.column).alias("_column"),
            "_message",
            pl.lit(self.live).alias("_by_target"),
        )


@dataclass
class Faults:
    """The faults of one batch, added column by column; of several in one column the one that was added first counts.

    `sources` names the dump column of each target; a target without one stands for itself.
    """

    sources: Mapping[str, str | None]
    rejected: pl.Series
    _layers: list[_Layer] = field(default_factory=list)

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
        place = list(self.sources).index(target)
        rows = bad.select(
            pl.col("_row").cast(pl.UInt32), pl.col("code").alias("_code"), pl.col("message").alias("_message")
        )
        rank = place if key else place + len(self.sources)
        self._layers.append(_Layer(rows, self.sources.get(target) or target, rank, live))
        self.rejected = self.rejected.scatter(rows["_row"], True)

    def frame(self) -> pl.DataFrame:
        """Return FAULTS_SCHEMA, one row per rejected row in the order of the batch."""
        if not self._layers:
            return pl.DataFrame(schema=FAULTS_SCHEMA)
        rows = pl.concat([layer.rows["_row"] for layer in self._layers])
        several = rows.filter(rows.is_duplicated()).unique().sort()
        slots = pl.repeat(None, self.rejected.len(), dtype=pl.UInt32, eager=True)
        slots = slots.scatter(several, pl.int_range(several.len(), dtype=pl.UInt32, eager=True))
        frames = [layer.single(slots) for layer in self._layers]
        if several.len():
            frames.append(self._joined(several, slots))
        return pl.concat(frames).sort("_row")

    def _joined(self, several: pl.Series, slots: pl.Series) -> pl.DataFrame:
        """Join the faults of the rows that have `several`; `slots` gives the place of a row among them."""
        wide = pl.DataFrame({"_row": several})
        taken: dict[str, pl.Series] = {}
        order = sorted(range(len(self._layers)), key=lambda at: self._layers[at].rank)
        for at, layer in enumerate(self._layers):
            slot = slots.gather(layer.rows["_row"])
            first = slot.is_not_null()
            if layer.column in taken:
                first &= ~taken[layer.column].gather(slot).fill_null(True)
            places = slot.filter(first)
            before = taken.get(layer.column, pl.repeat(False, several.len(), dtype=pl.Boolean, eager=True))
            taken[layer.column] = before.scatter(places, True)
            # A value that holds the separator would make the three columns disagree.
            message = layer.rows["_message"].filter(first).str.replace_all(_SEPARATOR, " ¦ ", literal=True)
            code = _spread(several.len(), places, layer.rows["_code"].filter(first))
            text = _spread(several.len(), places, message)
            wide = wide.with_columns(code.alias(f"code {at}"), text.alias(f"message {at}"))
        return self._narrow(wide, order)

    def _narrow(self, wide: pl.DataFrame, order: list[int]) -> pl.DataFrame:
        there = {at: pl.col(f"code {at}").is_not_null() for at in order}
        columns = [pl.when(there[at]).then(pl.lit(self._layers[at].column)) for at in order]
        not_live = [there[at] for at in order if not self._layers[at].live]
        return wide.select(
            "_row",
            _join([pl.col(f"code {at}") for at in order]).alias("_code"),
            _join(columns).alias("_column"),
            _join([pl.col(f"message {at}") for at in order]).alias("_message"),
            (~pl.any_horizontal(pl.lit(False), *not_live)).alias("_by_target"),
        )


def _spread(height: int, places: pl.Series, texts: pl.Series) -> pl.Series:
    """Put texts at their places in a column of nulls; a new one each time, since scatter writes where it stands."""
    return pl.repeat(None, height, dtype=pl.String, eager=True).scatter(places, texts)


def _join(texts: Sequence[pl.Expr]) -> pl.Expr:
    return pl.concat_str(texts, separator=_SEPARATOR, ignore_nulls=True)
