"""Read what is there now of the records that a run has sent, and judge what can be brought back (wiring; data rule 45)."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.errors import JobError, Problem
from pipeline.model.columns import Sets
from pipeline.model.job import Job
from pipeline.run.context import Context
from pipeline.run.plan.differ import PROFILE
from pipeline.run.plan.live import LiveRecords, Sizes, read_records
from pipeline.run.plan.stored import is_compared
from pipeline.run.plan.terms import PlanTerms
from pipeline.run.target import LiveTarget, refusing
from pipeline.run.undo.before import image_terms
from pipeline.run.undo.judge import Judged, Part, judge
from pipeline.run.undo.later import later_keys
from pipeline.run.undo.lists import Lists
from pipeline.stage.key_index import PROBE
from pipeline.stage.partitions import Partitions, paired
from pipeline.state.before import Before, BeforeError
from pipeline.state.ledger import Ledger
from pipeline.state.run_records import RunRow

MOST_EXAMPLES = 10


@dataclass
class Findings:
    """What an undo would do: records to restore and values by column, records left by why, made and taken by level.

    `restore` has the rows to restore on disk, by level; `empties` means that some of their values are empty. `lists` is the
    folder of the lists, `examples` the first changes. `not_compared` are columns that cannot be brought back.
    """

    terms: PlanTerms
    lists: Path
    restore: dict[str, Partitions] = field(default_factory=dict)
    records: Counter[str] = field(default_factory=Counter)
    fields: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    created: Counter[str] = field(default_factory=Counter)
    deleted: Counter[str] = field(default_factory=Counter)
    examples: list[Mapping[str, Any]] = field(default_factory=list)
    conflicts: list[Mapping[str, Any]] = field(default_factory=list)
    empties: bool = False
    interests: set[str] = field(default_factory=set)
    not_compared: tuple[str, ...] = ()
    keyless: int = 0
    calls: int = 0

    @property
    def rows(self) -> int:
        """Return the number of records to restore."""
        return self.records.total()

    @property
    def nothing(self) -> bool:
        """Return whether nothing is to be restored, and the run has made or taken nothing that can be named."""
        return not (self.rows or self.created.total() or self.deleted.total() or self.keyless)

    def counts(self) -> dict[str, Any]:
        """Return the entry `undo` of a document."""
        return {
            "restore": self.rows,
            "fields": dict(self.fields),
            "conflicts": self.left.total(),
            "left": dict(self.left),
            "created": self.created.total(),
            "deleted": self.deleted.total(),
            "keyless": self.keyless,
            "files": {path.name: str(path.absolute()) for path in sorted(self.lists.glob("*.csv"))},
        }


def look(context: Context, undone: RunRow, work: Path) -> Findings:
    """Compare what was before a run, what it sent and what is there now; the lists and what is to be restored are in `work`.

    Raises JobError where the values from before cannot be used, ApiRefusedError where the target cannot be read.
    """
    before, ledger = Before(work.parent), context.ledger
    try:
        meta = _meta(before, undone)
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(mode=0o700)
        return _look(context, undone, before, meta, work)
    except BeforeError as error:
        what = f"the values from before this run cannot be used: {error}"
        do = "mend the dump and run it again; explain shows what was sent for a customer"
        raise JobError(Problem(what, f"run {undone.id} in {ledger.state_dir}", do)) from None


def _meta(before: Before, undone: RunRow) -> Mapping[str, Any]:
    meta = before.meta()
    if meta.get("probe") != PROBE:
        raise BeforeError("they were kept by another version of polars")
    if (meta.get("account"), meta.get("database")) != (undone.account, undone.database_id):
        raise BeforeError("they are of another account or database")
    return meta


def _look(context: Context, undone: RunRow, before: Before, meta: Mapping[str, Any], work: Path) -> Findings:
    job, target = Job.model_validate_json(undone.job_copy), context.target
    sets = Sets(**{name: tuple(names) for name, names in meta["sets"].items()})
    terms = image_terms(job, sets, target.live, meta["kinds"])
    found, calls = Findings(terms, work), target.client.calls
    sent = Partitions(work / "sent", meta["count"])
    keys, columns = _read_sent(context.ledger, undone, before, sent)
    found.not_compared = tuple(name for name in columns if name in target.live and not is_compared(target.live[name]))
    if not terms.keys.profile:
        found.keyless = sum(frame.height for frame in sent.frames())
        return found
    now = _read_now(context.target, LiveRecords(terms, work / "now", meta["count"]), sent, keys)
    later = later_keys(context.ledger, undone, keys)
    unread = pl.concat([pl.Series("_key", dtype=pl.UInt64), *(one["_key"] for one in before.frames("unread"))])
    found.restore = {
        name: Partitions(work / f"restore-{at}", meta["count"]) for at, name in enumerate((PROFILE, *sets.collections))
    }
    with Lists(work, terms) as lists:
        for part in _parts(before, sent, now, later, unread):
            _add(found, judge(part, terms, columns), lists)
    found.calls = target.client.calls - calls
    return found


def _read_sent(ledger: Ledger, undone: RunRow, before: Before, sent: Partitions) -> tuple[pl.Series, tuple[str, ...]]:
    """Partition the rows that the run has sent; returns their distinct keys, and the columns. Raises BeforeError."""
    keys, columns = [pl.Series("_key", dtype=pl.UInt64)], tuple[str, ...]()
    for chunk in ledger.chunks(undone.id):
        if chunk.sending_at is None:
            continue
        frames = list(before.frames(f"sent-{chunk.ordinal:06d}"))
        if not frames:
            raise BeforeError(f"the rows of chunk {chunk.ordinal} are missing")
        for frame in frames:
            columns = tuple(name for name in frame.columns if not name.startswith("_"))
            keys.append(frame["_key"].unique())
            sent.add(frame)
    return pl.concat(keys).unique(), columns


def _read_now(target: LiveTarget, live: LiveRecords, sent: Partitions, keys: pl.Series) -> LiveRecords:
    """Read the records of the keys as they are now, by lookups or pages."""
    with refusing("undo", "nothing was sent; try again later"):
        sizes = Sizes.count(target, live.terms, keys.len())
        if keys.len():
            texts = (rows.unique("_key", keep="last", maintain_order=True) for rows in sent.again())
            read_records(target, live, keys, sizes, texts)
    return live


def _parts(before: Before, sent: Partitions, now: LiveRecords, later: pl.Series, unread: pl.Series) -> Iterator[Part]:
    names = list(now.subprofiles)
    unread = pl.concat([unread, pl.Series("_key", list(now.unread), dtype=pl.UInt64)])
    for rows, profiles, *subs in paired(sent, now.profiles, *now.subprofiles.values()):
        if rows is None:
            continue
        home = int(rows["_key"][0]) % sent.count
        held = {name: _one(before, f"sub{at}-{home:04d}") for at, name in enumerate(names)}
        profiles_before = _one(before, f"profiles-{home:04d}")
        subs_now = dict(zip(names, subs, strict=True))
        # A chunk that was sent again, in pieces or by another process, has its rows twice.
        rows = rows.unique("_seq", maintain_order=True)
        yield Part(rows, profiles_before, profiles, held, subs_now, later, unread)


def _one(before: Before, name: str) -> pl.DataFrame | None:
    frames = list(before.frames(name))
    return pl.concat(frames) if frames else None


def _add(found: Findings, judged: Judged, lists: Lists) -> None:
    """Count what was judged of a part, list it, and keep what is to be restored."""
    for level, rows in judged.restore.items():
        if rows.height:
            found.restore[level].add(rows)
            found.records[level] += rows.height
            _count_values(found, rows)
    for counter, frames in ((found.created, judged.created), (found.deleted, judged.deleted)):
        for level, rows in frames.items():
            if rows.height:
                counter[level] += rows.height
    lists.add(judged)
    for changes in judged.changes:
        left = changes.filter(pl.col("why").is_not_null())
        back = changes.filter(pl.col("why").is_null())
        found.left.update(dict(left["why"].value_counts().iter_rows()))
        found.examples += list(back.head(MOST_EXAMPLES - len(found.examples)).iter_rows(named=True))
        found.conflicts += list(left.head(MOST_EXAMPLES - len(found.conflicts)).iter_rows(named=True))


def _count_values(found: Findings, rows: pl.DataFrame) -> None:
    for column in rows.columns:
        if not column.startswith("set:"):
            continue
        name = column.removeprefix("set:")
        back = rows.filter(column)[f"old:{name}"]
        if back.len():
            found.fields[name] += back.len()
            found.empties = found.empties or bool((back.fill_null("") == "").any())
