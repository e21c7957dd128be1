"""The limits of calls and of rows that find no record, before the first send and while it goes."""

from __future__ import annotations

import os
import subprocess

from tests.support.command import Ran, call
from tests.support.shop import ORDERS, Shop

UPDATE = ("target.action=update", "load.mode=profiles")


def calls_before_sending(shop: Shop) -> int:
    """Run once, and count the calls up to the first changing one."""
    shop.dump("1,Delft")
    shop.done()
    first = shop.posted()[0]["n"]
    return sum("authenticate" not in entry["path"] for entry in shop.sandbox.journal() if entry["n"] < first)


def resume(shop: Shop) -> Ran:
    return call("resume", "--state-dir", shop.folder / ".copernica-import", environment=shop.environment())


def test_a_run_that_needs_more_calls_than_the_job_allows_is_refused(shop: Shop) -> None:
    """One import is three calls, beside those that were made to look; one less is too few."""
    before = calls_before_sending(shop)
    error = shop.refused("max_calls", 5, f"guards.max_calls={before + 2}")
    assert error["where"] == "guards.max_calls"
    assert error["what"] == f"about {before + 3} calls are needed, at most {before + 2} may be made"
    shop.done(f"guards.max_calls={before + 3}", "load.verify_sample=0")
    shop.forced("max_calls", "guards.max_calls=1")


def test_rows_scattered_over_many_phases_are_seen_by_the_default_limit(shop: Shop) -> None:
    """One customer whose rows change set each time needs an import a row: 350 × 3 calls are more than 1,000."""
    rows = [f"1,City {number},{'O1' if number % 2 else ''}" for number in range(350)]
    shop.dump(*rows, header="Nr,City,Order.No")
    error = shop.refused("max_calls", 5, *ORDERS)
    assert error["what"] == (
        "about 1,050 calls are needed, at most 1,000 may be made;"
        " the rows are scattered over 350 phases or sets of columns, each with imports of its own"
    )


def test_the_limit_stops_a_run_part_way_and_resume_goes_on(shop: Shop) -> None:
    """The second import is put off again and again, each time with a call: exit 6, and the message names the guard."""
    before = calls_before_sending(shop) + 1  # the lookup of another key
    shop.dump("1,Ede", "2,Ede")
    busy = {"kind": "429", "method": "POST", "path": "/v4/imports", "retry_after": 0}
    shop.sandbox.set_faults([{**busy, "nth": nth} for nth in range(2, 9)])
    ran = shop.run(f"guards.max_calls={before + 6}", "load.chunk_rows=1")
    assert (ran.exit_code, ran.document["status"], ran.records["confirmed"]) == (6, "incomplete", 1), ran.stderr
    assert "at: guards.max_calls" in ran.stderr
    assert f"{before + 6} calls were made and no more may be" in ran.stderr
    shop.sandbox.set_faults([])
    assert resume(shop).exit_code == 0
    assert [one["fields"]["City"] for one in shop.profiles("Shop")] == ["Ede", "Ede"]


def test_asking_how_an_import_stands_uses_no_calls_up(shop: Shop) -> None:
    """Copernica is slow: thirty polls are as good as one (data rule 35), and the summary counts them all."""
    before = calls_before_sending(shop)
    shop.dump("1,Ede")
    shop.sandbox.set_faults([{"kind": "polls", "method": "POST", "path": "/v4/imports", "polls": 30}])
    ran = shop.done(f"guards.max_calls={before + 3}")
    assert ran.document["api_calls"] >= before + 31


def test_the_limit_holds_for_reading_back_too(shop: Shop) -> None:
    """All is confirmed; that the sample could not be read is a warning, which names the limit."""
    before = calls_before_sending(shop) - 1  # the lookup of one key
    shop.dump("1,Ede", "2,Ede", "3,Ede")
    ran = shop.run(f"guards.max_calls={before + 3}", "guards.unique_keys=off")
    assert (ran.exit_code, ran.records["confirmed"]) == (0, 3)
    assert "the sample could not be read back: the limit of" in ran.stderr


def test_forced_the_limit_never_stops_a_run(shop: Shop) -> None:
    """The same run with the guard forced."""
    before = calls_before_sending(shop)
    busy = {"kind": "429", "method": "POST", "path": "/v4/imports", "retry_after": 0}
    shop.sandbox.set_faults([{**busy, "nth": nth} for nth in range(1, 9)])
    shop.forced("max_calls", f"guards.max_calls={before + 4}")


def test_the_per_profile_way_plans_calls_by_profile_and_row(shop: Shop) -> None:
    """400 rows of 400 profiles are planned as 800 calls; the default allows five times as many."""
    shop.dump(*(f"{number},Delft" for number in range(400)))
    words = ("load.mode=profiles", "guards.max_calls=800")
    assert "at most 800" in shop.refused("max_calls", 5, *words)["what"]
    assert shop.done("load.mode=profiles").records["confirmed"] == 400


def test_the_fall_back_to_profiles_is_under_the_same_limit(shop: Shop) -> None:
    """What imports could do in three calls takes two a row: nothing is sent where that is too many (data rule 25)."""
    shop.dump(*(f"{number},Delft" for number in range(60)))
    shop.sandbox.set_switches({"imports": "refuse"})
    ran = shop.run("load.mode=auto", "guards.max_calls=100")
    assert ran.exit_code == 5
    assert [error["where"] for error in ran.document["errors"]] == [
        "guards.max_calls",
        "chunk 1, 60 rows between dump.csv line 2 and dump.csv line 61",
    ]
    assert shop.numbers() == []
    ran = shop.done("load.mode=auto")
    assert (ran.document["way"], len(shop.numbers())) == ("profiles", 60)


def test_rows_that_find_no_record_stop_the_run_part_way(shop: Shop) -> None:
    """Asked after every chunk: of 6 rows the first 2 find nothing, one is allowed, the other 4 are never sent."""
    shop.dump(*(f"{number},Delft" for number in range(3, 7)))
    shop.done()
    shop.dump(*(f"{number},Ede" for number in range(1, 7)))
    ran = shop.run(*UPDATE, "guards.max_unmatched=1", "load.chunk_rows=2")
    assert (ran.exit_code, ran.records["unmatched"], ran.records["unsent"]) == (6, 2, 4)
    assert "at: guards.max_unmatched" in ran.stderr
    assert "2 of 6 rows found no record, the job allows 1" in ran.stderr
    assert {one["fields"]["City"] for one in shop.profiles("Shop")} == {"Delft"}
    command = ran.document["go_on"].rpartition(": ")[2]
    assert (
        subprocess.run(command, shell=True, cwd="/", env=os.environ | shop.environment(), check=False).returncode == 0
    )
    assert [one["fields"]["City"] for one in shop.profiles("Shop")] == ["Ede"] * 4


def test_rows_that_find_no_record_are_exit_6_though_all_was_sent(shop: Shop) -> None:
    """One row: nothing is left to be stopped, but the limit was passed."""
    shop.dump("1,Delft")
    ran = shop.run(*UPDATE, "guards.max_unmatched=0")
    assert (ran.exit_code, ran.records["unmatched"], ran.records["confirmed"]) == (6, 1, 1)
    assert "run again with --force max_unmatched" in ran.stderr
    shop.done(*UPDATE, "guards.max_unmatched=100%")


def test_the_rest_of_a_chunk_is_not_sent_once_too_many_found_no_record(shop: Shop) -> None:
    """Data rule 35: while it goes, not after ten thousand rows."""
    shop.dump(*(f"{number},Delft" for number in range(90, 100)))
    shop.done()
    shop.dump(*(f"{number},Ede" for number in range(100)))
    ran = shop.run(*UPDATE, "guards.max_unmatched=3", "load.workers=1")
    assert (ran.exit_code, ran.records["unmatched"], ran.records["unsent"]) == (6, 4, 96), ran.stderr
    assert {one["fields"]["City"] for one in shop.profiles("Shop")} == {"Delft"}
    assert [line for line in ran.stderr.splitlines() if line.startswith("error: ")] == [
        "error: 4 of 100 rows found no record, the job allows 3"
    ]


def test_forced_rows_may_find_no_record(shop: Shop) -> None:
    """They are confirmed and counted as unmatched."""
    shop.dump("1,Delft", "2,Delft")
    ran = shop.forced("max_unmatched", *UPDATE, "guards.max_unmatched=0")
    assert ran.records["unmatched"] == 2


def test_imports_cannot_tell_and_the_log_says_so(shop: Shop) -> None:
    """Nobody believes that a guard holds which sees nothing."""
    shop.dump("1,Delft")
    assert "guard.sees_nothing" in shop.done("target.action=update", "guards.max_unmatched=0").stderr


def test_the_count_of_rows_that_find_no_record_goes_on_over_chunks_and_processes(shop: Shop) -> None:
    """Each row counts once, also where its chunk is looked at again, and those of an earlier process count, too."""
    shop.dump(*(f"{number},Delft" for number in range(20, 40)))
    shop.done()
    shop.dump(*(f"{number},Ede" for number in range(20, 28)), *(f"{number},Ede" for number in range(8)))
    words = (*UPDATE, "guards.max_unmatched=4", "load.workers=1", "load.chunk_rows=10")
    shop.sandbox.set_faults([{"kind": "429", "method": "PUT", "nth": 8, "retry_after": 600}])
    assert shop.run(*words, "http.retry_budget_s=1").exit_code == 6
    shop.sandbox.set_faults([])
    state = ("--state-dir", shop.folder / ".copernica-import")
    ran = call("resume", *state, environment=shop.environment())
    assert (ran.exit_code, ran.records["unmatched"], ran.records["unsent"]) == (6, 5, 3), ran.stderr
    again = call("resume", *state, environment=shop.environment())
    assert (again.exit_code, again.records["unmatched"], again.records["unsent"]) == (6, 5, 3), again.stderr
    assert [line for line in again.stderr.splitlines() if line.startswith("error: ")] == [
        "error: 5 of 16 rows found no record, the job allows 4"
    ]
