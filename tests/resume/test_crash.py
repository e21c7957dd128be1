"""Pull the plug at every step: whatever was killed, `resume` ends with the database of an undisturbed run."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import Ran
from tests.support.journey import Journey
from tests.support.resumable import Shop, resume, state_of
from tests.support.soak import SOAK, steps

ROOT = Path(__file__).parents[2]
CRASH = [sys.executable, "-m", "tests.resume.crash"]
CASES = [
    (f"{what}-{when}", mode)
    for mode in ("imports", "profiles")
    for what in ("ledger", "wire")
    for when in ("before", "after")
]


def start(here: Journey, *words: str) -> subprocess.Popen[bytes]:
    """Start the command line in a process of its own."""
    return subprocess.Popen(
        [*CRASH, *words],
        cwd=ROOT,
        env={**os.environ, **here.environment()},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def finish(here: Journey, job: Path) -> Ran:
    """Resume until nothing is open, an hour apart; a run that was killed before its rows were staged is run again."""
    for _ in range(6):
        here.sandbox.settle(10)
        ran = resume(here)
        if ran.exit_code == 3 or ran.document["status"] == "interrupted":
            ran = here.call("run", job)
        if ran.exit_code == 0:
            break
        here.sandbox.advance(3700)
    return ran


def demand_whole(here: Journey, ran: Ran, undisturbed: list[dict[str, Any]]) -> None:
    """Demand an equal database, nothing doubled, no import sent twice, and sums that add up."""
    assert ran.exit_code == 0, ran.stderr
    assert state_of(here) == undisturbed
    names = Counter(
        entry["body"]["name"]
        for entry in here.sandbox.journal()
        if entry["method"] == "POST" and entry["path"].rstrip("/").endswith("/imports")
    )
    assert [name for name, times in names.items() if times > 1] == []
    records = ran.records
    assert records["accepted"] == records["confirmed"] == 14
    assert records["read"] == records["malformed"] + records["rejected"] + records["collapsed"] + records["accepted"]
    assert here.sandbox.hazards() == []


def steps_of(here: Journey, job: Path) -> dict[str, int]:
    """Count the steps of an undisturbed run."""
    counts = here.folder / "steps.json"
    assert start(here, "count", str(counts), "run", str(job)).wait(60) == 0
    return json.loads(counts.read_text())


@pytest.mark.parametrize(("where", "mode"), CASES)
def test_a_kill_at_any_step_loses_and_doubles_nothing(
    shop: Shop, undisturbed: list[dict[str, Any]], where: str, mode: str
) -> None:
    """Invariants 7 and 8: at statements of the ledger and requests, before and after, on both ways; all of them in a soak."""
    here, job = shop(mode=mode, rebuild="false")
    total = steps_of(here, job)[where.partition("-")[0]]
    assert total > 10
    for step in steps(total, CASES.index((where, mode))):
        here.sandbox.reset()
        shutil.rmtree(here.folder / ".copernica-import")
        code = start(here, where, str(step), "run", str(job)).wait(60)
        # How often an import is asked for is up to time, so that a run may be done before its last steps.
        assert code == -signal.SIGKILL or (code == 0 and step > total * 3 // 4)
        demand_whole(here, finish(here, job), undisturbed)


@pytest.mark.parametrize("mode", ["imports", "profiles"])
def test_a_run_that_is_killed_before_its_end_is_recorded_is_finished_without_its_dump(
    shop: Shop, undisturbed: list[dict[str, Any]], mode: str
) -> None:
    """Its rows are kept until the ledger has the end: by then the dump may have been taken away."""
    here, job = shop(mode=mode, rebuild="false")
    assert start(here, "end-before", "1", "run", str(job)).wait(60) == -signal.SIGKILL
    (here.folder / "shop.csv").unlink()
    demand_whole(here, finish(here, job), undisturbed)


FAULTS = [
    {"kind": "429", "share": 0.1, "seed": 1, "retry_after": 0},
    {"kind": "503", "method": "GET", "share": 0.1, "seed": 2, "retry_after": 0},
    {"kind": "cut", "method": "GET", "share": 0.1, "seed": 3},
    {"kind": "polls", "share": 0.5, "seed": 4, "polls": 3},
]


@pytest.mark.parametrize("mode", ["imports", "profiles"])
def test_a_kill_at_any_moment_of_a_troubled_run(shop: Shop, undisturbed: list[dict[str, Any]], mode: str) -> None:
    """The same at random moments (fixed seed) while requests fail: four, or 15 times SOAK."""
    here, job = shop(mode=mode, rebuild="false")
    chance = random.Random(20_261_120)
    for _ in range(15 * SOAK or 4):
        here.sandbox.reset()
        shutil.rmtree(here.folder / ".copernica-import", ignore_errors=True)
        here.sandbox.set_faults(FAULTS)
        process = start(here, "count", str(here.folder / "steps.json"), "run", str(job))
        try:
            process.wait(chance.uniform(0.6, 2.0))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        here.sandbox.set_faults([])
        demand_whole(here, finish(here, job), undisturbed)
