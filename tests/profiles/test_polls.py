"""When an import is final, and how long it is waited for (data rule 26): real imports, by a clock that only waits move."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

import pytest

from pipeline.load.imports import STILL_POLLS, STILL_S, Clock, Imports, ImportSettings, waits
from pipeline.load.loop import entry_of
from pipeline.model.job import Poll
from pipeline.model.outcome import Ending, Outcome
from pipeline.sandbox import Sandbox
from tests.profiles.shop import Shop, Terms, chunk_of

ROWS = [{"CustomerID": f"C{number}", "City": "Ede"} for number in range(4)]


@dataclass
class Waiting:
    """Virtual time in seconds, and every wait; meanwhile the sandbox gets as far as it can."""

    sandbox: Sandbox
    now_s: float = 0.0
    waits: list[float] = field(default_factory=list)

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self.now_s += seconds
        return not self.sandbox.settle()


def carry(shop: Shop, poll: Poll, fault: dict[str, Any]) -> tuple[Outcome, Waiting]:
    """Send four rows as one import that `fault` strikes."""
    shop.sandbox.set_faults([fault])
    time, terms = Waiting(shop.sandbox), Terms(key_fields=("CustomerID",))
    settings = ImportSettings(
        "job",
        shop.database.id,
        "update or add",
        ignore_empty_fields=True,
        followups=False,
        rebuild=False,
        poll=poll,
    )
    way = Imports(shop.client, settings, Clock(lambda: time.now_s, time.wait))
    chunk = chunk_of(ROWS, terms)
    return way.carry(chunk, shop.ledger().chunk("job-1", entry_of(chunk), "imports"), last=False), time


@pytest.mark.parametrize(("every_s", "ends_s"), [(90.0, 90 + STILL_POLLS * 90), (30.0, 30 + STILL_S)])
def test_an_import_with_an_error_that_stands_still_has_failed(shop: Shop, every_s: float, ends_s: float) -> None:
    """Without lastrun it is final after ten polls and ten minutes of the same counters, not before."""
    fault = {"kind": "fail", "after_rows": 2, "finish": False, "message": "Disk full"}
    outcome, time = carry(shop, Poll(first_s=every_s, factor=1, most_s=every_s), fault)
    assert outcome.ending is Ending.FAILED
    assert "'Disk full'; 2 of 4 lines processed, 4 rows sent" in outcome.message
    assert time.now_s == ends_s


def test_an_import_that_hangs_is_left_with_its_id(shop: Shop) -> None:
    """Without an error nothing says that it has ended: after the job's patience it stays submitted."""
    outcome, time = carry(shop, Poll(first_s=60, factor=1, most_s=60, give_up_s=3600), {"kind": "hang"})
    assert (outcome.ending, outcome.stop) == (Ending.SUBMITTED, True)
    assert "was not final after 3600 s" in outcome.message
    assert time.now_s == 3600


def test_the_error_of_an_import_that_ran_to_its_end_decides(shop: Shop) -> None:
    """With lastrun and an error it has failed at the first look, whatever its status word says."""
    outcome, time = carry(shop, Poll(first_s=0), {"kind": "fail", "message": "Disk full"})
    assert outcome.ending is Ending.FAILED
    assert len(time.waits) <= 3


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
