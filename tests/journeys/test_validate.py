"""Validate part of a dump."""

from __future__ import annotations

from tests.support.shop import Shop


def test_a_limit_reads_the_first_rows_only(shop: Shop) -> None:
    """The bad record behind the limit is not met, and the accepted file has just the first rows."""
    shop.dump("1,Delft", "2,Ede", ",Goes")
    accepted = shop.folder / "accepted.csv"
    ran = shop.call("validate", shop.job, "--limit", "2", "--accepted", accepted)
    assert (ran.exit_code, ran.records["read"], ran.records["accepted"]) == (0, 2, 2), ran.stderr
    assert accepted.read_text(encoding="utf-8") == "Nr,City\n1,Delft\n2,Ede\n"


def test_a_share_of_few_limited_rows_does_not_refuse(shop: Shop) -> None:
    """One bad record of ten is no share to stop a first try, as with run --limit; without the limit it is."""
    shop.dump(*(f"{number},Delft" for number in range(9)), ",Goes")
    assert shop.call("validate", shop.job, "--limit", "10").exit_code == 0
    assert shop.call("validate", shop.job).exit_code == 4
