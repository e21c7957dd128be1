"""Let a run send only what changed: the confirmed state of its database around its stages (wiring; data rules 41-44)."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import polars as pl

from pipeline.load.readback import Difference, Lookups, Terms, differences
from pipeline.load.timestamps import modified_since
from pipeline.log import get_logger
from pipeline.model.columns import Sets
from pipeline.model.counts import Verified
from pipeline.run.context import RunId
from pipeline.run.result import Tally
from pipeline.run.target import LiveTarget
from pipeline.stage.changes import Changes
from pipeline.stage.key_index import KeyIndex
from pipeline.stage.lanes import Lanes
from pipeline.stage.manifest import Manifest
from pipeline.stage.narrowing import Samples
from pipeline.stage.run_rows import ALL_LANES, RunRows
from pipeline.stage.sample import Expectation
from pipeline.state.host import database_name, host_dir


def changes_of(target: LiveTarget, run: RunId, sets: Sets) -> Changes:
    """Return what a run does with the confirmed state of its database."""
    rows = RunRows(run.folder.staged, run.run, run.job, sets, target.live)
    place = host_dir() / "confirmed" / database_name(target.client.api_url, target.database.id)
    return Changes(rows, place, target.identity.id)


def compared(changes: Changes, target: LiveTarget, run: RunId, manifest: Manifest) -> Manifest:
    """Leave at home what was confirmed as it is, where the job sends only changes; a run compares once (data rule 42)."""
    if not changes.compares or manifest.narrowed is not None:
        return manifest
    client, database = target.client, target.database

    def count(collection: str) -> int:
        if not collection:
            return client.count(database)
        return client.count_subprofiles(database.collections[collection])

    samples = Samples(manifest.sample, (), zlib.crc32(run.run.encode()))
    narrowed = changes.narrow(run.full, count, manifest.staged, samples)
    manifest = replace(manifest, narrowed=narrowed, sample=narrowed.sample.sent)
    manifest.write(run.folder.staged)
    if narrowed.unchanged:
        frames = Lanes(run.folder.staged / ALL_LANES).partitions(["_key"])
        KeyIndex(run.folder.path).note_unchanged(frame["_key"] for frame in frames)
    return manifest


def look_for_gone(changes: Changes, run: RunId, tally: Tally) -> None:
    """List what the dump no longer has, where it can be trusted (data rule 44)."""
    if run.job.target.gone != "report":
        return
    if why := _no_whole_dump(run, tally):
        get_logger().info("gone.not_looked_for", why=why)
        return
    rejected = pl.Series("_key", tally.intake.rejected_keys, dtype=pl.UInt64)
    found = changes.gone(rejected, run.folder.path / "gone.csv")
    if found is not None:
        tally.gone, first = found
        get_logger().info("gone.first_dump" if first else "gone.found", keys=tally.gone)


def gone_planned(changes: Changes, run: RunId, tally: Tally) -> int | None:
    """Count what would be gone if all rows of the dump were confirmed; None where nobody would look (data rules 44, 46)."""
    if run.job.target.gone != "report" or _no_whole_dump(run, tally, sent=False):
        return None
    return changes.gone_planned(pl.Series("_key", tally.intake.rejected_keys, dtype=pl.UInt64))


def _no_whole_dump(run: RunId, tally: Tally, *, sent: bool = True) -> str:
    """Return why the dump does not show what is gone, "" where it does; without `sent` nothing need be confirmed."""
    intake, codes = tally.intake, {one.code for one in tally.intake.set_aside}
    reasons = (
        (not run.own_files, "other files were named on the command line"),
        (run.limit is not None, "the run has a limit"),
        (intake.malformed > 0, "some records could not be split"),
        (any(code.startswith("key_") for code in codes), "the key of some records was rejected"),
        (sent and not tally.all_confirmed, "not every row is confirmed"),
    )
    return next((why for holds, why in reasons if holds), "")


def drift(sample: Sequence[Expectation], lookups: Lookups, terms: Terms, changes: Changes) -> Verified:
    """Read unchanged keys back; what is not as it was confirmed is sent again next time (data rule 43).

    Where the record was not modified since, it is not known what else is wrong: then everything is.
    """
    off = [(one, found) for one in sample if (found := differences(one, lookups, terms))]
    explained = [one for one, found in off if _explained(found, changes.confirmed_at(one))]
    why = "" if len(explained) == len(off) else "unchanged records were not as confirmed, and nobody has modified them"
    if off:
        places = tuple(dict.fromkeys(one.place for _, found in off for one in found))
        get_logger().warning("changed.drifted", profiles=len(off), modified_since=len(explained), places=places)
        changes.drifted([one for one, _ in off], why)
    return Verified(len(sample), len(sample) - len(off), drifted=len(off))


def _explained(found: Sequence[Difference], confirmed: datetime | None) -> bool:
    """Return whether somebody has modified all records that differ since the minute in which they were confirmed."""
    return confirmed is None or all(modified_since(one.modified, confirmed - timedelta(seconds=1)) for one in found)
