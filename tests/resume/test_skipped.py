"""A skipped chunk stays behind what has overtaken it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.resumable import Shop, resume, state_of

HEAD = "Nr,City,Points,interest.news,Order.No,Order.Total\n"
FAILS = [{"kind": "fail", "nth": 1, "after_rows": 0, "message": "Disk full"}]
REFUSED = [{"kind": "400", "method": "PUT", "path": "*/profiles", "nth": 1, "message": "Bad"}]


@pytest.mark.parametrize(("mode", "faults"), [("imports", FAILS), ("profiles", REFUSED)])
def test_rows_of_a_skipped_chunk_never_follow_later_ones(shop: Shop, mode: str, faults: list[dict[str, Any]]) -> None:
    """Data rule 23: once a later chunk of the same customers has gone, `--failed profiles` sends nothing of it."""
    here, job = shop(HEAD + "A,Old,1,,,\nA,New,2,,,\n", mode=mode, rebuild="false")
    here.sandbox.set_faults(faults)
    assert here.call("run", job, "--set", "load.chunk_rows=1").exit_code == 6
    here.sandbox.set_faults([])
    assert resume(here, "--failed", "skip").records["confirmed"] == 1
    for words in ([], ["--failed", "profiles"]):
        ran = resume(here, *words)
        assert (ran.exit_code, ran.records["confirmed"], ran.records["failed"]) == (6, 1, 1), ran.stderr
        assert "chunk 2 has sent later rows" in ran.stderr
        (customer,) = state_of(here)
        assert customer["fields"]["City"] == "New"


def test_rows_of_a_skipped_chunk_whose_customers_nobody_touched_can_still_be_sent(shop: Shop) -> None:
    """Data rule 28: a person may think again as long as nothing later of the same customers has gone."""
    here, job = shop(HEAD + "A,Old,1,,,\nB,New,2,,,\n", rebuild="false")
    here.sandbox.set_faults(FAILS)
    assert here.call("run", job, "--set", "load.chunk_rows=1").exit_code == 6
    here.sandbox.set_faults([])
    assert resume(here, "--failed", "skip").records["failed"] == 1
    assert resume(here, "--failed", "profiles").exit_code == 0
    assert len(state_of(here)) == 2


def test_failed_csv_holds_what_is_failed_now(shop: Shop) -> None:
    """Design 2.5: rows that were sent again and taken leave the file, and with the last one the file goes."""
    here, job = shop(HEAD + "A,Old,1,,,\nB,New,2,,,\n", mode="profiles", rebuild="false")
    here.sandbox.set_faults([{"kind": "400", "method": "PUT", "path": "*/profiles", "message": "Bad"}])
    run = here.call("run", job).document["run"]
    file = here.folder / ".copernica-import" / "runs" / run / "failed.csv"
    assert len(file.read_text().splitlines()) == 3
    here.sandbox.set_faults([{**REFUSED[0], "message": "Worse"}])
    assert resume(here, "--failed", "profiles").records["failed"] == 1
    _, line = file.read_text().splitlines()
    assert "Worse" in line
    here.sandbox.set_faults([])
    assert resume(here, "--failed", "profiles").exit_code == 0
    assert not file.exists()
