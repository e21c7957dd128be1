"""Check the header of a CSV dump against the columns that the job knows (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from pipeline.errors import Problem
from pipeline.extract.refusal import listed
from pipeline.model.columns import Expected
from pipeline.model.rows import OURS

# A person who mends a rejects file may take out columns that say nothing; so many at its end make it one still.
LEAST_OURS = 3


def is_rejects_header(names: Sequence[str]) -> bool:
    """Say whether a file with this header is one that we wrote: a rejects file, failed.csv, or accepted rows with origin."""
    return len(names) >= LEAST_OURS and all(name in OURS for name in names[-LEAST_OURS:])


def raw_column(names: Sequence[str]) -> int | None:
    """Give the position of `_raw` among the columns of ours that end a header, whichever are left; None without it."""
    for at in reversed(range(len(names))):
        if names[at] == "_raw" or names[at] not in OURS:
            return at if names[at] == "_raw" else None
    return None


def dump_columns(names: Sequence[str]) -> tuple[str, ...]:
    """Give the columns without those of a rejects file."""
    return tuple(name for name in names if name not in OURS)


def header_problems(names: Sequence[str], expected: Expected, where: str) -> Iterator[Problem]:
    """Name what is wrong with a header: blank or double names, columns that are missing or not known (data rule 7).

    A column that is missing is not named where a blank or double name may well be meant for it.
    """
    blank = [str(at) for at, name in enumerate(names, 1) if not name.strip()]
    if blank:
        yield Problem(f"the header has no name for column {listed(blank)}", where, "name every column")
    double = [name for name, count in Counter(names).items() if count > 1 and name.strip()]
    if double:
        yield Problem(f"the header has a column twice: {listed(double)}", where, "give every column a name of its own")
    columns = dump_columns(names)
    there = set(columns)
    missing = [name for name in expected.required if name not in there]
    if missing and not blank and not double:
        what = f"column missing: {listed(missing)}; there are {listed(columns)}"
        yield Problem(what, where, "see whether the delimiter is right, or rename the column in the job")
    known = {*expected.required, *expected.optional, *expected.ignored}
    unknown = [name for name in columns if name not in known and name.strip() and name not in double]
    if unknown:
        what = f"column not known to the job: {listed(dict.fromkeys(unknown))}"
        yield Problem(what, where, "name it under columns or ignore")
