"""Compare what was read with the job's limits before anything is sent (pure; data rules 4, 35)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from pipeline.errors import Problem
from pipeline.model.counts import Intake
from pipeline.model.files import EarlierFile, FileFacts
from pipeline.model.job import Guards
from pipeline.model.measures import Limit

# A share of fewer rows means nothing: `run --limit 10` is not stopped by it.
LEAST_ROWS_FOR_A_SHARE = 100


@dataclass(frozen=True)
class Dumps:
    """What is compared beside the counts: how the run was called, its files, and those of earlier runs.

    `newest` is when the newest file was written, None where that does not matter; `new` how many files this job has not
    confirmed before, `measured` those whose records count. `earlier` has files of confirmed runs without a limit, those of
    the newest run first.
    """

    limited: bool = False
    started_at: datetime | None = None
    newest: datetime | None = None
    new: int | None = None
    measured: Sequence[FileFacts] = ()
    earlier: Sequence[EarlierFile] = ()


def check_input(guards: Guards, intake: Intake, good: int, dumps: Dumps) -> tuple[Problem, ...]:
    """Ask the guards of the input; `good` is the rows that are accepted or collapsed."""
    return (
        *max_rejects(guards, intake.read, intake.malformed + intake.rejected, limited=dumps.limited),
        *(
            min_records(guards, good, intake.read) if intake.facts else ()
        ),  # without a new file there is nothing to be done
        *min_share_of_last(guards, dumps),
        *min_new_files(guards, dumps),
        *max_age(guards, dumps),
    )


def without_share(limit: Limit, rows: int, *, limited: bool) -> bool:
    """Return whether a limit is a share of so few rows of a limited run that it means nothing (data rule 35)."""
    return limited and limit.count is None and rows < LEAST_ROWS_FOR_A_SHARE


def max_rejects(guards: Guards, read: int, bad: int, *, limited: bool = False) -> Iterator[Problem]:
    """Refuse an input of which too many records were set aside (data rule 4)."""
    limit = guards.max_rejects
    if not limit.allows(bad, read) and not without_share(limit, read, limited=limited):
        share = f" ({bad / read:.1%})" if read else ""
        what = f"{bad:,} of {read:,} records{share} were set aside, the job allows {limit}"
        do = "mend the records in the rejects file, or pass --force max_rejects to send the others"
        if bad == read:
            do = (
                "no record fits the job, so there is nothing to send: see the rejects file for what they have in common"
            )
        yield Problem(what, "guards.max_rejects", do, "max_rejects")


def min_records(guards: Guards, good: int, read: int = 0) -> Iterator[Problem]:
    """Refuse an input with too few good records (data rule 4)."""
    if good < guards.min_records:
        what = f"{good:,} good records, the job expects at least {guards.min_records:,}"
        do = "is the dump complete? pass --force min_records if it is"
        do = "none of the records is good: see why they were set aside" if read and not good else do
        yield Problem(what, "guards.min_records", do, "min_records")


def min_share_of_last(guards: Guards, dumps: Dumps) -> Iterator[Problem]:
    """Refuse files with much fewer good records each than those before them (data rules 4, 35).

    A file is compared with those of its name, whatever digits stand in it, of the last confirmed run that had any; a new
    name with all files of the last one.
    """
    share = guards.min_share_of_last
    if share is None or dumps.limited:
        return
    groups: dict[str, list[int]] = {}
    for facts in dumps.measured:
        groups.setdefault(_stem(facts.file.name), []).append(facts.good)
    for stem, counts in groups.items():
        before = _last_of(dumps.earlier, stem)
        if not before or Decimal(sum(counts)) / len(counts) >= Decimal(repr(share)) * sum(before) / len(before):
            continue
        name = f"{stem}: " if len(groups) > 1 else ""
        had = f"the last confirmed run had {_each(before)}, the job expects at least {share:.0%} of them"
        do = "is the dump complete? pass --force min_share_of_last if it is"
        yield Problem(
            f"{name}{_each(counts, ' good records')}, {had}", "guards.min_share_of_last", do, "min_share_of_last"
        )


def _stem(name: str) -> str:
    """Return the name of a file without its folder and compression, with `#` for digits: that of its day changes."""
    return re.sub(r"[0-9]+", "#", re.sub(r"\.(gz|zst|bz2|xz|zip)$", "", name.rpartition("/")[2], flags=re.IGNORECASE))


def _last_of(earlier: Sequence[EarlierFile], stem: str) -> list[int]:
    """Return the good records of the files of that stem in the newest run that has any, else of all in the newest run."""
    same = [one for one in earlier if _stem(one.name) == stem] or earlier
    return [one.good for one in same if one.run == same[0].run]


def _each(counts: Sequence[int], noun: str = "") -> str:
    if len(counts) == 1:
        return f"{counts[0]:,}{noun}"
    return f"{sum(counts) / len(counts):,.0f}{noun} a file"


def min_new_files(guards: Guards, dumps: Dumps) -> Iterator[Problem]:
    """Refuse fewer files than expected whose content this job has not confirmed before: a dump did not arrive."""
    least = guards.min_new_files
    if least is not None and dumps.new is not None and dumps.new < least:
        what = f"{dumps.new:,} files are new, the job expects at least {least:,}"
        do = "did the export run? pass --force min_new_files to go on with what is there"
        yield Problem(what, "guards.min_new_files", do, "min_new_files")


def max_age(guards: Guards, dumps: Dumps) -> Iterator[Problem]:
    """Refuse dumps of which the newest is too old: the export of last night may have failed."""
    most_s = guards.max_age
    if most_s is None or dumps.newest is None or dumps.started_at is None:
        return
    age = dumps.started_at - dumps.newest
    if age > timedelta(seconds=most_s):
        what = (
            f"the newest dump was written {_ago(age)} before the run, the job allows {_ago(timedelta(seconds=most_s))}"
        )
        do = "did the export run? pass --force max_age to send it all the same"
        yield Problem(what, "guards.max_age", do, "max_age")


def _ago(age: timedelta) -> str:
    hours = age.total_seconds() / 3600
    return f"{hours:,.0f} h" if hours >= 1 else f"{age.total_seconds():,.0f} s"
