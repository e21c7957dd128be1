"""The command `explain` (wiring)."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from pipeline.cli import options
from pipeline.cli.output import answer


@click.command("explain")
@options.job
@click.argument("key", nargs=-1, required=True)
@click.option("--show-values", is_flag=True, help="Show the values of rows that were set aside, too.")
@options.of_job
def command(
    job: Path, key: tuple[str, ...], show_values: bool, settings: tuple[str, ...], state_dir: Path | None, as_json: bool
) -> int:
    """Show what happened to one customer over the runs of JOB, the newest first.

    KEY is the value of its profile key, one word for each field of it.
    """
    from pipeline.config.read import read_job
    from pipeline.model.columns import Keys
    from pipeline.report.summary import counted

    read = read_job(job, settings)
    fields = Keys.of(read.target.key_fields).profile
    if len(key) != len(fields):
        named = ", ".join(fields) or "none"
        raise click.UsageError(
            f"the profile key of job {read.job} has {counted(len(fields), 'field')} ({named}), KEY has {len(key)}"
        )
    from pipeline.run.explain import explain
    from pipeline.state.find import open_ledger

    with closing(open_ledger(options.state_folder(state_dir, job))) as ledger:
        found = explain(ledger, read, key, show_values=show_values)
    text = "".join(f"{one}\n" for one in found) or "no run that is kept has sent this key or set it aside\n"
    return answer({"job": read.job, "events": [one.to_dict() for one in found]}, text, as_json=as_json)
