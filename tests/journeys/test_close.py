"""An open run is closed by decision: what it did not confirm lies in files, each with a command to paste."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable

import pytest

from tests.journeys.shop import customers, opened, run
from tests.support.journey import Journey


@pytest.fixture
def shop(journey: Callable[..., Journey]) -> Journey:
    return opened(journey)


def test_each_file_has_a_line_whose_command_can_be_pasted(shop: Journey) -> None:
    """One customer was refused, two could not be sent: two files; the commands that end the lines bring all five in."""
    shop.sandbox.set_faults(
        [
            {"kind": "400", "method": "PUT", "path": "*/profiles", "nth": 2, "message": "Not this one"},
            {"kind": "503", "method": "PUT", "path": "*/profiles", "nth": [4, 5, 6, 7, 8, 9]},
        ]
    )
    words = ("load.mode=profiles", "load.workers=1", "http.retry_budget_s=0", "load.wait_s=0", "target.rebuild=false")
    ran = run(shop, *(word for setting in words for word in ("--set", setting)))
    assert (ran.exit_code, ran.document["open"]) == (6, True)
    shop.sandbox.set_faults([])
    closed = shop.call("close", ran.document["run"], "--state-dir", shop.folder / ".copernica-import")
    assert (closed.exit_code, closed.document["open"]) == (6, False)
    lines = closed.document["go_on"].splitlines()
    assert [line.partition(" in ")[0].rpartition(". ")[2] for line in lines] == ["1 row", "2 rows"]
    for line in lines:
        command = line.rpartition(": ")[2]
        done = subprocess.run(command, shell=True, cwd="/", env=os.environ | shop.environment(), check=False)
        assert done.returncode == 0, command
    assert sorted(customers(shop)) == ["1", "2", "3", "4", "5"]


def test_a_run_that_is_closed_stays_as_it_is(shop: Journey) -> None:
    """What was decided is there already: exit 0 with the summary of its end."""
    done = run(shop)
    again = shop.call("close", done.document["run"], "--state-dir", shop.folder / ".copernica-import")
    assert (again.exit_code, again.document) == (0, done.document)
