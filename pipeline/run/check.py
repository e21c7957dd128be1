"""Check a job without sending anything: job file, schema, dumps, token, database, all problems at once (wiring)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from pipeline.config.environment import read_environment
from pipeline.config.read import FaultyJobError
from pipeline.copernica import Client, Database
from pipeline.errors import Exit, JobError, PipelineError, Problem
from pipeline.extract import look_for
from pipeline.guards.keys import MOST_UNINDEXED_PROFILES, without_index
from pipeline.load.choice import choose
from pipeline.model.columns import LiveField
from pipeline.model.job import Job
from pipeline.report.metrics import textfile_problem
from pipeline.report.notify import address_problems
from pipeline.run.first_records import read_first
from pipeline.run.prepare import PreparedJob, prepare
from pipeline.run.target import LiveTarget, asked, connected, meet
from pipeline.state.host import host_dir, host_warnings
from pipeline.validate.fit import fit

T = TypeVar("T")
Mark = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Line:
    """One line of what was checked: its mark, what was found, and what to do about it."""

    mark: Mark
    text: str
    do: str = ""


@dataclass(frozen=True)
class CheckResult:
    """What a check found: `lines` in the order in which it looked, with the problems and warnings among them."""

    exit_code: Exit
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    lines: tuple[Line, ...]

    @property
    def facts(self) -> tuple[str, ...]:
        """Return what was looked at and is right."""
        return tuple(line.text for line in self.lines if line.mark == "ok")


class Checker:
    """Collect what every part finds, so that one check shows all of it."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.lines: list[Line] = []
        self._codes: list[Exit] = []

    def attempt(self, part: Callable[[], T]) -> T | None:
        """Do one part; a refusal is noted and None returned."""
        try:
            return part()
        except PipelineError as error:
            self.note(error.exit_code, *error.problems)
            return None

    def ok(self, text: str) -> None:
        """Note what is right."""
        self.lines.append(Line("ok", text))

    def warn(self, *warnings: Problem) -> None:
        """Note what a person should know, and what does not stop a run."""
        self.warnings.extend(warnings)
        self.lines += [Line("warning", _words(problem), problem.do) for problem in warnings]

    def note(self, code: Exit, *problems: Problem) -> None:
        """Note problems and the exit code that they mean."""
        if problems:
            self._codes.append(code)
        self.problems.extend(problems)
        self.lines += [Line("problem", _words(problem), problem.do) for problem in problems]

    def result(self) -> CheckResult:
        """Return everything found; where faults of the job and of the API meet, the job's code stands (design: exit 3)."""
        code = min(self._codes, default=Exit.OK)
        return CheckResult(code, tuple(self.problems), tuple(self.warnings), tuple(self.lines))


def _words(problem: Problem) -> str:
    return f"{problem.where}: {problem.what}" if problem.where else problem.what


# The parts of a job file by which it is linked to its schema, and by which it finds its database.
_LINK = ("job", "schema", "columns", "constants", "ignore", "target", "source", "load")
_LIVE = ("target", "http")


def check(job: Job, environ: Mapping[str, str] = os.environ) -> CheckResult:
    """Check everything that a run would meet, with the first records of each dump."""
    checker = Checker()
    checker.ok(f"job file {job.path.name}: job {job.job}")
    _notified(job, checker, environ)
    plan = _planned(job, checker)
    with _met(job, checker, environ) as target:
        live = None if target is None else target.live
        # Whoever validates knows what is wrong with the constants; the live fields bind them, too (data rule 12).
        can_read = plan is not None and checker.attempt(lambda: plan.validator(live)) is not None
        _together(job, plan, target, checker)
        if plan is not None and can_read:
            _first_records(plan, live, checker)
    _shared_folder(checker, environ)
    return checker.result()


def _shared_folder(checker: Checker, environ: Mapping[str, str]) -> None:
    """Name the folder in which the runs of this host meet (data rule 38), and what is wrong with it."""
    warnings = checker.attempt(lambda: host_warnings(environ))
    if warnings is not None:
        checker.ok(f"registers and locks of databases: {host_dir(environ)}")
        checker.warn(*warnings)


def _notified(job: Job, checker: Checker, environ: Mapping[str, str]) -> None:
    """Check the addresses of notifications and the place of metrics; nobody is notified."""
    problems = list(address_problems(job, environ))
    if job.metrics.textfile is not None:
        problem = textfile_problem(job.folder / job.metrics.textfile)
        problems += [] if problem is None else [problem]
    if problems:
        checker.note(Exit.JOB, *problems)
    elif job.notify != type(job.notify)():
        checker.ok("notify: every address can be read")


def check_rest(faulty: JobError, environ: Mapping[str, str] = os.environ) -> CheckResult:
    """Check what the faults of a job file do not touch, so that its schema, token and database are reported with them."""
    checker = Checker()
    checker.note(faulty.exit_code, *faulty.problems)
    if isinstance(faulty, FaultyJobError) and faulty.rest is not None:
        plan = None if faulty.touches(*_LINK) else _planned(faulty.rest, checker)
        if not faulty.touches(*_LIVE):
            with _met(faulty.rest, checker, environ) as target:
                if plan is not None:
                    checker.attempt(lambda: plan.validator(None if target is None else target.live))
                _together(faulty.rest, plan, target, checker)
            return checker.result()
    checker.attempt(lambda: read_environment(environ))
    return checker.result()


def _planned(job: Job, checker: Checker) -> PreparedJob | None:
    plan = checker.attempt(lambda: prepare(job, None))
    if plan is not None:
        checker.ok(f"schema {plan.schema.name}: {len(plan.link.columns)} target columns")
        choice = checker.attempt(lambda: choose(job, plan.link.columns))
        if choice is not None:
            checker.ok(f"method: {choice.method} ({choice.reason})")
    return plan


@contextmanager
def _met(job: Job, checker: Checker, environ: Mapping[str, str]) -> Iterator[LiveTarget | None]:
    """Yield the target, with its client open for the block; None where it cannot be met."""
    environment = checker.attempt(lambda: read_environment(environ))
    if environment is None:
        yield None
        return
    with connected(job, environment) as client:
        yield checker.attempt(lambda: meet(client, job, patient=False))


def _together(job: Job, plan: PreparedJob | None, target: LiveTarget | None, checker: Checker) -> None:
    """Compare job and schema with the live structure."""
    if target is None:
        return
    checker.ok(f"token: account {target.identity.id} ({target.identity.name})")
    checker.ok(f"database: {target.database.name} ({target.database.id})")
    if plan is None:
        return
    found = fit(job, plan.schema, plan.link.columns, target.live)
    checker.note(Exit.API, *found.problems)
    checker.warn(*found.warnings)
    if not found.problems:
        checker.ok(f"fields: all {len(plan.link.columns)} target columns are there, with types that fit")
        unindexed = checker.attempt(lambda: tuple(_unindexed(job, target.client, target.database)))
        for problem in unindexed or ():
            if problem.guard:
                checker.note(Exit.API, problem)
            else:
                checker.warn(problem)


def _unindexed(job: Job, client: Client, database: Database) -> Iterator[Problem]:
    """Name keys without an index: a run refuses one of the profile in a large database, and warns else (data rule 35)."""
    if job.target.action == "add":
        return
    plain = list(without_index(database, job.target.key_fields))
    if not plain:
        return
    count = asked("the count of profiles", lambda: client.count(database), "see the rights of the token")
    for name in plain:
        what = f"the key {name} has no index; the database holds {count:,} profiles"
        refused = count > MOST_UNINDEXED_PROFILES and "." not in name
        guard = "key_without_index" if refused else ""
        yield Problem(what, "target.key_fields", "let the field be indexed in Copernica", guard)


def _first_records(plan: PreparedJob, live: Mapping[str, LiveField] | None, checker: Checker) -> None:
    """Read the first records of each dump; one that has not arrived yet is no fault of the job."""
    files, problems = look_for(plan.job.source.files, plan.job.folder)
    for problem in problems:
        if os.path.lexists(plan.job.folder / problem.where):
            checker.note(Exit.INPUT, problem)
        else:
            checker.warn(problem)
    for file in files:
        found = read_first(replace(plan, files=(file,)), live)
        checker.note(Exit.INPUT, *found.refusals)
        checker.warn(*found.warnings)
        if found.good:
            checker.ok(found.good)
