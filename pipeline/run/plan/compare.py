"""Compare all staged rows of a run with the live target, partition by partition (wiring)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from pipeline.run.plan.changes import ChangesFile
from pipeline.run.plan.differ import PROFILE, Class, Compared, compare, created
from pipeline.run.plan.live import LiveRecords, Sizes, read_records
from pipeline.run.plan.terms import PlanTerms
from pipeline.run.target import LiveTarget
from pipeline.stage.lanes import Lanes
from pipeline.stage.partitions import Partitions, paired, write_rows

# Records of the target and rows of ours that are compared at one time, about.
_ROWS_AT_ONCE = 20_000
_MOST_PARTITIONS = 512
MOST_EXAMPLES = 10


@dataclass
class Comparison:
    """What a run would change: rows by class, records by level and class, changes by field, the first examples.

    `method` is lookups, pages or none; `calls` are those that the comparison made. `to_send` are the `_seq` of the rows that
    would create or change something, `states` the folder with a digest of what the target holds for each key.
    """

    method: str
    calls: int = 0
    rows: Counter[Class] = field(default_factory=Counter)
    records: Counter[tuple[str, Class]] = field(default_factory=Counter)
    fields: Counter[str] = field(default_factory=Counter)
    examples: list[Mapping[str, object]] = field(default_factory=list)
    unread: Counter[str] = field(default_factory=Counter)
    to_send: pl.Series = field(default_factory=lambda: pl.Series("_seq", dtype=pl.UInt64))


def compare_staged(target: LiveTarget, terms: PlanTerms, lanes: Lanes, folder: Path, sink: ChangesFile) -> Comparison:
    """Compare the rows of `lanes` with the target, by lookups or pages, whichever needs fewer calls.

    `folder` holds what is compared meanwhile, and `states` of it what a later apply compares with. An `add` asks nothing:
    every row makes a record.
    """
    before = target.client.calls
    if terms.target.action == "add" or not terms.keys.profile or not any(lanes.sizes().values()):
        return _all_new(lanes, terms, sink)
    live, method = read_live(target, terms, lanes, folder / "live")
    ours = Partitions(folder / "ours", live.count)
    for rows in lanes.partitions((*terms.sets.columns, "_seq", "_key", "_set")):
        ours.add(rows)
    found = Comparison(method, target.client.calls - before)
    found.unread.update(live.unread.values())
    _compare_all(found, ours, live, folder / "states", sink)
    return found


def read_live(target: LiveTarget, terms: PlanTerms, lanes: Lanes, folder: Path) -> tuple[LiveRecords, str]:
    """Read the target's records of the keys in `lanes`, by lookups or pages, whichever needs fewer calls; returns which, too.

    A job without a profile key reads nothing.
    """
    keys = _keys(lanes, terms)
    if not keys.len():
        return LiveRecords(terms, folder, 1), "none"
    sizes = Sizes.count(target, terms, keys.len())
    rows = sum(lanes.sizes().values()) + (sizes.profiles if sizes.by_pages else keys.len())
    live = LiveRecords(terms, folder, min(_MOST_PARTITIONS, 1 + rows // _ROWS_AT_ONCE))
    read_records(target, live, keys, sizes, _key_texts(lanes, terms))
    return live, "pages" if sizes.by_pages or not sizes.profiles else "lookups"


def _compare_all(found: Comparison, ours: Partitions, live: LiveRecords, states: Path, sink: ChangesFile) -> None:
    states.mkdir(mode=0o700, parents=True, exist_ok=True)
    names, unread = list(live.subprofiles), pl.Series(list(live.unread), dtype=pl.UInt64)
    to_send = [found.to_send]
    for at, (rows, profiles, *subs) in enumerate(paired(ours, live.profiles, *live.subprofiles.values())):
        if rows is None:
            continue
        compared = compare(rows, profiles, dict(zip(names, subs, strict=True)), unread, live.terms)
        _add(found, compared)
        write_rows(compared.states, states / f"{at:04d}.arrow")
        sink.write(compared.changes)
        sent = compared.rows.filter(pl.col("class").is_in([int(Class.UPDATE), int(Class.CREATE)]))
        to_send.append(sent["_seq"])
    found.to_send = pl.concat(to_send)


def _add(found: Comparison, compared: Compared) -> None:
    found.rows.update({Class(number): count for number, count in compared.rows["class"].value_counts().iter_rows()})
    found.records.update(compared.records)
    updates = compared.changes.filter(pl.col("field").is_not_null())
    found.fields.update(dict(updates["field"].value_counts().iter_rows()))
    if len(found.examples) < MOST_EXAMPLES:
        found.examples += list(updates.head(MOST_EXAMPLES - len(found.examples)).iter_rows(named=True))


def _all_new(lanes: Lanes, terms: PlanTerms, sink: ChangesFile) -> Comparison:
    """Return the comparison of an `add`: every row makes a record of its own, or a subprofile."""
    found = Comparison("none")
    parts = [found.to_send]
    for rows in lanes.partitions(("_seq", "_key", "_set", *terms.all_keys)):
        parts.append(rows["_seq"])
        found.rows[Class.CREATE] += rows.height
        profiles = rows.unique("_key", keep="last", maintain_order=True) if terms.sets.collections else rows
        made = {PROFILE: profiles} | {name: terms.carrying(rows, name) for name in terms.sets.collections}
        for level, of_level in made.items():
            found.records[level, Class.CREATE] += of_level.height
            sink.write(created(of_level, level, terms))
    found.to_send = pl.concat(parts)
    return found


def _keys(lanes: Lanes, terms: PlanTerms) -> pl.Series:
    """Return the distinct hashes of the staged profile keys."""
    if not terms.keys.profile:
        return pl.Series("_key", dtype=pl.UInt64)
    parts = [rows["_key"].unique() for rows in lanes.partitions(("_key",))]
    return pl.concat(parts).unique() if parts else pl.Series("_key", dtype=pl.UInt64)


def _key_texts(lanes: Lanes, terms: PlanTerms) -> Iterator[pl.DataFrame]:
    for rows in lanes.partitions(("_key", *terms.keys.profile)):
        yield rows.unique("_key", keep="last", maintain_order=True)


def states_of(folder: Path) -> pl.DataFrame:
    """Read the digests of a comparison back: `_key`, `_state` UInt64."""
    paths = sorted((folder / "states").glob("*.arrow"))
    none = pl.DataFrame(schema={"_key": pl.UInt64, "_state": pl.UInt64})
    return pl.concat([none, *(pl.read_ipc(path) for path in paths)])
