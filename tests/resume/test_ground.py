"""Going on where the ground has moved: another way, a dump put back, a structure that shrank, an interrupt at a bad moment."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from pipeline.state.lock import Patience, database_lock
from tests.resume.test_crash import start, steps_of
from tests.support.command import call
from tests.support.journey import Journey
from tests.support.resumable import Shop, resume, state_of

LEDGER = Path(".copernica-import") / "ledger.sqlite"


def ask(here: Journey, question: str) -> list[tuple[Any, ...]]:
    """Ask the ledger, as an operator would."""
    connection = sqlite3.connect(here.folder / LEDGER)
    try:
        return connection.execute(question).fetchall()
    finally:
        connection.close()


def kill(here: Journey, job: Path, where: str, number: int, *words: str) -> None:
    """Kill a run at one of its steps."""
    assert start(here, where, str(number), "run", str(job), *words).wait(60) == -signal.SIGKILL


def kill_between_staging_and_sending(here: Journey, job: Path) -> None:
    """Kill a run whose rows are all staged and of which nothing is sent."""
    for number in range(1, steps_of(here, job)["ledger"] + 1):
        shutil.rmtree(here.folder / LEDGER.parent)
        kill(here, job, "ledger-before", number)
        if ask(here, "SELECT accepted FROM run WHERE accepted > 0") and not ask(here, "SELECT 1 FROM chunk"):
            return
    raise AssertionError("no such step")


def kill_once(here: Journey, job: Path, where: str, question: str, answer: list[tuple[Any, ...]]) -> None:
    """Kill a new run at the first of its steps after which the ledger gives this answer."""
    for number in range(1, 20):
        shutil.rmtree(here.folder / LEDGER.parent, ignore_errors=True)
        kill(here, job, where, number)
        if ask(here, question) == answer:
            return
    raise AssertionError("no such step")


@contextmanager
def meanwhile(here: Journey, seen: Callable[[dict[str, Any]], bool], do: Callable[[], object]) -> Iterator[None]:
    """Do something from another thread as soon as the sandbox has seen a request."""
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            if any(seen(entry) for entry in here.sandbox.journal()):
                do()
                return

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def interrupt() -> None:
    """Press Ctrl-C."""
    os.kill(os.getpid(), signal.SIGINT)


def change_city(here: Journey, **properties: Any) -> None:
    """Change the live field City as somebody else would."""
    database = here.sandbox.world.store.catalogue.database("Shop")
    assert database is not None
    number = next(field.id for field in database.fields if field.name == "City")
    url = f"{here.sandbox.api_url}/v3/database/{database.id}/field/{number}"
    answer = requests.put(url, params={"access_token": here.sandbox.token}, json=properties, timeout=10)
    assert answer.status_code < 300, answer.text


@pytest.mark.parametrize("number", [20, 24, 30])
def test_a_run_that_fell_back_goes_on_per_profile(shop: Shop, undisturbed: list[dict[str, Any]], number: int) -> None:
    """Data rule 25 c: an account without imports is not asked for one again by `resume`."""
    here, job = shop(mode="auto", rebuild="false", switches={"imports": "refuse"})
    kill(here, job, "wire-after", number)
    ran = resume(here)
    assert (ran.exit_code, ran.document["way"]) == (0, "profiles"), ran.stderr
    assert state_of(here) == undisturbed
    assert len([entry for entry in here.sandbox.journal() if entry["path"].endswith("/imports")]) == 1


@pytest.mark.parametrize(
    ("moved", "words"),
    [({"length": 5}, "held 50 characters when the run began and holds 5 now"), ({"length": 80}, "")],
)
def test_a_live_field_that_shrank_refuses(shop: Shop, moved: dict[str, Any], words: str) -> None:
    """Data rule 12: what was checked against the old length may be cut by the new one; a longer field is fine.

    Something of the run was sent before, so that its end is 6, and its rows stay accounted for and open.
    """
    here, job = shop(rebuild="false")
    here.sandbox.set_faults([{"kind": "fail", "nth": [1, 2], "message": "Disk full"}])
    assert here.call("run", job).exit_code == 6
    here.sandbox.set_faults([])
    posts = len(here.posted())
    change_city(here, **moved)
    ran = resume(here)
    assert (ran.exit_code, ran.document["open"]) == ((6, True) if words else (0, False)), ran.stderr
    assert (ran.records["read"], words in ran.stderr) == (14, True)
    assert (len(here.posted()) == posts + 1) is bool(words)


def test_the_structure_is_read_again_after_waiting_for_the_database(shop: Shop) -> None:
    """Invariant 9: who held the lock may have changed the fields."""
    here, job = shop()
    number = here.sandbox.world.store.catalogue.database("Shop").id  # type: ignore[union-attr]
    held = database_lock(here.sandbox.api_url, number, Patience(), here.environment())

    def leave() -> None:
        change_city(here, name="Town")
        held.__exit__(None, None, None)

    held.__enter__()
    with meanwhile(here, lambda entry: "/database/" in entry["path"], leave):
        ran = here.call("run", job, "--wait", "30")
    assert ran.exit_code == 5
    assert "City" in ran.stderr
    assert [entry for entry in here.posted() if entry["path"].endswith("/imports")] == []


def test_an_interrupt_before_the_api_answers(shop: Shop) -> None:
    """Exit 130, not 5: nobody refused."""
    here, job = shop()
    here.sandbox.set_faults([{"kind": "503", "path": "*/identity"}])
    with meanwhile(here, lambda entry: entry["path"].endswith("/identity"), interrupt):
        ran = here.call("run", job)
    assert ran.exit_code == 130
    assert here.posted() == []


def test_another_host_is_refused_before_it_is_asked(shop: Shop) -> None:
    """The ids of imports mean nothing there; a port may change, as that of a sandbox does."""
    here, job = shop()
    here.sandbox.set_faults([{"kind": "fail", "nth": [1, 2], "message": "Disk full"}])
    assert here.call("run", job).exit_code == 6
    asked = len(here.sandbox.journal())
    elsewhere = here.sandbox.api_url.replace("127.0.0.1", "localhost")
    words = ("--state-dir", here.folder / LEDGER.parent)
    ran = call("resume", *words, environment=here.environment(COPERNICA_API_URL=elsewhere))
    assert ran.exit_code == 5
    assert ran.document["errors"][0]["what"] == "the run went to 127.0.0.1, and the API is now localhost"
    assert len(here.sandbox.journal()) == asked
    assert call("resume", *words, environment=here.environment()).exit_code == 0
