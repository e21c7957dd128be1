"""Compare what a dump would leave with what was confirmed, set and drop digests (pure; data rules 41-43)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

ENTRIES: Mapping[str, pl.DataType] = {
    "profile": pl.UInt64(),
    "unit": pl.UInt64(),
    "spelling": pl.UInt32(),
    "scope": pl.UInt16(),  # position in `Meta.scopes`
    "jobs": pl.UInt16(),  # which jobs have confirmed it, by their position in `Meta.jobs`
    "minute": pl.UInt32(),  # when it was confirmed, since 1970 in UTC
    "high": pl.UInt64(),  # both 0: the key is known, what was confirmed is not
    "low": pl.UInt64(),
}
# What a run writes: as above, with the number of the unit in the run.
WRITTEN: Mapping[str, pl.DataType] = {
    **{name: ENTRIES[name] for name in ("scope", "profile", "unit", "spelling", "high", "low")},
    "number": pl.UInt32(),
}


@dataclass(frozen=True)
class Scope:
    """What digests of one kind cover: a level (profile "", a collection, "*" for whole keys), its columns and its keys.

    `words` has what else decides what a digest means: action, treatment of empties, field types, constants.
    """

    level: str
    columns: tuple[str, ...]
    profile_keys: tuple[str, ...]
    keys: tuple[str, ...]
    words: str

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Scope:
        """Read it back from JSON."""
        return cls(
            found["level"], tuple(found["columns"]), tuple(found["profile_keys"]), tuple(found["keys"]), found["words"]
        )

    @property
    def values(self) -> frozenset[str]:
        """Return the columns that are no keys."""
        return frozenset(self.columns) - {*self.profile_keys, *self.keys}


def difference(before: Sequence[Scope], now: Sequence[Scope]) -> list[str]:
    """Name what of a job's scopes is not as it was."""
    names = {"types": "field types"}
    pairs = list(zip(before, now, strict=False))
    found = {
        "columns": [one.columns for one in before] != [one.columns for one in now],
        "keys": [(one.profile_keys, one.keys) for one in before] != [(one.profile_keys, one.keys) for one in now],
    }
    words = [(json.loads(then.words), json.loads(one.words)) for then, one in pairs]
    for word in ("action", "ignore_empty_fields", "types", "constants"):
        found[names.get(word, word)] = any(then[word] != one[word] for then, one in words)
    return [name for name, differs in found.items() if differs]


def home(profile: pl.Expr, bits: int) -> pl.Expr:
    """Return the partition of each `profile`: its highest bits."""
    return profile // 2 ** (64 - bits) if bits else profile * 0


# What must be equal, in 128 bits: key and digest are independent of each other, so that their sum is as good as both.
_HIGH = (pl.col("high") ^ pl.col("unit")).cast(pl.UInt128)
_LOW = pl.col("low") ^ pl.col("profile") ^ (pl.col("scope") * pl.lit(0x9E3779B97F4A7C15, pl.UInt64))
_ALL_BITS = (_HIGH * 2**64 + _LOW).alias("bits")


def unchanged(entries: pl.DataFrame, units: pl.DataFrame, now_minute: int, every_minutes: int) -> pl.Series:
    """Return `number` of the units (`scope`, `profile`, `unit`, `high`, `low`) that were confirmed as they are, and lately.

    A digest is due again at an age between a half and the whole of `every_minutes`, by chance that follows from the entry:
    what was confirmed in one night is not due in one night.
    """
    first: Any = entries["minute"].min()
    if first is not None and (now_minute - first) * 2 >= every_minutes:
        # 32 bits of the key are the chance; the time in it makes each turn another one.
        chance = 1 + (pl.col("profile") + pl.col("minute") * 0x9E3779B1) % 4096 / 4096
        entries = entries.filter((now_minute - pl.col("minute").cast(pl.Int64)) * 2 < every_minutes * chance)
    known_bits = with_digest(entries).select(_ALL_BITS).to_series()
    return units["number"].filter(units.select(_ALL_BITS).to_series().is_in(known_bits.implode()))


def with_digest(entries: pl.DataFrame) -> pl.DataFrame:
    """Return the entries that have a digest: of the others it is known that they are there."""
    without = entries["high"] | entries["low"] == 0
    return entries.filter(~without) if without.any() else entries


def seen_by(entries: pl.DataFrame, units: pl.DataFrame, job_bit: int) -> pl.DataFrame:
    """Return entries with the job's bit where its dump has them; the same frame where it has it already."""
    new = ((entries["jobs"] & job_bit) == 0) & entries["unit"].is_in(units["unit"].implode())
    if not new.any():
        return entries
    jobs = pl.when(new).then(pl.col("jobs") | pl.lit(job_bit, pl.UInt16)).otherwise(pl.col("jobs")).alias("jobs")
    return entries.with_columns(jobs)


def with_confirmed(entries: pl.DataFrame, units: pl.DataFrame, job_bit: int, now_minute: int) -> pl.DataFrame:
    """Return entries with what was confirmed now (`units` with `scope`, WRITTEN and digests) in place of what was before."""
    if units.is_empty():
        return entries
    same, jobs = ["unit", "scope", "profile"], pl.lit(job_bit, pl.UInt16)
    near = entries["unit"].is_in(units["unit"].implode())
    found = [entries.filter(~near)] if near.any() else [entries]
    units = units.with_columns(jobs.alias("jobs"))
    if near.any():
        before = entries.filter(near)
        found.append(before.join(units, on=same, how="anti"))
        then = before.select(*same, "jobs").unique(same)
        units = units.join(then, on=same, how="left", suffix="_then")
        units = units.with_columns(pl.col("jobs") | pl.col("jobs_then").fill_null(0))
    made = units.with_columns(pl.lit(now_minute, pl.UInt32).alias("minute"))
    return pl.concat([*found, made.select(*ENTRIES)])


UNIT, SPELLING, OF_PROFILE, ALL = "unit", "spelling", "profile", "all"
# What a write at each of the writer's levels drops of each scope, both by their position in `Meta.scopes`.
Modes = Mapping[str, Mapping[str, str]]


def drop_modes(writes: Sequence[Scope], known: Sequence[Scope], delete: str | None = None) -> Modes:
    """Return what a write at each of the writer's levels drops of each known scope, both by their position in `known`.

    `delete` is what the run deletes: profile or subprofile. Where two jobs name profiles by other keys, it is not known which
    records they share: as soon as their columns overlap, everything goes.
    """
    modes: dict[str, dict[str, str]] = {}
    for one in writes:
        found = {str(at): mode for at, scope in enumerate(known) if (mode := _drop_mode(one, scope, delete))}
        modes[str(known.index(one))] = found
    return modes


def _drop_mode(writer: Scope, scope: Scope, delete: str | None) -> str:
    overlap = bool({*writer.columns} & {*scope.columns})
    if writer.profile_keys != scope.profile_keys or not writer.profile_keys:
        return ALL if overlap or delete == "profile" else ""
    if delete == "profile":
        return OF_PROFILE
    if "*" in (writer.level, scope.level):
        return OF_PROFILE if overlap else ""
    if writer.level != scope.level:
        return ""
    if writer.keys != scope.keys:
        return OF_PROFILE if overlap else ""
    return UNIT if delete or writer.values & scope.values or not scope.values else SPELLING


def touched(entries: pl.DataFrame, writes: Sequence[tuple[pl.DataFrame, Modes]]) -> pl.Series:
    """Return which entries some writes can touch at all, each with what it drops: those of their units and profiles."""
    found = {mode for _, modes in writes for of_scopes in modes.values() for mode in of_scopes.values()}
    if ALL in found:
        return pl.repeat(True, entries.height, dtype=pl.Boolean, eager=True)
    hit = entries["unit"].is_in(pl.concat([written["unit"] for written, _ in writes]).implode())
    if OF_PROFILE in found:
        hit |= entries["profile"].is_in(pl.concat([written["profile"] for written, _ in writes]).implode())
    return hit


def dropped(entries: pl.DataFrame, written: pl.DataFrame, modes: Modes) -> pl.DataFrame:
    """Return entries without the digests that the written units touch; the keys stay."""
    hit = pl.repeat(False, entries.height, dtype=pl.Boolean, eager=True)
    for writer, of_scopes in modes.items():
        own = written.filter(pl.col("scope") == int(writer))
        for scope, mode in of_scopes.items():
            if own.height or mode == ALL:
                hit |= (entries["scope"] == int(scope)) & _touched(entries, own, mode)
    rows = hit.arg_true()
    return entries.with_columns(entries[name].scatter(rows, 0) for name in ("high", "low")) if rows.len() else entries


def _touched(entries: pl.DataFrame, written: pl.DataFrame, mode: str) -> pl.Series:
    if mode == ALL:
        return pl.repeat(True, entries.height, dtype=pl.Boolean, eager=True)
    if mode == OF_PROFILE:
        return entries["profile"].is_in(written["profile"].implode())
    if mode == UNIT:
        return entries["unit"].is_in(written["unit"].implode())
    spelled = written.group_by("unit").agg(
        pl.col("spelling").min().alias("least"), pl.col("spelling").max().alias("most")
    )
    found = entries.select("unit", "spelling").join(spelled, on="unit", how="left", maintain_order="left")
    return ((found["spelling"] != found["least"]) | (found["spelling"] != found["most"])).fill_null(False)
