"""Settling in the run, and finishing an open run: lost answers, failed imports, polls that gave up, and nothing left."""

from __future__ import annotations

import csv
import io
import os
import re
import subprocess
import sys
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import Any

import pytest

from pipeline.__main__ import main
from tests.support.command import Ran
from tests.support.journey import Journey
from tests.support.nights import leaping
from tests.support.resumable import Shop, resume, state_of

WAIT = 14_400
LOST = {"kind": "cut", "method": "POST", "path": "/v4/imports", "nth": 1}
NEVER = {"kind": "empty", "method": "POST", "path": "/v4/imports", "nth": 1}
HEADER = "Nr,City,Points,interest.news,Order.No,Order.Total\n"


def patient(here: Journey, job: Path) -> Ran:
    """Run a job while the clock leaps."""
    with leaping(here.sandbox):
        return here.call("run", job)


def set_aside(here: Journey, run: str, name: str) -> list[dict[str, str]]:
    """Read a file of rows that were not confirmed."""
    with (here.state / "runs" / run / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("faults", [[LOST], [NEVER], [LOST, {"kind": "delay", "nth": 1, "seconds": 1800}]])
def test_a_lost_answer_is_settled_within_the_run(
    shop: Shop, undisturbed: list[dict[str, Any]], faults: list[dict[str, Any]]
) -> None:
    """Data rule 28: the run waits until the import cannot run any more, reads back once, sends what is missing."""
    here, job = shop(wait=WAIT)
    here.sandbox.set_faults(faults)
    ran = patient(here, job)
    assert (ran.exit_code, ran.document["open"]) == (0, False), ran.stderr
    assert ran.records["confirmed"] == ran.records["accepted"] == 14
    assert state_of(here) == undisturbed
    names = [one["name"] for one in here.sandbox.imports()]
    assert len(names) == len(set(names))
    assert ran.document["rebuild"] == "done"
    assert [one["rebuild"] for one in here.sandbox.imports()][-1] is True


def test_without_time_to_wait_the_run_stays_open_and_resume_finishes_it(
    shop: Shop, undisturbed: list[dict[str, Any]]
) -> None:
    """Nothing is sent for an import that may still run; afterwards only its missing rows are."""
    here, job = shop()
    here.sandbox.set_faults([NEVER])
    ran = here.call("run", job)
    assert (ran.exit_code, ran.document["open"], ran.document["chunks"]["unknown"]) == (6, True, 1)
    assert "load.wait_s" in ran.stderr
    posts = len(here.posted())
    assert resume(here).exit_code == 6
    assert len(here.posted()) == posts
    here.sandbox.advance(3700)
    ran = resume(here)
    assert (ran.exit_code, ran.document["open"]) == (0, False), ran.stderr
    assert state_of(here) == undisturbed


def test_what_somebody_has_changed_meanwhile_is_left_alone(shop: Shop) -> None:
    """Data rule 28: different and modified since the sending is contested: it goes to open.csv and is not sent."""
    import requests

    here, job = shop(HEADER + "A,Ede,1,,,\n", rebuild="false")
    assert here.call("run", job).exit_code == 0
    here.sandbox.advance(60)
    here.write("shop.csv", HEADER + "A,Delft,2,,,\nB,Urk,1,,,\n")
    here.sandbox.set_faults([NEVER])
    assert here.call("run", job).exit_code == 6
    here.sandbox.advance(60)
    profile = here.profiles("Shop")[0]["ID"]
    url = f"{here.sandbox.api_url}/v3/profile/{profile}/fields"
    requests.put(url, params={"access_token": here.sandbox.token}, json={"City": "Theirs"}, timeout=10)
    here.sandbox.advance(3700)
    ran = resume(here)
    assert (ran.exit_code, ran.document["open"]) == (6, False), ran.stderr
    assert [one["fields"]["City"] for one in here.profiles("Shop")] == ["Theirs", "Urk"]
    assert (ran.records["confirmed"], ran.records["unsent"]) == (1, 1)
    rows = set_aside(here, ran.document["run"], "open.csv")
    assert [(row["Nr"], row["City"], row["_code"]) for row in rows] == [("A", "Delft", "changed_since")]


def test_two_failed_imports_in_a_row_stop_the_sending(shop: Shop, undisturbed: list[dict[str, Any]]) -> None:
    """Data rule 26: it may not be the rows; the rest is unsent, and the next attempt goes on."""
    here, job = shop()
    here.sandbox.set_faults([{"kind": "fail", "nth": [1, 2], "after_rows": 0, "message": "Disk full"}])
    ran = here.call("run", job)
    assert (ran.exit_code, ran.document["open"], ran.document["chunks"]["failed"]) == (6, True, 2)
    assert "Disk full" in ran.stderr
    here.sandbox.set_faults([])
    ran = resume(here)
    assert ran.exit_code == 0, ran.stderr
    assert state_of(here) == undisturbed


def test_a_lost_add_is_listed_and_never_sent_again(shop: Shop) -> None:
    """Data rule 28: rows of an `add` that are not there go to unknown.csv, and the run is closed."""
    here, job = shop(HEADER + "A,Ede,1,,,\nB,Urk,1,,,\n", order_key="", action="add", rebuild="false", wait=WAIT)
    schema = here.folder / "schema.py"
    schema.write_text("\n".join(line for line in schema.read_text().splitlines() if "Order." not in line) + "\n")
    here.write("shop.csv", "Nr,City,Points,interest.news\nA,Ede,1,Yes\nB,Urk,1,Yes\n")
    here.sandbox.set_faults([NEVER])
    ran = patient(here, job)
    assert (ran.exit_code, ran.document["open"], ran.records["unknown"]) == (6, False, 2), ran.stderr
    assert [row["Nr"] for row in set_aside(here, ran.document["run"], "unknown.csv")] == ["A", "B"]
    assert len(here.posted()) == 1
    here.sandbox.set_faults([])
    replay = ("replay", ran.document["run"])
    again = here.call(*replay, "--state-dir", here.folder / ".copernica-import")
    command = again.document["errors"][0]["do"].rpartition(": ")[2]
    assert (again.exit_code, command) == (4, ran.document["go_on"].rpartition(": ")[2])
    done = subprocess.run(command, shell=True, cwd="/", env=os.environ | here.environment(), check=False)
    assert (done.returncode, len(here.profiles("Shop"))) == (0, 2)


def test_a_lost_add_without_key_fields_is_not_looked_up(shop: Shop) -> None:
    """Without a key an equal profile proves nothing: the rows are unknown, whatever is there."""
    here, job = shop(order_key="", action="add", rebuild="false", wait=WAIT)
    schema = here.folder / "schema.py"
    schema.write_text("\n".join(line for line in schema.read_text().splitlines() if "Order." not in line) + "\n")
    here.write("shop.csv", "Nr,City,Points,interest.news\nA,Ede,1,Yes\nB,Urk,1,Yes\n")
    here.sandbox.set_faults([LOST])
    with leaping(here.sandbox):
        ran = here.call("run", job, "--set", "target.key_fields=[]")
    assert (ran.exit_code, ran.document["open"], ran.records["unknown"]) == (6, False, 2), ran.stderr
    rows = set_aside(here, ran.document["run"], "unknown.csv")
    assert [(row["Nr"], row["_message"]) for row in rows] == [
        ("A", "without key fields nothing can be looked up"),
        ("B", "without key fields nothing can be looked up"),
    ]
    assert len(here.posted()) == 1


def test_a_hanging_import_is_settled_like_a_lost_one(shop: Shop, undisturbed: list[dict[str, Any]]) -> None:
    """Data rule 26: after give_up_s without a move it is presumed dead, and its rows are sent again."""
    here, job = shop(wait=WAIT, give_up=7200)
    here.sandbox.set_faults([{"kind": "hang", "nth": 2}])
    ran = patient(here, job)
    assert ran.exit_code == 0, ran.stderr
    assert state_of(here) == undisturbed


@pytest.mark.parametrize("mode", ["imports", "auto"])
def test_a_failed_import_is_sent_again_in_pieces(shop: Shop, undisturbed: list[dict[str, Any]], mode: str) -> None:
    """Data rule 26: what arrived of it is not known, so that all its rows are sent again, in order."""
    here, job = shop(mode=mode)
    here.sandbox.set_faults([{"kind": "fail", "nth": 2, "message": "Disk full"}])
    ran = here.call("run", job)
    assert ran.exit_code == 0, ran.stderr
    assert state_of(here) == undisturbed


def test_several_open_runs_are_listed(shop: Shop) -> None:
    """Design 2.1: without a name the only open one; several: exit 3 with the command for each; by job it is clear."""
    here, job = shop()
    here.sandbox.set_faults([{**NEVER, "nth": [1, 2, 3, 4]}])
    assert here.call("run", job).exit_code == 6
    assert here.call("run", job, "--set", "job=other", "--set", "columns={}").exit_code == 6
    ran = resume(here)
    assert ran.exit_code == 3
    assert all(f" resume {error['where'].removeprefix('run ')} " in error["do"] for error in ran.document["errors"])
    assert len(ran.document["errors"]) == 2
    here.sandbox.set_faults([])
    here.sandbox.advance(3700)
    for name in ("shop", "other"):  # each counts the other's rows as sent since
        ran = resume(here, name)
        assert (ran.exit_code, ran.document["open"]) in ((0, False), (6, False)), ran.stderr
    assert resume(here).exit_code == 0
    assert resume(here, str(job)).exit_code == 0


def test_the_rebuild_is_not_done_where_the_last_import_did_not_end_confirmed(shop: Shop) -> None:
    """Data rule 24: its rows went per profile: `not done`, exit 6, and the run is closed."""
    here, job = shop(HEADER + "A,Delft,1,Yes,O1,2\n", mode="auto")
    here.sandbox.set_faults([{"kind": "fail", "nth": 1, "message": "Disk full"}])
    ran = here.call("run", job)
    assert (ran.exit_code, ran.document["rebuild"], ran.records["confirmed"]) == (6, "not done", 1)
    assert ran.document["open"] is False
    assert here.call("run", job).exit_code == 0


def test_resume_with_nothing_left_gives_the_last_summary(shop: Shop) -> None:
    """Design 2.1: with none but finished runs exit 0 and the last summary, without a call; with no run at all exit 3."""
    here, job = shop()
    assert resume(here).exit_code == 3
    first = here.call("run", job)
    requests = len(here.sandbox.journal())
    ran = resume(here)
    assert ran.exit_code == 0
    assert ran.document == first.document
    assert len(here.sandbox.journal()) == requests


def test_status_of_a_run_that_goes_on_says_so(shop: Shop) -> None:
    """Its lock is held: resume would only be refused. A run that was killed holds none, whatever the file says."""
    here, job = shop()
    here.sandbox.set_faults([{"kind": "delay", "seconds": 3600}])
    running = subprocess.Popen(
        [sys.executable, "-m", "pipeline", "run", str(job), "--json"],
        env={**os.environ, **here.environment()},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not here.posted() and running.poll() is None:
        with suppress(subprocess.TimeoutExpired):
            running.wait(0.05)
    said = status(here)
    assert f"It is running (pid {running.pid} on " in said
    assert "To go on" not in said
    assert re.search(r"submitted +1 chunk +[0-9]+ rows?\n|sending +1 chunk +[0-9]+ rows?\n", said)
    running.kill()
    running.wait()
    said = status(here)
    assert "It is running" not in said
    assert "copernica-import resume" in said


def status(here: Journey) -> str:
    """Call `status` as a person does."""
    out = io.StringIO()
    with redirect_stdout(out):
        assert main(["status", "--state-dir", str(here.folder / ".copernica-import")]) == 0
    return out.getvalue()
