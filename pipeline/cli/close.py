"""The command `close` (wiring)."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli import options
from pipeline.cli.output import show, show_again, warn
from pipeline.run.request import CloseRequest


@click.command("close")
@click.argument("run")
@options.state_dir_alone
@options.of_output
def command(run: str, state_dir: Path | None, quiet: bool, as_json: bool) -> int:
    """End an open run: nothing more of it is sent, and what it did not confirm is written to its open.csv."""
    from pipeline.report.progress import Reporter
    from pipeline.report.summary import Summary
    from pipeline.run.resume import close

    name, folder = options.job_and_folder(run, (), state_dir)
    found = close(CloseRequest(name or run, folder), Reporter(quiet=quiet), warn)
    if isinstance(found, Summary):
        return show(found, as_json=as_json, quiet=quiet)
    return show_again(found, as_json=as_json, quiet=quiet, exit_code=int(found.get("exit_code") or 0))
