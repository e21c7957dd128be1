"""Keys that full dumps no longer have."""

from __future__ import annotations

from pathlib import Path

from tests.support.command import Ran
from tests.support.shop import DELETE, ORDERS, Shop

REPORT = ("load.send=changed", "source.dump=full", "target.gone=report", "guards.max_rejects=10")
KEY_SCHEMA = "\n\nclass Key(pa.DataFrameModel):\n    Nr: str = Text(20)\n"


def gone(shop: Shop, *settings: str, **more: object) -> tuple[int | None, list[str]]:
    """Run a night; give what the summary counts and what gone.csv lists."""
    ran = shop.done(*REPORT, *settings, **more)
    return ran.document["gone"], listed(shop, ran)


def listed(shop: Shop, ran: Ran) -> list[str]:
    path = file_of(shop, ran)
    return path.read_text().splitlines()[1:] if path.exists() else []


def file_of(shop: Shop, ran: Ran) -> Path:
    return shop.state / "runs" / ran.document["run"] / "gone.csv"


def test_a_key_that_two_dumps_miss_is_gone(shop: Shop) -> None:
    """Data rule 44: nothing at the first run, nothing the first time, and it stays listed."""
    shop.dump("1,Ede", "2,Tiel", "3,Goes")
    assert gone(shop) == (0, [])
    shop.dump("1,Ede")
    assert gone(shop) == (0, [])
    assert gone(shop) == (2, ["2", "3"])
    shop.dump("1,Ede", "3,Goes")
    assert gone(shop) == (1, ["2"])
    shop.dump("1,Ede")
    assert gone(shop) == (1, ["2"])
    assert gone(shop) == (2, ["2", "3"])


def test_one_dump_is_enough_where_the_job_says_so(shop: Shop) -> None:
    """Data rule 44: `load.gone_after`."""
    shop.dump("1,Ede", "2,Tiel")
    gone(shop)
    shop.dump("1,Ede")
    assert gone(shop, "load.gone_after=1") == (1, ["2"])


def test_customers_with_orders_are_listed_once(shop: Shop) -> None:
    """Data rule 44: profile keys, not those of subprofiles."""
    header = "Nr,City,Order.No"
    shop.dump("1,Ede,A", "1,Ede,B", "2,Tiel,C", "2,Tiel,D", header=header)
    gone(shop, *ORDERS)
    shop.dump("1,Ede,A", header=header)
    assert gone(shop, *ORDERS, "load.gone_after=1") == (1, ["2"])


def test_a_dump_that_is_not_whole_shows_nothing(shop: Shop) -> None:
    """Data rule 44: FILEs, a limit, and records that could not be read."""
    shop.dump("1,Ede", "2,Tiel")
    gone(shop)
    shop.dump("1,Ede")
    once = "load.gone_after=1"
    assert gone(shop, once, files=(shop.folder / "dump.csv",)) == (None, [])
    assert gone(shop, once, words=("--limit", "1")) == (None, [])
    shop.dump("1,Ede", "3,a,b")
    assert gone(shop, once) == (None, [])
    shop.dump("1,Ede", ",Assen")
    assert gone(shop, once) == (None, [])
    shop.dump("1,Ede")
    assert gone(shop, once) == (1, ["2"])


def test_a_key_in_a_rejected_row_is_not_gone(shop: Shop) -> None:
    """Data rule 44: it is in the dump, though its row cannot be sent."""
    shop.dump("1,Ede", "2,Tiel", "3,Goes")
    gone(shop)
    shop.dump("1,Ede", f"2,{'x' * 60}")
    assert gone(shop, "load.gone_after=1") == (1, ["3"])


def test_a_key_that_another_job_confirms_stays(shop: Shop) -> None:
    """Data rule 44: two feeds of one database."""
    shop.dump("1,Ede", "2,Tiel", "3,Goes")
    gone(shop)
    shop.dump("2,Tiel")
    shop.done(*REPORT, "job=other")
    shop.dump("1,Ede")
    assert gone(shop, "load.gone_after=1") == (1, ["3"])


def test_the_list_is_the_dump_of_a_delete_and_is_forgotten_then(shop: Shop) -> None:
    """Data rule 44: a delete job takes it, with guards of its own; what it deleted is not listed again."""
    shop.write("schema.py", (shop.folder / "schema.py").read_text() + KEY_SCHEMA)
    shop.dump("1,Ede", "2,Tiel", "3,Goes")
    gone(shop)
    shop.dump("1,Ede")
    ran = shop.done(*REPORT, "load.gone_after=1")
    assert listed(shop, ran) == ["2", "3"]
    delete = (*DELETE, "job=gone", "schema=schema.py:Key", "guards.max_deletes=5")
    shop.done(*delete, files=(file_of(shop, ran),))
    assert shop.numbers() == ["1"]
    assert gone(shop, "load.gone_after=1") == (0, [])
    shop.dump("1,Ede", "2,Tiel")
    assert gone(shop, "load.gone_after=1") == (0, [])
    assert shop.numbers() == ["1", "2"]


def test_a_run_that_did_not_confirm_everything_counts_nothing(shop: Shop) -> None:
    """Data rule 44: only with everything confirmed or unchanged."""
    shop.dump("1,Ede", "2,Tiel")
    gone(shop)
    shop.dump("1,Goes")
    shop.sandbox.set_faults([{"kind": "fail", "after_rows": 0}])
    ran = shop.run(*REPORT, "load.gone_after=1")
    assert ran.exit_code != 0
    assert ran.document["gone"] is None
