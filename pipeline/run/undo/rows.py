"""Lay out what is to be restored as rows of an import: the job, the sets of columns, the cells (pure).

Where no value to restore is empty, cells that are left alone are empty and the imports ignore empty fields: then all rows
travel together. Else each row travels with those that restore the same columns, and its empty cells are written.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from pipeline.errors import ApiRefusedError, Problem
from pipeline.model.columns import Keys, Sets
from pipeline.model.job import Job
from pipeline.model.rows import STAGED
from pipeline.run.plan.differ import PROFILE
from pipeline.run.plan.terms import PlanTerms

# Bits of `_set`.
_MOST_BITS = 63


def sets_of(terms: PlanTerms, fields: Mapping[str, int], *, empties: bool) -> Sets:
    """Return the columns of an undo: the keys, and the `fields` to restore; raises ApiRefusedError where they are too many."""
    collections = tuple(
        name for name in terms.sets.collections if any(field.startswith(f"{name}.") for field in fields)
    )
    keys = terms.keys.of_set(collections)
    wanted = {*keys, *fields}
    columns = tuple(name for name in terms.sets.columns if name in wanted)
    interests = tuple(name for name in columns if name in terms.sets.interests)
    optional = tuple(name for name in columns if name not in keys and name not in interests) if empties else ()
    if len(collections) + len(interests) + len(optional) > _MOST_BITS:
        what = (
            f"{len(optional)} columns are to be restored, some with empty values: that is more than undo can tell apart"
        )
        raise ApiRefusedError(Problem(what, "undo", "mend the dump and run it again"))
    return Sets(columns, collections, interests, optional)


def undo_job(job: Job, sets: Sets, *, empties: bool) -> Job:
    """Return the job that restores: an update by the job's own keys, with its limits and no followups."""
    target = {
        "action": "update", "key_fields": Keys.of(job.target.key_fields).of_set(sets.collections),
        "ignore_empty_fields": not empties, "delete_target": None,
        "on_several_matches": "fail", "gone": "keep", "followups": False,
    }  # fmt: skip
    return job.model_copy(
        update={
            "target": job.target.model_copy(update=target),
            "load": job.load.model_copy(update={"send": "all", "before": False}),
            "guards": job.guards.model_copy(update={"max_deletes": None, "max_unmatched": None}),
            "constants": {},
        }
    )


def rows_of(frames: Mapping[str, pl.DataFrame | None], sets: Sets, keys: Keys, first: int) -> pl.DataFrame:
    """Return the rows of some keys in the staged layout, from what was judged by level; `first` numbers the first of them."""
    profiles = frames.get(PROFILE)
    values = sets.of_profile
    found = []
    if profiles is not None and profiles.height:
        cells = [_cell(name, profiles, keys.profile) for name in values]
        found.append(profiles.select("_key", pl.col("_key").alias("_full"), *cells, _bits(profiles, sets, 0)))
    shared = None if not found else found[0].select("_key", *(name for name in values if name not in keys.profile))
    for name in sets.collections:
        rows = frames.get(name)
        if rows is None or rows.is_empty():
            continue
        own = [_cell(one, rows, keys.collections.get(name, ())) for one in sets.of_collection(name)]
        above = [pl.col(f"key:{one}").alias(one) for one in keys.profile]
        full = pl.struct("_key", "_id").hash(7).alias("_full")
        of_sub = rows.select("_key", full, *above, *own, _bits(rows, sets, sets.bit(name)))
        # The rows of a profile agree in its columns, so that their order does not matter.
        found.append(of_sub if shared is None else of_sub.join(shared, on="_key", how="left"))
    if not found:
        return pl.DataFrame(schema={**dict.fromkeys(sets.columns, pl.String()), **STAGED})
    return _staged(pl.concat(found, how="diagonal").sort("_key", maintain_order=True), sets, first)


def _cell(name: str, rows: pl.DataFrame, keys: tuple[str, ...]) -> pl.Expr:
    """Return a cell: of a key its text, else the value from before, null where it is left alone."""
    if name in keys:
        return pl.col(name)
    if f"set:{name}" not in rows.columns:
        return pl.lit(None, pl.String).alias(name)
    return pl.when(f"set:{name}").then(pl.col(f"old:{name}").fill_null("")).alias(name)


def _bits(rows: pl.DataFrame, sets: Sets, carried: int) -> pl.Expr:
    bits = pl.lit(carried, pl.UInt64)
    for name in (*sets.interests, *sets.optional):
        if f"set:{name}" in rows.columns:
            bits = bits + pl.when(f"set:{name}").then(pl.lit(sets.bit(name), pl.UInt64)).otherwise(pl.lit(0, pl.UInt64))
    return bits.alias("_set")


def _staged(rows: pl.DataFrame, sets: Sets, first: int) -> pl.DataFrame:
    number = pl.int_range(first, first + pl.len(), dtype=pl.UInt64)
    missing = [pl.lit(None, pl.String).alias(name) for name in sets.columns if name not in rows.columns]
    return rows.with_columns(
        *missing,
        pl.lit(0, pl.UInt32).alias("_file"),
        number.alias("_line"),
        number.alias("_record"),
        pl.lit(None, pl.UInt32).alias("_element"),
    ).select(*sets.columns, *STAGED)
