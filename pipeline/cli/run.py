"""The command `run` (wiring)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline.cli import options
from pipeline.cli.output import show, warn
from pipeline.run.request import RunRequest


@click.command("run")
@options.job
@options.files
@options.limit
@click.option("--full", is_flag=True, help="With load.send: changed, send what is unchanged, too.")
@options.force
@options.wait
@options.settings
@options.state_dir
@options.of_output
def command(
    job: Path, settings: tuple[str, ...], state_dir: Path | None, quiet: bool, as_json: bool, **asked: Any
) -> int:
    """Do the whole job: read the dumps, check every record, send what is right, read a sample back.

    FILEs take the place of the job's own source.files, in the order given.
    """
    from pipeline.config.read import read_job

    read = read_job(job, settings)
    # Loaded only now: what is wrong with a job file is reported at once.
    from pipeline.report.progress import Reporter
    from pipeline.run.announce import announced
    from pipeline.run.run import run

    request = RunRequest(job=read, state_dir=options.state_folder(state_dir, job), **asked)
    summary = announced(read, request.state_dir, warn, lambda: run(request, Reporter(quiet=quiet)))
    return show(summary, as_json=as_json, quiet=quiet)
