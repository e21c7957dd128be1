"""Take one part of the input in: extract, link and validate it, its batches in files (wiring; runs in any process)."""

from __future__ import annotations

from dataclasses import replace

from pipeline.errors import JobError, Problem
from pipeline.run.engine.check import Check
from pipeline.run.engine.parts import Outcome, Part, Work, write_batch
from pipeline.run.prepare import PreparedJob, prepare

# The last work that this process had: the parts of a run come one after another.
_known: list[tuple[Work, PreparedJob, Check]] = []


def take_part(work: Work, part: Part) -> Outcome:
    """Read a part and write its checked batches; refusals are part of the outcome.

    Raises JobError where the schema cannot be loaded or the folder of the batches is not seen here, OSError where it cannot be
    written.
    """
    plan, check = _prepared(work)
    if not work.folder.is_dir():
        what = "a worker does not see the folder of the run's batches"
        do = "name storage in state.staged_dir that the coordinator and all workers see under one path"
        raise JobError(Problem(what, str(work.folder), do))
    extraction = replace(plan, files=(part.file,)).extraction()
    written = 0
    for written, batch in enumerate(extraction.read(part.file, part.piece), 1):
        write_batch(work, part.number, written - 1, check(batch))
    return Outcome(written, extraction.records, extraction.facts, extraction.problems)


def _prepared(work: Work) -> tuple[PreparedJob, Check]:
    if not _known or _known[0][0].folder != work.folder:
        plan = prepare(work.job, None)
        _known[:] = [(work, plan, Check(plan, work.live))]
    return _known[0][1:]
