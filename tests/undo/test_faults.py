"""Runs that failed, were sent in pieces or were killed can be undone, and a killed undo is finished."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.nights import leaping
from tests.support.shop import Shop
from tests.undo.shop import BEFORE, cities, undone

ROOT = Path(__file__).parents[2]
CRASH = [sys.executable, "-m", "tests.resume.crash"]
CUSTOMERS = range(1, 7)
CHUNKS = ("load.chunk_rows=2", "load.workers=1")


def changed(shop: Shop) -> None:
    """Fill the shop, and write a dump that changes every city."""
    shop.dump(*(f"{at},Ede" for at in CUSTOMERS))
    shop.done()
    shop.dump(*(f"{at},Urk" for at in CUSTOMERS))


def killed(shop: Shop, where: str, step: int, *words: str) -> None:
    """Run a command in a process that is killed at a step."""
    process = subprocess.run(
        [*CRASH, where, str(step), *words],
        cwd=ROOT, env={**os.environ, **shop.environment()}, capture_output=True, check=False,
    )  # fmt: skip
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("at", [0, 1])
def test_a_chunk_that_failed_halfway(shop: Shop, at: int) -> None:
    """An import that stopped after a row and was sent again in pieces."""
    changed(shop)
    shop.sandbox.set_faults([{"kind": "fail", "nth": 1, "after_rows": at, "message": "Disk full"}])
    ran = shop.done(*BEFORE, *CHUNKS)
    assert ran.document["imports"] > 3
    shop.sandbox.set_faults([])
    undone(shop, ran.document["run"])
    assert set(cities(shop).values()) == {"Ede"}


def test_a_run_whose_rows_partly_arrived_is_undone_once_it_is_closed(shop: Shop) -> None:
    """What arrived of imports that failed for good comes back, whatever the ledger says of it."""
    changed(shop)
    shop.sandbox.set_faults([{"kind": "fail", "nth": [1, 2, 3], "after_rows": 1, "message": "Disk full"}])
    ran = shop.run(*BEFORE, *CHUNKS)
    assert ran.exit_code == 6
    assert set(cities(shop).values()) == {"Ede", "Urk"}
    shop.sandbox.set_faults([])
    run = ran.document["run"]
    if ran.document["open"]:
        shop.ask("close", run)
    undone(shop, run)
    assert set(cities(shop).values()) == {"Ede"}


def test_an_undo_whose_rows_are_refused_names_itself(shop: Shop) -> None:
    """Rows that Copernica does not take back are in failed.csv; the advice is to undo again, and then it works."""
    changed(shop)
    run = shop.done(*BEFORE, *CHUNKS, "load.mode=profiles").document["run"]
    shop.sandbox.set_faults([{"kind": "400", "method": "PUT", "path": "*/profile/*", "nth": 2, "message": "No"}])
    ran = shop.ask("undo", run, "--yes")
    assert (ran.exit_code, ran.records["failed"], ran.records["confirmed"]) == (6, 1, 5)
    shop.sandbox.set_faults([])
    again = ran.document["go_on"].rpartition("undo again: ")[2]
    assert f" undo {run} " in again
    assert undone(shop, run).document["undo"]["restore"] == 1
    assert set(cities(shop).values()) == {"Ede"}


@pytest.mark.parametrize("method", ["imports", "profiles"])
@pytest.mark.parametrize("step", [15, 19])
def test_killed_runs_keep_the_values_from_before(shop: Shop, method: str, step: int) -> None:
    """A run that is killed while it reads or rows go out, and resumed, has not taken its own values for those from before."""
    changed(shop)
    settings = [word for one in (*BEFORE, *CHUNKS, f"load.mode={method}") for word in ("--set", one)]
    killed(shop, "wire-after", step, "run", str(shop.job), *settings)
    with leaping(shop.sandbox):
        shop.sandbox.settle(10)
        ran = shop.resume()
    assert ran.exit_code == 0, ran.stderr
    assert set(cities(shop).values()) == {"Urk"}
    undone(shop, ran.document["run"])
    assert set(cities(shop).values()) == {"Ede"}


@pytest.mark.parametrize("method", ["imports", "profiles"])
@pytest.mark.parametrize(("where", "step"), [("ledger-after", 3), ("wire-after", 14)])
def test_a_killed_undo_is_finished(shop: Shop, method: str, where: str, step: int) -> None:
    """By `resume` where rows were staged, else by the undo itself; and `undo` names the way out."""
    changed(shop)
    run = shop.done(*BEFORE, *CHUNKS, f"load.mode={method}").document["run"]
    killed(shop, where, step, "undo", run, "--yes", "--state-dir", str(shop.state))
    with leaping(shop.sandbox):
        shop.sandbox.settle(10)
        if any(one["open"] for one in shop.ask("runs").document["runs"]):
            refused = shop.ask("undo", run, "--yes")
            if refused.exit_code == 3:
                assert "resume" in refused.document["errors"][0]["do"]
                assert shop.resume().exit_code == 0
        assert shop.ask("undo", run, "--yes").exit_code == 0
    assert set(cities(shop).values()) == {"Ede"}
