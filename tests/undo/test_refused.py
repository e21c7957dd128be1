"""Runs that cannot be undone are refused with one line and an exit code; nothing is sent without a yes."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.command import Ran, call_plain
from tests.support.shop import Shop
from tests.undo.shop import BEFORE, cities, undone


def ran_once(shop: Shop, *settings: str) -> tuple[str, Path]:
    """Run a change with the values from before kept; returns the run and its folder."""
    shop.dump("1,Ede")
    shop.done()
    shop.dump("1,Urk")
    run = shop.done(*(settings or BEFORE)).document["run"]
    return run, shop.state / "runs" / run


def refused(shop: Shop, run: str, exit_code: int = 3) -> str:
    """See that an undo is refused with one problem before anything is sent; returns it."""
    before = len(shop.posted())
    ran = shop.ask("undo", run, "--yes")
    assert (ran.exit_code, ran.document["status"]) == (exit_code, "refused")
    (error,) = ran.document["errors"]
    assert len(shop.posted()) == before
    assert error["do"]
    return error["what"]


def torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def damaged(change: Callable[[dict], dict]) -> Callable[[Path], None]:
    """Return what changes the file that says what was kept."""

    def damage(before: Path) -> None:
        meta = before / "meta.json"
        meta.write_text(json.dumps(change(json.loads(meta.read_text()))))

    return damage


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda before: torn(next(before.glob("profiles-*"))), "torn"),
        (lambda before: torn(next(before.glob("sent-*"))), "torn"),
        (lambda before: torn(before / "meta.json"), "torn"),
        (lambda before: next(before.glob("sent-*")).unlink(), "missing"),
        (lambda before: (before / "meta.json").unlink(), "not kept whole"),
        (shutil.rmtree, "gone"),
        (damaged(lambda meta: meta | {"format": 99}), "another version"),
        (damaged(lambda meta: meta | {"account": "1"}), "another account"),
        (damaged(lambda meta: meta | {"probe": 1}), "another version"),
    ],
)
def test_what_was_kept_is_torn(shop: Shop, damage: Callable[[Path], None], words: str) -> None:
    """Missing, torn, of another version or account: one line, exit 3."""
    run, folder = ran_once(shop)
    damage(folder / "before")
    assert words in refused(shop, run)


def test_a_run_that_kept_nothing(shop: Shop) -> None:
    """It says what to do for the next runs."""
    run, _ = ran_once(shop, "load.before=false")
    assert "did not keep" in refused(shop, run)


def test_an_undo_is_not_undone(shop: Shop) -> None:
    """Its dump is run again."""
    run, _ = ran_once(shop)
    assert "undo itself" in refused(shop, undone(shop, run).document["run"])


def test_an_open_run_is_finished_first(shop: Shop) -> None:
    """By resume or close, both named."""
    shop.dump("1,Ede")
    shop.sandbox.set_faults([{"kind": "cut", "method": "POST", "path": "*/imports"}])
    ran = shop.run(*BEFORE, "load.wait_s=0")
    assert ran.document["open"]
    shop.sandbox.set_faults([])
    assert "open" in refused(shop, ran.document["run"])


def test_an_unknown_run(shop: Shop) -> None:
    """Exit 3, as every command says it."""
    shop.dump("1,Ede")
    shop.done()
    assert refused(shop, "none")


def test_a_run_that_sent_nothing_has_nothing_to_undo(shop: Shop) -> None:
    """Refused runs among them."""
    shop.dump("1")
    ran = shop.run(*BEFORE)
    assert ran.exit_code == 4
    done = shop.ask("undo", ran.document["run"])
    assert (done.exit_code, done.document["run"]) == (0, None)


def test_nothing_is_sent_without_a_yes(shop: Shop) -> None:
    """Off a terminal the preview is shown, and the command that does it; the exit code is that of missing words."""
    run, folder = ran_once(shop)
    before = len(shop.posted())
    plain: Ran = call_plain("undo", run, "--state-dir", shop.state, environment=shop.environment())
    assert plain.exit_code == 2
    assert "to be restored" in plain.stdout
    assert "Urk" in plain.stdout
    assert "--yes" in plain.stderr
    document = shop.ask("undo", run)
    assert (document.exit_code, document.document["status"], document.document["undo"]["restore"]) == (2, "refused", 1)
    assert len(shop.posted()) == before
    assert cities(shop) == {"1": "Urk"}
    listed = folder / "before-undo" / "undo.csv"
    assert listed.read_text() == "record,key,id,field,now,before\nprofile,Nr=1,1,City,Urk,Ede\n"
    assert [path.name for path in (folder / "before-undo").iterdir()] == ["undo.csv"]


@pytest.mark.parametrize(("answer", "code", "city"), [("n", 0, "Urk"), ("y", 0, "Ede")])
def test_a_person_is_asked(shop: Shop, answer: str, code: int, city: str) -> None:
    """On a terminal, once what would come back was shown."""
    run, _ = ran_once(shop)
    ours, theirs = pty.openpty()
    os.write(ours, f"{answer}\n".encode())
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "undo", run, "--state-dir", str(shop.state)],
        env={**os.environ, **shop.environment()}, stdin=theirs, capture_output=True, text=True, check=False,
    )  # fmt: skip
    for end in (ours, theirs):
        os.close(end)
    assert (done.returncode, cities(shop)) == (code, {"1": city}), done.stderr
    assert "Restore 1 record?" in done.stderr
    assert "times of creation and change stay" in done.stdout


def test_what_is_kept_is_private(shop: Shop) -> None:
    """Data rule 45: it is personal data."""
    _, folder = ran_once(shop)
    assert (folder / "before").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (folder / "before").iterdir()} == {0o600}
