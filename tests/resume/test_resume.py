"""Going on with a run: after a lost answer, a failed import, a poll that gave up, and when nothing is left."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from contextlib import redirect_stdout, suppress
from typing import Any

import pytest

from pipeline.__main__ import main
from tests.support.journey import Journey
from tests.support.resumable import Shop, resume, run_and_settle, state_of


def test_a_lost_answer_whose_import_ran_is_settled_within_the_run(
    shop: Shop, undisturbed: list[dict[str, Any]]
) -> None:
    """Data rule 28: the import without an answer is confirmed by its rows, and what waited for it follows."""
    here, job = shop()
    here.sandbox.set_faults([{"kind": "cut", "method": "POST", "path": "/v4/imports", "nth": 2}])
    ran = run_and_settle(here, job)
    assert ran.exit_code == 0, ran.stderr
    assert ran.records["confirmed"] == ran.records["accepted"] == 14
    assert state_of(here) == undisturbed
    assert here.sandbox.hazards() == []


def test_a_lost_import_that_starts_later_is_not_doubled(shop: Shop, undisturbed: list[dict[str, Any]]) -> None:
    """Data rule 28: nothing is sent for an import that may still run; once it ran, a second look settles it."""
    here, job = shop()
    here.sandbox.set_faults(
        [
            {"kind": "cut", "method": "POST", "path": "/v4/imports", "nth": 1},
            {"kind": "delay", "nth": 1, "seconds": 1800},
        ]
    )
    ran = here.call("run", job)
    assert ran.exit_code == 6
    assert ran.document["chunks"]["unknown"] == 1
    posts = len(here.posted())
    again = resume(here)
    assert again.exit_code == 6
    assert len(here.posted()) == posts
    here.sandbox.advance(1801)
    here.sandbox.settle(10)
    ran = resume(here)
    assert ran.exit_code == 0, ran.stderr
    assert state_of(here) == undisturbed


def test_a_lost_import_that_never_came_is_sent_after_two_looks_an_hour_apart(
    shop: Shop, undisturbed: list[dict[str, Any]]
) -> None:
    """Data rule 28: two looks an hour apart that show the same state, then the missing rows go per profile."""
    here, job = shop()
    here.sandbox.set_faults([{"kind": "empty", "method": "POST", "path": "/v4/imports", "nth": 1}])
    assert here.call("run", job).exit_code == 6
    here.sandbox.advance(600)
    assert resume(here).exit_code == 6
    here.sandbox.advance(3600)
    ran = resume(here)
    assert ran.records["confirmed"] == 14, ran.stderr
    assert state_of(here) == undisturbed
    assert here.sandbox.hazards() == []


@pytest.mark.parametrize("decision", ["sent", "resend"])
def test_a_person_decides_about_an_unknown_import(shop: Shop, undisturbed: list[dict[str, Any]], decision: str) -> None:
    """Data rule 28: `--unknown` decides before the second look."""
    here, job = shop()
    here.sandbox.set_faults([{"kind": "empty", "method": "POST", "path": "/v4/imports", "nth": 1}])
    assert here.call("run", job).exit_code == 6
    ran = resume(here, "--unknown", decision)
    assert ran.records["confirmed"] == 14, ran.stderr
    assert (state_of(here) == undisturbed) == (decision == "resend")


def test_a_poll_that_gave_up_is_polled_again_by_its_id(shop: Shop, undisturbed: list[dict[str, Any]]) -> None:
    """Data rule 26: past give_up_s a chunk stays submitted; resume asks for the same import."""
    here, job = shop(give_up=0)
    here.sandbox.set_faults([{"kind": "delay", "nth": 1, "seconds": 60}])
    ran = here.call("run", job)
    assert ran.exit_code == 6
    assert ran.document["chunks"] == {"submitted": 1, "total": 1}
    assert ran.records["unsent"] == 14
    here.sandbox.advance(61)
    here.sandbox.settle(10)
    here.sandbox.set_faults([])
    for _ in range(12):
        ran = resume(here)
        if ran.exit_code == 0:
            break
    assert ran.exit_code == 0, ran.stderr
    assert state_of(here) == undisturbed
    assert ran.document["rebuild"] == "done"


def test_a_failed_import_falls_back_to_profiles_in_auto(shop: Shop, undisturbed: list[dict[str, Any]]) -> None:
    """Data rule 25 (d): the rows of an import that failed half way go per profile; the others go on as imports."""
    here, job = shop(mode="auto")
    here.sandbox.set_faults([{"kind": "fail", "nth": 2, "message": "Disk full"}])
    ran = here.call("run", job)
    assert ran.exit_code == 0, ran.stderr
    assert state_of(here) == undisturbed
    assert here.sandbox.hazards() == []


def test_a_failed_import_waits_for_a_person_in_mode_imports(shop: Shop, undisturbed: list[dict[str, Any]]) -> None:
    """Data rules 23, 28: later chunks that share a customer are held until somebody decides."""
    here, job = shop()
    here.sandbox.set_faults([{"kind": "fail", "nth": 2, "message": "Disk full"}])
    ran = here.call("run", job)
    assert ran.exit_code == 6
    assert ran.document["chunks"]["failed"] == 1
    assert ran.document["chunks"]["held"] >= 1
    assert "Disk full" in ran.stderr
    assert "shop.csv line" in ran.stderr
    ran = resume(here, "--failed", "profiles")
    assert ran.exit_code == 0, ran.stderr
    assert state_of(here) == undisturbed


def test_skipping_a_failed_import_lets_the_others_follow(shop: Shop) -> None:
    """Data rule 28: `--failed skip` leaves the rows of the import; they stay counted as failed."""
    here, job = shop()
    here.sandbox.set_faults([{"kind": "fail", "nth": 2, "message": "Disk full"}])
    failed = here.call("run", job).records["failed"]
    ran = resume(here, "--failed", "skip")
    assert ran.exit_code == 6
    assert ran.records["failed"] == failed
    assert ran.records["confirmed"] == 14 - failed


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


def test_a_run_is_not_gone_on_with_when_a_later_one_has_sent(shop: Shop) -> None:
    """Data rule 35: yesterday's values must not go on top of today's."""
    here, job = shop()
    here.sandbox.set_faults([{"kind": "fail", "nth": 1, "message": "Disk full"}])
    first = here.call("run", job)
    here.sandbox.set_faults([])
    assert here.call("run", job, "--force", "unfinished_run").exit_code == 0
    posts = len(here.posted())
    ran = resume(here, first.document["run"])
    assert ran.exit_code in (0, 5)
    assert len(here.posted()) == posts


def test_the_rebuild_is_given_up_when_nothing_else_is_left(shop: Shop) -> None:
    """Data rule 24: the last import failed and its rows went per profile: not done, exit 6, once; then given up."""
    here, job = shop("Nr,City,Points,interest.news,Order.No,Order.Total\nA,Delft,1,Yes,O1,2\n", mode="auto")
    here.sandbox.set_faults([{"kind": "fail", "nth": 1, "message": "Disk full"}])
    ran = here.call("run", job)
    assert (ran.exit_code, ran.document["rebuild"], ran.records["confirmed"]) == (6, "not done", 1)
    ran = resume(here)
    assert (ran.exit_code, ran.document["rebuild"]) == (0, "given up")


def test_a_lost_row_of_the_profile_way_is_found_by_looking(shop: Shop, undisturbed: list[dict[str, Any]]) -> None:
    """Data rule 28 on the per-profile way: lost answers to POSTs are settled by lookups, within the run or by resume."""
    here, job = shop(mode="profiles", rebuild="false")
    here.sandbox.set_faults([{"kind": "cut", "method": "POST", "path": "/v4/profile/*", "nth": [1, 3]}])
    ran = here.call("run", job)
    for _ in range(3):
        if ran.exit_code == 0:
            break
        here.sandbox.advance(3700)
        ran = resume(here)
    assert ran.exit_code == 0, ran.stderr
    assert ran.records["confirmed"] == 14
    assert state_of(here) == undisturbed


def test_a_refused_resume_leaves_the_run_to_be_gone_on_with(shop: Shop, undisturbed: list[dict[str, Any]]) -> None:
    """A run whose token is another account's is refused with 5 and keeps its staged rows; with the right one it ends."""
    here, job = shop()
    here.sandbox.set_faults([{"kind": "fail", "nth": 2, "message": "Disk full"}])
    assert here.call("run", job).exit_code == 6
    here.sandbox.set_faults([{"kind": "503", "path": "/v4/identity", "retry_after": 0}])
    assert resume(here, "--failed", "profiles").exit_code == 5
    here.sandbox.set_faults([])
    ran = resume(here, "--failed", "profiles")
    assert ran.exit_code in (0, 6), ran.stderr
    assert ran.records["confirmed"] == 14
    assert state_of(here) == undisturbed


def test_the_import_with_the_rebuild_waits_until_all_others_are_final(
    shop: Shop, undisturbed: list[dict[str, Any]]
) -> None:
    """Data rule 24: while an import is unknown the last one is held, although it shares no customer with it."""
    here, job = shop()
    here.sandbox.set_faults([{"kind": "empty", "method": "POST", "path": "/v4/imports", "nth": 1}])
    ran = here.call("run", job)
    assert ran.exit_code == 6
    assert [one["rebuild"] for one in here.sandbox.imports()] == [False] * len(here.sandbox.imports())
    ran = resume(here, "--unknown", "resend")
    assert (ran.exit_code, ran.document["rebuild"]) == (0, "done"), ran.stderr
    assert [one["rebuild"] for one in here.sandbox.imports()][-1] is True
    assert state_of(here) == undisturbed


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


def test_an_import_that_changes_nothing_and_may_still_run_holds_later_rows_of_its_customers(shop: Shop) -> None:
    """Data rule 23: its rows read back equal because they were there before; run late it would undo what came after."""
    header, old, new = "Nr,City,Points,interest.news,Order.No,Order.Total\n", "A,Aaa,,,,\n", "A,Bbb,,,,\n"
    here, job = shop(header + old)
    assert here.call("run", job).exit_code == 0
    here.sandbox.advance(3)
    here.write("shop.csv", header + old + new)
    here.sandbox.set_faults(
        [
            {"kind": "cut", "method": "POST", "path": "/v4/imports", "nth": 1},
            {"kind": "delay", "nth": 1, "seconds": 1800},
        ]
    )
    ran = here.call("run", job, "--set", "load.chunk_rows=1")
    assert (ran.exit_code, ran.document["chunks"]["confirmed"], ran.document["chunks"]["held"]) == (6, 1, 1)
    assert resume(here).exit_code == 6
    here.sandbox.advance(1801)
    here.sandbox.settle(10)
    assert resume(here).exit_code == 6
    here.sandbox.advance(1900)
    ran = resume(here)
    assert (ran.exit_code, ran.records["confirmed"]) == (0, 2), ran.stderr
    assert [one["fields"]["City"] for one in here.profiles("Shop")] == ["Bbb"]
