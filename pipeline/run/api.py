"""Run, validate and check jobs from Python: what `pipeline` offers to other programs (wiring).

A refusal is always an exception with its exit code and problems, whenever it happens: `run_job` returns a summary only
where rows may have been sent (exit 0, 6 and 130).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import get_args

from pipeline.config.environment import known_secrets
from pipeline.config.read import read_job
from pipeline.errors import (
    AccountingError,
    ApiRefusedError,
    Exit,
    InputError,
    JobError,
    LockedError,
    PipelineError,
    Problem,
    UsageError,
)
from pipeline.log import invocation
from pipeline.model.job import Job
from pipeline.report.progress import Reporter
from pipeline.report.summary import Summary
from pipeline.run.announce import announced
from pipeline.run.check import CheckResult, check, check_rest
from pipeline.run.request import Guard, RunRequest, ValidateRequest
from pipeline.run.run import run
from pipeline.run.validate import validate
from pipeline.state import STATE_FOLDER

AnyJob = Job | str | os.PathLike[str]
Files = Sequence[str | os.PathLike[str]]
# Called with the name of a stage, how much of it is done, and all of it: rows or bytes, None where that is not known.
OnProgress = Callable[[str, int, int | None], None]

_ERRORS: Mapping[int, type[PipelineError]] = {
    Exit.JOB: JobError,
    Exit.INPUT: InputError,
    Exit.API: ApiRefusedError,
    Exit.LOCKED: LockedError,
    Exit.BUG: AccountingError,
}


def run_job(
    job: AnyJob,
    files: Files | None = None,
    *,
    token: str | None = None,
    state_dir: str | os.PathLike[str] | None = None,
    limit: int | None = None,
    force: Collection[str] = (),
    on_progress: OnProgress | None = None,
) -> Summary:
    """Do the whole job, as the command `run` does; `files` replace the job's own, `force` names guards to override.

    `token` replaces COPERNICA_TOKEN, `state_dir` the folder `.copernica-import` beside the job file. Returns the summary of
    a run that has sent rows, or had none to send: look at its `exit_code`. Raises PipelineError (JobError, InputError,
    ApiRefusedError, LockedError) where it was refused before the first row was sent; the error has `exit_code`,
    `problems` and, of a run that had begun, `summary`.
    """
    with _called(token) as environ:
        read = _read(job)
        folder = Path(state_dir) if state_dir is not None else read.folder / STATE_FOLDER
        request = RunRequest(read, _names(files), _limit(limit), _guards(force), folder.absolute())
        work = partial(run, request, Reporter(quiet=True, on_progress=on_progress), environ)
        # What cannot be notified is in the log.
        return _unless_refused(announced(read, request.state_dir, lambda _: None, work))


def validate_job(
    job: AnyJob,
    files: Files | None = None,
    *,
    accepted: str | os.PathLike[str] | None = None,
    rejects: str | os.PathLike[str] | None = None,
    origin: bool = False,
    on_progress: OnProgress | None = None,
) -> Summary:
    """Read and check the dumps, as the command `validate` does; needs no token and no network.

    `accepted` and `rejects` are files to write, .csv or .ndjson; `origin` adds `_file, _line, _record` to accepted rows.
    Raises PipelineError as `run_job`; the rejects file is written all the same.
    """
    with _called(None):
        request = ValidateRequest(_read(job), _names(files), _table(accepted), _table(rejects), origin)
        return _unless_refused(validate(request, Reporter(quiet=True, on_progress=on_progress)))


def check_job(job: AnyJob, *, token: str | None = None) -> CheckResult:
    """Check job file, schema, token, account and the live database, as the command `check` does; sends nothing.

    Returns the facts and warnings. Raises PipelineError with all problems at once.
    """
    with _called(token) as environ:
        try:
            found = check(_read(job), environ)
        except JobError as error:
            found = check_rest(error, environ)
    if found.problems:
        raise _ERRORS[found.exit_code](*found.problems)
    return found


@contextmanager
def _called(token: str | None) -> Iterator[Mapping[str, str]]:
    """Send the log to the caller's logging, and yield the environment with this token."""
    environ = {**os.environ, **({} if token is None else {"COPERNICA_TOKEN": token})}
    with invocation(known_secrets(environ)):
        yield environ


def _unless_refused(summary: Summary) -> Summary:
    """Return a summary, or raise it where the run was refused."""
    if summary.status != "refused":
        return summary
    raise _ERRORS[int(summary.exit_code)](*summary.problems, summary=summary)


def _read(job: AnyJob) -> Job:
    return job if isinstance(job, Job) else read_job(Path(job))


def _names(files: Files | None) -> tuple[str, ...]:
    if isinstance(files, str | os.PathLike):
        files = [files]
    return tuple(os.fspath(file) for file in files or ())


def _limit(limit: int | None) -> int | None:
    if limit is not None and limit < 1:
        raise UsageError(Problem(f"a limit of {limit} rows takes none", "limit", "give 1 or more, or None"))
    return limit


def _guards(force: Collection[str]) -> frozenset[str]:
    known = get_args(Guard)
    wrong = [name for name in ([force] if isinstance(force, str) else force) if name not in known]
    if wrong:
        raise UsageError(Problem(f"there is no guard {wrong[0]!r}", "force", f"one of {', '.join(known)}"))
    return frozenset([force] if isinstance(force, str) else force)


def _table(path: str | os.PathLike[str] | None) -> Path | None:
    if path is not None and Path(path).suffix not in (".csv", ".ndjson"):
        raise UsageError(Problem(f"{os.fspath(path)!r} ends neither in .csv nor in .ndjson", "", "name it so"))
    return None if path is None else Path(path)
