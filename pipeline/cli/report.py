"""The command `report` (wiring)."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from pipeline.cli import options
from pipeline.cli.output import answer


@click.command("report")
@click.argument("run", required=False)
@click.option("--index", is_flag=True, help="Write a page of all runs, with links to their reports.")
@click.option("--open", "shown", is_flag=True, help="Open the page in the browser.")
@options.state_dir_alone
@options.as_json
def command(run: str | None, index: bool, shown: bool, state_dir: Path | None, as_json: bool) -> int:
    """Print where the HTML report of a run is, by default of the newest one; write it where it is missing or outdated.

    The page is one file that loads nothing from elsewhere.
    """
    if index and run is not None:
        raise click.UsageError("--index is of all runs: name no RUN")
    from pipeline.report.html.index import write_index
    from pipeline.report.html.page import report_of
    from pipeline.state.find import find_newest, open_ledger

    with closing(open_ledger(options.state_folder(state_dir))) as ledger:
        path = write_index(ledger) if index else report_of(ledger, find_newest(ledger, run))
    if shown:
        click.launch(str(path))
    return answer({"status": "done", "exit_code": 0, "report": str(path)}, f"{path}\n", as_json=as_json)
