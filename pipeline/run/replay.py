"""Run what an earlier run set aside, once it is mended, as a run of its own (wiring)."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from pipeline.config.read import read_job
from pipeline.errors import InputError, Problem
from pipeline.model.job import Job
from pipeline.report.progress import Reporter
from pipeline.report.summary import Summary
from pipeline.run.announce import Warn, announced
from pipeline.run.request import ReplayRequest, RunRequest
from pipeline.run.run import run
from pipeline.run.summarise import rest_of_add
from pipeline.state.find import find_newest, open_ledger
from pipeline.state.folder import RunFolder
from pipeline.state.run_records import RunRow

# What a run sets aside, in the order in which it is read again. Rows of an `add` that may have arrived are only taken
# where a person names their file (data rule 40).
SET_ASIDE = ("rejects.csv", "rejects.ndjson", "failed.csv", "open.csv")
UNKNOWN = "unknown.csv"


def replay(request: ReplayRequest, reporter: Reporter, warn: Warn) -> Summary:
    """Run the rows that a run set aside, by its job as the job file is now.

    Raises JobError where there is no such run, InputError where it set nothing aside.
    """
    with closing(open_ledger(request.state_dir)) as ledger:
        row = find_newest(ledger, request.run)
    job = job_of(row)
    files = request.files or tuple(map(str, set_aside(RunFolder(request.state_dir, row.id), job)))
    if not files:
        what, do = "this run has set nothing aside that could be run again", "name the mended file behind the run"
        unknown = RunFolder(request.state_dir, row.id).path / UNKNOWN
        if unknown.is_file():
            what = f"the rows of this add may be there already: {unknown}"
            do = rest_of_add(row.id, unknown, request.state_dir)
        raise InputError(Problem(what, f"run {row.id}", do))
    child = RunRequest(
        job=job,
        files=files,
        limit=None,
        forced=request.forced,
        state_dir=request.state_dir,
        wait_s=request.wait_s,
        replay_of=row.id,
    )
    return announced(job, request.state_dir, warn, lambda: run(child, reporter))


def job_of(row: RunRow) -> Job:
    """Return the run's job as its file is now, so that it may have been mended too, with its `--set`s; else as it ran."""
    then = Job.model_validate_json(row.job_copy)
    if not then.path.is_file():
        return then
    now = read_job(then.path, then.settings)
    if now.job != row.job:
        what = f"this is the job {now.job} now, and the run was of {row.job}"
        raise InputError(
            Problem(what, str(then.path), "name the file of this job anew, or run the rows by the other one")
        )
    return now


def set_aside(folder: RunFolder, job: Job) -> list[Path]:
    """List the files of a run whose rows may be run again, absolute."""
    names = SET_ASIDE if job.target.action == "add" else (*SET_ASIDE, UNKNOWN)
    return [path.absolute() for name in names if (path := folder.path / name).is_file()]
