"""Compare the rows of some keys with the records that the target holds for them (pure; data rule 46).

What is compared is what all rows of a record leave together: their *fold*, per column the last value, with
`ignore_empty_fields` the last one that is not empty. A row counts as what becomes of the records it writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum

import polars as pl

from pipeline.run.plan.stored import differs, is_compared, surely_same
from pipeline.run.plan.terms import PlanTerms

PROFILE = "profile"
# The actions that make a record that is not there.
CREATES = frozenset({"add", "update or add", "ignore or add"})
CHANGES: Mapping[str, pl.DataType] = {
    "change": pl.String(),  # create, update or delete
    "record": pl.String(),  # profile, or the collection
    "key": pl.String(),  # NAME=value, several with blanks between
    "id": pl.UInt64(),  # of the record in Copernica, null for one to be created
    "field": pl.String(),  # the target column; null for a record to be created or deleted
    "old": pl.String(),
    "new": pl.String(),
}


class Class(IntEnum):
    """What becomes of a row, or of a record; of a row that writes several records the highest."""

    UNCHANGED = 0
    UPDATE = 1
    CREATE = 2
    NOT_CHECKED = 3
    SEVERAL = 4


@dataclass(frozen=True)
class Compared:
    """The rows of some keys with their `class` (UInt8), by `_seq` and `_key`; the records by level and class; the changes.

    `states` has a digest of what the target holds for each `_key`: `_key`, `_state` UInt64.
    """

    rows: pl.DataFrame
    records: Mapping[tuple[str, Class], int]
    changes: pl.DataFrame
    states: pl.DataFrame


def compare(
    rows: pl.DataFrame,
    profiles: pl.DataFrame | None,
    subprofiles: Mapping[str, pl.DataFrame | None],
    unread: pl.Series,
    terms: PlanTerms,
) -> Compared:
    """Compare the staged rows of some keys with what was read for them; `unread` keys (UInt64) are not checked."""
    rows = rows.sort("_key", "_seq")
    live = _empty(terms.sets.of_profile, terms) if profiles is None else profiles
    judged = _judged_profiles(_profile_fold(rows, terms), live, unread, terms)
    changes = [*_profile_changes(judged, terms)]
    of_keys = judged.group_by("_key").agg(pl.col("class").max().alias("_class_profile"))
    classes = rows.select("_seq", "_key").join(of_keys, on="_key", how="left")
    records, states = _counted(PROFILE, judged), [_states(live)]
    for name in terms.sets.collections:
        subs = subprofiles.get(name)
        held = _empty_subs(terms.sets.of_collection(name)) if subs is None else subs
        of_rows, units = _judged_subs(rows, name, held, judged, terms)
        changes += _sub_changes(units, name, terms)
        records |= _counted(name, units)
        states.append(_states(held))
        classes = classes.join(of_rows.rename({"class": f"_class-{name}"}), on="_seq", how="left")
    classes = classes.select("_seq", "_key", _class_of_row(terms))
    state = pl.concat(states).group_by("_key").agg(pl.col("_state").sum())
    of_keys = (
        rows.select("_key").unique().join(state, on="_key", how="left").with_columns(pl.col("_state").fill_null(0))
    )
    listed = pl.concat([pl.DataFrame(schema=CHANGES), *(one for one in changes if one.height)])
    return Compared(_with_rows_that_stand_last(classes, rows, terms), records, listed, of_keys)


def _class_of_row(terms: PlanTerms) -> pl.Expr:
    """Return the highest class of the records that a row writes; deleting subprofiles leaves the profile."""
    profile = pl.col("_class_profile")
    if terms.target.action == "delete" and terms.target.delete_target == "subprofile":
        profile = pl.when(profile > Class.CREATE).then(profile).otherwise(0)
    subprofiles = (pl.col(f"_class-{name}").fill_null(0) for name in terms.sets.collections)
    return pl.max_horizontal(profile, *subprofiles).cast(pl.UInt8).alias("class")


def _with_rows_that_stand_last(classes: pl.DataFrame, rows: pl.DataFrame, terms: PlanTerms) -> pl.DataFrame:
    """Send all rows of a key that has any to send and whose rows disagree in the profile: the last one must end last."""
    sent, same = pl.col("class").is_between(Class.UPDATE, Class.CREATE), pl.col("class") == Class.UNCHANGED
    of_keys = classes.group_by("_key").agg((sent.any() & same.any()).alias("mixed"))
    mixed = of_keys.filter("mixed").get_column("_key")
    if mixed.is_empty() or not terms.sets.of_profile:
        return classes
    of_mixed = rows.filter(rows["_key"].is_in(mixed.implode()))
    kinds = of_mixed.group_by("_key").agg(pl.struct(terms.sets.of_profile).n_unique().alias("kinds"))
    keys = kinds.filter(pl.col("kinds") > 1).get_column("_key")
    raised = pl.when(pl.col("_key").is_in(keys.implode()) & same).then(int(Class.UPDATE)).otherwise(pl.col("class"))
    return classes.with_columns(raised.cast(pl.UInt8).alias("class"))


def _empty(columns: tuple[str, ...], terms: PlanTerms) -> pl.DataFrame:
    names = dict.fromkeys((*terms.keys.profile, *columns))
    texts: dict[str, pl.DataType] = {name: pl.String() for name in names}
    return pl.DataFrame(schema={"_id": pl.UInt64(), **texts, "_key": pl.UInt64()})


def _empty_subs(columns: tuple[str, ...]) -> pl.DataFrame:
    texts: dict[str, pl.DataType] = {name: pl.String() for name in columns}
    own = {"_id": pl.UInt64(), "_profile": pl.UInt64()}
    return pl.DataFrame(schema={**own, **texts, "_sub": pl.UInt64(), "_key": pl.UInt64()})


def _fold(name: str, terms: PlanTerms) -> pl.Expr:
    """Return what the rows of a record leave in a column: null for nothing."""
    value = pl.col(name)
    if terms.leaves_empty(name):
        return value.filter(value.is_not_null() & (value != "")).last().alias(name)
    return value.last().fill_null("").alias(name)


def _profile_fold(rows: pl.DataFrame, terms: PlanTerms) -> pl.DataFrame:
    """Fold the rows of each profile key; `_spellings` counts spellings that no collation takes for one."""
    spelled = pl.struct([pl.col(name).str.to_lowercase() for name in terms.keys.profile] or [pl.lit(0)])
    return rows.group_by("_key", maintain_order=True).agg(
        *(_fold(name, terms) for name in terms.sets.of_profile), spelled.n_unique().alias("_spellings")
    )


def _judged_profiles(folded: pl.DataFrame, live: pl.DataFrame, unread: pl.Series, terms: PlanTerms) -> pl.DataFrame:
    """Add to each folded key: `_id` of its profile, `old:` values, `changed:` per column, and its `class`.

    A key whose profiles are all written has a line for each of them.
    """
    matches = live.group_by("_key").len("_matches")
    written = live if terms.all_matches else live.unique("_key", keep="first", maintain_order=True)
    written = written.rename({name: f"old:{name}" for name in live.columns if name not in ("_id", "_key")})
    joined = folded.join(matches, on="_key", how="left").join(written, on="_key", how="left")
    joined = joined.with_columns(pl.col("_matches").fill_null(0), *_changed(terms.sets.of_profile, terms))
    found = pl.col("_matches") > 0
    doubtful = pl.col("_key").is_in(unread.implode()) | (pl.col("_spellings") > 1)
    doubtful |= (found & ~_same_key(terms.keys.profile, terms)).any().over("_key")
    known = (
        pl.when(doubtful).then(Class.NOT_CHECKED)
        .when((pl.col("_matches") > 1) & pl.lit(not terms.all_matches)).then(Class.SEVERAL)
        .when(found).then(_found_class(terms.sets.of_profile, terms))
        .otherwise(pl.lit(_missing_class(terms)))
    )  # fmt: skip
    judged = pl.lit(int(Class.CREATE)) if terms.target.action == "add" else known
    return joined.with_columns(judged.cast(pl.UInt8).alias("class"))


def _changed(columns: tuple[str, ...], terms: PlanTerms) -> Iterator[pl.Expr]:
    """Yield for each column whether what is sent differs from the `old:` value, as `changed:`."""
    for name in columns:
        yield differs(pl.col(name), pl.col(f"old:{name}"), terms.live[name]).alias(f"changed:{name}")


def _same_key(names: tuple[str, ...], terms: PlanTerms) -> pl.Expr:
    """Return whether the key of a record is surely the one that is sent."""
    same = (surely_same(pl.col(name), pl.col(f"old:{name}"), terms.live[name]) for name in names)
    return pl.all_horizontal(pl.lit(True), *same).fill_null(False)


def _found_class(columns: tuple[str, ...], terms: PlanTerms, level: str = "profile") -> pl.Expr:
    """Return what becomes of a record of a level (profile or subprofile) that is there."""
    if terms.target.action == "delete":
        return pl.lit(int(Class.UPDATE if terms.target.delete_target == level else Class.UNCHANGED))
    if terms.target.action == "ignore or add":
        return pl.lit(int(Class.UNCHANGED))
    changed = pl.any_horizontal(pl.lit(False), *(pl.col(f"changed:{name}") for name in columns))
    return pl.when(changed).then(pl.lit(int(Class.UPDATE))).otherwise(pl.lit(int(Class.UNCHANGED)))


def _missing_class(terms: PlanTerms) -> int:
    """Return what becomes of a record that is not there."""
    return int(Class.CREATE if terms.target.action in CREATES else Class.UNCHANGED)


def _judged_subs(
    rows: pl.DataFrame, collection: str, live: pl.DataFrame, profiles: pl.DataFrame, terms: PlanTerms
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return `_seq` and `class` of the rows that carry a collection, and its judged records."""
    columns = terms.sets.of_collection(collection)
    carried = terms.carrying(rows, collection)
    has_key = collection in terms.keys.collections
    carried = carried.with_columns(terms.sub_hash(carried, collection) if has_key else carried["_seq"].alias("_sub"))
    units = carried.group_by("_key", "_sub", maintain_order=True).agg(*(_fold(name, terms) for name in columns))
    owner = profiles.select(
        "_key", pl.col("_id").alias("_profile"), pl.col("class").alias("_owner"), pl.col("_matches"),
        *(pl.col(name).alias(f"key:{name}") for name in terms.keys.profile),
    )  # fmt: skip
    old = {name: f"old:{name}" for name in columns}
    same_unit = ["_key", "_profile", "_sub"]
    written = live if terms.all_matches else live.unique(same_unit, keep="first", maintain_order=True)
    many = live.group_by(same_unit).len("_same")
    joined = units.join(owner, on="_key", how="left").join(written.rename(old), on=same_unit, how="left")
    joined = joined.join(many, on=same_unit, how="left").with_columns(
        pl.col("_same").fill_null(0), *_changed(columns, terms)
    )
    judged = _class_of_sub(terms.keys.collections.get(collection, ()), columns, terms)
    joined = joined.with_columns(judged.cast(pl.UInt8).alias("class"))
    of_units = joined.group_by("_key", "_sub").agg(pl.col("class").max())
    of_rows = carried.select("_seq", "_key", "_sub").join(of_units, on=["_key", "_sub"])
    return of_rows.select("_seq", "class"), joined


def _class_of_sub(keys: tuple[str, ...], columns: tuple[str, ...], terms: PlanTerms) -> pl.Expr:
    """Return what becomes of a subprofile; where its profile is not written for sure, it is not either."""
    if terms.target.action == "add":
        return pl.lit(int(Class.CREATE))
    owner, found = pl.col("_owner"), pl.col("_same") > 0
    return (
        pl.when(owner > Class.CREATE).then(owner)
        .when(found & ~_same_key(keys, terms)).then(int(Class.NOT_CHECKED))
        .when((pl.col("_same") > 1) & pl.lit(not terms.all_matches)).then(int(Class.SEVERAL))
        .when(found).then(_found_class(columns, terms, "subprofile"))
        .when((pl.col("_matches") > 0) | (owner == Class.CREATE)).then(pl.lit(_missing_class(terms)))
        .otherwise(pl.lit(int(Class.UNCHANGED)))
    )  # fmt: skip


def _counted(level: str, judged: pl.DataFrame) -> dict[tuple[str, Class], int]:
    return {(level, Class(number)): count for number, count in judged["class"].value_counts().iter_rows()}


def _states(live: pl.DataFrame) -> pl.DataFrame:
    """Digest what the target holds for each key, whatever the order in which it came."""
    if live.is_empty():
        return pl.DataFrame(schema={"_key": pl.UInt64, "_state": pl.UInt64})
    values = pl.struct([name for name in sorted(live.columns) if name != "_key"])
    digested = live.select("_key", values.hash(11).alias("_state"))
    return digested.group_by("_key").agg(pl.col("_state").sum())


def _profile_changes(judged: pl.DataFrame, terms: PlanTerms) -> Iterator[pl.DataFrame]:
    key = key_text((name, pl.col(name)) for name in terms.keys.profile)
    yield from _changes(judged, PROFILE, key, terms.sets.of_profile, terms)


def _sub_changes(units: pl.DataFrame, name: str, terms: PlanTerms) -> Iterator[pl.DataFrame]:
    pairs = [(one, pl.col(f"key:{one}")) for one in terms.keys.profile]
    pairs += [(one, pl.col(one)) for one in terms.keys.collections.get(name, ())]
    yield from _changes(units, name, key_text(pairs), terms.sets.of_collection(name), terms)


def created(rows: pl.DataFrame, level: str, terms: PlanTerms) -> pl.DataFrame:
    """List rows that each make a record of a level (CHANGES), whatever the target holds."""
    names = (*terms.keys.profile, *terms.keys.collections.get(level, ()))
    key = key_text((name, pl.col(name)) for name in names).alias("key")
    nothing = (
        pl.lit(None, kind).alias(name) for name, kind in CHANGES.items() if name not in ("change", "record", "key")
    )
    return rows.select(pl.lit("create").alias("change"), pl.lit(level).alias("record"), key, *nothing)


def key_text(pairs: Iterable[tuple[str, pl.Expr]]) -> pl.Expr:
    """Return `NAME=value` of key columns, with blanks between."""
    parts = [pl.lit(f"{name}=") + value.fill_null("") for name, value in pairs]
    return pl.concat_str(parts, separator=" ") if parts else pl.lit("")


def _changes(
    judged: pl.DataFrame, record: str, key: pl.Expr, columns: tuple[str, ...], terms: PlanTerms
) -> Iterator[pl.DataFrame]:
    """List the changes of one level: a line per record to be created or deleted, one per field that changes."""
    nothing = pl.lit(None, pl.String)

    def listed(rows: pl.DataFrame, change: str, name: str | None) -> pl.DataFrame:
        return rows.select(
            pl.lit(change).alias("change"),
            pl.lit(record).alias("record"),
            key.alias("key"),
            (pl.lit(None, pl.UInt64) if change == "create" else pl.col("_id")).alias("id"),
            (nothing if name is None else pl.lit(name)).alias("field"),
            (nothing if name is None else pl.col(f"old:{name}")).alias("old"),
            (nothing if name is None else pl.col(name)).alias("new"),
        )

    yield listed(judged.filter(pl.col("class") == Class.CREATE), "create", None)
    touched = judged.filter(pl.col("class") == Class.UPDATE)
    if terms.target.action == "delete":
        yield listed(touched, "delete", None)
        return
    for name in columns:
        if is_compared(terms.live[name]):
            yield listed(touched.filter(pl.col(f"changed:{name}")), "update", name)
