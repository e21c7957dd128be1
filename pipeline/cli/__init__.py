"""Gather the commands; each is imported only when it is called, so that `--help` is there at once (wiring)."""

from __future__ import annotations

import os
from importlib import import_module

import click

from pipeline import __version__

# Name and one line for the help. The module of each is `pipeline.cli.NAME`, its command is called `command`.
COMMANDS = {
    "run": "Do the whole job: read, check, send, verify.",
    "validate": "Read and check the dumps; send nothing, ask nobody.",
    "init": "Write a job file and a schema from sample files.",
    "setup": "Make what the target lacks for a job.",
    "check": "Check job file, schema, token and the live database.",
    "preview": "Show records as they would be sent, field by field.",
    "plan": "Show what a run would change, compared with the live database.",
    "apply": "Send what was planned, once.",
    "resume": "Finish an open run.",
    "close": "End an open run by decision.",
    "undo": "Bring back what the target held before a run.",
    "replay": "Run the mended rejects, failed or open rows of a run.",
    "runs": "List the runs of a job, or of a state folder.",
    "status": "Show how far a run is.",
    "explain": "Show what happened to one customer.",
    "report": "Write the HTML report of a run, or an index of all.",
    "prune": "Delete what past runs have left when its time has come.",
    "sandbox": "Serve a local Copernica to try things on.",
}


class Commands(click.Group):
    """The commands of `COMMANDS`, in that order."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """List the names."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"pipeline.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """Bring CSV and JSON dumps into Copernica: nothing wrong is sent, every record is accounted for."""
    # Here and not at the top: the log is not needed for --help and --version.
    from pipeline.config.environment import known_secrets
    from pipeline.log import configure

    configure(known_secrets(os.environ))
