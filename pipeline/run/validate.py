"""Extract and validate only, without network (wiring)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import polars as pl

from pipeline.errors import InputError
from pipeline.guards import Dumps
from pipeline.model.rows import Batch
from pipeline.report.accepted import AcceptedWriter
from pipeline.report.progress import Reporter
from pipeline.report.rejects import RejectsWriter
from pipeline.report.summary import Summary
from pipeline.run.engine.terms import Terms
from pipeline.run.intake import take_in
from pipeline.run.prepare import PreparedJob, prepare
from pipeline.run.request import ValidateRequest
from pipeline.run.result import Tally
from pipeline.run.stages import check_guards
from pipeline.run.summarise import summarise_validation


def validate(request: ValidateRequest, reporter: Reporter) -> Summary:
    """Extract and validate only, without network (data rule 2).

    The rejects file is written whatever the guards find, so that it can be mended; accepted rows only where they hold.
    """
    started_s = time.monotonic()
    plan = prepare(request.job, request.files)
    tally = Tally()
    rejects = RejectsWriter(request.rejects)
    terms = Terms(request.limit, keeps_rows=request.accepted is not None)
    try:
        with accepted_writer(request, plan) as keep:
            with rejects:
                tally.intake = take_in(plan, None, rejects, keep, reporter, terms)
            tally.staged.accepted = tally.intake.valid
            check_guards(plan.job, tally, frozenset(), Dumps(limited=request.limit is not None))
    except InputError as error:
        tally.refusal = error
    return summarise_validation(plan.job, tally, rejects.path, time.monotonic() - started_s)


@contextmanager
def accepted_writer(request: ValidateRequest, plan: PreparedJob) -> Iterator[Callable[[Batch, pl.DataFrame], None]]:
    """Yield the writer of accepted rows: to a file that appears when the block ends well, or to nowhere."""
    if request.accepted is None:
        yield lambda _batch, _rows: None
        return
    with AcceptedWriter(request.accepted, plan.link.columns, origin=request.origin) as writer:
        yield writer.write
