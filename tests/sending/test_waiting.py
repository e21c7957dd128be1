"""What a run does while it waits, and how what it stopped for is shown."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from pipeline.copernica import ApiError, Client
from pipeline.load.waiting import Waiting
from pipeline.sandbox import Sandbox
from pipeline.state.lock import Patience, database_lock
from tests.support.command import call_plain
from tests.support.nights import Stop, leaping, run_apart
from tests.support.shop import STRUCTURE, Shop

OpenShop = Callable[..., Shop]
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@dataclass
class Host:
    """An API host whose clock only waiting moves."""

    now: datetime = NOON
    asked: int = 0
    waits: list[float] = field(default_factory=list)

    def server_now(self) -> datetime:
        return self.now

    def identity(self, *, limited: bool) -> None:
        assert not limited
        self.asked += 1

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self.now += timedelta(seconds=seconds)
        return False


def test_an_hour_of_waiting_asks_for_the_time_once_a_minute() -> None:
    """Each question is a call that is billed; the countdown of a terminal moves every second all the same."""
    host, shown = Host(), list[str]()
    waiting = Waiting(host, host.wait, 7200, show=shown.append)  # type: ignore[arg-type]
    waiting.until(NOON + timedelta(hours=1), "an import may still run")
    assert (host.now, host.asked) == (NOON + timedelta(hours=1), 60)
    assert (max(host.waits), len(shown)) == (1.0, 3601)
    assert shown[0].startswith("waiting 60:00: an import may still run, until ")


@pytest.mark.usefixtures("sockets")
def test_no_limit_of_calls_ends_the_waiting() -> None:
    """Data rule 35: what asks how something stands does not count."""
    with (
        Sandbox(structure=STRUCTURE) as sandbox,
        Client(sandbox.token, "v4", sandbox.api_url, sandbox.auth_url) as client,
    ):
        client.identity()
        client.limit_calls(1)
        client.identity(limited=False)
        assert not client.limit_reached
        with pytest.raises(ApiError, match="the limit of 1 calls is reached"):
            client.identity()


@pytest.fixture
def stopped(open_shop: OpenShop, sockets: None) -> tuple[Shop, str]:
    """A shop, and its run that is open: its first import was accepted, and cannot be asked for."""
    shop = open_shop(changes={"http.retry_budget_s": 0})
    shop.dump("1,Ede", "2,Delft")
    shop.sandbox.set_faults([{"kind": "502", "method": "GET", "path": "*/import/*"}])
    ran = shop.run()
    assert (ran.exit_code, ran.document["open"]) == (6, True)
    shop.sandbox.set_faults([])
    return shop, ran.document["run"]


def test_a_run_that_was_torn_after_it_sent_something_does_not_claim_that_nothing_was_sent(
    stopped: tuple[Shop, str],
) -> None:
    """Its staged rows are damaged: exit 6, it is closed, and nobody reads that nothing was sent."""
    shop, run = stopped
    (shop.state / "runs" / run / "staged" / "manifest.json").write_text("")
    ran = shop.resume()
    assert (ran.exit_code, ran.document["open"]) == (6, False), ran.stderr
    assert ran.document["go_on"] == "The run is closed."
    assert "othing was sent" not in ran.stderr
    with leaping(shop.sandbox):
        shop.done()


def test_close_again_ends_as_the_run_did(stopped: tuple[Shop, str]) -> None:
    """The exit code is that of the document, also where nothing is left to be closed."""
    shop, run = stopped
    for _ in range(2):
        ran = shop.ask("close", run)
        assert (ran.exit_code, ran.document["exit_code"], ran.document["open"]) == (6, 6, False)


@pytest.mark.usefixtures("sockets")
def test_a_run_that_was_killed_before_its_rows_were_staged_stops_no_later_one(shop: Shop) -> None:
    """There is nothing to resume: the dumps are still there, and the message asks for them."""
    shop.dump("1,Ede")
    assert run_apart(shop, stop=Stop("ledger-after", 4)).exit_code == -9
    assert shop.ledger("SELECT state, is_open, accepted FROM run") == [("running", 0, None)]
    ran = call_plain("resume", "--state-dir", shop.state, environment=shop.environment())
    assert ran.exit_code == 0
    assert "has sent nothing; run the job again" in ran.stdout
    shop.done()
    assert shop.ledger("SELECT state, is_open FROM run ORDER BY number") == [("interrupted", 0), ("done", 0)]


@pytest.mark.usefixtures("sockets")
def test_a_structure_that_changes_while_a_run_waits_for_the_lock_is_seen(shop: Shop) -> None:
    """The rows were checked against a field that has become shorter: exit 5, and nothing is sent."""
    shop.dump("1,Ede")
    lock = database_lock(shop.sandbox.api_url, 1, Patience(), shop.environment())
    lock.__enter__()

    def change_and_let_go() -> None:
        while not list(shop.state.glob("runs/*/staged/manifest.json")):
            time.sleep(0.01)
        url = f"{shop.sandbox.api_url}/v3/database/1/field/2"
        fields: dict[str, Any] = {"name": "City", "type": "text", "length": 3}
        answer = requests.put(url, params={"access_token": shop.sandbox.token}, json=fields, timeout=10)
        assert answer.status_code < 300, answer.text
        lock.__exit__(None, None, None)

    other = threading.Thread(target=change_and_let_go)
    other.start()
    ran = shop.run(words=("--wait", "60"))
    other.join()
    assert (ran.exit_code, ran.document["status"]) == (5, "refused"), ran.stderr
    assert "held 50 characters when the run began and holds 3 now" in ran.stderr
    assert [entry for entry in shop.posted() if entry["method"] == "POST"] == []
