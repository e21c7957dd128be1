"""The command `preview` (wiring)."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli import options
from pipeline.cli.output import answer


@click.command("preview")
@options.job
@options.files
@click.option("-n", "count", type=click.IntRange(min=1), default=3, show_default=True, help="Show the first N rows.")
@click.option("--record", type=click.IntRange(min=1), metavar="K", help="Show record K (the first is 1) instead.")
@options.of_job
def command(
    job: Path,
    files: tuple[str, ...],
    count: int,
    record: int | None,
    settings: tuple[str, ...],
    state_dir: Path | None,  # noqa: ARG001 - every command takes it
    as_json: bool,
) -> int:
    """Show records as they would be sent: dump column, text, value, Copernica column and type, text on the wire.

    Nothing is sent. With a token the live fields bind the values as in a run.
    """
    from pipeline.config.read import read_job
    from pipeline.run.preview import PreviewRequest, preview
    from pipeline.run.preview_screen import document, screen

    read = read_job(job, settings)
    rows = preview(PreviewRequest(read, files, count, record))
    return answer(document(read.job, rows), screen(rows), as_json=as_json)
