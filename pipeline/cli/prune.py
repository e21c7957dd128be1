"""The command `prune` (wiring)."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from pipeline.cli import options
from pipeline.cli.output import answer


@click.command("prune")
@options.state_dir_alone
@options.as_json
def command(state_dir: Path | None, as_json: bool) -> int:
    """Delete what past runs have left, by the `state.keep_…` of the last run of each job; open runs keep everything.

    Every run does the same for its own job.
    """
    from pipeline.state.find import open_ledger
    from pipeline.state.retention import prune_all

    with closing(open_ledger(options.state_folder(state_dir))) as ledger:
        found = prune_all(ledger, datetime.now(UTC))
    document = {"status": "done", "exit_code": 0, **asdict(found)}
    return answer(document, f"deleted: {found}\n", as_json=as_json)
