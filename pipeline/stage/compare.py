"""Work out what staged rows would leave, as digests, and which of them have to be sent (pure; data rules 41, 42).

A *unit* is what is compared: the profile of a key, or one subprofile of it. What the rows of a unit leave is their *fold*:
per column the last value, with `ignore_empty_fields` the last one that is not empty. Where the rows of a profile key are
no plain sequence of this kind (several spellings of a key, two collections in one row) all of them are one unit, `WHOLE`,
compared and sent as a sequence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from pipeline.model.columns import Keys, Sets
from pipeline.stage.digest import Unit, digests, digests_of_keys, digests_of_units
from pipeline.stage.lanes import Choice

PROFILE = ""
WHOLE = "*"
# Keeps the keys of profile and subprofile apart where they are joined; any odd number would do.
_ODD = 0x9E3779B97F4A7C15

UNITS: Mapping[str, pl.DataType] = {
    "level": pl.UInt8(),  # position in `Terms.levels`
    "profile": pl.UInt64(),  # the profile key under "maybe the same", half of its digest
    "unit": pl.UInt64(),  # the other half; of a subprofile a digest of both keys
    "spelling": pl.UInt32(),  # the key as it is spelled
    "high": pl.UInt64(),  # the fold
    "low": pl.UInt64(),
}


@dataclass(frozen=True)
class Terms:
    """What digesting needs to know of a job, and the secret `salt` of the database (16 bytes)."""

    keys: Keys
    sets: Sets
    ignore_empty: bool
    salt: bytes

    @property
    def levels(self) -> tuple[str, ...]:
        """List what units there are: the profile, each collection by name, and whole keys."""
        return (PROFILE, *self.sets.collections, WHOLE)

    def unit(self, level: str) -> Unit:
        """Return what is digested of the profile, or of a subprofile in a collection."""
        keys = self.keys.collections.get(level, ()) if level else self.keys.profile
        columns = self.sets.of_collection(level) if level else self.sets.of_profile
        return Unit(level, keys, columns, tuple(map(self.leaves_empty, columns)))

    def leaves_empty(self, column: str) -> bool:
        """Return whether an empty cell of a column changes nothing: an interest that is not known is never sent."""
        return self.ignore_empty or column in self.sets.interests


def with_units(rows: pl.DataFrame, terms: Terms) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return settled rows with the numbers of their units, and the units (UNITS) in the order of these numbers.

    `rows` have the rows of a profile key together, in file order. `_profile` and `_unit` are UInt32 from 0; `_unit` is null
    where a row carries no collection, or where its key is a whole.
    """
    number = rows["_key"].rle_id().alias("_profile")
    profiles = digests_of_units(rows, terms.unit(PROFILE), terms.salt, number)
    units_of = [terms.unit(name) for name in terms.sets.collections]
    carried = [_carried(rows, number, profiles, unit, terms) for unit in units_of]
    unique = [one["unit"].n_unique() == one.height for one in carried]
    rows = rows.hstack([number])
    wholes = _wholes(rows, profiles, carried, unique)
    if wholes is not None:
        carried = [one.filter(~one["_profile"].is_in(wholes.implode())) for one in carried]
    units = [_profiles(rows, profiles, wholes, terms)]
    places = []
    count = units[0].height
    for at, one in enumerate(carried):
        found, numbered = _subprofiles(rows, one, at + 1, None if unique[at] else units_of[at], terms.salt)
        units.append(found)
        places.append(one.select("_row", (numbered + count).alias("_unit")))
        count += found.height
    return rows.hstack([_by_row(places, rows.height)]), pl.concat(units)


def _carried(rows: pl.DataFrame, number: pl.Series, profiles: pl.DataFrame, unit: Unit, terms: Terms) -> pl.DataFrame:
    """Return the rows that carry a collection (`_row`) with `_profile`, `_full` and what UNITS has of each.

    `profiles` are the digests of the profile keys, `number` has the one of each row.
    """
    carries = (rows["_set"] & terms.sets.bit(unit.level)) > 0
    places = carries.arg_true()
    if places.len() < rows.height:
        rows, number = rows.filter(carries), number.gather(places)
    found = digests_of_units(rows, unit, terms.salt)
    profile = profiles["key_high"].gather(number).alias("profile")
    both = (found["key_low"] ^ (profiles["key_low"].gather(number) * _ODD)).alias("unit")
    own = [places.cast(pl.UInt32).alias("_row"), number, rows["_full"], profile, both]
    return pl.DataFrame([*own, found["spelling"], found["high"], found["low"]])


def _wholes(
    rows: pl.DataFrame, profiles: pl.DataFrame, carried: list[pl.DataFrame], unique: list[bool]
) -> pl.Series | None:
    """Return the numbers of the profile keys whose rows are compared as a whole, None where there is none."""
    found = [profiles["several"].arg_true().cast(pl.UInt32)]
    if len(carried) > 1:
        several = pl.concat([one["_row"] for one in carried])
        found.append(rows["_profile"].gather(several.filter(several.is_duplicated())))
    for one in (one for one, differ in zip(carried, unique, strict=True) if not differ):
        spellings = one.group_by("unit").agg(pl.col("_full").n_unique(), pl.col("_profile").first())
        found.append(spellings.filter(pl.col("_full") > 1)["_profile"])
    numbers = pl.concat(found).unique()
    return numbers if numbers.len() else None


def _profiles(rows: pl.DataFrame, profiles: pl.DataFrame, wholes: pl.Series | None, terms: Terms) -> pl.DataFrame:
    """Return the units of the profile keys, in their order, from their digests."""
    level = pl.zeros(profiles.height, dtype=pl.UInt8, eager=True)
    high, low = profiles["high"], profiles["low"]
    if wholes is not None:
        of_rows = _whole_folds(rows, wholes, terms)
        level = level.scatter(of_rows["_profile"], len(terms.levels) - 1)
        high, low = (one.scatter(of_rows["_profile"], of_rows[one.name]) for one in (high, low))
    return _units(level, profiles["key_high"], profiles["key_low"], profiles["spelling"], high, low)


def _whole_folds(rows: pl.DataFrame, wholes: pl.Series, terms: Terms) -> pl.DataFrame:
    """Return `_profile`, `high` and `low` of keys that are compared as the sequence of their rows."""
    taken = rows.filter(pl.col("_profile").is_in(wholes.implode()))
    carried = taken["_set"].cast(pl.String).alias("_set")
    each = digests(taken.select(terms.sets.columns).with_columns(carried), terms.salt, "row")
    text = pl.concat_str(pl.col("high").cast(pl.String), pl.lit(" "), pl.col("low").cast(pl.String)).alias("text")
    of_keys = taken.select("_profile").with_columns(each.select(text).to_series())
    joined = of_keys.group_by("_profile", maintain_order=True).agg(pl.col("text").str.join(","))
    return pl.concat([joined.select("_profile"), digests(joined.select("text"), terms.salt, "rows")], how="horizontal")


def _subprofiles(
    rows: pl.DataFrame, carried: pl.DataFrame, level: int, repeated: Unit | None, salt: bytes
) -> tuple[pl.DataFrame, pl.Series]:
    """Return the units of a collection, and per carrying row the number of its unit from 0.

    Only where units may be `repeated` there are several rows of one, and what they leave is digested.
    """
    number = pl.int_range(carried.height, dtype=pl.UInt32, eager=True)
    if repeated is not None:
        first = carried.unique("unit", keep="first", maintain_order=True)
        numbers = first.select("unit", pl.int_range(pl.len(), dtype=pl.UInt32).alias("number"))
        number = carried.select("unit").join(numbers, on="unit", how="left", maintain_order="left")["number"]
        together = pl.DataFrame([number, carried["_row"]]).sort("number", maintain_order=True)
        left = digests_of_units(rows[together["_row"]], repeated, salt, together["number"])
        carried = first.with_columns(left["high"], left["low"])
    levels = pl.repeat(level, carried.height, dtype=pl.UInt8, eager=True)
    return _units(levels, *carried["profile", "unit", "spelling", "high", "low"]), number


def _units(*columns: pl.Series) -> pl.DataFrame:
    return pl.DataFrame([one.alias(name) for one, name in zip(columns, UNITS, strict=True)])


def keys_of(rows: pl.DataFrame, terms: Terms) -> pl.DataFrame:
    """Return `level`, `profile`, `unit` and `spelling` of what rows in any order write, for rows that are not compared."""
    number = pl.int_range(rows.height, dtype=pl.UInt32, eager=True).alias("_profile")
    rows = rows.with_columns(pl.lit(0, pl.UInt32).alias("_full"))
    collections = (terms.unit(name).of_keys for name in terms.sets.collections)
    key = digests_of_keys(rows.select(terms.keys.profile), terms.salt)
    parts = [pl.DataFrame([key["key_high"].alias("profile"), key["key_low"].alias("unit"), key["spelling"]])]
    parts += [_carried(rows, number, key, one, terms)["profile", "unit", "spelling"] for one in collections]
    levels = (one.select(pl.lit(at, pl.UInt8).alias("level"), pl.all()) for at, one in enumerate(parts))
    return pl.concat(levels).unique()


def _by_row(places: list[pl.DataFrame], height: int) -> pl.Series:
    """Return `_unit` of all rows; no row has two."""
    found = pl.repeat(None, height, dtype=pl.UInt32, eager=True).alias("_unit")
    for one in places:
        found = one["_unit"] if one.height == height else found.scatter(one["_row"], one["_unit"])
    return found.alias("_unit")


def to_send(rows: pl.DataFrame, changed: pl.Series, terms: Terms) -> Choice:
    """Return which rows must be sent, and how many others another row of their key stands for.

    `rows` as from `with_units`; `changed` (Boolean) has it for each number of a unit. All rows of a subprofile that differs
    are sent. Where a profile differs, or any row of it is sent, those rows are sent, too, that bring its columns to the values
    which all of them would leave; the others of a profile that differs are stood for.
    """
    profile_differs = changed.gather(rows["_profile"])
    unit_differs = changed.gather(rows["_unit"]).fill_null(False)
    touched = rows["_profile"].filter(profile_differs | unit_differs).unique()
    if touched.is_empty():
        return Choice(pl.repeat(False, rows.height, dtype=pl.Boolean, eager=True), 0)
    at = rows["_profile"].is_in(touched.implode()).arg_true().alias("_at")
    work = rows.select("_profile", "_unit", *terms.sets.of_profile)[at].with_columns(
        at,
        profile_differs.gather(at).alias("_differs"),
        (unit_differs | (profile_differs & rows["_unit"].is_null())).gather(at).alias("_send"),
    )
    work = _closed(_with_providers(work, terms))
    send = pl.repeat(False, rows.height, dtype=pl.Boolean, eager=True).scatter(work["_at"].filter(work["_send"]), True)
    return Choice(send, int((work["_differs"] & ~work["_send"]).sum()))


def _with_providers(work: pl.DataFrame, terms: Terms) -> pl.DataFrame:
    """Add `_last` (of its key), `_uniform` (the key's rows agree in all columns) and `_provides` (a value that stays).

    Only where they do not agree it matters which row provides a value.
    """
    key = pl.col("_profile")
    differs = [pl.col(name).ne_missing(pl.col(name).shift()) for name in terms.sets.of_profile]
    several = work.select((key == key.shift()) & pl.any_horizontal(False, *differs)).to_series()
    mixed = work["_profile"].filter(several).unique()
    last = (key != key.shift(-1)).fill_null(True).alias("_last")
    work = work.with_columns(last, (~key.is_in(mixed.implode())).alias("_uniform"))
    if mixed.is_empty():
        return work.with_columns(pl.lit(False).alias("_provides"))
    provides = [pl.col("_last") & (not terms.ignore_empty)]
    for name in terms.sets.of_profile:
        if terms.leaves_empty(name):
            at = pl.when(pl.col(name).is_not_null()).then(pl.col("_at"))
            provides.append((at == at.max().over("_profile")).fill_null(False))
    return work.with_columns(pl.any_horizontal(provides).alias("_provides"))


def _closed(work: pl.DataFrame) -> pl.DataFrame:
    """Add rows to `_send` until what is sent leaves the same as all rows."""
    any_sent = pl.col("_send").any().over("_profile")
    provider = ~pl.col("_uniform") & pl.col("_provides") & (any_sent | pl.col("_differs"))
    only_one = pl.col("_uniform") & pl.col("_last") & pl.col("_differs") & ~any_sent
    with_all_of_unit = pl.col("_unit").is_not_null() & pl.col("_send").any().over("_unit")
    while True:
        before = int(work["_send"].sum())
        work = work.with_columns((pl.col("_send") | provider | only_one).alias("_send"))
        work = work.with_columns((pl.col("_send") | with_all_of_unit).alias("_send"))
        if int(work["_send"].sum()) == before:
            return work
