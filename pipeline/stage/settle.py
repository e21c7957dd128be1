"""Settle one partition: collapse equal rows, count superseded ones and conflicts, give every row its phase (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl

from pipeline.records import Keys, Sets
from pipeline.validate.keys import maybe_same_text

Place = tuple[int, int]
"""File position in the run's list (from 0) and physical line (from 1)."""


@dataclass(frozen=True)
class Rules:
    """What settling needs to know of the job."""

    action: str
    keys: Keys
    sets: Sets
    ignore_empty_fields: bool

    @property
    def profile_columns(self) -> tuple[str, ...]:
        """List the columns of the profile itself, its keys and interests included."""
        return tuple(name for name in self.sets.columns if "." not in name or name.startswith("interest."))


@dataclass(frozen=True)
class Settled:
    """A partition as it will be sent: `rows` in file order with `_phase` UInt32, and what was counted on the way.

    `conflict_places` names the first rows of some profile keys in conflict.
    """

    rows: pl.DataFrame
    collapsed: int
    superseded: int
    conflicts: int
    conflict_places: tuple[Place, ...]


def settle(rows: pl.DataFrame, rules: Rules) -> Settled:
    """Settle the rows of one partition (staged layout and `_seq`, in file order)."""
    before = rows.height
    rows = collapse(rows, rules)
    conflicts, places = profile_conflicts(rows, rules)
    superseded = rows.height - rows["_full"].n_unique() if rules.keys.profile else 0
    return Settled(rows.with_columns(phases(rows, rules)), before - rows.height, superseded, conflicts, places)


def collapse(rows: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Drop rows that are equal in every sent value under one full key (data rule 21).

    The last stands for `update` and `update or add` (A, B, A must end as A), the first for `ignore or add` and `delete`;
    `add` collapses nothing. The hash of the full key only finds candidates; the values themselves decide.
    """
    keep: dict[str, Literal["first", "last"]] = {
        "update": "last", "update or add": "last", "ignore or add": "first", "delete": "first",
    }  # fmt: skip
    if rules.action not in keep or not rules.keys.profile:
        return rows
    repeated = rows.filter(rows["_full"].is_duplicated())
    if repeated.is_empty():
        return rows
    kept = repeated.unique(subset=["_set", *rules.sets.columns], keep=keep[rules.action], maintain_order=False)
    if kept.height == repeated.height:
        return rows
    dropped = repeated.join(kept.select("_seq"), on="_seq", how="anti")
    return rows.join(dropped.select("_seq"), on="_seq", how="anti", maintain_order="left")


def profile_conflicts(rows: pl.DataFrame, rules: Rules) -> tuple[int, tuple[Place, ...]]:
    """Count the profile keys whose rows disagree in a profile column, and name the first places (data rule 3).

    An empty cell disagrees with nothing when `ignore_empty_fields` is true: it leaves what is there.
    """
    if not rules.keys.profile:
        return 0, ()
    several = rows.filter(rows["_key"].is_duplicated())
    if several.is_empty():
        return 0, ()
    columns = [name for name in rules.profile_columns if name not in rules.keys.profile]
    several = several.sort("_key", maintain_order=True)
    values = pl.col(columns).forward_fill().over("_key") if rules.ignore_empty_fields else pl.col(columns)
    frame = several.select("_key", "_file", "_line", values)
    same_key = pl.col("_key") == pl.col("_key").shift()
    differs = [same_key & pl.col(name).ne_missing(pl.col(name).shift()) for name in columns]
    if rules.ignore_empty_fields:
        differs = [flag & pl.col(name).shift().is_not_null() for flag, name in zip(differs, columns, strict=True)]
    found = frame.filter(pl.any_horizontal(pl.lit(False), *differs)).unique("_key", keep="first", maintain_order=True)
    places = tuple(zip(found["_file"].head(5), found["_line"].head(5), strict=True))
    return found.height, places


def phases(rows: pl.DataFrame, rules: Rules) -> pl.Series:
    """Number the phases of every profile key's rows from 0: a new one starts when the set changes (data rule 19).

    Returns `_phase` UInt32 in the order of `rows`. The phases of a key are joined where its rows agree in every profile
    column and no subprofile key occurs in two sets: then their order cannot be seen in the database.
    """
    mixed = _rows_of_mixed_keys(rows) if rules.keys.profile else None
    if mixed is None or mixed.is_empty():
        return pl.zeros(rows.height, dtype=pl.UInt32, eager=True).alias("_phase")
    mixed = mixed.sort("_key", maintain_order=True)
    same_key = pl.col("_key") == pl.col("_key").shift()
    changed = (same_key & (pl.col("_set") != pl.col("_set").shift())).fill_null(False)
    numbered = mixed.with_columns(changed.cast(pl.UInt32).cum_sum().over("_key").alias("_phase"))
    ordered = _keys_whose_order_matters(mixed, rules)
    numbered = numbered.select(
        "_seq", pl.when(pl.col("_key").is_in(ordered.implode())).then("_phase").otherwise(0).alias("_phase")
    )
    joined = rows.select("_seq").join(numbered, on="_seq", how="left", maintain_order="left")
    return joined["_phase"].fill_null(0).cast(pl.UInt32)


def _rows_of_mixed_keys(rows: pl.DataFrame) -> pl.DataFrame | None:
    """Give the rows of the keys that have rows in several sets, None where the partition has one set only."""
    if rows["_set"].n_unique() == 1:
        return None
    several = rows.filter(rows["_key"].is_duplicated())
    return several.filter(pl.col("_set").n_unique().over("_key") > 1)


def _keys_whose_order_matters(mixed: pl.DataFrame, rules: Rules) -> pl.Series:
    """List the keys (sorted frame of mixed keys) whose phases must not be joined."""
    same_key = pl.col("_key") == pl.col("_key").shift()
    differs = [same_key & pl.col(name).ne_missing(pl.col(name).shift()) for name in rules.profile_columns]
    found = [mixed.filter(pl.any_horizontal(pl.lit(False), *differs))["_key"]]
    for name, keys in rules.keys.collections.items():
        carried = mixed.filter((pl.col("_set") & rules.sets.bit(name)) > 0)
        loose = [maybe_same_text(key) for key in keys]
        spread = carried.group_by("_key", *loose).agg(pl.col("_set").n_unique().alias("sets"))
        found.append(spread.filter(pl.col("sets") > 1)["_key"])
    return pl.concat(found).unique()
