"""Judge what of a run can be brought back, record by record (pure; data rule 45).

Three values meet per sent column: what was there before, what the run sent, what is there now. Where now is still what was
sent and before was another, the one from before comes back. What is anything else now somebody has changed since.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import polars as pl

from pipeline.run.plan.differ import CREATES, PROFILE, key_text
from pipeline.run.plan.stored import is_compared, stored
from pipeline.run.plan.terms import PlanTerms

# Why a record, or one of its columns, is left as it is.
WHY: Mapping[str, str] = {
    "changed_since": "somebody has changed it since",
    "later_run": "a later run has sent this key, or found it unchanged",
    "several_matches": "several records have this key",
    "several_spellings": "the run has sent this key in several spellings",
    "another_record": "another record has this key now",
    "gone_since": "the record is gone",
    "not_read": "its values from before could not be read",
}
CHANGES: Mapping[str, pl.DataType] = {
    "record": pl.String(),  # profile, or the collection
    "key": pl.String(),  # NAME=value, several with blanks between
    "id": pl.UInt64(),  # of the record in Copernica
    "field": pl.String(),  # the target column; null where it is the whole record
    "before": pl.String(),
    "now": pl.String(),
    "why": pl.String(),  # of WHY, null where the value comes back
}


@dataclass(frozen=True)
class Part:
    """The rows of some keys that a run has sent (`_seq`, `_key`, `_set` and its columns), and their records.

    Records are frames of `LiveRecords`, None where there are none, before the run and now; those of collections by name.
    `later` are keys that a later run has sent, `unread` those that could not be read before (both UInt64).
    """

    sent: pl.DataFrame
    before: pl.DataFrame | None
    now: pl.DataFrame | None
    subs_before: Mapping[str, pl.DataFrame | None]
    subs_now: Mapping[str, pl.DataFrame | None]
    later: pl.Series
    unread: pl.Series


@dataclass(frozen=True)
class Level:
    """Profiles, or the subprofiles of one collection: their columns that were sent, and the key columns among them."""

    name: str
    columns: tuple[str, ...]
    keys: tuple[str, ...]

    @property
    def on(self) -> tuple[str, ...]:
        """Return what a record is known by within a part."""
        return ("_key",) if self.name == PROFILE else ("_key", "_sub")


@dataclass
class Judged:
    """What becomes of the records of a part.

    `restore`, by level: `_key`, `_id`, the key's own columns as they are to be, `set:` (Boolean) and `old:` per column.
    `created` and `deleted`, by level: the records that the run has made, and took, as they were found; `changes` (CHANGES).
    """

    restore: dict[str, pl.DataFrame] = field(default_factory=dict)
    created: dict[str, pl.DataFrame] = field(default_factory=dict)
    deleted: dict[str, pl.DataFrame] = field(default_factory=dict)
    changes: list[pl.DataFrame] = field(default_factory=list)


def judge(part: Part, terms: PlanTerms, sent_columns: tuple[str, ...]) -> Judged:
    """Judge the records of one part; `sent_columns` are those of the run, `terms` say what was read of each record."""
    found = Judged()
    if terms.target.action == "delete":
        _judge_deleted(part, terms, found)
        return found
    columns = [name for name in sent_columns if name in terms.all_keys or is_compared(terms.live[name])]
    profile = Level(PROFILE, tuple(name for name in columns if name in terms.sets.of_profile), terms.keys.profile)
    units = _units(part.sent, profile, terms)
    records = _with_verdicts(_joined(units, part.before, part.now, profile), part, profile, terms)
    _take(records, profile, found, _key_of(profile, terms))
    owners = records.select(
        "_key", pl.col("why").alias("_owner_why"), pl.col("before:_count").alias("_owner_before"),
        *(_final(name).alias(f"key:{name}") for name in terms.keys.profile),
    )  # fmt: skip
    for name in terms.sets.collections:
        level = Level(
            name, tuple(one for one in columns if one.startswith(f"{name}.")), terms.keys.collections.get(name, ())
        )
        carried = terms.carrying(part.sent, name)
        if not level.keys or carried.is_empty():
            continue
        units = _units(carried.with_columns(terms.sub_hash(carried, name)), level, terms)
        joined = _joined(units, part.subs_before.get(name), part.subs_now.get(name), level)
        joined = joined.join(owners, on="_key", how="left").filter(pl.col("_owner_before") > 0)
        _take(_with_verdicts(joined, part, level, terms), level, found, _key_of(level, terms))
    return found


def _units(sent: pl.DataFrame, level: Level, terms: PlanTerms) -> pl.DataFrame:
    """Put the rows of each record together: per column the values that it was sent, as they are stored."""
    spelled = pl.struct([pl.col(name).str.to_lowercase() for name in level.keys] or [pl.lit(0)])
    return (
        sent.sort("_key", "_seq")
        .group_by(level.on, maintain_order=True)
        .agg(
            *(_values(name, terms) for name in level.columns),
            spelled.n_unique().alias("_spellings"),
            pl.len().alias("_rows"),
        )
    )


def _values(name: str, terms: PlanTerms) -> pl.Expr:
    values = stored(pl.col(name), terms.live[name])
    if terms.leaves_empty(name):
        values = values.filter(pl.col(name).is_not_null() & (pl.col(name) != ""))
    return values.unique().alias(f"sent:{name}")


def _joined(units: pl.DataFrame, before: pl.DataFrame | None, now: pl.DataFrame | None, level: Level) -> pl.DataFrame:
    """Add the records from before and of now: how many there are of each key, and the first of them."""
    for when, frame in (("before", before), ("now", now)):
        found = _none(level) if frame is None else frame
        names = [*level.on, "_id", *level.columns]
        first = found.unique(level.on, keep="first", maintain_order=True).select(names)
        first = first.rename({name: f"{when}:{name}" for name in names if name not in level.on})
        units = units.join(found.group_by(level.on).len(f"{when}:_count"), on=level.on, how="left")
        units = units.join(first, on=level.on, how="left").with_columns(pl.col(f"{when}:_count").fill_null(0))
    return units


def _none(level: Level) -> pl.DataFrame:
    numbers = dict.fromkeys((*level.on, "_id"), pl.UInt64())
    return pl.DataFrame(schema=numbers | dict.fromkeys(level.columns, pl.String()))


def _with_verdicts(joined: pl.DataFrame, part: Part, level: Level, terms: PlanTerms) -> pl.DataFrame:
    """Add `why` of a record that is left as a whole, `made`, and per column `set:` (comes back) and `left:` (changed since)."""
    before, now = pl.col("before:_count"), pl.col("now:_count")
    both = (before == 1) & (now == 1) & pl.lit(terms.target.action in ("update", "update or add"))
    differs = {name: _differs(name, terms) & both for name in level.columns}
    ours = {name: _is_ours(name, terms) for name in level.columns}
    judged = joined.with_columns(
        ((before == 0) & (now > 0) & pl.lit(terms.target.action in CREATES)).alias("made"),
        pl.any_horizontal(pl.lit(False), *differs.values()).alias("acts"),
        pl.all_horizontal(pl.lit(True), *(_nothing_sent(name) | ours[name] for name in level.columns)).alias("as_sent"),
    )
    judged = judged.with_columns(_why(part, terms).alias("why"))
    if level.name != PROFILE:
        above = pl.when(pl.col("acts") | pl.col("made")).then(pl.col("_owner_why"))
        judged = judged.with_columns(pl.coalesce(above, "why").alias("why"))
    free = pl.col("why").is_null()
    return judged.with_columns(
        *((differs[name] & ours[name] & free).alias(f"set:{name}") for name in level.columns),
        *((differs[name] & ~ours[name] & ~_nothing_sent(name) & free).alias(f"left:{name}") for name in level.columns),
        (pl.col("made") & free).alias("made"),
    )


def _why(part: Part, terms: PlanTerms) -> pl.Expr:
    """Return why a record is left as it is, null where it is not; the first reason that holds."""
    before, now, made, touched = (
        pl.col("before:_count"),
        pl.col("now:_count"),
        pl.col("made"),
        pl.col("acts") | pl.col("made"),
    )
    # Without collections each row of an `add` makes a profile of its own.
    most = pl.col("_rows") if terms.target.action == "add" and not terms.sets.collections else pl.lit(1)
    writes = terms.target.action in ("update", "update or add")
    several = ((before > 1) | (now > 1)) & (before > 0) & pl.lit(writes) | (made & (now > most))
    several |= (before > 0) & (now > before) & pl.lit(terms.target.action == "add")
    reasons = {
        "not_read": pl.col("_key").is_in(part.unread.implode()),
        "later_run": touched & pl.col("_key").is_in(part.later.implode()),
        "several_spellings": (touched | (before > 1)) & (pl.col("_spellings") > 1),
        "several_matches": several,
        "gone_since": (before > 0) & (now == 0) & pl.lit(writes),
        "another_record": (before == 1) & (now == 1) & (pl.col("before:_id") != pl.col("now:_id")) & pl.lit(writes),
        "changed_since": made & ~pl.col("as_sent"),
    }
    nothing = pl.lit(None, pl.String)
    return pl.coalesce(*(pl.when(holds).then(pl.lit(word)).otherwise(nothing) for word, holds in reasons.items()))


def _differs(name: str, terms: PlanTerms) -> pl.Expr:
    field = terms.live[name]
    if not is_compared(field):
        return pl.lit(False)
    return (stored(pl.col(f"before:{name}"), field) != stored(pl.col(f"now:{name}"), field)).fill_null(False)


def _is_ours(name: str, terms: PlanTerms) -> pl.Expr:
    """Return whether a value is still one that the run has sent."""
    if not is_compared(terms.live[name]):
        return pl.lit(True)
    return pl.col(f"sent:{name}").list.contains(stored(pl.col(f"now:{name}"), terms.live[name])).fill_null(False)


def _nothing_sent(name: str) -> pl.Expr:
    return pl.col(f"sent:{name}").list.len() == 0


def _final(name: str) -> pl.Expr:
    """Return what a key column is to hold in the end: its spelling from before where that comes back."""
    return pl.when(pl.col(f"set:{name}")).then(pl.col(f"before:{name}")).otherwise(pl.col(f"now:{name}"))


def _key_of(level: Level, terms: PlanTerms) -> pl.Expr:
    """Return the key of a record as a text, its profile's first."""
    pairs = [(name, pl.coalesce(f"now:{name}", f"before:{name}")) for name in level.keys]
    if level.name != PROFILE:
        pairs = [*((name, pl.col(f"key:{name}")) for name in terms.keys.profile), *pairs]
    return key_text(pairs)


def _take(records: pl.DataFrame, level: Level, found: Judged, key: pl.Expr) -> None:
    """Sort the judged records of a level into what becomes of them."""
    comes_back = pl.any_horizontal(pl.lit(False), *(pl.col(f"set:{name}") for name in level.columns))
    keys = [name for name in records.columns if name.startswith("key:")]
    found.restore[level.name] = records.filter(comes_back).select(
        "_key", pl.col("now:_id").alias("_id"), *keys,
        *(_final(name).alias(name) for name in level.keys),
        *(pl.col(f"set:{name}") for name in level.columns),
        *(pl.col(f"before:{name}").alias(f"old:{name}") for name in level.columns),
    )  # fmt: skip
    texts = [pl.coalesce(f"now:{name}", f"before:{name}").alias(name) for name in level.keys]
    found.created[level.name] = records.filter("made").select(
        *(pl.col(name).alias(name.removeprefix("key:")) for name in keys), *texts
    )
    found.changes += list(_changes(records, level, key))


def _changes(records: pl.DataFrame, level: Level, key: pl.Expr) -> Iterator[pl.DataFrame]:
    """List what comes back column by column, and what is left."""
    named = records.with_columns(pl.coalesce("now:_id", "before:_id").alias("_id"))
    for name in level.columns:
        yield _listed(named.filter(f"set:{name}"), level.name, key, pl.lit(None, pl.String), name)
        yield _listed(named.filter(f"left:{name}"), level.name, key, pl.lit("changed_since"), name)
    yield _listed(named.filter(pl.col("why").is_not_null()), level.name, key, pl.col("why"))


def _listed(rows: pl.DataFrame, level: str, key: pl.Expr, why: pl.Expr, name: str | None = None) -> pl.DataFrame:
    """List records with their `_id` (CHANGES), for one column of theirs or as a whole."""
    nothing = pl.lit(None, pl.String)
    return rows.select(
        pl.lit(level).alias("record"),
        key.alias("key"),
        pl.col("_id").alias("id"),
        (nothing if name is None else pl.lit(name)).alias("field"),
        (nothing if name is None else pl.col(f"before:{name}")).alias("before"),
        (nothing if name is None else pl.col(f"now:{name}")).alias("now"),
        why.alias("why"),
    )


def _judge_deleted(part: Part, terms: PlanTerms, found: Judged) -> None:
    """Find the records that are gone; those whose key has a record again are left to whoever made it."""
    if part.before is None:
        return
    profiles = part.before
    now = profiles.clear() if part.now is None else part.now
    if terms.target.delete_target == "profile":
        gone = profiles.filter(~profiles["_id"].is_in(now["_id"].implode()))
        again = gone.filter(gone["_key"].is_in(now["_key"].implode()))
        key = key_text((name, pl.col(name)) for name in terms.keys.profile)
        found.changes.append(_listed(again, PROFILE, key, pl.lit("another_record")))
        gone = gone.filter(~gone["_key"].is_in(again["_key"].implode()))
        found.deleted[PROFILE] = gone
        profiles = gone
    owners = profiles.select(pl.col("_id").alias("_profile"), *terms.keys.profile)
    for name in terms.sets.collections:
        subs = part.subs_before.get(name)
        if subs is None:
            continue
        there = part.subs_now.get(name)
        gone = subs if there is None else subs.filter(~subs["_id"].is_in(there["_id"].implode()))
        if terms.target.delete_target == "subprofile":
            carried = terms.carrying(part.sent, name)
            meant = carried.with_columns(terms.sub_hash(carried, name)).select("_key", "_sub").unique()
            gone = gone.join(meant, on=["_key", "_sub"], how="semi")
        found.deleted[name] = gone.join(owners, on="_profile", how="inner")
