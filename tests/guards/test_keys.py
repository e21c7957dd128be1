"""Guards of the keys: each finds one profile, and finds it quickly."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.guards.keys import SAMPLED_KEYS
from tests.support.journey import Journey
from tests.support.shop import ORDERS, STRUCTURE, Shop, open_shop

ALL = "guards.unique_keys=all"


@pytest.fixture
def doubled(shop: Shop) -> Shop:
    """Fill the shop with 60 profiles, two of which have the key 7."""
    shop.dump(*(f"{number},Delft" for number in range(59)), "7,Ede")
    shop.done("target.action=add")
    return shop


def lookups(shop: Shop) -> int:
    """Count the GETs that select profiles by key before the last changing request."""
    last = max((entry["n"] for entry in shop.posted()), default=0)
    return sum(
        entry["method"] == "GET" and "fields" in str(entry["query"]) and "Nr==" in str(entry["query"])
        for entry in shop.sandbox.journal()
        if entry["n"] < last
    )


@pytest.mark.provokes("several_matches")
def test_a_sampled_key_with_two_profiles_is_refused(doubled: Shop) -> None:
    """Both would be changed; their ids are named, never the key."""
    ids = [one["ID"] for one in doubled.profiles("Shop") if one["fields"]["Nr"] == "7"]
    doubled.dump("7,Urk", "8,Urk")
    error = doubled.refused("unique_keys", 5)
    assert error["what"] == (
        f"1 of 2 keys that were looked up (Nr) have several profiles, first {' and '.join(ids)};"
        " an import would change every one of them"
    )
    doubled.forced("unique_keys")
    assert [one["fields"]["City"] for one in doubled.profiles("Shop") if one["fields"]["Nr"] == "7"] == ["Urk", "Urk"]


@pytest.mark.provokes("several_matches")
def test_keys_that_are_not_sent_may_occur_twice_and_the_guard_can_be_off(doubled: Shop) -> None:
    """Only the keys of this run matter."""
    doubled.dump("8,Urk", "9,Urk")
    doubled.done()
    doubled.done(ALL)
    doubled.dump("7,Urk")
    doubled.done("guards.unique_keys=off")


def test_twenty_keys_are_looked_up_before_the_first_import(shop: Shop) -> None:
    """The sample costs one call a key, and nothing where nothing is searched (data rule 35)."""
    shop.dump(*(f"{number},Delft" for number in range(50)))
    shop.done("load.verify_sample=0")
    assert lookups(shop) == SAMPLED_KEYS == 20


def test_the_same_keys_are_looked_up_each_time(shop: Shop) -> None:
    """So that a double in the database stops all nights or none, and never one at random (data rule 35)."""
    rows = [f"{number},Delft" for number in range(2_000)]
    asked = []
    for dump in (rows, rows[::-1], [*rows[:1_990], *(f"{number},Delft" for number in range(5_000, 5_010))]):
        before = len(shop.sandbox.journal())
        shop.dump(*dump)
        shop.done("load.verify_sample=0")
        asked.append({str(one["query"]) for one in shop.sandbox.journal()[before:] if "Nr==" in str(one["query"])})
    assert len(asked[0]) == 20
    assert asked[0] == asked[1]
    assert len(asked[0] & asked[2]) >= 18


@pytest.mark.parametrize("settings", [("target.action=add",), ("target.action=add", "target.key_fields=[]")])
def test_an_add_looks_nothing_up(shop: Shop, settings: tuple[str, ...]) -> None:
    """An add makes its profiles whatever is there."""
    shop.dump("1,Delft")
    shop.done(*settings, "load.verify_sample=0")
    assert lookups(shop) == 0


@pytest.mark.provokes("several_matches")
def test_all_finds_the_one_double_among_many_keys(doubled: Shop) -> None:
    """60 keys in a database of one page: paging is cheaper than looking up, and one page is read."""
    ids = [one["ID"] for one in doubled.profiles("Shop") if one["fields"]["Nr"] == "7"]
    doubled.dump(*(f"{number},Urk" for number in range(60)))
    before = len(doubled.sandbox.journal())
    error = doubled.refused("unique_keys", 5, ALL)
    assert error["what"].startswith(f"1 keys of this run (Nr) have several profiles, first {' and '.join(ids)};")
    pages = [entry for entry in doubled.sandbox.journal()[before:] if entry["path"].endswith("/profiles")]
    assert len(pages) == 2  # the count, and the page
    doubled.forced("unique_keys", ALL)


def test_all_looks_a_few_keys_up(doubled: Shop) -> None:
    """One key in a database of one page costs one lookup."""
    doubled.dump("7,Urk")
    error = doubled.refused("unique_keys", 5, ALL)
    assert error["what"].startswith("1 of 1 keys that were looked up")


def test_keys_that_are_maybe_the_same_are_doubles(shop: Shop) -> None:
    """Copernica may take É for e; whatever finds them, paging or a lookup (data rule 15)."""
    shop.dump("Éa,Delft", "ea,Ede", "x,Urk")
    shop.done("target.action=add")
    shop.dump("EA,Delft", "x,Delft", "y,Delft")
    error = shop.refused("unique_keys", 5, ALL)
    assert error["what"].startswith("1 keys of this run (Nr) have several profiles")


def test_several_key_fields_are_one_key(shop: Shop) -> None:
    """Two profiles that share one of two key fields are no doubles."""
    shop.dump("1,Delft", "1,Ede", "2,Ede", "2,Ede")
    shop.done("target.action=add")
    both = "target.key_fields=[Nr, City]"
    shop.dump("1,Delft", "1,Ede")
    shop.done(both)
    shop.done(both, ALL)
    shop.dump("1,Delft", "2,Ede", "3,Ede")
    assert "(Nr, City)" in shop.refused("unique_keys", 5, both, ALL)["what"]
    assert "(Nr, City)" in shop.refused("unique_keys", 5, both)["what"]


@pytest.mark.provokes("several_matches")
def test_the_per_profile_way_names_doubles_row_by_row(doubled: Shop) -> None:
    """It looks every key up itself and sends the others; asked for all, it refuses before the first write."""
    doubled.dump("7,Urk", "8,Urk")
    profiles = "load.mode=profiles"
    doubled.refused("unique_keys", 5, profiles, ALL)
    ran = doubled.run(profiles)
    assert (ran.exit_code, ran.records["confirmed"], ran.records["failed"]) == (6, 1, 1)
    doubled.done(profiles, ALL, "target.on_several_matches=all")


def test_lookups_that_cannot_be_trusted_are_refused(journey: Callable[..., Journey]) -> None:
    """What a lookup returns is compared before it is used; imports use no selector, so this can be forced."""
    shop = open_shop(journey, switches={"lookup_strangers": True})
    quiet = "load.verify_sample=0"
    shop.dump("1,Delft", "2,Ede")
    shop.done(quiet)
    assert shop.refused("unique_keys", 5, quiet)["what"].startswith("whether keys are unique cannot be seen: ")
    shop.forced("unique_keys", quiet)


def test_a_selector_that_is_dropped_shows_no_doubles(journey: Callable[..., Journey]) -> None:
    """All profiles come back; those with another key are not counted, as long as one page shows all."""
    shop = open_shop(journey, switches={"lookups_drop": ["Nr"]})
    shop.dump("1,Delft", "2,Ede")
    shop.done()
    shop.done()
    shop.dump("1,Urk")
    shop.done("target.action=add")
    shop.refused("unique_keys", 5)


def unindexed() -> dict[str, Any]:
    structure = copy.deepcopy(STRUCTURE)
    structure["databases"][0]["fields"][0]["index"] = False  # type: ignore[index]
    structure["databases"][0]["collections"][0]["fields"][0]["index"] = False  # type: ignore[index]
    return structure


def test_a_key_without_index_is_refused_in_a_large_database(journey: Callable[..., Journey]) -> None:
    """10,000 profiles are a warning, 10,001 a refusal; the add that makes them searches nothing."""
    shop = open_shop(journey, unindexed())
    shop.dump(*(f"{number},Delft" for number in range(10_000)))
    filled = shop.done("target.action=add")
    assert "key.without_index" not in filled.stderr
    shop.dump("1,Ede")
    warned = shop.done()
    assert "key.without_index" in warned.stderr
    shop.dump("10000,Delft")
    shop.done()
    error = shop.refused("key_without_index", 5)
    assert error["what"] == "the key Nr has no index, and Copernica would search all 10,001 profiles for every row"
    shop.refused("key_without_index", 5, "load.mode=profiles")
    shop.forced("key_without_index")


def test_a_subprofile_key_without_index_is_a_warning(journey: Callable[..., Journey]) -> None:
    """Subprofiles are searched within one profile."""
    shop = open_shop(journey, unindexed())
    shop.dump("1,Delft,O1", header="Nr,City,Order.No")
    assert '"key": "Order.No"' in shop.done(*ORDERS).stderr
