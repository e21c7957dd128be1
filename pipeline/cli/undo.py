"""The command `undo` (wiring)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli import options
from pipeline.cli.output import answer, refuse, show, warn
from pipeline.errors import Exit, Problem
from pipeline.run.request import UndoRequest

if TYPE_CHECKING:
    from pipeline.run.undo.look import Findings
    from pipeline.run.undo.undo import Undone
    from pipeline.state.run_records import RunRow


@click.command("undo")
@click.argument("run")
@click.option("--yes", is_flag=True, help="Bring the values back without a question.")
@options.force
@options.wait
@options.state_dir_alone
@options.of_output
def command(run: str, yes: bool, state_dir: Path | None, quiet: bool, as_json: bool, **asked: Any) -> int:
    """Bring back what the target held before RUN, which must have kept it (load.before: true).

    Shows first what would come back and what is left alone: values that somebody has changed since, and keys of later runs.
    Without --yes nothing is sent but after a question on a terminal.
    """
    from pipeline.report.progress import Reporter
    from pipeline.run.undo.screens import question, screen
    from pipeline.run.undo.undo import Person, undo

    folder = options.state_folder(state_dir)
    asks = not yes and not as_json and sys.stdin.isatty()

    def shows(row: RunRow, found: Findings) -> None:
        if not as_json and not (quiet and yes):
            click.echo(screen(row, found), nl=False)

    def agrees(found: Findings) -> bool:
        return asks and click.confirm(question(found), err=True)

    ended = undo(UndoRequest(run, yes, state_dir=folder, **asked), Reporter(quiet=quiet), Person(shows, agrees, warn))
    if ended.summary is not None:
        return show(ended.summary, as_json=as_json, quiet=quiet)
    return _nothing_done(ended, folder, asked=asks, quiet=quiet, as_json=as_json)


def _nothing_done(ended: Undone, folder: Path, *, asked: bool, quiet: bool, as_json: bool) -> int:
    """Write why nothing was sent: nothing was left, the person did not agree, or nobody was asked."""
    from pipeline.state.advice import command as advice

    found = {} if ended.found is None else ended.found.counts()
    document = {"run": None, "status": "done", "exit_code": 0, "undo": {"run": ended.row.id, **found}}
    if ended.nothing:
        text = "" if quiet else f"{ended.row.id}: nothing is left to be undone\n"
        return answer(document, text, as_json=as_json)
    if asked:
        return answer(document | {"status": "planned"}, "Nothing was sent.\n", as_json=as_json)
    do = f"to do it: {advice('undo', ended.row.id, '--yes', state_dir=folder)}"
    problem = Problem("nothing was sent: undo asks on a terminal, or takes --yes", f"run {ended.row.id}", do)
    return refuse([problem], Exit.USAGE, as_json=as_json, more={"undo": document["undo"]})
