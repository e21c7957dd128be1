"""What comes after an undo: the run again, the next night, the history."""

from __future__ import annotations

import pytest

from tests.support.shop import Shop
from tests.undo.shop import BEFORE, cities, undone

CHANGED = ("load.send=changed", "source.dump=full")


@pytest.mark.parametrize("settings", [(), ("target.action=add",), ("source.only_new=true",), CHANGED])
def test_an_undone_run_can_be_run_again(shop: Shop, settings: tuple[str, ...]) -> None:
    """Data rule 45: `already_loaded` and `only_new` let its files pass, and `changed` sends its rows."""
    shop.dump("1,Ede", name="first.csv")
    shop.done(files=(shop.folder / "first.csv",))
    shop.dump("1,Urk", "2,Goes")
    run = shop.done(*BEFORE, *settings).document["run"]
    undone(shop, run)
    again = shop.done(*BEFORE, *settings).document["records"]
    sent = 1 if settings == CHANGED else 2  # what was made is there and confirmed
    assert (again["read"], again["confirmed"]) == (2, sent)
    assert cities(shop)["1"] == ("Ede" if "add" in str(settings) else "Urk") or "add" in str(settings)


def test_the_next_dump_sends_its_values_again(shop: Shop) -> None:
    """The undo drops the confirmed state of what it writes, and says so."""
    shop.dump("1,Ede", "2,Tiel")
    shop.done(*CHANGED)
    shop.dump("1,Urk", "2,Tiel")
    run = shop.done(*BEFORE, *CHANGED).document["run"]
    ran = undone(shop, run)
    assert "The next dump sends its values again." in ran.document["go_on"]
    records = shop.done(*CHANGED).document["records"]
    assert (records["confirmed"], records["unchanged"]) == (1, 1)
    assert cities(shop) == {"1": "Urk", "2": "Tiel"}


def test_the_history_shows_which_run_undoes_which(shop: Shop) -> None:
    """In `runs`, `status` and the report; `explain` has the undo's own chunk."""
    shop.dump("1,Ede")
    shop.done()
    shop.dump("1,Urk")
    run = shop.done(*BEFORE).document["run"]
    undo = undone(shop, run).document["run"]
    found = {one["run"]: one for one in shop.ask("runs").document["runs"]}
    assert found[undo]["undo"]["run"] == run
    assert found[run]["undone_by"] == undo
    assert shop.ask("status", run).document["undone_by"] == undo
    report = (shop.state / "runs" / undo / "report.html").read_text()
    assert run in report
    assert undo in shop.call("explain", shop.job, "1").stdout


def test_an_undo_takes_no_more_calls_than_its_run_and_the_read_back(shop: Shop) -> None:
    """Imports where they serve: 2,000 changed rows go in as many imports as they came."""
    shop.dump(*(f"{at},Ede" for at in range(2000)))
    shop.done()
    shop.dump(*(f"{at},Urk" for at in range(2000)))
    calls = [_calls_without_polls(shop)]
    ran = shop.done(*BEFORE, "load.chunk_rows=1000", "load.verify_sample=0").document
    calls.append(_calls_without_polls(shop))
    back = undone(shop, ran["run"]).document
    calls.append(_calls_without_polls(shop))
    assert (back["records"]["confirmed"], back["imports"]) == (2000, ran["imports"])
    assert calls[2] - calls[1] <= calls[1] - calls[0]
    assert set(cities(shop).values()) == {"Ede"}


def _calls_without_polls(shop: Shop) -> int:
    """Count the calls so far; how often an import is asked for is a matter of time."""
    return sum("/import/" not in entry["path"] for entry in shop.sandbox.journal())
