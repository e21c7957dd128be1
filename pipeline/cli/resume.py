"""The command `resume` (wiring)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from pipeline.cli import options
from pipeline.cli.output import show, show_again
from pipeline.run.request import ResumeRequest


@click.command("resume")
@click.argument("run", required=False)
@click.option("--unknown", type=click.Choice(["sent", "resend"]), help="Decide for imports whose answer was lost.")
@click.option("--failed", type=click.Choice(["profiles", "skip"]), help="Decide for imports that failed.")
@click.option("--max-settle-calls", type=click.IntRange(min=0), metavar="N", help="Allow more calls for looking.")
@options.wait
@options.state_dir_alone
@options.quiet
@options.log
@options.as_json
def command(
    run: str | None,
    unknown: Literal["sent", "resend"] | None,
    failed: Literal["profiles", "skip"] | None,
    max_settle_calls: int | None,
    wait_s: float,
    state_dir: Path | None,
    quiet: bool,
    as_json: bool,
) -> int:
    """Finish a run that stopped, by default the newest unfinished one.

    Confirmed chunks stay, imports on their way are asked for again, the rest is sent. Imports whose answer was lost are
    looked for by key; --unknown sent takes them for sent, --unknown resend sends the rows that are not there, each after a
    lookup of its own. --failed profiles sends the rows of failed imports per profile, --failed skip leaves them.
    """
    from pipeline.report.progress import Reporter
    from pipeline.report.summary import Summary
    from pipeline.run.resume import resume

    request = ResumeRequest(run, unknown, failed, max_settle_calls, options.state_folder(state_dir), wait_s)
    found = resume(request, Reporter(quiet=quiet))
    if isinstance(found, Summary):
        return show(found, as_json=as_json, quiet=quiet)
    return show_again(found, as_json=as_json, quiet=quiet)
