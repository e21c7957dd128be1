"""An outage slows all workers down together, lets them speed up again, and ends the run when its budget is spent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from threading import Thread
from typing import Any

import pytest

from pipeline.copernica import BudgetSpentError, Client, Database, LostError, Options, Outside
from pipeline.sandbox import Sandbox
from tests.support.client import World
from tests.support.command import Ran
from tests.support.journey import Journey
from tests.support.shop import SCHEMA, STRUCTURE

BUDGET_S = 60.0


@pytest.fixture
def client(sandbox: Sandbox, world: World) -> Iterator[Client]:
    limits = Options(connect_s=20, read_s=20, import_read_s=20, retry_budget_s=BUDGET_S)
    with Client(sandbox.token, "v4", sandbox.api_url, sandbox.auth_url, limits, world.outside) as client:
        client.identity()
        sandbox.world.journal.clear()
        yield client


@pytest.fixture
def shop(client: Client) -> Database:
    return client.structure("Shop")


@pytest.mark.parametrize("kind", ["429", "503"])
def test_all_workers_wait_for_what_one_was_told(sandbox: Sandbox, world: World, kind: str) -> None:
    """One is told to wait for 30 s; another that wants to call meanwhile waits for the same moment."""
    others: list[float] = []

    def other() -> None:
        before = len(world.waits)
        client.identity()
        others.extend(world.waits[before:])

    def sleep(seconds: float) -> None:
        if not others:
            others.append(0.0)
            worker = Thread(target=other)
            worker.start()  # while the first one waits
            worker.join(60)
        world.sleep(seconds)

    outside = Outside(world.clock, world.clock, lambda: 0.5, sleep)
    with Client(sandbox.token, "v4", sandbox.api_url, sandbox.auth_url, Options(), outside) as client:
        client.identity()
        sandbox.set_faults([{"kind": kind, "path": "/v4/identity", "retry_after": 30, "times": 1}])
        client.identity()
    assert max(others) == 30
    assert Counter(one["status"] for one in sandbox.journal() if one["method"] == "GET") == {200: 3, int(kind): 1}


@pytest.mark.parametrize("kind", ["429", "503"])
def test_the_pace_falls_with_refusals_and_recovers_with_success(
    sandbox: Sandbox, client: Client, world: World, kind: str
) -> None:
    """Calls are spaced after it, less and less, until nobody waits any more."""
    sandbox.set_faults([{"kind": kind, "nth": [1, 3, 6]}])
    spaces = []
    for _ in range(60):
        before = sum(world.waits)
        client.identity()
        spaces.append(sum(world.waits) - before)
    assert max(spaces) >= 1.0
    assert spaces[10:20] == sorted(spaces[10:20], reverse=True)
    assert spaces[20] < spaces[10]
    assert spaces[-1] == 0.0


@pytest.mark.parametrize("kind", ["502", "503", "empty", "cut"])
def test_changes_whose_answers_are_lost_one_after_another_are_slowed_and_stopped(
    sandbox: Sandbox, client: Client, shop: Database, world: World, kind: str
) -> None:
    """Reading works and no creating request may be repeated: without a stop every row of the dump would be unknown."""
    sandbox.set_faults([{"kind": kind, "method": "POST"}])
    lost = 0

    def change() -> None:
        nonlocal lost
        while True:
            try:
                client.create_profile(shop, {"Nr": str(lost)})
            except LostError:
                lost += 1
                client.identity()

    with pytest.raises(
        BudgetSpentError, match=r"was not sent: the answers to \d changes in a row were lost"
    ) as stopped:
        change()
    assert stopped.value.maybe_sent is False
    assert lost == len([one for one in sandbox.journal() if one["method"] == "POST"])
    assert 5 <= lost <= 9


def test_one_lost_answer_delays_nothing(sandbox: Sandbox, client: Client, shop: Database, world: World) -> None:
    """It is an accident; and a change that is answered ends the row."""
    sandbox.set_faults([{"kind": "cut", "method": "POST", "every": 2}])
    for number in range(5):
        client.create_profile(shop, {"Nr": str(number)})
        with pytest.raises(LostError):
            client.create_profile(shop, {"Nr": str(number)})
    assert world.waits == []


JOB = """
job: shop
source: {{files: [shop.csv], delimiter: ","}}
schema: schema.py:Shop
target:
  api: {api}
  database: Shop
  action: {action}
  key_fields: [Nr]
  ignore_empty_fields: true
  followups: false
  rebuild: false
load: {{mode: {mode}, workers: 4, chunk_rows: 2, wait_s: 0, poll: {{first_s: 0, most_s: 0.05, give_up_s: 5}}}}
http: {{retry_budget_s: 1, read_s: 10, import_read_s: 10}}
"""
ROWS = 40

Runs = Callable[..., tuple[Journey, Ran]]


@pytest.fixture
def run(journey: Callable[..., Journey]) -> Runs:
    """Run the job with faults; forty rows, which make twenty imports."""

    def made(faults: list[dict[str, Any]], mode: str, action: str = "update or add") -> tuple[Journey, Ran]:
        here = journey(STRUCTURE)
        here.write("schema.py", SCHEMA)
        here.write("shop.csv", "Nr,City\n" + "".join(f"{number},Ede\n" for number in range(ROWS)))
        job = here.write("job.yaml", JOB.format(api="v4", mode=mode, action=action))
        here.sandbox.set_faults(faults)
        return here, here.call("run", job)

    return made


def struck(here: Journey) -> int:
    """Count the requests that met a fault."""
    return len([one for one in here.sandbox.journal() if one["fault"]])


@pytest.mark.parametrize("kind", ["502", "503", "429", "empty"])
def test_an_api_that_is_down_from_the_start_is_exit_5(run: Runs, kind: str) -> None:
    """A few requests, none of them changing."""
    here, ran = run([{"kind": kind}], "imports")
    assert (ran.exit_code, ran.document["status"]) == (5, "refused")
    assert here.posted() == []
    assert 1 <= struck(here) <= 12
    assert "no success within 1 s" in ran.stderr


@pytest.mark.parametrize("kind", ["502", "503", "429", "empty"])
@pytest.mark.parametrize("mode", ["imports", "profiles"])
def test_an_outage_after_the_first_send_is_exit_6(run: Runs, mode: str, kind: str) -> None:
    """What is confirmed stays, the rest is unsent or unknown and named, and nobody goes on knocking."""
    first = {"imports": "*/import/*", "profiles": "*/profiles"}[mode]
    method = {"imports": "GET", "profiles": "PUT"}[mode]
    # From the second look at an import on, or from the third profile on.
    begins = [{"kind": kind, "path": first, "method": method, "nth": list(range(3, 1000))}]
    here, ran = run(
        [*begins, {"kind": kind, "method": "GET", "path": "*/profiles", "nth": list(range(60, 5000))}], mode
    )
    assert (ran.exit_code, ran.document["status"]) == (6, "incomplete")
    records = ran.records
    assert records["confirmed"] >= 1
    assert records["confirmed"] + records["unknown"] + records["unsent"] == ROWS
    assert records["unsent"] >= ROWS / 2
    assert 1 <= struck(here) <= 25
    assert len({profile["fields"]["Nr"] for profile in here.profiles("Shop")}) == len(here.profiles("Shop"))


@pytest.mark.parametrize("kind", ["502", "503", "empty", "cut"])
@pytest.mark.parametrize(
    ("mode", "action", "method", "path"),
    [
        ("imports", "update or add", "POST", "*/imports"),
        ("profiles", "update or add", "PUT", "*/profiles"),
        ("profiles", "add", "POST", "*/profiles"),
    ],
)
def test_only_the_changing_requests_fail(run: Runs, mode: str, action: str, method: str, path: str, kind: str) -> None:
    """Each is sent once and its rows become unknown; after a few the run stops instead of making all rows unknown."""
    here, ran = run([{"kind": kind, "method": method, "path": path}, {"kind": "hang"}], mode, action)
    found = kind == "cut" and (mode, action) == ("profiles", "update or add")
    records = ran.records
    assert ran.exit_code == 6
    assert records["confirmed"] + records["unknown"] + records["unsent"] == ROWS
    assert records["unsent"] >= ROWS / 2
    assert records["unknown" if not found else "confirmed"] >= 1
    assert 2 <= struck(here) <= 20
    # Once per row or import, but for an upsert that got 503: it goes again after a look that found nothing (three at most).
    once = ran.document["chunks"]["unknown"] if mode == "imports" else records["unknown"] + records["confirmed"]
    again = 3 if (kind, mode, action) == ("503", "profiles", "update or add") else 1
    assert once <= struck(here) <= again * once
