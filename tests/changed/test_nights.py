"""Nights of a job that sends only what changed."""

from __future__ import annotations

import pytest

from tests.support.shop import DELETE, ORDERS, Shop

CHANGED = ("load.send=changed", "source.dump=full", "guards.max_rejects=10")


def night(shop: Shop, *settings: str, words: tuple[str, ...] = ()) -> dict[str, int]:
    """Run the job; give what was sent and what stayed at home."""
    records = shop.done(*CHANGED, *settings, words=words).document["records"]
    return {name: records[name] for name in ("accepted", "confirmed", "unchanged")}


def with_points(shop: Shop) -> None:
    """Add a schema with points, and one of the key alone."""
    more = "class Pointed(Shop):\n    Points: int = Integer(nullable=True)\n"
    key = "class Key(pa.DataFrameModel):\n    Nr: str = Text(20)\n"
    shop.write("schema.py", "\n\n".join(((shop.folder / "schema.py").read_text(), more, key)))


def test_a_second_night_sends_nothing(shop: Shop) -> None:
    """Data rule 42: the same dump again changes nothing."""
    shop.dump("1,Ede", "2,Tiel")
    assert night(shop) == {"accepted": 2, "confirmed": 2, "unchanged": 0}
    imports = len(shop.posted())
    ran = shop.done(*CHANGED)
    assert ran.document["records"]["unchanged"] == 2
    assert (len(shop.posted()), ran.document["imports"], ran.document["writes"]) == (imports, 0, 0)
    assert ran.document["api_calls"] <= 25


def test_what_differs_is_sent(shop: Shop) -> None:
    """Data rule 42: changed and new rows go, the others stay at home."""
    shop.dump("1,Ede", "2,Tiel", "3,Goes")
    night(shop)
    shop.dump("1,Ede", "2,Breda", "3,Goes", "4,Assen")
    assert night(shop) == {"accepted": 4, "confirmed": 2, "unchanged": 2}
    assert {one["fields"]["Nr"]: one["fields"]["City"] for one in shop.profiles("Shop")} == {
        "1": "Ede", "2": "Breda", "3": "Goes", "4": "Assen",
    }  # fmt: skip
    assert night(shop) == {"accepted": 4, "confirmed": 0, "unchanged": 4}


def test_the_method_does_not_matter(shop: Shop) -> None:
    """Data rule 41: what went per profile is confirmed as well."""
    shop.dump("1,Ede", "2,Tiel")
    assert night(shop, "load.mode=profiles") == {"accepted": 2, "confirmed": 2, "unchanged": 0}
    assert night(shop) == {"accepted": 2, "confirmed": 0, "unchanged": 2}


def test_full_sends_everything(shop: Shop) -> None:
    """Data rule 43: --full sends unchanged rows, too."""
    shop.dump("1,Ede", "2,Tiel")
    night(shop)
    assert night(shop, words=("--full",)) == {"accepted": 2, "confirmed": 2, "unchanged": 0}
    assert night(shop) == {"accepted": 2, "confirmed": 0, "unchanged": 2}


def test_full_every_sends_everything_that_is_old(shop: Shop) -> None:
    """Data rule 43: with 0 days everything is old."""
    shop.dump("1,Ede", "2,Tiel")
    night(shop)
    assert night(shop, "load.full_every=0d")["confirmed"] == 2


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        (("constants={Points: '5'}", "schema=schema.py:Pointed"), "columns"),
        (("target.ignore_empty_fields=false",), "ignore_empty_fields"),
    ],
)
def test_another_job_sends_everything_and_says_why(shop: Shop, settings: tuple[str, ...], why: str) -> None:
    """Data rule 43: what digests cover is another thing then."""
    with_points(shop)
    shop.dump("1,Ede", "2,Tiel")
    night(shop)
    ran = shop.done(*CHANGED, *settings)
    assert ran.document["records"]["confirmed"] == 2
    assert why in next(line for line in ran.stderr.splitlines() if "changed.everything" in line)


def test_a_constant_of_another_value_sends_everything(shop: Shop) -> None:
    """Data rule 43: and its name is in the log."""
    with_points(shop)
    shop.dump("1,Ede")
    pointed = "schema=schema.py:Pointed"
    night(shop, pointed, "constants={Points: '5'}")
    assert night(shop, pointed, "constants={Points: '5'}")["unchanged"] == 1
    ran = shop.done(*CHANGED, pointed, "constants={Points: '6'}")
    assert ran.document["records"]["confirmed"] == 1
    assert "constants" in ran.stderr


def test_what_another_job_deleted_is_sent_again(shop: Shop) -> None:
    """Data rule 41: a delete drops the digests."""
    with_points(shop)
    shop.dump("1,Ede", "2,Tiel")
    night(shop)
    shop.dump("2", header="Nr")
    shop.done(*DELETE, "guards.max_deletes=5", "schema=schema.py:Key", "job=other")
    shop.dump("1,Ede", "2,Tiel")
    assert night(shop)["confirmed"] == 1


def test_a_write_of_another_job_is_noticed(shop: Shop) -> None:
    """Data rule 41: any write drops the digests that it touches, in every job."""
    shop.dump("1,Ede", "2,Tiel")
    night(shop)
    shop.dump("1,Goes")
    shop.done("job=other")
    shop.dump("1,Ede", "2,Tiel")
    assert night(shop) == {"accepted": 2, "confirmed": 1, "unchanged": 1}
    assert "Goes" not in str(shop.contents())


def test_two_jobs_share_what_they_confirm(shop: Shop) -> None:
    """Data rule 41: the state belongs to the database."""
    shop.dump("1,Ede", "2,Tiel")
    night(shop)
    assert night(shop, "job=other") == {"accepted": 2, "confirmed": 0, "unchanged": 2}


def test_orders_of_one_customer_stay_at_home(shop: Shop) -> None:
    """Data rule 42: only the order that differs goes."""
    header = "Nr,City,Order.No"
    shop.dump("1,Ede,A", "1,Ede,B", "2,Tiel,C", header=header)
    night(shop, *ORDERS)
    shop.dump("1,Ede,A", "1,Ede,B", "1,Ede,D", "2,Tiel,C", header=header)
    assert night(shop, *ORDERS) == {"accepted": 4, "confirmed": 1, "unchanged": 3}
    shop.dump("1,Goes,A", "1,Goes,B", "1,Goes,D", "2,Tiel,C", header=header)
    assert night(shop, *ORDERS) == {"accepted": 4, "confirmed": 3, "unchanged": 1}
    assert shop.contents()[0]["fields"]["City"] == "Goes"


def test_a_state_that_is_torn_sends_everything(shop: Shop) -> None:
    """Data rule 41: never a row left out, and one line says why."""
    shop.dump("1,Ede", "2,Tiel")
    night(shop)
    (file,) = (shop.folder / "host" / "confirmed").glob("*/00-0000")
    file.write_bytes(file.read_bytes()[:-9])
    ran = shop.done(*CHANGED)
    assert ran.document["records"]["confirmed"] == 2
    assert [line for line in ran.stderr.splitlines() if "torn" in line]
    assert night(shop)["unchanged"] == 2


def test_an_update_cannot_send_only_what_changed(shop: Shop) -> None:
    """Data rule 42: a record that an update did not find may be there tomorrow."""
    ran = shop.run(*CHANGED, "target.action=update")
    assert ran.exit_code == 3
    assert "update or add" in ran.stderr
