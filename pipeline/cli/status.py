"""The command `status` (wiring)."""

from __future__ import annotations

import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import click

from pipeline.cli import options
from pipeline.cli.output import answer

# Between two readings of a run that is running.
WATCH_EVERY_S = 1.0
_CLEAR = "\x1b[H\x1b[2J"


@click.command("status")
@click.argument("run", required=False)
@click.option("--watch", is_flag=True, help="Follow a run until it ends, or Ctrl-C.")
@options.state_dir_alone
@options.as_json
def command(run: str | None, watch: bool, state_dir: Path | None, as_json: bool) -> int:
    """Show how far a run is, by default the newest unfinished one: counts, chunks by state, and what to do next."""
    from pipeline.report.history import describe, standing_of
    from pipeline.state.find import find, open_ledger

    with closing(open_ledger(options.state_folder(state_dir))) as ledger:
        row = find(ledger, run)
        while True:
            row = find(ledger, row.id)
            document, text = standing_of(ledger, row), describe(ledger, row, datetime.now(UTC))
            if not watch or document["status"] != "running":
                return answer(document, text, as_json=as_json)
            if not as_json:
                click.echo((_CLEAR if sys.stdout.isatty() else "") + text)
            time.sleep(WATCH_EVERY_S)
