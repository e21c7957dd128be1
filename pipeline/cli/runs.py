"""The command `runs` (wiring)."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from pipeline.cli import options
from pipeline.cli.output import answer


@click.command("runs")
@click.argument("job", required=False)
@options.settings
@options.state_dir_alone
@options.as_json
def command(job: str | None, settings: tuple[str, ...], state_dir: Path | None, as_json: bool) -> int:
    """List the runs of a state folder, the newest first; with JOB (its file, or its name) only those of a job."""
    from pipeline.report.history import summary_of, table, without_lists
    from pipeline.state.find import open_ledger

    name, folder = options.job_and_folder(job, settings, state_dir)
    with closing(open_ledger(folder)) as ledger:
        summaries = [summary_of(ledger, row) for row in ledger.runs(name)]
    document = {"runs": [without_lists(one) for one in summaries]}
    return answer(document, table(summaries), as_json=as_json)
