"""Guards of the input: exit 4, nothing sent."""

from __future__ import annotations

import pytest

from tests.support.command import Ran
from tests.support.shop import Shop

BAD = ("1,Delft", ",Ede", "2,Urk")


def test_too_many_rejects_are_refused(shop: Shop) -> None:
    """One of three records is set aside, and the default allows 1% of them."""
    shop.dump(*BAD)
    error = shop.refused("max_rejects", 4)
    assert error["what"] == "1 of 3 records (33.3%) were set aside, the job allows 1%"
    assert error["where"] == "guards.max_rejects"
    assert shop.forced("max_rejects").records["confirmed"] == 2


def test_rejects_within_a_count_pass(shop: Shop) -> None:
    """A count is as good as a share, and the limit itself is within it."""
    shop.dump(*BAD)
    shop.refused("max_rejects", 4, "guards.max_rejects=0")
    shop.done("guards.max_rejects=1")


def test_too_few_records_are_refused(shop: Shop) -> None:
    """A dump with a header only is no fault of its own, so the guard stands for it."""
    shop.dump()
    error = shop.refused("min_records", 4)
    assert error["what"] == "0 good records, the job expects at least 1"
    assert shop.forced("min_records").records["read"] == 0


def test_collapsed_records_count_as_good_ones(shop: Shop) -> None:
    """`min_records` compares accepted and collapsed ones (data rule 4)."""
    shop.dump("1,Delft", "1,Delft")
    shop.refused("min_records", 4, "guards.min_records=3")
    assert shop.done("guards.min_records=2").records["collapsed"] == 1


def test_a_much_smaller_dump_than_the_last_is_refused(shop: Shop) -> None:
    """The last confirmed run had ten; 80% of them are eight."""
    shop.dump(*(f"{number},Delft" for number in range(10)))
    share = "guards.min_share_of_last=80%"
    shop.done(share)
    shop.dump(*(f"{number},Ede" for number in range(7)))
    error = shop.refused("min_share_of_last", 4, share)
    assert error["what"] == ("7 good records, the last confirmed run had 10, the job expects at least 80% of them")
    shop.dump(*(f"{number},Ede" for number in range(8)))
    shop.done(share)
    shop.dump(*(f"{number},Urk" for number in range(6)))
    shop.refused("min_share_of_last", 4, share)
    shop.forced("min_share_of_last", share)


def test_a_run_over_other_files_or_with_a_limit_is_neither_compared_nor_remembered(shop: Shop) -> None:
    """`min_share_of_last` is about the job's own files, all of them (data rule 35)."""
    shop.dump(*(f"{number},Delft" for number in range(10)))
    share = "guards.min_share_of_last=80%"
    shop.done(share)
    few = shop.write("few.txt", "Nr,City\n1,Ede\n")
    shop.done(share, "source.format=csv", files=(few,))
    shop.done(share, words=("--limit", "2"))
    shop.dump("1,Urk")
    assert "had 10," in shop.refused("min_share_of_last", 4, share)["what"]


def test_a_run_that_was_refused_is_not_the_last(shop: Shop) -> None:
    """Only a confirmed run is compared with."""
    share = "guards.min_share_of_last=80%"
    shop.dump("1,Delft", "2,Delft")
    shop.done(share)
    shop.dump(*(f"{number},Delft" for number in range(9)))
    shop.refused("min_records", 4, share, "guards.min_records=10")
    shop.dump("1,Ede", "2,Ede")
    shop.done(share)


def test_all_guards_that_refuse_are_named_and_each_is_forced_by_its_own_name(shop: Shop) -> None:
    """Forcing one leaves the other standing."""
    shop.dump(*BAD)
    words = ("guards.max_rejects=0", "guards.min_records=3")
    ran = shop.run(*words)
    assert (ran.exit_code, [error["where"] for error in ran.document["errors"]]) == (
        4, ["guards.max_rejects", "guards.min_records"],
    )  # fmt: skip
    shop.refused("min_records", 4, *words, words=("--force", "max_rejects"))
    shop.refused("max_rejects", 4, *words, words=("--force", "min_records"))
    assert shop.posted() == []
    ran = shop.done(*words, words=("--force", "min_records", "--force", "max_rejects"))
    assert ran.document["forced"] == ["max_rejects", "min_records"]


@pytest.mark.parametrize("name", ["key_blank", "selector", "nonsense", "", "MAX_REJECTS", "source.only_new"])
def test_nothing_else_can_be_forced(shop: Shop, name: str) -> None:
    """Blank keys, unknown names and selectors have no override: wrong words, exit 2, no run (data rule 36)."""
    shop.dump(*BAD)
    ran: Ran = shop.run(words=("--force", name))
    assert (ran.exit_code, ran.document["status"]) == (2, "refused")
    assert shop.sandbox.journal() == []
    assert not (shop.folder / ".copernica-import").exists()


def test_forcing_every_guard_sends_no_blank_key(shop: Shop) -> None:
    """What is no guard stands, whatever is forced."""
    shop.dump(*BAD)
    guards = ("max_rejects", "min_records", "unique_keys", "key_without_index", "max_calls", "unfinished_run")
    ran = shop.run(words=tuple(word for guard in guards for word in ("--force", guard)))
    assert (ran.exit_code, ran.records["rejected"], shop.numbers()) == (0, 1, ["1", "2"])
    assert shop.sandbox.hazards() == []
