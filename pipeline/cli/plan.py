"""The command `plan` (wiring)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from pipeline.cli import options
from pipeline.cli.output import answer, show
from pipeline.run.request import PlanRequest, RunRequest

# Exit code of --detailed-exitcode where a run would change something (design of the command line).
CHANGES = 10


def _changes_file(ctx: click.Context, parameter: click.Parameter, path: Path | None) -> Path | None:  # noqa: ARG001
    if path is not None and path.suffix not in (".csv", ".ndjson"):
        raise click.BadParameter(f"{str(path)!r} ends neither in .csv nor in .ndjson")
    if path is not None and (path.is_dir() or not os.access(path.parent, os.W_OK)):
        raise click.BadParameter(f"{str(path)!r} cannot be written: its folder is missing or not writable")
    return path


@click.command("plan")
@options.job
@options.files
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    callback=_changes_file,
    metavar="FILE",
    help="List every change in FILE.csv or FILE.ndjson.",
)
@click.option("--detailed-exitcode", "detailed", is_flag=True, help="Exit with 10 where there are changes.")
@options.limit
@click.option("--full", is_flag=True, help="As for run; a plan compares every row with the database anyway.")
@options.force
@options.wait
@options.settings
@options.state_dir
@options.of_output
def command(
    job: Path, out: Path | None, detailed: bool, settings: tuple[str, ...], state_dir: Path | None, **asked: Any
) -> int:
    """Show what a run would change: compare every row with the live database, and send nothing.

    The same reading and the same guards as `run`. `apply` then sends what was planned.
    """
    from pipeline.config.read import read_job

    read = read_job(job, settings)
    from pipeline.report.progress import Reporter
    from pipeline.run.plan.screens import screen
    from pipeline.run.run import run_with_plan

    quiet, as_json = asked.pop("quiet"), asked.pop("as_json")
    folder = options.state_folder(state_dir, job)
    request = RunRequest(job=read, state_dir=folder, plan=PlanRequest(out), **asked)
    summary, planned = run_with_plan(request, Reporter(quiet=quiet))
    if planned is None or summary.exit_code:
        head = "Guards would stop the run (see the errors); without them:"
        compared = "" if planned is None else screen(planned, head, "")
        return show(summary, as_json=as_json, quiet=quiet, text=compared)
    text = "" if quiet and not planned.changes else screen(planned, summary.line(), summary.go_on)
    exit_code = CHANGES if detailed and planned.changes else 0
    answer(summary.to_dict() | {"exit_code": exit_code}, text, as_json=as_json)
    return exit_code
