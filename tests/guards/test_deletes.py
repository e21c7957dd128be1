"""Deleting: what may go, how much of it, and whether it is gone."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest

from tests.support.command import call
from tests.support.journey import Journey
from tests.support.shop import DELETE, ORDERS, STRUCTURE, Shop, open_shop

SUBPROFILES = (*ORDERS, "target.action=delete", "target.delete_target=subprofile")
WAYS = ("imports", "profiles")


def fill(shop: Shop) -> None:
    """Fill the shop with 20 profiles of two orders each."""
    rows = [f"{number},Delft,O{order}" for number in range(20) for order in (1, 2)]
    shop.dump(*rows, header="Nr,City,Order.No")
    shop.done(*ORDERS)


@pytest.fixture
def filled(shop: Shop) -> Shop:
    fill(shop)
    return shop


def orders(shop: Shop) -> int:
    return sum(len(one["subprofiles"]["Order"]) for one in shop.profiles("Shop"))


@pytest.mark.parametrize("way", WAYS)
def test_profiles_go_within_the_limit_and_at_least_ten_are_read_back(filled: Shop, way: str) -> None:
    """A delete sends keys only, each once, and is verified though the job asks for less (data rules 27, 34)."""
    filled.dump(*(f"{number},x" for number in range(12)), "3,y")
    ran = filled.done(*DELETE, "guards.max_deletes=12", f"load.mode={way}", "load.verify_sample=2")
    assert filled.numbers() == sorted(str(number) for number in range(12, 20))
    assert ran.document["verify"] == {"checked": 10, "equal": 10, "different": 0}
    assert (ran.records["collapsed"], ran.records["confirmed"], ran.document["way"]) == (1, 12, way)
    assert filled.sandbox.hazards() == []


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("limit", ["11", "59%"])
def test_more_profiles_than_the_job_allows_are_refused(filled: Shop, limit: str, way: str) -> None:
    """12 of 20 are 60%."""
    filled.dump(*(f"{number},x" for number in range(12)))
    words = (*DELETE, f"guards.max_deletes={limit}", f"load.mode={way}")
    error = filled.refused("max_deletes", 5, *words)
    share = "" if limit == "11" else " of the 20"
    assert error["what"] == f"about 12{share} profiles would be deleted, the job allows {limit}"
    assert len(filled.numbers()) == 20
    filled.forced("max_deletes", *words)
    assert len(filled.numbers()) == 8


def test_a_share_that_is_reached_exactly_is_allowed(filled: Shop) -> None:
    """60% of 20 allows 12."""
    filled.dump(*(f"{number},x" for number in range(12)))
    filled.done(*DELETE, "guards.max_deletes=60%")


@pytest.mark.parametrize("way", WAYS)
def test_subprofiles_go_and_their_profiles_stay(filled: Shop, way: str) -> None:
    """12 of 40 orders; a row without an order is a reject, for it names nothing to delete (data rule 34)."""
    rows = [f"{number},x,O1" for number in range(12)]
    filled.dump(*rows, "13,x,", header="Nr,City,Order.No")
    words = (*SUBPROFILES, "guards.max_rejects=1", f"load.mode={way}")
    error = filled.refused("max_deletes", 5, *words, "guards.max_deletes=29%")
    assert error["what"] == "about 12 of the 40 subprofiles of Order would be deleted, the job allows 29%"
    error = filled.refused("max_deletes", 5, *words, "guards.max_deletes=11")
    assert error["what"] == "about 12 subprofiles would be deleted, the job allows 11"
    ran = filled.done(*words, "guards.max_deletes=30%")
    assert (len(filled.numbers()), orders(filled)) == (20, 28)
    assert (ran.records["rejected"], ran.document["verify"]["checked"]) == (1, 10)
    assert filled.sandbox.hazards() == []


@pytest.mark.provokes("delete_did_nothing")
@pytest.mark.parametrize(("words", "dump"), [(DELETE, ("1,x", "2,x")), (SUBPROFILES, ("1,x,O1", "2,x,O1"))])
def test_a_delete_that_removes_nothing_is_seen(
    journey: Callable[..., Journey], words: tuple[str, ...], dump: tuple[str, ...]
) -> None:
    """The delete behaviour of a database may keep what was to be removed (API sheet 11.5): exit 6."""
    structure = copy.deepcopy(STRUCTURE)
    (database,) = structure["databases"]
    database["delete_behaviour"] = database["collections"][0]["delete_behaviour"] = "nothing"
    shop = open_shop(journey, structure)
    fill(shop)
    shop.dump(*dump, header="Nr,City,Order.No" if words is SUBPROFILES else "Nr,City")
    ran = shop.run(*words, "guards.max_deletes=2")
    assert (ran.exit_code, ran.document["verify"]["different"]) == (6, 2)


def test_a_key_with_two_profiles_is_not_deleted_twice_unseen(shop: Shop) -> None:
    """The guard of unique keys says that both would go."""
    shop.dump("1,Delft", "1,Ede")
    shop.done("target.action=add")
    shop.dump("1,x")
    error = shop.refused("unique_keys", 5, *DELETE, "guards.max_deletes=1")
    assert error["what"].endswith("an import would delete every one of them")
    assert shop.numbers() == ["1", "1"]


def doubled(shop: Shop) -> None:
    """Fill the shop with three profiles, two of which differ in the case of their key only."""
    for key in ("D", "e"):
        shop.dump(f"{key},x")
        shop.done()
    shop.dump("d,x")
    shop.done("target.action=add")


SEVERAL = (*DELETE, "load.mode=profiles", "load.workers=1", "target.on_several_matches=all", "guards.unique_keys=off")


def test_a_key_with_several_profiles_is_not_deleted_past_the_limit(shop: Shop) -> None:
    """Data rule 34: two keys are two deletes, but the second one has two profiles; a limit of three lets both go."""
    doubled(shop)
    shop.dump("e,x", "D,x")
    ran = shop.run(*SEVERAL, "guards.max_deletes=2")
    assert (ran.exit_code, ran.records["confirmed"], ran.records["unsent"]) == (6, 1, 1), ran.stderr
    assert "error: 3 records would be deleted, since some keys have several; the job allows 2" in ran.stderr
    assert "run again with --force max_deletes" in ran.stderr
    assert len([one for one in shop.posted() if one["method"] == "DELETE"]) == 1
    shop.done(*SEVERAL, "guards.max_deletes=3")
    assert shop.numbers() == []


def test_before_the_first_delete_the_limit_refuses(shop: Shop) -> None:
    """Exit 5: nothing has gone."""
    doubled(shop)
    shop.dump("D,x")
    ran = shop.run(*SEVERAL, "guards.max_deletes=1")
    assert (ran.exit_code, ran.document["errors"][0]["where"]) == (5, "guards.max_deletes")
    assert len(shop.profiles("Shop")) == 3


@pytest.mark.parametrize("limit", ["8", "67%"])
def test_what_an_earlier_process_has_deleted_counts(shop: Shop, limit: str) -> None:
    """A resume stops where the run stopped; a share is one of what was there when the run began."""
    shop.dump(*(f"{key},x" for key in "abcdefABCDEF"))
    shop.done("target.action=add")
    shop.dump(*(f"{key},x" for key in "abcdef"))
    ran = shop.run(*SEVERAL, f"guards.max_deletes={limit}")
    assert (ran.exit_code, len(shop.profiles("Shop"))) == (6, 4), ran.stderr
    again = call("resume", "--state-dir", shop.folder / ".copernica-import", environment=shop.environment())
    assert (again.exit_code, len(shop.profiles("Shop"))) == (6, 4), again.stderr


def test_a_share_of_subprofiles_is_held_for_each_collection(journey: Callable[..., Journey]) -> None:
    """Five of twenty orders and of twenty visits are named, but every order four times: many visits make no room for them."""
    structure = copy.deepcopy(STRUCTURE)
    number = {"name": "No", "type": "text", "length": 20, "index": True}
    structure["databases"][0]["collections"].append({"name": "Visit", "fields": [number]})
    shop = open_shop(journey, structure)
    schema = (shop.folder / "schema.py").read_text()
    shop.write("schema.py", schema + '\nclass Both(Orders):\n    visit: str = Text(20, alias="Visit.No")\n')
    both = ("schema=schema.py:Both", "target.key_fields=[Nr, Order.No, Visit.No]", "load.mode=profiles")
    rows = [f"1,x,O{number % 5},V{number}" for number in range(20)]
    shop.dump(*rows, header="Nr,City,Order.No,Visit.No")
    shop.done(*both, "target.action=add")
    shop.dump(*rows[:5], header="Nr,City,Order.No,Visit.No")
    delete = ("target.action=delete", "target.delete_target=subprofile", "target.on_several_matches=all")
    ran = shop.run(*both, *delete, "guards.max_deletes=30%", "guards.unique_keys=off")
    assert ran.exit_code == 6, ran.stderr
    assert len(shop.profiles("Shop")[0]["subprofiles"]["Order"]) == 16
    assert len(shop.profiles("Shop")[0]["subprofiles"]["Visit"]) >= 18


def test_a_share_counts_all_profiles_of_a_key(shop: Shop) -> None:
    """67% of three are two."""
    doubled(shop)
    shop.dump("e,x", "D,x")
    assert shop.run(*SEVERAL, "guards.max_deletes=67%").exit_code == 6
    shop.done(*SEVERAL, "guards.max_deletes=100%")
    assert shop.numbers() == []


def test_imports_may_delete_more_than_is_counted_and_the_log_says_so(filled: Shop) -> None:
    """Unless every key is looked up before."""
    filled.dump("3,x")
    assert "guard.sees_less" in filled.done(*DELETE, "guards.max_deletes=1", "guards.unique_keys=off").stderr
    filled.dump("4,x")
    assert "guard.sees_less" not in filled.done(*DELETE, "guards.max_deletes=1", "guards.unique_keys=all").stderr
