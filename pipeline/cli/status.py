"""The command `status` (wiring)."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from pipeline.cli import options
from pipeline.cli.output import tell


@click.command("status")
@click.argument("run", required=False)
@options.state_dir_alone
@options.as_json
def command(run: str | None, state_dir: Path | None, as_json: bool) -> int:
    """Say where a run stands, by default the newest unfinished one: its chunks by state, and how to go on."""
    from pipeline.report.history import describe, outline
    from pipeline.state.find import find, open_ledger
    from pipeline.state.holder import holder_of

    folder = options.state_folder(state_dir)
    with closing(open_ledger(folder)) as ledger:
        row = find(ledger, run)
        chunks = ledger.chunks(row.id)
    holder = holder_of(folder, row.job)
    document = {"status": "done", "exit_code": 0, **outline(row), "chunks": [chunk.to_dict() for chunk in chunks]}
    return tell(document, describe(row, chunks, folder, holder), as_json=as_json)
