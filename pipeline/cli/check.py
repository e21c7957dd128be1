"""The command `check` (wiring)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli import options
from pipeline.cli.output import answer, refuse

if TYPE_CHECKING:
    from pipeline.run.check import CheckResult


@click.command("check")
@options.job
@options.of_job
def command(job: Path, settings: tuple[str, ...], state_dir: Path | None, as_json: bool) -> int:
    """Check job file, schema, token, account and the live database, and name all problems at once."""
    from pipeline.config.read import read_job
    from pipeline.errors import JobError
    from pipeline.report.screen import marked, rendered
    from pipeline.report.summary import errors_of
    from pipeline.run.check import check, check_rest
    from pipeline.state.advice import job_command

    try:
        read = read_job(job, settings)
    except JobError as error:
        found, last = check_rest(error), ""
    else:
        found, last = check(read), f"Next: {job_command('plan', read, state_dir=state_dir)}"
    verdict = _wrong(found) if found.problems else last
    text = rendered([marked((line.mark, line.text, line.do) for line in found.lines), "", verdict])
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
    return answer(document, text, as_json=as_json)


def _wrong(found: CheckResult) -> str:
    """Return the last line of a check that has found something."""
    count = len(found.problems)
    return f"{count} thing{'s' * (count > 1)} to mend (exit {int(found.exit_code)})"
