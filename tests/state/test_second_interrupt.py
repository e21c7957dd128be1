"""A second Ctrl-C stops at once: what was on the wire is unknown in the summary, and `resume` goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.resume.test_ground import meanwhile
from tests.support.journey import Journey
from tests.support.resumable import Shop, resume, state_of

DUMP = "Nr,City,Points,interest.news\nA,Ede,1,\nB,Ede,2,\nC,Ede,3,\n"


def stop_twice(here: Journey, job: Path, requests: int) -> subprocess.CompletedProcess[str]:
    """Run until the sandbox has carried out so many requests whose answers it keeps back, then interrupt twice."""
    running = subprocess.Popen(
        [sys.executable, "-m", "pipeline", "run", str(job), "--json"],
        env={**os.environ, **here.environment()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )

    kept_back: set[int] = set()

    def on_the_wire(entry: dict[str, Any]) -> bool:
        if "slow" in entry["fault"] and entry["status"]:
            kept_back.add(entry["n"])
        return len(kept_back) == requests

    def interrupt() -> None:
        # Two of one kind may become one on the way; the program takes both kinds for the same.
        running.send_signal(signal.SIGINT)
        running.send_signal(signal.SIGTERM)

    with meanwhile(here, on_the_wire, interrupt):
        stdout, stderr = running.communicate(timeout=60)
    return subprocess.CompletedProcess(running.args, running.returncode, stdout, stderr)


@pytest.mark.parametrize(("mode", "path", "requests"), [("imports", "/v4/imports", 1), ("profiles", "*/profiles", 3)])
def test_what_was_on_the_wire_is_unknown(shop: Shop, mode: str, path: str, requests: int) -> None:
    """Data rule 28: the request may have been carried out, so its rows are not `unsent`; nothing is doubled after it."""
    action = "update or add" if mode == "imports" else "ignore or add"
    here, job = shop(DUMP, mode=mode, action=action, rebuild="false", order_key="")
    here.write("schema.py", (here.folder / "schema.py").read_text().partition("    no: str")[0])
    here.sandbox.set_faults([{"kind": "slow", "method": "POST", "path": path, "seconds": 2}])
    ran = stop_twice(here, job, requests)
    assert ran.returncode == 130, ran.stderr
    records = json.loads(ran.stdout)["records"]
    assert (records["accepted"], records["unsent"]) == (3, 0)
    # The rows of one window: those that have ended meanwhile may be on disk as such.
    assert records["unknown"] >= (3 if mode == "imports" else 1)
    here.sandbox.set_faults([])
    here.sandbox.settle(10)
    here.sandbox.advance(3700)  # until then the import may still run
    assert resume(here).records["confirmed"] == 3
    assert [one["fields"]["Nr"] for one in state_of(here)] == ["A", "B", "C"]
