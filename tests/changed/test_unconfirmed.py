"""What is not confirmed has no digest, whatever stopped the run: the next night sends it."""

from __future__ import annotations

from tests.changed.test_nights import CHANGED, night
from tests.support.shop import Shop

THREE = ("1,Ede", "2,Tiel", "3,Goes")
PIECES = (*CHANGED, "load.chunk_rows=1")


def cities(shop: Shop) -> list[str]:
    return [one["fields"]["City"] for one in shop.profiles("Shop")]


def test_rows_of_an_import_that_failed_are_sent_again(shop: Shop) -> None:
    """Data rule 41: failed rows lose their digest, confirmed ones of the same run get one."""
    shop.dump(*THREE)
    shop.sandbox.set_faults([{"kind": "400", "method": "POST", "path": "/v4/imports", "nth": 2, "times": 50}])
    ran = shop.run(*PIECES)
    assert (ran.exit_code, ran.document["records"]["confirmed"]) == (6, 1), ran.stderr
    shop.sandbox.set_faults([])
    assert night(shop) == {"accepted": 3, "confirmed": 2, "unchanged": 1}
    assert cities(shop) == ["Ede", "Tiel", "Goes"]
    assert night(shop)["unchanged"] == 3


LOST = [{"kind": "cut", "method": "POST", "path": "*/imports", "nth": 2}, {"kind": "hang", "nth": 2}]


def lose_the_second(shop: Shop) -> None:
    """Run, and leave the run open: the answer to its second import is lost, and nobody waits for it."""
    shop.dump(*THREE)
    shop.sandbox.set_faults(LOST)
    ran = shop.run(*PIECES, "load.wait_s=0")
    assert (ran.document["open"], ran.document["records"]["confirmed"]) == (True, 2), ran.stderr
    shop.sandbox.set_faults([])
    shop.sandbox.advance(3700)


def test_what_an_earlier_process_confirmed_counts_when_the_run_is_resumed(shop: Shop) -> None:
    """Data rules 28, 41: but for the lost import, which may still walk: nothing of it counts for a week."""
    lose_the_second(shop)
    assert shop.resume().exit_code == 0
    assert cities(shop) == ["Ede", "Tiel", "Goes"]
    for _ in range(2):
        assert night(shop) == {"accepted": 3, "confirmed": 1, "unchanged": 2}


def test_a_newer_dump_supersedes_what_is_open_and_keeps_what_is_confirmed(shop: Shop) -> None:
    """Data rules 39, 41: the confirmed rows of the open run stay at home, the others go."""
    lose_the_second(shop)
    shop.dump("1,Ede", "2,Breda", "3,Goes")
    assert night(shop) == {"accepted": 3, "confirmed": 1, "unchanged": 2}
    assert cities(shop) == ["Ede", "Breda", "Goes"]
