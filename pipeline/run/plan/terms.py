"""Hold what comparing needs to know of a job and of the live structure (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from pipeline.model.columns import Keys, Kind, LiveField, Sets
from pipeline.model.job import Target
from pipeline.validate.keys import fold, hashed


@dataclass(frozen=True)
class PlanTerms:
    """The job's target and columns, the live fields by target column, and the kinds of the schema."""

    target: Target
    sets: Sets
    live: Mapping[str, LiveField]
    kinds: Mapping[str, Kind]

    @cached_property
    def keys(self) -> Keys:
        """Return the key fields by level."""
        return Keys.of(self.target.key_fields)

    @property
    def all_keys(self) -> tuple[str, ...]:
        """Return the key fields of all levels, those of the profile first."""
        return self.keys.of_set(tuple(self.keys.collections))

    @property
    def all_matches(self) -> bool:
        """Return whether every record of a key is written where there are several."""
        return self.target.on_several_matches == "all"

    def carrying(self, rows: pl.DataFrame, collection: str) -> pl.DataFrame:
        """Return the rows that carry a collection."""
        return rows.filter((rows["_set"] & self.sets.bit(collection)) > 0)

    def leaves_empty(self, column: str) -> bool:
        """Return whether an empty cell leaves what is stored: an interest that is not known is never sent."""
        return self.target.ignore_empty_fields or column in self.sets.interests

    def key_hash(self, frame: pl.DataFrame) -> pl.Series:
        """Hash the profile keys of records as those of staged rows are (data rule 15)."""
        return self._hash(frame, self.keys.profile).alias("_key")

    def sub_hash(self, frame: pl.DataFrame, collection: str) -> pl.Series:
        """Hash the keys of a collection, under "maybe the same"."""
        return self._hash(frame, self.keys.collections.get(collection, ())).alias("_sub")

    def _hash(self, frame: pl.DataFrame, names: tuple[str, ...]) -> pl.Series:
        if not names:
            return pl.zeros(frame.height, dtype=pl.UInt64, eager=True)
        return hashed([fold(frame[name].fill_null(""), self.kinds.get(name, "text")) for name in names])
