"""Notify people, services for pings and Prometheus of the start and the end of a run (wiring)."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipeline.errors import Exit, PipelineError, Problem
from pipeline.log import get_logger
from pipeline.model.job import Job
from pipeline.report.metrics import write_metrics
from pipeline.report.notify import Event, Message, notify
from pipeline.report.summary import Summary
from pipeline.state.find import open_ledger
from pipeline.state.last import last_of, remember

Warn = Callable[[Problem], None]


@dataclass
class Announcer:
    """Announce the runs of one job; what cannot be sent goes to `warn`, and never fails the run."""

    job: Job
    state_dir: Path
    warn: Warn
    environ: Mapping[str, str]

    def around(self, work: Callable[[], Summary]) -> Summary:
        """Do the work between its start and its end; what it raises is announced and raised on."""
        self._notify("start", Message(f"{self.job.job}: started"))
        ended = Exit.BUG, Message(f"{self.job.job}: stopped by a bug (exit 1)")
        try:
            summary = work()
            ended = Exit(summary.exit_code), _of_summary(summary)
            self._notify_rejects(summary, ended[1])
            return summary
        except PipelineError as error:
            ended = error.exit_code, _of_refusal(self.job, error)
            raise
        except KeyboardInterrupt:
            ended = Exit.INTERRUPTED, Message(f"{self.job.job}: interrupted (exit 130)")
            raise
        finally:
            self._end(*ended)

    def _end(self, exit_code: Exit, message: Message) -> None:
        before = last_of(self.state_dir, self.job.job)
        remember(self.state_dir, self.job.job, int(exit_code), datetime.now(UTC).isoformat(timespec="seconds"))
        self._notify("success" if exit_code is Exit.OK else "failure", message)
        if exit_code is Exit.OK and before is not None and before.exit_code != Exit.OK:
            title = f"{message.title}; the run before ended with exit {before.exit_code}"
            self._notify("recovery", Message(title, message.body))
        if self.job.metrics.textfile is not None:
            problem = write_metrics(self.job.folder / self.job.metrics.textfile, self.state_dir)
            self._warn([] if problem is None else [problem])

    def _notify_rejects(self, summary: Summary, message: Message) -> None:
        """Notify of a run that is done but has set aside more than `notify.rejects_over`."""
        limit, records = self.job.notify.rejects_over, summary.records
        bad = records.malformed + records.rejected
        if limit is not None and summary.exit_code == Exit.OK and not limit.allows(bad, records.read):
            title = f"{self.job.job}: {bad:,} of {records.read:,} records were set aside"
            self._notify("failure", Message(title, f"{message.title}\n{message.body}"))

    def _notify(self, event: Event, message: Message) -> None:
        self._warn(notify(self.job, event, message, self.environ))

    def _warn(self, problems: list[Problem]) -> None:
        for problem in problems:
            get_logger().warning("notify.failed", where=problem.where, what=problem.what)
            self.warn(problem)


def announced(job: Job, state_dir: Path, warn: Warn, work: Callable[[], Summary]) -> Summary:
    """Do the work of a job as a run that is announced as its job file asks."""
    return Announcer(job, state_dir, warn, os.environ).around(work)


def announced_again(run: str, state_dir: Path, warn: Warn, work: Callable[[], Summary]) -> Summary:
    """Do more work on a run as `announced`, by its job as it ran; an unknown run is left for the work itself to refuse."""
    try:
        with closing(open_ledger(state_dir)) as ledger:
            row = ledger.run(run)
    except PipelineError:
        row = None
    return work() if row is None else announced(Job.model_validate_json(row.job_copy), state_dir, warn, work)


def _of_summary(summary: Summary) -> Message:
    details = [str(problem) for problem in summary.problems[:20]]
    details += [summary.go_on] if summary.go_on else []
    details += [f"report: {summary.report.absolute()}"] if summary.report else []
    return Message(summary.line(), "\n".join(details))


def _of_refusal(job: Job, error: PipelineError) -> Message:
    title = f"{job.job}: refused (exit {int(error.exit_code)}): nothing was sent"
    return Message(title, "\n".join(str(problem) for problem in error.problems[:20]))
