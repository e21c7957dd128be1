"""A second Ctrl-C stops at once: what was on the wire is unknown in the summary, and `resume` goes on."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.journeys.conftest import Journey
from tests.resume.conftest import Shop, resume, state_of

DUMP = "Nr,City,Points,interest.news\nA,Ede,1,\nB,Ede,2,\nC,Ede,3,\n"


def has(ledger: Path, question: str) -> bool:
    """Say whether the ledger has a row of this kind by now."""
    if not ledger.exists():
        return False
    try:
        with closing(sqlite3.connect(ledger)) as connection:
            return connection.execute(question).fetchone() is not None
    except sqlite3.OperationalError:
        return False


def stop_twice(here: Journey, job: Path, question: str) -> subprocess.CompletedProcess[str]:
    """Run until the ledger answers the question, then interrupt twice."""
    running = subprocess.Popen(
        [sys.executable, "-m", "pipeline", "run", str(job), "--json"],
        env={**os.environ, **here.environment()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    ledger, until = here.folder / ".copernica-import" / "ledger.sqlite", time.monotonic() + 30
    while not has(ledger, question) and time.monotonic() < until:
        time.sleep(0.02)
    for _ in range(2):
        time.sleep(0.3)
        running.send_signal(signal.SIGINT)
    stdout, stderr = running.communicate(timeout=60)
    return subprocess.CompletedProcess(running.args, running.returncode, stdout, stderr)


@pytest.mark.parametrize(
    ("mode", "path", "question"),
    [
        ("imports", "/v4/imports", "SELECT 1 FROM chunk WHERE state = 'sending'"),
        ("profiles", "*/profiles", "SELECT 1 FROM operation WHERE kind = 'profile'"),
    ],
)
def test_what_was_on_the_wire_is_unknown(shop: Shop, mode: str, path: str, question: str) -> None:
    """Data rule 28: the request may have been carried out, so its rows are not `unsent`; nothing is doubled after it."""
    action = "update or add" if mode == "imports" else "ignore or add"
    here, job = shop(DUMP, mode=mode, action=action, rebuild="false", order_key="")
    here.write("schema.py", (here.folder / "schema.py").read_text().partition("    no: str")[0])
    here.sandbox.set_faults([{"kind": "slow", "method": "POST", "path": path, "seconds": 2}])
    ran = stop_twice(here, job, question)
    assert ran.returncode == 130, ran.stderr
    records = json.loads(ran.stdout)["records"]
    assert (records["accepted"], records["unsent"]) == (3, 0)
    # The rows of one window: those that have ended meanwhile may be on disk as such.
    assert records["unknown"] >= (3 if mode == "imports" else 1)
    here.sandbox.set_faults([])
    here.sandbox.settle(10)
    assert resume(here).records["confirmed"] == 3
    assert [one["fields"]["Nr"] for one in state_of(here)] == ["A", "B", "C"]
