"""What must wait, waits: chains, shared customers, and lookups that cannot be trusted."""

from __future__ import annotations

import os
from typing import Any

import pytest

from pipeline.state.folder import KEPT
from tests.support.resumable import Shop, resume, state_of

# One customer whose orders fill three chunks of four rows, and whose city follows the file.
CHAIN = "Nr,City,Points,interest.news,Order.No,Order.Total\n" + "".join(
    f"A,City {number},{number},Yes,O1,{number}\n" for number in range(1, 13)
)


def test_what_shares_a_customer_with_an_unknown_import_is_held(shop: Shop) -> None:
    """Data rules 23, 28: an unknown import may run in an hour, so no later row of its customers goes before it."""
    here, job = shop(CHAIN, rebuild="false")
    here.sandbox.set_faults(
        [
            {"kind": "cut", "method": "POST", "path": "/v4/imports", "nth": 1},
            {"kind": "delay", "nth": 1, "seconds": 1800},
        ]
    )
    ran = here.call("run", job)
    assert ran.document["chunks"] == {"unknown": 1, "held": 2, "total": 3}
    assert state_of(here) == []
    here.sandbox.advance(1801)
    here.sandbox.settle(10)
    here.sandbox.advance(1900)
    ran = resume(here)
    assert ran.exit_code == 0, ran.stderr
    (customer,) = state_of(here)
    assert customer["fields"]["City"] == "City 12"


@pytest.mark.parametrize("switches", [{"lookups_drop": ["Nr"]}, {"lookup_strangers": True}])
def test_lookups_that_cannot_be_trusted_stop_the_profile_way(shop: Shop, switches: dict[str, Any]) -> None:
    """Data rule 31: a selector that is dropped, or answers with strangers, ends the run with 5 before any write."""
    here, job = shop()
    assert here.call("run", job).exit_code == 0
    before, posts = state_of(here), len(here.posted())
    here.sandbox.set_switches(switches)
    ran = here.call("run", job, "--set", "load.mode=profiles", "--set", "guards.unique_keys=off")
    assert ran.exit_code == 5, ran.stderr
    assert len(here.posted()) == posts
    assert state_of(here) == before


def test_staged_rows_of_a_confirmed_run_go_when_their_time_has_come(shop: Shop) -> None:
    """`state.keep_staged`: at its end by default; with days they stay until a later run finds them too old."""
    here, job = shop()
    first = here.call("run", job).document["run"]
    runs = here.folder / ".copernica-import" / "runs"
    assert not (runs / first / "staged").exists()
    kept = here.call("run", job, "--set", "state.keep_staged=7d").document["run"]
    staged = runs / kept / "staged"
    assert (staged / "manifest.json").is_file()
    here.call("run", job)
    assert staged.is_dir()
    (runs.parent / KEPT / kept).write_text("2020-01-01T00:00:00+00:00")
    here.call("run", job)
    assert not staged.exists()


def test_the_ledger_and_the_run_folder_are_private(shop: Shop) -> None:
    """Invariant 11: folders 0700, files 0600, whatever the umask; also of a run that `resume` finishes."""
    here, job = shop()
    here.sandbox.set_faults([{"kind": "fail", "nth": [1, 2], "message": "Disk full"}])
    before = os.umask(0)
    try:
        assert here.call("run", job).exit_code == 6
        here.sandbox.set_faults([])
        assert resume(here).exit_code == 0
    finally:
        os.umask(before)
    state = here.folder / ".copernica-import"
    modes = {oct(path.stat().st_mode & 0o777) for path in [state, *state.rglob("*")] if path.is_dir()}
    assert modes == {"0o700"}
    open_files = [path.name for path in state.rglob("*") if path.is_file() and path.stat().st_mode & 0o077]
    assert open_files == []


def test_rows_without_a_profile_key_wait_for_nobody(shop: Shop) -> None:
    """Data rule 23: a failed import of an `add` without keys holds no other, for no two rows are of one customer."""
    rows = "Nr,City,Points,interest.news\n" + "".join(f"N{number},Ede,{number},Yes\n" for number in range(12))
    here, job = shop(rows, action="add", order_key="", rebuild="false")
    here.sandbox.set_faults([{"kind": "fail", "nth": 1, "after_rows": 0, "message": "Disk full"}])
    ran = here.call("run", job, "--set", "target.key_fields=[]", "--set", "ignore=[Order.No, Order.Total]")
    assert (ran.exit_code, ran.document["chunks"]) == (6, {"unknown": 1, "confirmed": 2, "total": 3}), ran.stderr
    assert len(state_of(here)) == 8


def test_a_mark_that_is_no_time_stops_nobody(shop: Shop) -> None:
    """An empty mark, as an older crash may have left: its rows stay, and the log says so."""
    here, job = shop()
    run = here.call("run", job, "--set", "state.keep_staged=7d").document["run"]
    mark = here.folder / ".copernica-import" / KEPT / run
    mark.write_text("")
    ran = here.call("run", job)
    assert ran.exit_code == 0
    assert "staged.kept" in ran.stderr
    assert mark.exists()
