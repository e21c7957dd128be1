"""The command `validate` (wiring)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline.cli import options
from pipeline.cli.output import show
from pipeline.run.request import ValidateRequest


def _table(ctx: click.Context, parameter: click.Parameter, path: Path | None) -> Path | None:  # noqa: ARG001
    if path is not None and path.suffix not in (".csv", ".ndjson"):
        raise click.BadParameter(f"{str(path)!r} ends neither in .csv nor in .ndjson")
    if path is not None and not options.is_utf8(path):
        raise click.BadParameter(f"{str(path)!r} is no UTF-8")
    return path


@click.command("validate")
@options.job
@options.files
@options.limit
@click.option(
    "--accepted",
    type=click.Path(path_type=Path),
    callback=_table,
    metavar="PATH",
    help="Write the accepted rows to PATH.csv or PATH.ndjson, as they would be sent.",
)
@click.option(
    "--rejects",
    type=click.Path(path_type=Path),
    callback=_table,
    metavar="PATH",
    help="Write what is set aside to PATH.csv (CSV dumps only) or PATH.ndjson.",
)
@click.option("--origin", is_flag=True, help="Add _file, _line and _record to the accepted rows.")
@options.of_job
def command(job: Path, settings: tuple[str, ...], state_dir: Path | None, as_json: bool, **asked: Any) -> int:
    """Read the dumps and check every record; no network, nothing is sent.

    FILEs take the place of the job's own source.files, in the order given.
    """
    if asked["accepted"] is not None and asked["accepted"] == asked["rejects"]:
        raise click.UsageError("--accepted and --rejects name the same file")
    from pipeline.config.read import read_job

    read = read_job(job, settings)
    # Loaded only now: what is wrong with a job file is reported at once.
    from pipeline.report.progress import Reporter
    from pipeline.run.validate import validate

    options.state_folder(state_dir, job)  # nothing is kept there, but what `run` would refuse is refused here, too
    return show(validate(ValidateRequest(job=read, **asked), Reporter()), as_json=as_json)
