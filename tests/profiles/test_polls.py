"""When an import is final, and how long it is waited for (data rule 26): real imports, by a clock that only waits move."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipeline.copernica import Client
from pipeline.load.cut import Shape
from pipeline.load.flight import COUNTERS_S, STILL_POLLS, STILL_S, Clock, Flight, waits
from pipeline.load.imports import Imports
from pipeline.model.chunk import ChunkState
from pipeline.model.columns import Lane
from pipeline.model.job import Poll
from pipeline.model.outcome import Outcome
from pipeline.sandbox import Sandbox
from tests.copernica.server import Server, answer, in_turn
from tests.profiles.shop import Shop, Terms, columns_of, job_of, keys_of, sets_of, together

ROWS = [{"CustomerID": f"C{number}", "City": "Ede"} for number in range(4)]


@dataclass
class Waiting:
    """A clock that only waiting moves; while one waits the sandbox works on its imports."""

    sandbox: Sandbox
    now_s: float = 0.0
    waits: list[float] = field(default_factory=list)

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self.now_s += seconds
        return not self.sandbox.settle()

    def now(self) -> datetime:
        return START + timedelta(seconds=self.now_s)


START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def send(shop: Shop, poll: Poll, *faults: dict[str, Any], sent: int = 4) -> tuple[Outcome, Waiting]:
    """Send four rows as one import that the faults strike, and poll until it has ended, as if `sent` rows had gone."""
    shop.sandbox.set_faults(list(faults))
    time, terms = Waiting(shop.sandbox), Terms(key_fields=("CustomerID",))
    job = job_of(terms)
    job = job.model_copy(update={"load": job.load.model_copy(update={"poll": poll})})
    imports = Imports(shop.client, job, "job-1", shop.database.id)
    rows = together(ROWS, terms)
    chunk = Shape(sets_of(columns_of(ROWS)), keys_of(ROWS, terms)).chunk(Lane(0, 0), rows)
    import_id = imports.send(chunk, rebuild=False)
    assert isinstance(import_id, int)
    flight = Flight[str](shop.client, poll, Clock(time.now, time.wait))
    flight.add("chunk", import_id, sent, START)
    assert list(flight) == ["chunk"]
    found = flight.land()[1]
    assert len(flight) == 0
    return found, time


@pytest.mark.parametrize(("every_s", "ends_s"), [(90.0, STILL_POLLS * 90), (30.0, STILL_S)])
def test_an_import_with_an_error_whose_counters_do_not_move_has_failed(
    shop: Shop, every_s: float, ends_s: float
) -> None:
    """Without lastrun it is final after ten polls and ten minutes of the same counters, not before."""
    fault = {"kind": "fail", "after_rows": 2, "finish": False, "message": "Disk full"}
    outcome, time = send(shop, Poll(first_s=every_s, factor=1, most_s=every_s), fault)
    assert outcome.state is ChunkState.FAILED
    assert "Disk full; 2 of 4 lines processed, 4 rows sent" in outcome.message
    assert time.now_s == ends_s


def test_an_import_that_hangs_is_presumed_dead(shop: Shop) -> None:
    """Without an error nothing says that it has ended: after `give_up_s` without a move it is settled like a lost one."""
    outcome, time = send(shop, Poll(first_s=60, factor=1, most_s=60, give_up_s=3600), {"kind": "hang"})
    assert (outcome.state, outcome.stop) == (ChunkState.UNKNOWN, None)
    assert "has not moved for 3600 s and is presumed dead" in outcome.message
    assert time.now_s == 3600


def test_the_error_of_an_import_that_ran_to_its_end_decides(shop: Shop) -> None:
    """With lastrun and an error it has failed at the first poll, whatever its status word says."""
    outcome, time = send(shop, Poll(first_s=0), {"kind": "fail", "message": "Disk full"})
    assert outcome.state is ChunkState.FAILED
    assert len(time.waits) <= 3


@pytest.mark.parametrize("kind", ["html", "400", "502", "false_counters", "late_counters"])
def test_one_odd_answer_to_a_poll_is_asked_for_again(shop: Shop, kind: str) -> None:
    """An error page, an error, a counter that is no number or one poll behind is an outage, no verdict."""
    fault = {"kind": kind, "method": "GET", "path": "*/import/*", "times": 1}
    outcome, _time = send(shop, Poll(first_s=0), fault)
    assert outcome.state is ChunkState.CONFIRMED


def test_counters_that_never_fit_are_a_failure_after_two_minutes(shop: Shop) -> None:
    """They are asked for again as long as they may be late, then they count."""
    outcome, time = send(shop, Poll(first_s=10, factor=1, most_s=10), {"kind": "extra_lines"})
    assert outcome.state is ChunkState.FAILED
    assert "4 of 5 lines processed, 4 rows sent" in outcome.message
    assert time.now_s == 10 + COUNTERS_S


def test_counters_that_fit_each_other_but_not_the_rows_are_a_failure(shop: Shop) -> None:
    """An import of fewer lines than were sent has lost some of them, however well it ended."""
    outcome, time = send(shop, Poll(first_s=10, factor=1, most_s=10), sent=5)
    assert outcome.state is ChunkState.FAILED
    assert "4 of 4 lines processed, 5 rows sent" in outcome.message
    assert time.now_s == 10 + COUNTERS_S


def test_an_import_is_not_final_before_its_last_run(sockets: None) -> None:
    """All lines processed are no end: `lastrun` is (API sheet 11.4)."""
    done = {"ID": "88", "totallines": "4", "processedLines": "4", "lastrun": False}
    server = Server(
        in_turn(answer(200, done), answer(200, done), answer(200, done | {"lastrun": "2026-01-02 04:04:35"}))
    )
    waited: list[float] = []

    def wait(seconds: float) -> bool:
        waited.append(seconds)
        return False

    with Client("T", "v3", server.url) as client:
        flight = Flight[str](client, Poll(first_s=0), Clock(lambda: START + timedelta(seconds=sum(waited)), wait))
        flight.add("chunk", 88, 4, START)
        assert flight.land()[1].state is ChunkState.CONFIRMED
    server.close()
    assert len(server.seen) == 3


def test_what_an_import_says_of_a_customer_is_not_shown(shop: Shop) -> None:
    """The words stay with the outcome, for the ledger and failed.csv; the message has those of the API's vocabulary."""
    words = "The address jane.doe@secret.test of profile Jane Doe is invalid"
    outcome, _time = send(shop, Poll(first_s=0), {"kind": "fail", "message": words})
    assert outcome.words == words
    assert "jane" not in outcome.message.lower()
    assert "The address … of profile … is invalid" in outcome.message


@pytest.mark.parametrize(
    ("first_s", "last_import_s", "wanted"),
    [
        ("auto", 0.0, [0, 0.1, 0.16, 0.256]),
        ("auto", 0.1, [0, 0.1, 0.16, 0.256]),
        ("auto", 20.0, [10, 2.5, 4, 6.4]),
        ("auto", 1000.0, [60, 15, 24, 38.4, 60, 60]),
        (2.0, 1000.0, [2, 2, 3.2, 5.12]),
    ],
)
def test_how_long_is_waited_before_each_poll(first_s: Any, last_import_s: float, wanted: list[float]) -> None:
    """`auto` waits half as long as the last import took, and not at all where that is hardly anything."""
    found = itertools.islice(waits(Poll(first_s=first_s, factor=1.6, most_s=60), last_import_s), len(wanted))
    assert [round(wait, 3) for wait in found] == wanted
