"""What every command has in common: one document with `--json`, also where it refuses; and every attempt in the history."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pipeline.cli import COMMANDS
from tests.support.command import call
from tests.support.journey import Journey
from tests.support.shop import Shop, open_shop

# The words that each command cannot do without.
WORDS: dict[str, tuple[str, ...]] = {
    "run": ("no.yaml",), "validate": ("no.yaml",), "init": ("no.csv",), "setup": ("no.yaml",), "check": ("no.yaml",),
    "preview": ("no.yaml",), "plan": ("no.yaml",), "apply": ("r",), "resume": (), "close": ("r",), "undo": ("r",),
    "replay": ("r",), "runs": (), "status": (), "report": (), "explain": ("no.yaml", "1"), "prune": (),
    "sandbox": ("--faults", "no.yaml"),
}  # fmt: skip
# Commands that take a JOB, and so `--set`.
OF_A_JOB = ("run", "validate", "setup", "check", "preview", "plan", "explain", "runs", "resume")


@pytest.fixture
def shop(journey: Callable[..., Journey]) -> Shop:
    return open_shop(journey)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_refusal_is_one_document(tmp_path: Any, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """With the state folder named; nothing else stands on stdout."""
    monkeypatch.chdir(tmp_path)
    ran = call(name, *WORDS[name], "--state-dir", tmp_path / "state")
    assert ran.exit_code in (3, 4)
    assert ran.document.keys() >= {"status", "exit_code", "errors"}
    assert (ran.document["status"], ran.document["exit_code"]) == ("refused", ran.exit_code)
    assert all(one.keys() == {"where", "what", "do"} for one in ran.document["errors"])


@pytest.mark.parametrize("name", OF_A_JOB)
def test_a_command_on_a_job_takes_settings(name: str) -> None:
    """A wrong word is exit 2, and a document as well."""
    assert call(name, *WORDS[name], "--set", "job=x").exit_code != 2
    ran = call(name, *WORDS[name], "--no-such-word")
    assert (ran.exit_code, ran.document["status"], ran.document["exit_code"]) == (2, "refused", 2)


def test_a_missing_token_is_an_attempt_in_the_history(shop: Shop) -> None:
    """Exit 3: it has a folder and a report, and the next morning somebody sees it."""
    shop.dump("1,Ede")
    ran = shop.call("run", shop.job, COPERNICA_TOKEN="")
    assert (ran.exit_code, ran.document["status"], ran.document["api_calls"]) == (3, "refused", 0)
    (one,) = shop.ask("runs").document["runs"]
    assert (one["run"], one["exit_code"], one["report"]) == (ran.document["run"], 3, ran.document["report"])


def test_a_refused_run_counts_its_calls(shop: Shop) -> None:
    """They are billed, too."""
    shop.dump("1,Ede")
    ran = shop.run("target.database=Other")
    assert (ran.exit_code, ran.document["status"]) == (5, "refused")
    assert ran.document["api_calls"] == sum("authenticate" not in one["path"] for one in shop.sandbox.journal()) > 0


def test_the_file_of_a_plan_is_tried_before_anything_is_read(shop: Shop) -> None:
    """A folder that is missing is a wrong word, and no run."""
    shop.dump("1,Ede")
    ran = shop.call("plan", shop.job, "--out", shop.folder / "missing" / "changes.csv")
    assert ran.exit_code == 2
    assert not shop.state.exists()
