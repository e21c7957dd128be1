"""Hold the options that commands share, and find the state folder (wiring)."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any

import click

from pipeline.errors import JobError, Problem
from pipeline.run.request import GUARDS
from pipeline.state import STATE_FOLDER

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

job: Decorator = click.argument("job", type=click.Path(path_type=Path))
files: Decorator = click.argument("files", nargs=-1, metavar="[FILE]...")
limit: Decorator = click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Take only the first N rows.")
settings: Decorator = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY.PATH=VALUE",
    help="Put a value (YAML) over the job file's; a part with dots is quoted. Repeatable.",
)


def _state_dir(default: str) -> Decorator:
    return click.option(
        "--state-dir",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help=f"Where runs are kept.  [default: {default}]",
    )


state_dir: Decorator = _state_dir(f"{STATE_FOLDER} beside the job file")
state_dir_alone: Decorator = _state_dir(
    f"COPERNICA_STATE_DIR, else {STATE_FOLDER} in the working folder, else in configs/ below it"
)
force: Decorator = click.option(
    "--force",
    "forced",
    type=click.Choice(GUARDS),
    multiple=True,
    callback=lambda _ctx, _parameter, names: frozenset(names),
    metavar="GUARD",
    help=f"Override a guard, on the record. Repeatable. One of {', '.join(GUARDS)}.",
)
wait: Decorator = click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(min=0),
    metavar="S",
    help="Wait up to S seconds for a lock.  [default: off a terminal load.wait_s for the database's, else 0]",
)


def _quieten(ctx: click.Context, parameter: click.Parameter, quiet: bool) -> bool:  # noqa: ARG001 - click's signature
    if quiet:
        from pipeline.config.environment import known_secrets
        from pipeline.log import configure

        configure(known_secrets(os.environ), quiet=True)
    return quiet


def _log_to(ctx: click.Context, parameter: click.Parameter, path: Path | None) -> None:  # noqa: ARG001 - click's signature
    if path is not None:
        from pipeline.log import log_to

        try:
            log_to(path)
        except OSError as error:
            raise click.BadParameter(f"{str(path)!r} cannot be written: {error.strerror}") from None


# Before --log: it sets the log up anew.
quiet: Decorator = click.option(
    "--quiet",
    is_flag=True,
    is_eager=True,
    callback=_quieten,
    help="Write nothing when all is well, else only what is wrong, to stderr.",
)
log: Decorator = click.option(
    "--log",
    type=click.Path(path_type=Path),
    callback=_log_to,
    expose_value=False,
    metavar="FILE",
    help="Append the log to FILE, beside the run's own log.ndjson.",
)
as_json: Decorator = click.option("--json", "as_json", is_flag=True, help="Write one JSON document to stdout.")


def _together(*options: Decorator) -> Decorator:
    """Return several options as one, in the order in which the help lists them.

    A command names the options that it uses itself; the others are the fields of its request, by the same names (`asked`).
    """

    def put(command: Callable[..., Any]) -> Callable[..., Any]:
        return reduce(lambda made, option: option(made), reversed(options), command)

    return put


of_output: Decorator = _together(quiet, log, as_json)
of_job: Decorator = _together(settings, state_dir, as_json)


def state_folder(named: Path | None, job: Path | None = None) -> Path:
    """Find the state folder: the one that is named, else beside the job file, so that cron and a person meet in the same one.

    For commands without a job: COPERNICA_STATE_DIR, else the folder in the working folder, else the one in `configs/` below
    it. Raises JobError for a path that is no UTF-8, in which nothing can be staged.
    """
    folder = named
    if folder is None and job is not None:
        folder = job.parent / STATE_FOLDER
    if folder is None and os.environ.get("COPERNICA_STATE_DIR"):
        folder = Path(os.environ["COPERNICA_STATE_DIR"])
    if folder is None:
        below = Path("configs") / STATE_FOLDER
        folder = below if below.is_dir() and not Path(STATE_FOLDER).is_dir() else Path(STATE_FOLDER)
    try:
        utf8 = is_utf8(folder)
    except FileNotFoundError:
        do = "change to a folder that is there, or name the state folder with --state-dir"
        raise JobError(Problem("the working folder is gone", do=do)) from None
    if not utf8:
        raise JobError(
            Problem("the path of the state folder is no UTF-8", str(folder), "name another with --state-dir")
        )
    return folder


def job_and_folder(job: str | None, settings: tuple[str, ...], state_dir: Path | None) -> tuple[str | None, Path]:
    """Return the name of a job that is given by its file or its name, and the state folder to look in."""
    if job is None or not (Path(job).is_file() or job.endswith((".yaml", ".yml"))):
        return job, state_folder(state_dir)
    from pipeline.config.read import read_job

    return read_job(Path(job), settings).job, state_folder(state_dir, Path(job))


def is_utf8(path: Path) -> bool:
    """Return whether a path can be written as UTF-8."""
    try:
        return bool(str(path.absolute()).encode())
    except UnicodeEncodeError:
        return False
