"""The command `setup` (wiring)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli import options
from pipeline.cli.output import answer

if TYPE_CHECKING:
    from pipeline.run.setup import Setup


@click.command("setup")
@options.job
@click.option("--yes", is_flag=True, help="Make what is lacking without a question.")
@options.of_job
def command(job: Path, yes: bool, settings: tuple[str, ...], state_dir: Path | None, as_json: bool) -> int:
    """Show what the target lacks for this job: database, fields, collections, interests; then make it after a question.

    Nothing that is there is changed or removed.
    """
    from pipeline.config.read import read_job
    from pipeline.run.setup import set_up
    from pipeline.run.setup_screen import document, ending, screen

    read = read_job(job, settings)

    def agree(found: Setup) -> bool:
        if yes or as_json or not sys.stdin.isatty():
            return yes
        click.echo(screen(found), nl=False)
        return click.confirm(f"Make these {len(found.lacks)} in account {found.identity.id}?", err=True)

    found, made = set_up(read, agree)
    asked = not yes and sys.stdin.isatty() and bool(found.lacks)
    text = ("" if asked and not as_json else screen(found)) + ending(found, made, state_dir)
    return answer(document(found, made, state_dir), text, as_json=as_json)
