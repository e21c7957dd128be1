"""The command `init` (wiring)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline.cli import options
from pipeline.cli.output import answer


@click.command("init")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--job", metavar="NAME", help="Name of the job and of its files.  [default: the first file's]")
@click.option("--database", metavar="ID", help="Copernica database, by id or name.  [default: the job's name]")
@click.option("--key", "keys", multiple=True, metavar="COLUMN", help="Column that identifies a record. Repeatable.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path(), metavar="DIR", help="Where to write.  [default: here]"
)
@click.option("--force", is_flag=True, help="Overwrite a job file and a schema that are there.")
@options.state_dir
@options.as_json
def command(state_dir: Path | None, as_json: bool, **asked: Any) -> int:
    """Write a job file and a schema from sample files and, with a token, the live structure.

    Every FILE is read as a whole: format, delimiter, encoding, decimal mark, date forms, types, lengths and keys are taken
    from the data, each with its evidence in a comment. Nothing is sent.
    """
    from pipeline.report.progress import Reporter
    from pipeline.run.init.init import InitRequest, init
    from pipeline.run.init.screens import document, screen

    written = init(InitRequest(**asked), Reporter())
    return answer(document(written, state_dir), screen(written, state_dir), as_json=as_json)
