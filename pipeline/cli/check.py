"""The command `check` (wiring)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli import COMMANDS, options
from pipeline.cli.output import refuse, tell

if TYPE_CHECKING:
    from pipeline.run.check import CheckResult


@click.command("check")
@options.job
@options.settings
@options.state_dir
@options.as_json
def command(job: Path, settings: tuple[str, ...], state_dir: Path | None, as_json: bool) -> int:  # noqa: ARG001
    """Check job file, schema, token, account and the live database, and name all problems at once."""
    from pipeline.config.read import read_job
    from pipeline.errors import JobError
    from pipeline.report.screen import marked, rendered
    from pipeline.report.summary import errors_of
    from pipeline.run.check import check, check_rest

    try:
        read = read_job(job, settings)
    except JobError as error:
        found = check_rest(error)
    else:
        found = check(read)
    text = rendered([marked((line.mark, line.text, line.do) for line in found.lines), "", _verdict(found, job)])
    if found.problems:
        if not as_json:
            click.echo(text, nl=False)
            return int(found.exit_code)
        return refuse(found.problems, found.exit_code, as_json=as_json)
    document = {
        "status": "done",
        "exit_code": 0,
        "job": read.job,
        "facts": list(found.facts),
        "warnings": errors_of(found.warnings),
    }
    return tell(document, text, as_json=as_json)


def _verdict(found: CheckResult, job: Path) -> str:
    """Return the last line: how many things are wrong, or the next command."""
    from pipeline.state.advice import command as command_line

    if found.problems:
        count = len(found.problems)
        return f"{count} thing{'s' * (count > 1)} to mend (exit {int(found.exit_code)})"
    return f"Next: {command_line('plan', job)}" if "plan" in COMMANDS else f"Next: {command_line('run', job)}"
