"""Check the header of a CSV dump against the columns that the job knows (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from pipeline.errors import Problem
from pipeline.extract.refusal import listed
from pipeline.model.columns import Expected
from pipeline.model.rows import OURS

_OTHER_DELIMITERS = (",", ";", "\t", "|", ":")


def dump_columns(names: Sequence[str]) -> tuple[str, ...]:
    """Return the columns without those of ours."""
    return tuple(name for name in names if name not in OURS)


def header_problems(
    names: Sequence[str], expected: Expected, where: str, targets: Expected | None = None
) -> Iterator[Problem]:
    """Name what is wrong with a header: blank or double names, columns that are missing or not known (data rule 7).

    A column that is missing is not named where a blank or double name may well be meant for it. `targets` are the target
    columns, so that accepted rows without their origin are not taken for a dump with wrong names.
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
        yield Problem(what, where, _advice(names, expected, targets))
    known = {*expected.required, *expected.optional, *expected.ignored}
    unknown = [name for name in columns if name not in known and name.strip() and name not in double]
    if unknown:
        what = f"column not known to the job: {listed(dict.fromkeys(unknown))}"
        yield Problem(what, where, "name it under columns or ignore")


def _advice(names: Sequence[str], expected: Expected, targets: Expected | None) -> str:
    """Return what to do about missing columns: the delimiter that fits, or how files of ours are recognised."""
    wanted = set(expected.required)
    for delimiter in _OTHER_DELIMITERS:
        split = [name.strip('"') for name in delimiter.join(names).split(delimiter)] if len(names) == 1 else []
        if split and wanted <= set(split):
            shown = "tab" if delimiter == "\t" else repr(delimiter)
            return f"its columns fit with {shown} between them: set source.delimiter, or export it with yours"
    unlike = {_folded(name) for name in names} & {_folded(name) for name in wanted.difference(names)}
    if unlike:
        return "the names differ in case or outer blanks: write them in the job as the dump has them"
    own = (
        set() if targets is None else {*targets.required, *targets.optional} - {*expected.required, *expected.optional}
    ) & set(names)
    if own:
        return (
            f"{listed(sorted(own))}: names of Copernica; a dump that has them needs no line under columns for them, and a "
            "file that copernica-import wrote needs its last columns (_file, _line, _record …; accepted rows: --origin)"
        )
    return "see whether the delimiter is right, or rename the column in the job"


def _folded(name: str) -> str:
    return name.strip().casefold()
