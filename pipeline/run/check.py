"""Check a job without sending anything: job file, schema, token, identity, live structure, all problems at once (wiring)."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from pipeline.config.environment import read_environment
from pipeline.config.read import FaultyJobError
from pipeline.errors import Exit, JobError, PipelineError, Problem
from pipeline.load.choice import choose
from pipeline.model.job import Job
from pipeline.report.metrics import textfile_problem
from pipeline.report.notify import address_problems
from pipeline.run.prepare import PreparedJob, prepare
from pipeline.run.target import LiveTarget, connected, meet
from pipeline.validate.fit import fit

T = TypeVar("T")


@dataclass(frozen=True)
class CheckResult:
    """What a check found. `facts` tell what was looked at and is right, in the order of looking."""

    exit_code: Exit
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    facts: tuple[str, ...]


class Checker:
    """Collect the problems of every part, so that one check shows all of them."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.facts: list[str] = []
        self._codes: list[Exit] = []

    def attempt(self, part: Callable[[], T]) -> T | None:
        """Do one part; a refusal is noted and None given."""
        try:
            return part()
        except PipelineError as error:
            self.note(error.exit_code, *error.problems)
            return None

    def note(self, code: Exit, *problems: Problem) -> None:
        """Note problems and the exit code that they mean."""
        self._codes.append(code)
        self.problems.extend(problems)

    def result(self) -> CheckResult:
        """Give everything found; where faults of the job and of the API meet, the job's code stands (design: exit 3)."""
        code = min(self._codes, default=Exit.OK)
        return CheckResult(code, tuple(self.problems), tuple(self.warnings), tuple(self.facts))


# The parts of a job file by which it is linked to its schema, and by which it finds its database.
_LINK = ("job", "schema", "columns", "constants", "ignore", "target", "source", "load")
_LIVE = ("target", "http")


def check(job: Job, environ: Mapping[str, str] = os.environ) -> CheckResult:
    """Check everything that a run would meet before it reads its first record."""
    checker = Checker()
    checker.facts.append(f"job file {job.path.name}: job {job.job}")
    _told(job, checker, environ)
    plan = _planned(job, checker)
    target = _met(job, checker, environ)
    return _held_together(job, plan, target, checker)


def _told(job: Job, checker: Checker, environ: Mapping[str, str]) -> None:
    """Check the addresses of notifications and the place of metrics; nobody is told anything."""
    problems = list(address_problems(job, environ))
    if job.metrics.textfile is not None:
        problem = textfile_problem(job.folder / job.metrics.textfile)
        problems += [] if problem is None else [problem]
    if problems:
        checker.note(Exit.JOB, *problems)
    elif job.notify != type(job.notify)():
        checker.facts.append("notify: every address can be read")


def check_rest(faulty: JobError, environ: Mapping[str, str] = os.environ) -> CheckResult:
    """Check what the faults of a job file do not touch, so that its schema, token and database are told with them."""
    checker = Checker()
    checker.note(faulty.exit_code, *faulty.problems)
    if isinstance(faulty, FaultyJobError) and faulty.rest is not None:
        plan = None if faulty.touches(*_LINK) else _planned(faulty.rest, checker)
        if not faulty.touches(*_LIVE):
            return _held_together(faulty.rest, plan, _met(faulty.rest, checker, environ), checker)
    checker.attempt(lambda: read_environment(environ))
    return checker.result()


def _planned(job: Job, checker: Checker) -> PreparedJob | None:
    plan = checker.attempt(lambda: prepare(job, None))
    if plan is not None:
        checker.facts.append(f"schema {plan.schema.name}: {len(plan.link.columns)} target columns")
        choice = checker.attempt(lambda: choose(job, plan.link.columns))
        if choice is not None:
            checker.facts.append(f"way: {choice.way} ({choice.reason})")
    return plan


def _held_together(job: Job, plan: PreparedJob | None, target: LiveTarget | None, checker: Checker) -> CheckResult:
    if plan is not None:
        live = None if target is None else target.live
        # Whoever validates knows what is wrong with the constants; the live fields bind them, too (data rule 12).
        checker.attempt(lambda: plan.validator(live))
    if target is None:
        return checker.result()
    checker.facts.append(f"token: account {target.identity.id} ({target.identity.name})")
    checker.facts.append(f"database: {target.database.name} ({target.database.id})")
    if plan is not None:
        found = fit(job, plan.schema, plan.link.columns, target.live)
        if found.problems:
            checker.note(Exit.API, *found.problems)
        checker.warnings.extend(found.warnings)
    return checker.result()


def _met(job: Job, checker: Checker, environ: Mapping[str, str]) -> LiveTarget | None:
    environment = checker.attempt(lambda: read_environment(environ))
    if environment is None:
        return None
    with connected(job, environment) as client:
        return checker.attempt(lambda: meet(client, job))
