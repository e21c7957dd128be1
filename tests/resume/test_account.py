"""The account of a run that stops again comes from the ledger, whatever this process has come to (invariant 1)."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from tests.resume.test_ground import ask, interrupt, meanwhile
from tests.support.journey import Journey
from tests.support.resumable import Shop, resume, state_of

# The orders of one customer in two chunks of four rows, those of another one in the third.
DUMP = "Nr,City,Points,interest.news,Order.No,Order.Total\n" + "".join(
    f"{name},{name}-town,,Yes,O{number},{number}\n"
    for name, number in (*(("A", at) for at in range(8)), *(("B", at) for at in range(4)))
)
PROFILES = "Nr,City,Points,interest.news,Order.No,Order.Total\n" + "".join(f"P{at},Ede,{at},Yes,,\n" for at in range(6))
# Nothing is looked up before the first import, and the API's silence is believed soon.
QUICK = ("--set", "guards.unique_keys=off", "--set", "http.retry_budget_s=0", "--set", "load.verify_sample=0")
LOST = {"kind": "cut", "method": "POST", "path": "/v4/imports", "nth": 1}
SILENT = {"kind": "502", "method": "GET", "path": "*/profiles"}


def runs(here: Journey) -> Path:
    """Give the folder of the runs' folders."""
    return here.folder / ".copernica-import" / "runs"


def test_chunks_that_a_stopped_load_does_not_come_to_are_counted(shop: Shop) -> None:
    """The first import is lost, what shares no customer with it goes, and the looks at it fail: in the run and in a resume."""
    here, job = shop(DUMP, rebuild="false")
    here.sandbox.set_faults([LOST, {"kind": "delay", "nth": 1, "seconds": 1800}, SILENT])
    ran = here.call("run", job, *QUICK)
    there = {"unknown": 1, "confirmed": 1, "held": 1, "total": 3}
    assert (ran.exit_code, ran.document["chunks"]) == (6, there), ran.stderr
    assert {name: ran.records[name] for name in ("confirmed", "unknown", "unsent")} == {
        "confirmed": 4,
        "unknown": 4,
        "unsent": 4,
    }
    again = resume(here)
    assert (again.exit_code, again.document["chunks"], again.records) == (6, there, ran.records)


def test_chunks_behind_an_interrupted_one_are_counted(shop: Shop) -> None:
    """The first import fails, and a resume is interrupted before it has sent one of its rows."""
    here, job = shop(DUMP, rebuild="false")
    here.sandbox.set_faults([{"kind": "fail", "nth": 1, "after_rows": 0, "message": "Disk full"}])
    ran = here.call("run", job, "--set", "guards.unique_keys=off")
    there = {"failed": 1, "confirmed": 1, "held": 1, "total": 3}
    assert (ran.exit_code, ran.document["chunks"]) == (6, there), ran.stderr
    here.sandbox.set_faults([{"kind": "503", "method": "GET", "path": "*/profiles"}])
    with meanwhile(here, lambda entry: entry["status"] == 503, interrupt):
        again = resume(here, "--failed", "profiles")
    assert (again.exit_code, again.records["confirmed"], again.records["accepted"]) == (130, 4, 12)
    here.sandbox.set_faults([])
    assert resume(here, "--failed", "profiles").records["confirmed"] == 12


def test_a_guard_that_stops_a_resume_leaves_the_run_incomplete(shop: Shop) -> None:
    """Exit 5 means that nothing was sent: once rows have gone it is 6, with their count and the way to go on."""
    here, job = shop(PROFILES, mode="profiles", rebuild="false")
    here.sandbox.set_faults([{"kind": "429", "method": "PUT", "nth": 3, "retry_after": 600}])
    ran = here.call("run", job, "--set", "load.workers=1", "--set", "http.retry_budget_s=1")
    assert ran.exit_code == 6, ran.stderr
    confirmed = ran.records["confirmed"]
    assert 0 < confirmed < 6
    here.sandbox.set_faults([])
    here.sandbox.set_switches({"lookups_drop": ["Nr"]})
    again = resume(here)
    assert (again.exit_code, again.document["status"], again.records["confirmed"]) == (6, "incomplete", confirmed)
    assert "Nothing was sent" not in again.stdout
    here.sandbox.set_switches({"lookups_drop": []})
    last = resume(here)
    assert (last.exit_code, last.records["confirmed"]) == (0, 6), last.stderr


def test_rows_that_are_missing_from_what_was_staged_are_no_smaller_import(shop: Shop) -> None:
    """Data rule 2: rows of the lanes are lost on the disk, so that what was sent is not what was accepted."""
    here, job = shop(DUMP, rebuild="false")
    here.sandbox.set_faults([{"kind": "429", "method": "POST", "path": "/v4/imports", "nth": 2}])
    ran = here.call("run", job, *QUICK)
    assert (ran.exit_code, ran.records["confirmed"], ran.records["unsent"]) == (6, 4, 8), ran.stderr
    lane, whole = lane_of(here, "B")
    pl.read_ipc(whole).head(-2).write_ipc(lane)
    ran = resume(here)
    assert (ran.exit_code, ran.records["confirmed"], ran.records["unsent"]) == (1, 10, 0)
    assert "12 records accepted, 10 accounted for" in ran.stderr
    assert "Traceback" in ran.stderr


NOT_NOW = {"kind": "429", "method": "POST", "path": "/v4/imports", "nth": 2}
FULL = {"kind": "fail", "nth": 1, "after_rows": 0, "message": "Disk full"}


@pytest.mark.parametrize(
    ("state", "number", "fault", "words"),
    [
        ("confirmed", 1, NOT_NOW, ()),
        ("unsent", 2, NOT_NOW, ()),
        ("failed", 1, FULL, ("--failed", "profiles")),
        ("held", 2, FULL, ("--failed", "skip")),
    ],
)
def test_a_value_that_changed_in_what_was_staged_is_not_sent(
    shop: Shop, state: str, number: int, fault: dict[str, object], words: tuple[str, ...]
) -> None:
    """Data rule 22: a chunk is what its digest says, in every state, and nothing goes on top of one that is not."""
    here, job = shop(DUMP, rebuild="false")
    here.sandbox.set_faults([fault])
    assert here.call("run", job, *QUICK).exit_code == 6
    here.sandbox.set_faults([])
    assert ask(here, f"SELECT state FROM chunk WHERE ordinal = {number}") == [(state,)]
    before, sent = state_of(here), len(here.posted())
    lane, whole = lane_of(here, "A")
    last = (pl.col("Nr") == "A") & (pl.col("Order.No") == f"O{4 * number - 1}")
    town = pl.when(last).then(pl.lit("Elsewhere")).otherwise("City")
    pl.read_ipc(whole).with_columns(City=town).write_ipc(lane)
    ran = resume(here, *words)
    assert (ran.exit_code, ran.document["status"]) == (6, "incomplete"), ran.stderr
    assert f"error: the staged rows of chunk {number} are not those that the ledger knows" in ran.stderr
    assert ran.stderr.splitlines()[-1].startswith("To go on: resume would stop there again")
    assert (len(here.posted()), state_of(here)) == (sent, before)
    lane.write_bytes(whole)
    resume(here, *words)
    assert ask(here, f"SELECT state FROM chunk WHERE ordinal = {number}") == [("confirmed",)]
    assert "Elsewhere" not in str(state_of(here))


def lane_of(here: Journey, customer: str) -> tuple[Path, bytes]:
    """Give the staged file that holds the rows of a customer, and what is in it."""
    files = {lane: lane.read_bytes() for lane in runs(here).glob("*/staged/lanes/*/*.arrow")}
    return next((lane, whole) for lane, whole in files.items() if customer in pl.read_ipc(whole)["Nr"])
