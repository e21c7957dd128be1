"""Check the constants of a job as data is checked, once per run (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from pipeline.errors import Problem
from pipeline.model.columns import FieldSpec, LiveField
from pipeline.model.job import Job
from pipeline.validate.checks import SchemaChecks
from pipeline.validate.limits import live_faults, too_long
from pipeline.validate.parse import Parsed, Parser


def read_constants(
    job: Job,
    specs: Sequence[FieldSpec],
    parsers: Mapping[str, Parser],
    checks: SchemaChecks | None,
    live: Mapping[str, LiveField],
) -> tuple[dict[str, Parsed], list[Problem]]:
    """Parse and check the job's constants by the words of `source`; give the good ones with all that is wrong with others.

    A good one is a column of one value. The schema's checks see those constants in which nothing else was found, so that
    each fault is named once (data rules 10 to 13).
    """
    good: dict[str, Parsed] = {}
    problems: list[Problem] = []
    for spec in specs:
        if spec.name not in job.constants:
            continue
        written = job.constants[spec.name]
        parsed = parsers[spec.name](
            pl.Series([None if written in ("", *job.source.null_values) else written], dtype=pl.String)
        )
        text = parsed.text if spec.empty is None else parsed.text.fill_null(spec.empty)
        bad = (
            parsed.bad,
            _blank(parsed, spec),
            too_long(text, spec.max_length),
            live_faults(text, live.get(spec.name)),
        )
        wrong = [problem for one in bad for problem in _problems(spec.name, one)]
        if not wrong:
            good[spec.name] = Parsed(text, parsed.typed)
        problems += wrong
    if checks is not None and good:
        problems += _check(good, specs, checks)
    return good, problems


def _blank(parsed: Parsed, spec: FieldSpec) -> pl.DataFrame | None:
    if spec.nullable or spec.empty is not None or parsed.bad is not None or parsed.text.null_count() == 0:
        return None
    return pl.DataFrame({"message": ["the value is empty, and the schema does not allow that"]})


def _check(found: Mapping[str, Parsed], specs: Sequence[FieldSpec], checks: SchemaChecks) -> Iterator[Problem]:
    """Run the schema's checks over one row that holds the constants alone; nulls are never blamed."""
    empty = {spec.name: pl.Series([None], dtype=spec.dtype) for spec in specs}
    typed = pl.DataFrame({**empty, **{name: constant.typed for name, constant in found.items()}})
    carried = {spec.collection: pl.Series([True]) for spec in specs if spec.collection}
    faults = checks.faults(typed, carried)
    for name in found:
        yield from _problems(name, faults.filter(pl.col("column") == name))


def _problems(name: str, bad: pl.DataFrame | None) -> Iterator[Problem]:
    if bad is not None and bad.height:
        yield Problem(str(bad["message"][0]), f"constants.{name}", "mend the constant; it is checked as data is")
