"""Undo a run: show what would come back, then bring it back as a run of its own (wiring; data rule 45)."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from pipeline.errors import JobError, Problem
from pipeline.model.columns import Sets
from pipeline.model.counts import Intake
from pipeline.model.files import FileFacts, SourceFile
from pipeline.model.job import Job
from pipeline.report.progress import Reporter
from pipeline.report.summary import Summary
from pipeline.run.announce import Warn, announced
from pipeline.run.closing import end
from pipeline.run.context import Context, RunId
from pipeline.run.earlier import refuse_moved
from pipeline.run.opening import opened
from pipeline.run.request import RunRequest, UndoRequest
from pipeline.run.run import bound, enter
from pipeline.run.stages import Stages
from pipeline.run.undo.look import Findings, look
from pipeline.run.undo.record import write_undo
from pipeline.run.undo.rows import rows_of, sets_of, undo_job
from pipeline.stage.manifest import Manifest
from pipeline.stage.partitions import paired
from pipeline.stage.settle import Rules
from pipeline.state.advice import command, job_command
from pipeline.state.before import Before
from pipeline.state.find import find_newest
from pipeline.state.folder import RunFolder
from pipeline.state.ledger import Ledger
from pipeline.state.run_records import RunRow, RunState

# Beside the values from before, and deleted with them.
WORK = "before-undo"
_ROW_BYTES = 200


@dataclass(frozen=True)
class Undone:
    """How an undo ended: the run that is undone, what was found (None: it sent nothing), the summary of what was done.

    `nothing` means that nothing was left to be done.
    """

    row: RunRow
    found: Findings | None
    summary: Summary | None = None
    nothing: bool = False


@dataclass(frozen=True)
class Person:
    """Who undoes: is shown what was found, and asked."""

    shows: Callable[[RunRow, Findings], None]
    agrees: Callable[[Findings], bool]
    warn: Warn


def undo(request: UndoRequest, reporter: Reporter, person: Person) -> Undone:
    """Undo a run; without `request.yes` only if `person` agrees. Raises JobError for a run that cannot be undone."""
    with (
        opened(request.state_dir, reporter, request.wait_s) as call,
        call.holding(find_newest(call.ledger, request.run)) as row,
    ):
        job = Job.model_validate_json(row.job_copy)
        problem = refusal(call.ledger, row, job)
        if problem is not None:
            raise JobError(problem)
        if not call.ledger.sent_anything(row.id):
            return Undone(row, None, nothing=True)
        with call.meeting(row) as context:
            refuse_moved(row, context.target)
            return looked_and_done(context, row, job, request, person)


def refusal(ledger: Ledger, row: RunRow, job: Job) -> Problem | None:
    """Return why a run cannot be undone, None where it can."""
    where, state_dir = f"run {row.id}", ledger.state_dir
    by_hand = f"mend the dump and run it again: {job_command('run', job, state_dir=state_dir)}"
    if ledger.undoes(row.id) is not None:
        return Problem("this run is an undo itself", where, by_hand)
    if row.state is RunState.PLANNED:
        return Problem("this run is a plan: it has sent nothing", where, "name a run")
    going = ledger.undone_by(row.id)
    for one in (row, None if going is None else ledger.run(going)):
        if one is not None and one.open:
            finish = command("resume", one.id, state_dir=state_dir)
            what = "this run is open" if one is row else "an undo of this run is open"
            return Problem(what, f"run {one.id}", f"finish it (or close it): {finish}")
    if not ledger.sent_anything(row.id):
        return None
    if not job.load.before:
        do = f"set load.before: true in {row.job_file} for the runs to come; for this one {by_hand}"
        return Problem("this run did not keep the values from before (load.before)", where, do)
    if not Before(RunFolder(state_dir, row.id).path).kept:
        return Problem("the values from before this run are gone (state.keep_before)", where, by_hand)
    return None


def looked_and_done(context: Context, row: RunRow, job: Job, request: UndoRequest, person: Person) -> Undone:
    """Look and ask; then look once more under the database's lock, and do it."""
    ledger = context.ledger
    work = RunFolder(ledger.state_dir, row.id).path / WORK
    try:
        if not request.yes:
            found = look(context, row, work)
            person.shows(row, found)
            if _is_done(ledger, row, found) or not person.agrees(found):
                return Undone(row, found, nothing=_is_done(ledger, row, found))
        with context.lock:
            found = look(context, row, work)
            if request.yes:
                person.shows(row, found)
            if _is_done(ledger, row, found):
                return Undone(row, found, nothing=True)
            summary = announced(job, ledger.state_dir, person.warn, lambda: _do(context, row, job, found, request))
            return Undone(row, found, summary)
    finally:
        for folder in (path for path in work.glob("*") if path.is_dir()):
            shutil.rmtree(folder, ignore_errors=True)


def _is_done(ledger: Ledger, row: RunRow, found: Findings) -> bool:
    """Return whether nothing is left to be done: what the run made and took was listed by an earlier undo."""
    return found.nothing or (not found.rows and ledger.undone_by(row.id) is not None)


def _do(context: Context, row: RunRow, job: Job, found: Findings, request: UndoRequest) -> Summary:
    """Bring back what was found, as a run of its own."""
    sets = sets_of(found.terms, found.fields, empties=found.empties)
    own = undo_job(job, sets, empties=found.empties)
    ledger, name = context.ledger, f"undo of {row.id}"
    folder = enter(RunRequest(own, (name,), None, request.forced, request.state_dir), ledger)
    file = SourceFile(folder.path / "undo.csv", name, 0, 0, 0)
    ledger.found(folder.run, [file])
    choice = bound(ledger, folder.run, own, sets.columns, context.target)
    run_id = RunId(folder.run, own, (file,), None, request.forced, folder, choice, choice.method, own_files=False)
    _keep_lists(found, folder, row)
    stages = Stages(context, run_id)
    stages.notes.begin()
    with stages.guarded():
        manifest = _staged(found, stages, sets, file)
        stages.take_up(manifest)
        stages.notes.starts()
        loader = stages.guard(manifest)
        ledger.undo(row.id, folder.run)
        context.register.unload(row.id)
        stages.load(loader)
        stages.verify()
    return end(stages)


def _keep_lists(found: Findings, folder: RunFolder, row: RunRow) -> None:
    """Move the lists to the undo's own folder, and keep what they count."""
    for path in sorted(found.lists.glob("*.csv")):
        path.replace(folder.path / path.name)
    found.lists = folder.path
    write_undo(folder, {"run": row.id, **found.counts()})


def _staged(found: Findings, stages: Stages, sets: Sets, file: SourceFile) -> Manifest:
    """Stage the rows to restore; nothing is read for it but what was judged."""
    rules = Rules.of(stages.id.job.target, sets)
    stager = stages.stager(rules, found.rows * _ROW_BYTES)
    rows = 0
    for frames in _frames(found):
        made = rows_of(frames, sets, rules.keys, rows + 1)
        rows += made.height
        stager.add(made)
    stager.finish()
    facts = FileFacts(file, "", rows, rows, 0, 0, 0, rows, rows)
    manifest = Manifest(sets, Intake(valid=rows, facts=(facts,)), stager.staged, stager.sampler.chosen(), None)
    manifest.write(stages.id.folder.staged)
    return manifest


def _frames(found: Findings) -> Iterator[Mapping[str, pl.DataFrame | None]]:
    names = list(found.restore)
    for frames in paired(*found.restore.values()) if names else ():
        yield dict(zip(names, frames, strict=True))
