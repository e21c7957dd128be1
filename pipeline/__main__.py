"""Run the command line: `copernica-import`, or `python -m pipeline` (wiring).

Every command ends here: with its exit code, or with an error that is turned into words and an exit code.
"""

from __future__ import annotations

import atexit
import gc
import io
import os
import re
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import click

from pipeline.cli import cli
from pipeline.errors import Exit, PipelineError, Problem

# Importing makes more than a hundred thousand objects that stay: looking through them for garbage is idle.
GC_THRESHOLD = 250_000
_JOB = re.compile(r"^job: *['\"]?([\w.-]+)", re.MULTILINE)


def main(words: Sequence[str] | None = None, commands: click.Group = cli) -> int:
    """Run the command line (`words` replace the program's own) and return the exit code."""
    if words is None:
        # From the first moment: a run takes both signals over as soon as it has begun.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    words = list(sys.argv[1:] if words is None else words)
    _set_up_for_speed()
    _take_any_text()
    options = words[: words.index("--")] if "--" in words else words
    as_json, quiet = "--json" in options, words if "--quiet" in options else None
    try:
        return int(commands.main(words, "copernica-import", standalone_mode=False) or 0)
    except PipelineError as error:
        if error.exit_code is Exit.BUG:
            _log(error)
        return _refuse(error.problems, error.exit_code, as_json, quiet)
    except click.ClickException as error:
        return _misused(error, as_json, quiet)
    except (click.Abort, KeyboardInterrupt):
        return _refuse((Problem("interrupted"),), Exit.INTERRUPTED, as_json, quiet)
    except Exception as error:  # noqa: BLE001 - the one place for a bug of ours
        return _bug(error, as_json, quiet)


def _set_up_for_speed() -> None:
    """Tune the interpreter and polars, whose threads are half of the cores: several of our stages use it at the same time."""
    gc.set_threshold(GC_THRESHOLD)
    # At its end Python looks for garbage several times, a fifth of a second after polars and pandera were loaded. The memory
    # goes with the process, and nothing of ours waits for that.
    atexit.register(gc.freeze)
    # It would look for plugins in every package that is installed.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    os.environ.setdefault("POLARS_MAX_THREADS", str(max(1, len(os.sched_getaffinity(0)) // 2)))


def _take_any_text() -> None:
    """Let no name that the terminal's encoding does not know end a run (it is written in escapes), and no closed stream."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - as long as the process
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _misused(error: click.ClickException, as_json: bool, quiet: Sequence[str] | None) -> int:
    """Turn wrong words into the shape of every refusal; a command without any words gets its help."""
    context = getattr(error, "ctx", None)
    if isinstance(error, click.exceptions.NoArgsIsHelpError) and not as_json:
        error.show()
        return Exit.USAGE
    from pipeline.state.advice import command

    program = context.command_path if isinstance(context, click.Context) else "copernica-import"
    what = "no command is named" if isinstance(error, click.exceptions.NoArgsIsHelpError) else error.format_message()
    return _refuse(
        (Problem(what, program, f"see {command(*program.split()[1:], '--help')}"),), Exit.USAGE, as_json, quiet
    )


def _bug(error: Exception, as_json: bool, quiet: Sequence[str] | None) -> int:
    _log(error)
    problem = Problem(f"this is a bug ({type(error).__name__})", "", "please report it with the traceback in the log")
    return _refuse((problem,), Exit.BUG, as_json, quiet)


def _log(error: Exception) -> None:
    """Put the traceback of a bug into the log."""
    from pipeline.config.environment import known_secrets
    from pipeline.log import configure, get_logger, has_file

    if not has_file():
        configure(known_secrets(os.environ))
    get_logger().error("run.bug", kind=type(error).__name__, exc_info=error)


def _refuse(problems: Sequence[Problem], exit_code: Exit, as_json: bool, quiet: Sequence[str] | None) -> int:
    """Write why a command ends; `quiet` is the command line of one that writes one line first, else None."""
    from pipeline.cli.output import refuse

    line = ""
    if quiet is not None:
        now = datetime.now(UTC).isoformat(sep=" ", timespec="seconds")
        line = f"{_job_of(quiet)}: refused (exit {int(exit_code)}) at {now}: 0 read, nothing was sent"
    return refuse(problems, exit_code, as_json=as_json, line=line)


def _job_of(words: Sequence[str]) -> str:
    """Return the job that a command line names, as far as that can be read, else its file; without one the command."""
    for word in words:
        if word.endswith((".yaml", ".yml")):
            with suppress(OSError, ValueError):
                if found := _JOB.search(Path(word).read_text(encoding="utf-8")):
                    return found[1]
            return Path(word).name
    return words[0]


if __name__ == "__main__":
    sys.exit(main())
