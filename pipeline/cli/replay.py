"""The command `replay` (wiring)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline.cli import options
from pipeline.cli.output import show, warn
from pipeline.run.request import ReplayRequest


@click.command("replay")
@click.argument("run")
@options.files
@options.force
@options.wait
@options.state_dir_alone
@options.of_output
def command(run: str, state_dir: Path | None, quiet: bool, as_json: bool, **asked: Any) -> int:
    """Run the mended rejects, failed or open rows of RUN as a run of its own, by the job as its file is now.

    FILEs are mended copies of its files, such as a spreadsheet saves them; without any, those in the run's folder are
    read. Rows whose outcome is unknown are left out for an add, unless their file is named.
    """
    from pipeline.report.progress import Reporter
    from pipeline.run.replay import replay

    request = ReplayRequest(run, state_dir=options.state_folder(state_dir), **asked)
    return show(replay(request, Reporter(quiet=quiet), warn), as_json=as_json, quiet=quiet)
