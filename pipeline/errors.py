"""The tree of errors that stop a run, each leaf with its exit code (pure).

A bad record is a reject and a refused chunk an outcome; neither is an exception. What is raised from here ends the
command, with one message per `Problem`: what happened, where, and what to do next.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of every command (docs/reference.md lists them for operators)."""

    OK = 0
    BUG = 1
    USAGE = 2
    JOB = 3
    INPUT = 4
    API = 5
    INCOMPLETE = 6
    LOCKED = 7
    INTERRUPTED = 130


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    `what` happened, `where` (file and line, column, key of the job file, URL without query; may be empty), and what to
    `do` about it, as a command or an edit. No token and no whole record ever stands in one; values are shortened by
    `shown`. `guard` is the one that refuses, by its name for `--force` (data rule 36); empty where no guard does.
    """

    what: str
    where: str = ""
    do: str = ""
    guard: str = ""

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        advice = f" ({self.do})" if self.do else ""
        return f"{place}{self.what}{advice}"


class PipelineError(Exception):
    """Stop the command with `exit_code` and one message per problem."""

    exit_code: Exit = Exit.BUG

    def __init__(self, *problems: Problem, summary: object = None) -> None:
        """`summary` is that of a run that had begun (`pipeline.Summary`); only the Python API sets it."""
        self.problems, self.summary = problems, summary
        super().__init__("; ".join(str(problem) for problem in problems))

    def __reduce__(self) -> tuple[type[PipelineError], tuple[Problem, ...]]:
        """Cross a process border with the problems, which the text of an exception would lose."""
        return type(self), self.problems


class UsageError(PipelineError):
    """Wrong words on the command line."""

    exit_code = Exit.USAGE


class JobError(PipelineError):
    """Job file, schema, `--set`, token or environment missing or wrong; nothing was read."""

    exit_code = Exit.JOB


class InputError(PipelineError):
    """The input was refused as a whole; nothing was sent."""

    exit_code = Exit.INPUT


class ApiRefusedError(PipelineError):
    """Refused before the first send: by the API (token, account, database, names, not reachable) or by a guard."""

    exit_code = Exit.API


class IncompleteError(PipelineError):
    """Stopped part way; the last problem's `do` is the next step."""

    exit_code = Exit.INCOMPLETE


class RunDamagedError(IncompleteError):
    """The staged rows of a run are missing, torn or not those that the ledger knows: it cannot go on."""


class LockedError(PipelineError):
    """Another run holds a lock."""

    exit_code = Exit.LOCKED


class InterruptedRunError(PipelineError):
    """Interrupted by the operator; what was sent until then is on record."""

    exit_code = Exit.INTERRUPTED


class AccountingError(PipelineError):
    """Break of the accounting sums: a bug of ours, never the operator's."""

    exit_code = Exit.BUG


def shown(value: object, most_chars: int = 40) -> str:
    """Quote a value for a message, shortened to `most_chars` characters, so that no whole record leaks."""
    return repr(shortened(str(value), most_chars))


def shortened(text: str, most_chars: int) -> str:
    """Return a text of at most `most_chars` characters, with … where it was cut."""
    return text if len(text) <= most_chars else text[: most_chars - 1] + "…"
