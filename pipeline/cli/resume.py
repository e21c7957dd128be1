"""The command `resume` (wiring)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline.cli import options
from pipeline.cli.output import show, show_again, warn
from pipeline.run.request import ResumeRequest


@click.command("resume")
@click.argument("run", metavar="[RUN | JOB]", required=False)
@click.option("--max-settle-calls", type=click.IntRange(min=0), metavar="N", help="Allow more calls for reading back.")
@options.wait
@options.settings
@options.state_dir_alone
@options.of_output
def command(
    run: str | None, settings: tuple[str, ...], state_dir: Path | None, quiet: bool, as_json: bool, **asked: Any
) -> int:
    """Finish an open run, named by itself or by its job; without a name the only open one.

    Confirmed chunks stay, imports on their way are polled, those whose answer was lost are read back once they cannot run
    any more, the rest is sent.
    """
    from pipeline.report.progress import Reporter
    from pipeline.report.summary import Summary
    from pipeline.run.resume import resume

    name, folder = options.job_and_folder(run, settings, state_dir)
    found = resume(ResumeRequest(name, state_dir=folder, **asked), Reporter(quiet=quiet), warn)
    if isinstance(found, Summary):
        return show(found, as_json=as_json, quiet=quiet)
    return show_again(found, as_json=as_json, quiet=quiet)
