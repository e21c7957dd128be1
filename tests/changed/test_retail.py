"""A month of a shop as nights: each day as a delta, and as full dumps that grow, against everything at once."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import pytest

from tests.journeys.test_real_dumps import RETAIL, RETAIL_JOB, RETAIL_SCHEMA
from tests.support.command import Ran
from tests.support.journey import Journey, words_of
from tests.support.places import SHARED
from tests.support.soak import SOAK

DAYS = sorted((SHARED / "retail").glob("*.csv"))[: None if SOAK else 2]
CHANGED = words_of(["load.send=changed", "load.mode=imports", "guards.max_rejects=90%"])


@pytest.fixture
def retail(journey: Callable[..., Journey]) -> Journey:
    """The shop, whose job takes what is in a folder."""
    here = journey(RETAIL)
    here.write("schema.py", RETAIL_SCHEMA)
    here.write("job.yaml", RETAIL_JOB.format(files="dumps/*.csv"))
    (here.folder / "dumps").mkdir()
    return here


def bring(here: Journey, *days: int) -> None:
    """Let the folder have these days alone."""
    for path in (here.folder / "dumps").iterdir():
        path.unlink()
    for day in days:
        (here.folder / "dumps" / DAYS[day].name).symlink_to(DAYS[day])


def run(here: Journey, *words: str) -> Ran:
    """Run the job and see that all of it is done."""
    ran = here.call("run", here.folder / "job.yaml", *words)
    assert ran.exit_code == 0, ran.stderr
    return ran


def state_of(here: Journey) -> list[Any]:
    """Return the database without ids, ordered."""
    return sorted(
        (
            [one["fields"], sorted((sub["fields"] for sub in one["subprofiles"].get("Orders", [])), key=str)]
            for one in here.profiles("Retail")
        ),
        key=str,
    )


def test_days_as_deltas_and_as_growing_full_dumps_end_as_all_at_once(retail: Journey) -> None:
    """Data rule 42: two days, in a soak all twenty; a growing dump sends what the day's delta would."""
    bring(retail, *range(len(DAYS)))
    run(retail)
    at_once = state_of(retail)
    sent: dict[str, list[int]] = {"delta": [], "full": []}
    for kind, rows in sent.items():
        retail.sandbox.reset()
        shutil.rmtree(retail.folder / "host")
        for day in range(len(DAYS)):
            bring(retail, *([day] if kind == "delta" else range(day + 1)))
            records = run(retail, *CHANGED, *words_of([f"job={kind}", f"source.dump={kind}"])).records
            assert records["confirmed"] + records["unchanged"] == records["accepted"]
            rows.append(records["confirmed"])
        assert state_of(retail) == at_once
        assert run(retail, *CHANGED, *words_of([f"job={kind}", f"source.dump={kind}"])).records["confirmed"] == 0
    # But for one day: a customer whose country changed is sent with all orders.
    assert sum(full != delta for delta, full in zip(sent["delta"], sent["full"], strict=True)) <= 1, sent
    assert sum(sent["full"]) <= 1.01 * sum(sent["delta"]), sent
