"""The command `check` (wiring)."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli import options
from pipeline.cli.output import refuse, tell


@click.command("check")
@options.job
@options.settings
@options.state_dir
@options.as_json
def command(job: Path, settings: tuple[str, ...], state_dir: Path | None, as_json: bool) -> int:  # noqa: ARG001
    """Check job file, schema, token, account and the live database, and name all problems at once."""
    from pipeline.config.read import read_job
    from pipeline.errors import JobError
    from pipeline.report.summary import errors_of
    from pipeline.run.check import check, check_rest

    try:
        read = read_job(job, settings)
    except JobError as error:
        found = check_rest(error)
        return refuse(found.problems, found.exit_code, as_json=as_json)
    found = check(read)
    if found.problems:
        return refuse(found.problems, found.exit_code, as_json=as_json)
    document = {
        "status": "done",
        "exit_code": 0,
        "job": read.job,
        "facts": list(found.facts),
        "warnings": errors_of(found.warnings),
    }
    lines = [f"ok: {fact}" for fact in found.facts] + [f"warning: {warning}" for warning in found.warnings]
    return tell(document, "\n".join(lines) + "\n", as_json=as_json)
