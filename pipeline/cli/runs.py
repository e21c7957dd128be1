"""The command `runs` (wiring)."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from pipeline.cli import options
from pipeline.cli.output import tell


@click.command("runs")
@options.state_dir_alone
@options.as_json
def command(state_dir: Path | None, as_json: bool) -> int:
    """List the runs of a state folder, the newest first."""
    from pipeline.report.history import line_of, outline
    from pipeline.state.find import open_ledger

    with closing(open_ledger(options.state_folder(state_dir))) as ledger:
        rows = ledger.runs()
    document = {"status": "done", "exit_code": 0, "runs": [outline(row) for row in rows]}
    return tell(document, "".join(f"{line_of(row)}\n" for row in rows), as_json=as_json)
