"""The command `apply` (wiring)."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import click

from pipeline.cli import options
from pipeline.cli.output import show, warn
from pipeline.run.request import ApplyRequest

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def _seconds(ctx: click.Context, parameter: click.Parameter, text: str) -> float:  # noqa: ARG001
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([smhd]?)", text.strip())
    if found is None:
        raise click.BadParameter(f"{text!r} is no duration such as 24h, 90m or 2d")
    return float(found[1]) * _UNITS[found[2] or "s"]


@click.command("apply")
@click.argument("run")
@click.option("--max-age", "max_age_s", default="24h", show_default=True, callback=_seconds, metavar="TIME",
              help="Refuse a plan that is older.")  # fmt: skip
@options.wait
@options.state_dir_alone
@options.of_output
def command(run: str, max_age_s: float, wait_s: float, state_dir: Path | None, quiet: bool, as_json: bool) -> int:
    """Send what was planned, once: the rows that a plan of RUN found to be created or changed.

    Refused where job, schema, live structure or database are not as they were. Records that have changed since are left
    alone and listed.
    """
    from pipeline.report.progress import Reporter
    from pipeline.run.announce import announced_again
    from pipeline.run.plan.apply import apply

    request = ApplyRequest(run, max_age_s, options.state_folder(state_dir), wait_s)
    work = partial(apply, request, Reporter(quiet=quiet))
    return show(announced_again(run, request.state_dir, warn, work), as_json=as_json, quiet=quiet)
