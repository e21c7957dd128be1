"""Run a command beside a sandbox that lives as long as the command (wiring).

`python -m pipeline.sandbox [--structure FILE] [--keep FILE] -- COMMAND`; make calls it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from pipeline.sandbox import Sandbox


def main() -> int:
    """Start the sandbox on a free port, run the command with its address and token in the environment, return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.sandbox", description=__doc__)
    parser.add_argument("--structure", type=Path, help="structure file of the sandbox")
    parser.add_argument("--keep", type=Path, help="keep what is in the sandbox in this file; an older one is replaced")
    parser.add_argument("command", nargs="+", help="the command, behind --")
    words = parser.parse_args()
    if words.keep:
        _make_room(words.keep)
    with Sandbox(structure=words.structure, store=words.keep) as sandbox:
        environment = {
            **os.environ,
            "COPERNICA_API_URL": sandbox.api_url,
            "COPERNICA_AUTH_URL": sandbox.auth_url,
            "COPERNICA_TOKEN": sandbox.token,
        }
        code = subprocess.run(words.command, env=environment, check=False).returncode  # noqa: S603 - the user's own words
        sandbox.settle()
    if words.keep:
        sys.stderr.write("To see in a browser what arrived: make show\n")
    return code


def _make_room(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    for tail in ("", "-wal", "-shm"):
        path.with_name(path.name + tail).unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
