"""Guards of the input: exit 4, nothing sent."""

from __future__ import annotations

import gzip
import os
import time
from pathlib import Path

import pytest

from tests.support.command import Ran
from tests.support.shop import Shop

SHARE = "guards.min_share_of_last=80%"
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
    share = SHARE
    shop.done(share)
    shop.dump(*(f"{number},Ede" for number in range(7)))
    error = shop.refused("min_share_of_last", 4, share)
    assert error["what"] == ("7 good records, the last confirmed run had 10, the job expects at least 80% of them")
    shop.dump(*(f"{number},Ede" for number in range(8)))
    shop.done(share)
    shop.dump(*(f"{number},Urk" for number in range(7)))
    shop.done(share)  # 80% of eight, not of the ten before them
    shop.dump(*(f"{number},Urk" for number in range(5)))
    shop.refused("min_share_of_last", 4, share)
    shop.forced("min_share_of_last", share)


def test_files_on_the_command_line_are_measured_but_a_run_with_a_limit_is_not(shop: Shop) -> None:
    """Neither is such a run remembered (data rule 35)."""
    shop.dump(*(f"{number},Delft" for number in range(10)))
    shop.done(SHARE)
    few = shop.write("few.csv", "Nr,City\n1,Ede\n")
    assert "had 10," in shop.refused("min_share_of_last", 4, SHARE, files=(few,))["what"]
    shop.done(SHARE, words=("--limit", "2"))
    shop.dump("1,Urk")
    assert "had 10," in shop.refused("min_share_of_last", 4, SHARE)["what"]
    many = shop.write("many.csv", "Nr,City\n" + "".join(f"{number},Ede\n" for number in range(30)))
    shop.done(SHARE, files=(many,))
    shop.dump("1,Urk")
    assert "had 10," in shop.refused("min_share_of_last", 4, SHARE)["what"]


def test_each_file_is_compared_with_those_of_its_name(shop: Shop) -> None:
    """Two files of one feed are no half of three, and a small feed is not covered by a large one; digits change daily."""
    files = "source.files=[dump*.csv, few*.csv]"
    for name, count in [("dump-1.csv", 10), ("dump-2.csv", 10), ("dump-3.csv", 10), ("few-1.csv", 4)]:
        shop.dump(*(f"{number},Delft" for number in range(count)), name=name)
    shop.done(SHARE, files)
    for name in ("dump-1.csv", "dump-2.csv", "few-1.csv"):
        (shop.folder / name).unlink()
    shop.dump(*(f"{number},Ede" for number in range(2)), name="few-9.csv")
    error = shop.refused("min_share_of_last", 4, SHARE, files)
    assert error["what"] == (
        "few-#.csv: 2 good records, the last confirmed run had 4, the job expects at least 80% of them"
    )
    shop.dump(*(f"{number},Ede" for number in range(4)), name="few-9.csv")
    shop.dump("1,Ede", name="dump-4.csv")
    error = shop.refused("min_share_of_last", 4, SHARE, files)
    assert error["what"].startswith("dump-#.csv: 6 good records a file, the last confirmed run had 10 a file,")
    shop.dump(*(f"{number},Ede" for number in range(7)), name="dump-4.csv")
    shop.done(SHARE, files)


def test_a_feed_that_was_not_there_last_time_is_compared_with_its_own_last_time(shop: Shop) -> None:
    """A run over another file in between, such as mended rejects, does not count for it; compression does not matter."""
    shop.dump(*(f"{number},Delft" for number in range(10)))
    shop.done(SHARE)
    other = shop.write("other.csv", "Nr,City\n1,Ede\n")
    shop.done(SHARE, files=(other,), words=("--force", "min_share_of_last"))
    packed = shop.write("dump.csv.gz", gzip.compress(b"Nr,City\n" + b"1,Ede\n2,Ede\n"))
    assert "had 10," in shop.refused("min_share_of_last", 4, SHARE, files=(packed,))["what"]


def test_what_a_run_has_set_aside_is_not_measured(shop: Shop) -> None:
    """Mended rejects are few, old, and no dump that was awaited."""
    guards = (SHARE, "guards.min_new_files=1", "guards.max_age=1h", "guards.max_rejects=100%")
    shop.dump(*(f"{number},Delft" for number in range(10)), ",Ede")
    rejects = Path(shop.done(*guards).document["rejects"])
    rejects.write_text(rejects.read_text().replace(",Ede", "11,Ede"))
    os.utime(rejects, (0, 0))
    assert shop.done(*guards, files=(rejects,)).records["confirmed"] == 1


def test_fewer_new_files_than_expected_are_refused(shop: Shop) -> None:
    """What counts is content that was not confirmed: yesterday's dump under today's name is not new."""
    new = "guards.min_new_files=1"
    shop.dump("1,Delft", name="dump1.csv")
    shop.refused("min_new_files", 4, "guards.min_new_files=2")
    shop.done(new)
    (shop.folder / "dump1.csv").rename(shop.folder / "dump2.csv")
    error = shop.refused("min_new_files", 4, new)
    assert error["what"] == "0 files are new, the job expects at least 1"
    error = shop.refused("min_new_files", 4, new, "source.only_new=true")
    assert (error["where"], error["what"][:15]) == ("guards.min_new_files", "0 files are new")
    shop.forced("min_new_files", new)
    shop.dump("2,Ede", name="dump3.csv")
    shop.done(new, "source.only_new=true")


def test_a_dump_that_is_too_old_is_refused(shop: Shop) -> None:
    """By the newest of its files, also where only_new leaves none of them."""
    age = "guards.max_age=26h"
    for name, hours in (("dump1.csv", 30), ("dump2.csv", 25)):
        at = time.time() - hours * 3600
        os.utime(shop.dump(f"{hours},Delft", name=name), (at, at))
    shop.done(age)
    error = shop.refused("max_age", 4, "guards.max_age=24h")
    assert error["what"] == "the newest dump was written 25 h before the run, the job allows 24 h"
    shop.refused("max_age", 4, "guards.max_age=1400m", "source.only_new=true")
    shop.forced("max_age", "guards.max_age=1h")


@pytest.mark.parametrize("age", ["26", "1.5h", "h", "-1h", "1w"])
def test_an_age_has_a_unit(shop: Shop, age: str) -> None:
    """A number of seconds, or with a unit; nothing is guessed."""
    ran = shop.run(f"guards.max_age='{age}'")
    assert (ran.exit_code, ran.document["errors"][0]["where"]) == (3, "--set guards.max_age")


def test_a_limited_run_is_not_refused_by_a_share_of_ten_rows(shop: Shop) -> None:
    """One of ten is more than 1 %; a count stands, and so does a share of a hundred rows."""
    shop.dump(",Delft", *(f"{number},Delft" for number in range(200)))
    shop.refused("max_rejects", 4, "guards.max_rejects=0.1%")
    shop.refused("max_rejects", 4, "guards.max_rejects=0", words=("--limit", "10"))
    shop.refused("max_rejects", 4, "guards.max_rejects=0.5%", words=("--limit", "100"))
    assert shop.done("guards.max_rejects=0.1%", words=("--limit", "10")).records["rejected"] == 1


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
    guards = ("max_rejects", "min_records", "unique_keys", "key_without_index", "max_calls")
    ran = shop.run(words=tuple(word for guard in guards for word in ("--force", guard)))
    assert (ran.exit_code, ran.records["rejected"], shop.numbers()) == (0, 1, ["1", "2"])
    assert shop.sandbox.hazards() == []
