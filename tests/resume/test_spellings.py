"""Keys that differ by accents are one profile to Copernica or two (data rules 15, 27, 28): both are as they were sent."""

from __future__ import annotations

import pytest

from tests.support.resumable import Shop, run_and_settle, state_of

DUMP = """Nr,City,Points,interest.news,Order.No,Order.Total
Müller,Delft,1,Yes,O1,1
Muller,Gouda,2,No,O2,2
MÜLLER,Leiden,3,No,O3,3
"""

# Customers alone, for what takes no orders.
PLAIN = """
import pandera.polars as pa
from pipeline.fields import Integer, Interest, Text

class Shop(pa.DataFrameModel):
    Nr: str = Text(20)
    City: str = Text(50, nullable=True, required=False)
"""
NEWS = '    news: bool = Interest(alias="interest.news", nullable=True)\n'

collations = pytest.mark.parametrize(("collation", "profiles"), [("case", 2), ("accents", 1)])


@collations
@pytest.mark.parametrize(
    ("action", "mode"), [("update or add", "imports"), ("update or add", "profiles"), ("ignore or add", "profiles")]
)
def test_a_load_is_verified_whatever_accents_mean(
    shop: Shop, collation: str, profiles: int, action: str, mode: str
) -> None:
    here, job = shop(DUMP, mode=mode, action=action, switches={"collation": collation}, rebuild="false")
    ran = here.call("run", job)
    assert ran.exit_code == 0, ran.stderr
    assert ran.document["verify"]["different"] == 0
    assert len(state_of(here)) == profiles


@collations
@pytest.mark.parametrize("action", ["update or add", "add"])
def test_a_lost_import_that_ran_is_confirmed(shop: Shop, collation: str, profiles: int, action: str) -> None:
    dump = DUMP if action == "update or add" else "Nr,City\nMüller,Delft\nMuller,Gouda\n"
    order_key = ", Order.No" if action == "update or add" else ""
    here, job = shop(dump, action=action, order_key=order_key, switches={"collation": collation})
    if action == "add":
        here.write("schema.py", PLAIN)
    here.sandbox.set_faults([{"kind": "cut", "method": "POST", "path": "/v4/imports", "nth": 1}])
    ran = run_and_settle(here, job)
    assert ran.exit_code == 0, ran.stderr
    assert ran.records["confirmed"] == ran.records["accepted"]
    assert len(state_of(here)) == (profiles if action == "update or add" else 2)


@collations
@pytest.mark.parametrize("order_of_spellings", [DUMP, "\n".join([DUMP.splitlines()[0], *DUMP.splitlines()[:0:-1]])])
def test_a_lost_import_that_never_ran_is_not_confirmed(
    shop: Shop, collation: str, profiles: int, order_of_spellings: str
) -> None:
    """One spelling is equal from before, another is not: nothing of the profile counts as arrived."""
    here, job = shop(order_of_spellings, switches={"collation": collation})
    before = order_of_spellings.replace("Gouda", "Tiel").replace("Delft", "Urk").replace("Leiden", "Urk")
    here.write("shop.csv", before)
    assert here.call("run", job).exit_code == 0
    here.write("shop.csv", order_of_spellings)
    here.sandbox.set_faults([{"kind": "empty", "method": "POST", "path": "/v4/imports", "nth": 1}])
    ran = here.call("run", job)
    assert ran.exit_code == 6
    assert (ran.records["confirmed"], ran.records["unknown"]) == (0, 3)


@pytest.mark.parametrize("collation", ["case", "accents"])
@pytest.mark.provokes("delete")
def test_a_delete_has_to_take_every_spelling(shop: Shop, collation: str) -> None:
    here, job = shop(DUMP, switches={"collation": collation})
    assert here.call("run", job).exit_code == 0
    here.write("shop.csv", "Nr\nMüller\nMuller\n")
    here.write("schema.py", PLAIN)
    ran = here.call(
        "run", job, *("--set", "target.action=delete"), *("--set", "target.delete_target=profile"),
        *("--set", "guards.max_deletes=10"), *("--set", "target.key_fields=[Nr]"),
    )  # fmt: skip
    assert ran.exit_code == 0, ran.stderr
    assert state_of(here) == []


@pytest.mark.parametrize("collation", ["case", "accents"])
@pytest.mark.parametrize("mode", ["imports", "profiles"])
def test_an_update_of_a_subprofile_that_is_only_maybe_there(shop: Shop, collation: str, mode: str) -> None:
    """Data rule 27: whether its order was the same is Copernica's to say; a missing record is no difference."""
    header = "Nr,City,Points,interest.news,Order.No,Order.Total\n"
    here, job = shop(header + "A,Delft,,,e,1\n", switches={"collation": collation}, rebuild="false")
    assert here.call("run", job).exit_code == 0
    here.write("shop.csv", header + "A,Delft,,,é,2\n")
    ran = here.call("run", job, "--set", "target.action=update", "--set", f"load.mode={mode}")
    assert (ran.exit_code, ran.document["verify"]["different"]) == (0, 0), ran.stderr


@pytest.mark.parametrize("first", ["Delft", ""])
def test_an_add_with_orders_is_verified_by_the_row_that_made_the_profile(shop: Shop, first: str) -> None:
    """Data rules 3, 27: later rows add only orders; that they say more of the profile is told, also where it had nothing."""
    header = "Nr,City,Points,interest.news,Order.No,Order.Total\n"
    here, job = shop(f"{header}A,{first},,,O1,1\nA,Gouda,,,O2,2\n", mode="profiles", action="add", rebuild="false")
    ran = here.call("run", job)
    assert ran.exit_code == 0, ran.stderr
    assert ran.document["verify"]["different"] == 0
    assert ran.document["verify"]["checked"] > 0
    assert ran.records["profile_conflicts"] == 1
    (profile,) = state_of(here)
    assert (profile["fields"]["City"], len(profile["orders"])) == (first, 2)


def test_an_add_of_several_rows_with_one_key_is_verified_by_its_last(shop: Shop) -> None:
    """Data rule 27: each makes a profile, and none has the cells of another."""
    header = "Nr,City,Points,interest.news\n"
    here, job = shop(f"{header}A,Delft,1,Yes\nA,,2,No\nA,Gouda,,\n", action="add", order_key="", rebuild="false")
    here.write("schema.py", PLAIN + "    Points: int = Integer(nullable=True)\n" + NEWS)
    ran = here.call("run", job)
    assert ran.exit_code == 0, ran.stderr
    assert (ran.document["verify"]["checked"], ran.document["verify"]["different"]) == (1, 0)
