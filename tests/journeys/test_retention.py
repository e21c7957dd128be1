"""What past runs have left goes by itself, and staged rows may lie on another disk."""

from __future__ import annotations

import stat
from pathlib import Path

from tests.support.shop import Shop


def test_every_run_prunes_its_job_and_the_command_prunes_all(shop: Shop) -> None:
    """By the days of the job; what was deleted is counted."""
    shop.dump("1,Delft", ",Ede")
    words = ("guards.max_rejects=100%", "state.keep_rejects=0d")
    first = Path(shop.done(*words).document["rejects"])
    assert first.exists()
    second = Path(shop.done(*words).document["rejects"])
    assert (first.exists(), second.exists()) == (False, True)
    ran = shop.ask("prune")
    assert (ran.exit_code, ran.document["status"], ran.document["rejects"], ran.document["runs"]) == (0, "done", 1, 0)
    assert not second.exists()
    assert len(shop.ask("runs").document["runs"]) == 2


def test_prune_without_runs_is_a_clear_error(shop: Shop) -> None:
    """As of every command that looks for runs."""
    ran = shop.ask("prune")
    assert (ran.exit_code, ran.document["errors"][0]["what"]) == (3, "there is no run here")


def test_staged_rows_may_lie_elsewhere(shop: Shop) -> None:
    """`state.staged_dir`, from the folder of the job file: private, and gone at the end like all staged rows."""
    shop.dump("1,Delft", "2,Ede")
    shop.done("state.staged_dir=big")
    assert list((shop.folder / "big").iterdir()) == []
    ran = shop.done("state.staged_dir=big", "state.keep_staged=7d")
    (elsewhere,) = (shop.folder / "big").iterdir()
    assert elsewhere.name == ran.document["run"]
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o700
    assert (shop.state / "runs" / elsewhere.name / "staged" / "manifest.json").samefile(elsewhere / "manifest.json")


def test_a_place_for_staged_rows_that_cannot_be_made_is_named(shop: Shop) -> None:
    """Before anything is read."""
    shop.dump("1,Delft")
    shop.write("file", "")
    ran = shop.run("state.staged_dir=file/big")
    assert (ran.exit_code, ran.document["errors"][0]["where"]) == (3, f"state.staged_dir: {shop.folder}/file/big")
