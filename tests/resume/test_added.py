"""`add` on the per-profile way: what a lost answer has made is found as its own, and nothing is made twice."""

from __future__ import annotations

import shutil

import pytest
import requests

from tests.resume.test_crash import start
from tests.support.journey import Journey
from tests.support.resumable import Shop, resume, state_of

HEAD = "Nr,City,Points,interest.news,Order.No,Order.Total\n"
PROFILES, SUBPROFILES = "*/profiles", "*/subprofiles/*"
ADD = {"mode": "profiles", "action": "add", "rebuild": "false"}


def customers(here: Journey) -> list[tuple[str, list[str]]]:
    """Give each profile's key with the numbers of its orders."""
    return [(one["fields"]["Nr"], [order["No"] for order in one["orders"]]) for one in state_of(here)]


@pytest.mark.parametrize("chunk_rows", ["100", "1"])
@pytest.mark.parametrize("dump", ["A,Ede,1,,,\nA,Ede,1,,O1,5\n", "A,Ede,1,,O1,5\n"])
def test_the_profile_that_a_lost_post_made_takes_the_rows_that_follow(shop: Shop, dump: str, chunk_rows: str) -> None:
    """Data rule 28: its id is recorded when it is found, so that no later row of the key makes another."""
    here, job = shop(HEAD + dump + "A,Ede,1,,O2,6\n", **ADD)
    here.sandbox.set_faults([{"kind": "cut", "method": "POST", "path": PROFILES, "nth": 1}])
    ran = here.call("run", job, "--set", f"load.chunk_rows={chunk_rows}")
    assert ran.exit_code == 0, ran.stderr
    assert customers(here) == [("A", ["O1", "O2"])]


def test_a_profile_taken_for_sent_is_not_made_again(shop: Shop) -> None:
    """Data rule 28: a profile that a person takes for sent is looked up by the rows behind it; none is made twice."""
    here, job = shop(HEAD + "A,Ede,1,,,\nA,Ede,1,,O1,5\nA,Ede,1,,O2,6\n", **ADD)
    here.sandbox.set_faults([{"kind": "cut", "method": "POST", "path": PROFILES, "nth": 1}])
    assert here.call("run", job, "--set", "load.max_settle_calls=1").exit_code == 6
    # A hand in Copernica changes it, so that it is not found as it was sent.
    change(here)
    assert resume(here, "--max-settle-calls", "9").records["unknown"] == 1
    assert resume(here, "--unknown", "sent").records["confirmed"] == 3
    ((number, orders),) = customers(here)
    assert (number, len(orders)) == ("A", 2)


def change(here: Journey) -> None:
    """Change the first profile, as a person would."""
    answer = requests.put(
        f"{here.sandbox.api_url}/v1/profile/1/fields",
        params={"access_token": here.sandbox.token},
        json={"City": "Goes"},
        timeout=5,
    )
    assert answer.ok


def test_a_lost_post_taken_for_sent_that_never_came_doubles_nothing(shop: Shop) -> None:
    """Data rule 28: the row that was to go into it stays unknown, one without orders is done; the next may add it."""
    here, job = shop(HEAD + "A,Ede,1,,O1,5\nB,Ede,1,,,\nB,Ede,1,,O1,5\n", **ADD)
    here.sandbox.set_faults([{"kind": "empty", "method": "POST", "path": PROFILES, "nth": [1, 2]}])
    assert here.call("run", job).exit_code == 6
    ran = resume(here, "--unknown", "sent")
    assert (ran.exit_code, ran.records["unknown"], ran.records["confirmed"]) == (6, 1, 2)
    assert customers(here) == [("B", ["O1"])]


@pytest.mark.parametrize(("path", "nth", "left"), [(PROFILES, 1, 0), (SUBPROFILES, 2, 1)])
def test_an_equal_record_of_another_row_or_an_earlier_run_confirms_nothing(
    shop: Shop, path: str, nth: int, left: int
) -> None:
    """Data rule 28: only what the lost request itself can have made is found; else the row stays unknown."""
    here, job = shop(HEAD + "A,Ede,1,,O1,5\n", **ADD)
    assert here.call("run", job).exit_code == 0
    here.sandbox.advance(60)
    here.write("shop.csv", HEAD + "A,Ede,1,,O1,5\nA,Ede,1,,O1,5\n")
    here.sandbox.set_faults([{"kind": "empty", "method": "POST", "path": path, "nth": nth}])
    ran = here.call("run", job)
    assert (ran.exit_code, ran.records["confirmed"], ran.records["unknown"]) == (6, left, 1), ran.stderr
    assert resume(here).records["unknown"] == 1
    assert customers(here)[:1] == [("A", ["O1"])]


def test_a_kill_behind_any_request_of_an_add_doubles_nothing(shop: Shop) -> None:
    """Invariant 8: what was made when the process ended is found by `resume`, orders too, and the rest follows."""
    here, job = shop(HEAD + "A,Ede,1,,,\nA,Ede,1,,O1,5\nA,Ede,1,,O2,5\n", **ADD)
    posts = 0
    for step in range(1, 40):
        here.sandbox.reset()
        if start(here, "wire-after", str(step), "run", str(job)).wait(60) == 0:
            break
        posts = max(posts, sum(entry["method"] == "POST" for entry in here.posted()))
        ran = resume(here)
        if ran.exit_code == 3:
            continue
        assert ran.exit_code == 0, ran.stderr
        assert customers(here) == [("A", ["O1", "O2"])]
        shutil.rmtree(here.folder / ".copernica-import")
    assert posts == 3


@pytest.mark.parametrize(("delay_s", "extra", "unknown"), [(1800, [], 0), (None, [], 2), (1800, ["A"], 2)])
def test_a_lost_import_is_confirmed_by_what_came_after_it_only(
    shop: Shop, delay_s: int | None, extra: list[str], unknown: int
) -> None:
    """Data rule 28: as many new equal profiles as were sent; equal ones from before, or too many, prove nothing."""
    dump = "Nr,City,Points,interest.news\nA,Ede,1,\nA,Ede,1,\n"
    here, job = shop(dump, **ADD | {"mode": "imports", "order_key": ""})
    here.write("schema.py", (here.folder / "schema.py").read_text().partition("    no: str")[0])
    assert here.call("run", job).exit_code == 0
    here.sandbox.advance(10)
    kind = {"kind": "empty"} if delay_s is None else {"kind": "cut"}
    late = [] if delay_s is None else [{"kind": "delay", "nth": 1, "seconds": delay_s}]
    here.sandbox.set_faults([{**kind, "method": "POST", "path": "/v4/imports", "nth": 1}, *late])
    assert here.call("run", job, "--force", "already_loaded").records["unknown"] == 2
    here.sandbox.advance(1801)
    here.sandbox.settle(10)
    for number in extra:
        requests.post(
            f"{here.sandbox.api_url}/v1/database/1/profiles",
            params={"access_token": here.sandbox.token},
            json={"Nr": number, "City": "Ede", "Points": "1"},
            timeout=5,
        )
    assert resume(here).records["unknown"] == unknown
