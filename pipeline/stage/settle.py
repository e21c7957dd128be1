"""Settle one partition: collapse equal rows, count superseded ones and conflicts, give every row its phase (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl

from pipeline.model.columns import Keys, Sets
from pipeline.model.counts import Place, Settled
from pipeline.model.job import Target
from pipeline.validate.keys import maybe_same_text


@dataclass(frozen=True)
class Rules:
    """What settling needs to know of the job."""

    action: str
    keys: Keys
    sets: Sets
    ignore_empty_fields: bool

    @classmethod
    def of(cls, target: Target, sets: Sets) -> Rules:
        """Take them from the target of a job and its columns."""
        return cls(target.action, Keys.of(target.key_fields), sets, target.ignore_empty_fields)

    @property
    def first_stands(self) -> bool:
        """Return whether the first row of a key makes the profile and later ones only add subprofiles to it (`add`)."""
        return self.action == "add" and bool(self.sets.collections)


def settle(rows: pl.DataFrame, rules: Rules) -> Settled:
    """Settle the rows of one partition (staged layout and `_seq`, in file order)."""
    before = rows.height
    rows = keys_together(rows)
    distinct = rows["_full"].n_unique() if rules.keys.profile else before
    if distinct < before:
        rows = collapse(rows, rules)
    conflicts, places = profile_conflicts(rows, rules)
    numbered = rows.with_columns(phases(rows, rules))
    return Settled(numbered, before - rows.height, rows.height - distinct, conflicts, places)


def keys_together(rows: pl.DataFrame) -> pl.DataFrame:
    """Put the rows of each profile key together, in file order, unless they already stand so."""
    keys = rows["_key"]
    starts = keys.filter(keys.ne_missing(keys.shift()))
    if starts.n_unique() == starts.len():
        return rows
    return rows.sort("_key", maintain_order=True)


def collapse(rows: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Drop rows that are equal in every sent value under one full key (data rule 21).

    The last stands for `update` and `update or add` (A, B, A must end as A), the first for `ignore or add` and `delete`;
    `add` collapses nothing. The hash of the full key only finds candidates; the values themselves decide.
    """
    keep: dict[str, Literal["first", "last"]] = {
        "update": "last", "update or add": "last", "ignore or add": "first", "delete": "first",
    }  # fmt: skip
    if rules.action not in keep:
        return rows
    repeated = rows.filter(rows["_full"].is_duplicated())
    kept = repeated.unique(subset=["_set", *rules.sets.columns], keep=keep[rules.action], maintain_order=False)
    if kept.height == repeated.height:
        return rows
    dropped = repeated.join(kept.select("_seq"), on="_seq", how="anti")
    return rows.join(dropped.select("_seq"), on="_seq", how="anti", maintain_order="left")


def profile_conflicts(rows: pl.DataFrame, rules: Rules) -> tuple[int, tuple[Place, ...]]:
    """Count the profile keys whose rows disagree in a profile column, and name the first places (data rule 3).

    `rows` have the rows of a key together, in file order. An empty cell disagrees with nothing when `ignore_empty_fields`
    is true: it leaves what is there.
    """
    if not rules.keys.profile:
        return 0, ()
    columns = [name for name in rules.sets.of_profile if name not in rules.keys.profile]
    differs = [_differs(name, rules, nulls=bool(rows[name].null_count())) for name in columns]
    disagrees = rows.select(pl.any_horizontal(pl.lit(False), *differs)).to_series()
    if not disagrees.any():
        return 0, ()
    found = rows.select("_key", "_file", "_line").filter(disagrees).unique("_key", keep="first", maintain_order=True)
    places = tuple(zip(found["_file"].head(5), found["_line"].head(5), strict=True))
    return found.height, places


def _differs(column: str, rules: Rules, *, nulls: bool) -> pl.Expr:
    if not rules.ignore_empty_fields or not nulls:
        return _differs_from_the_row_before(column)
    return _differs_from_the_last_value(column) | (
        _fills_what_the_first_row_left(column) if rules.first_stands else pl.lit(False)
    )


def _fills_what_the_first_row_left(column: str) -> pl.Expr:
    """Return whether a row has a value that the first row with the same key has not: nothing sends it then."""
    value = pl.col(column)
    return value.is_not_null() & value.first().over("_key").is_null()


def _differs_from_the_last_value(column: str) -> pl.Expr:
    """Return whether a row has another value than the last row with the same key that has one."""
    value = pl.col(column)
    last_key = pl.when(value.is_not_null()).then(pl.col("_key")).forward_fill().shift()
    return ((last_key == pl.col("_key")) & (value != value.forward_fill().shift())).fill_null(False)


def _differs_from_the_row_before(column: str) -> pl.Expr:
    """Return whether a row has another value than the row before it, which has the same key."""
    same_key = pl.col("_key") == pl.col("_key").shift()
    return (same_key & pl.col(column).ne_missing(pl.col(column).shift())).fill_null(False)


def phases(rows: pl.DataFrame, rules: Rules) -> pl.Series:
    """Number the phases of every profile key's rows from 0: a new one starts when the set changes (data rule 19).

    `rows` have the rows of a key together, in file order; returns `_phase` UInt32 in their order. The phases of a key are
    joined where its rows agree in every profile column and no subprofile key occurs in two sets: then their order cannot be
    seen in the database.
    """
    changed = rows.select(_differs_from_the_row_before("_set")).to_series()
    if not rules.keys.profile or not changed.any():
        return pl.zeros(rows.height, dtype=pl.UInt32, eager=True).alias("_phase")
    mixed_keys = rows["_key"].filter(changed).unique()
    mixed = rows.filter(pl.col("_key").is_in(mixed_keys.implode()))
    ordered = _keys_whose_order_matters(mixed, rules)
    matters = pl.col("_key").is_in(ordered.implode())
    numbered = rows.select("_key", changed.cast(pl.UInt32).alias("_phase")).select(
        pl.when(matters).then(pl.col("_phase").cum_sum().over("_key")).otherwise(0).cast(pl.UInt32).alias("_phase")
    )
    return numbered.to_series()


def _keys_whose_order_matters(mixed: pl.DataFrame, rules: Rules) -> pl.Series:
    """List the keys, of those with rows in several sets, whose phases must not be joined."""
    differs = [_differs_from_the_row_before(name) for name in rules.sets.of_profile]
    found = [mixed.filter(pl.any_horizontal(pl.lit(False), *differs))["_key"]]
    for name, keys in rules.keys.collections.items():
        carried = mixed.filter((pl.col("_set") & rules.sets.bit(name)) > 0)
        loose = [maybe_same_text(key) for key in keys]
        spread = carried.group_by("_key", *loose).agg(pl.col("_set").n_unique().alias("sets"))
        found.append(spread.filter(pl.col("sets") > 1)["_key"])
    return pl.concat(found).unique()
