"""A skipped chunk stays behind what has overtaken it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.resume.conftest import Shop, resume, state_of

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
