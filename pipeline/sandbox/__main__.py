"""Run a command beside a sandbox that lives as long as the command (wiring).

`python -m pipeline.sandbox [--structure FILE] -- COMMAND`; make calls it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from pipeline.sandbox import Sandbox


def main() -> int:
    """Start the sandbox on a free port, run the command with its address and token in the environment, give its exit code."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.sandbox", description=__doc__)
    parser.add_argument("--structure", type=Path, help="structure file of the sandbox")
    parser.add_argument("command", nargs="+", help="the command, behind --")
    words = parser.parse_args()
    with Sandbox(structure=words.structure) as sandbox:
        environment = {
            **os.environ,
            "COPERNICA_API_URL": sandbox.api_url,
            "COPERNICA_AUTH_URL": sandbox.auth_url,
            "COPERNICA_TOKEN": sandbox.token,
        }
        return subprocess.run(words.command, env=environment, check=False).returncode  # noqa: S603 - the user's own words


if __name__ == "__main__":
    sys.exit(main())
