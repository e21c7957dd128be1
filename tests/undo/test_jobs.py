"""Jobs of other kinds: older versions of the API, several imports at a time, keys of several records, no key at all."""

from __future__ import annotations

import pytest

from pipeline.state.lock import Patience, job_lock
from tests.support.shop import SCHEMA, Shop
from tests.undo.shop import ALL, BEFORE, HEADER, THEN, cities, filled, made_since, undone


@pytest.mark.parametrize("api", ["v1", "v2", "v3"])
def test_older_versions_are_undone_per_profile(shop: Shop, api: str) -> None:
    """As their runs are sent; v3 has imports, too."""
    before = filled(shop)
    shop.dump(*THEN, header=HEADER)
    run = shop.done(*BEFORE, *ALL, "load.mode=auto", f"target.api={api}").document["run"]
    found = undone(shop, run).document
    assert (found["way"], found["undo"]["conflicts"]) == ("imports" if api == "v3" else "profiles", 0)
    assert made_since(shop, before) == before


def test_several_imports_at_one_time(shop: Shop) -> None:
    """Rows of one key wait for each other in the undo, too."""
    before = filled(shop)
    shop.dump(*THEN, header=HEADER)
    several = ("load.in_flight=3", "load.chunk_rows=1")
    run = shop.done(*BEFORE, *ALL, *several).document["run"]
    undone(shop, run)
    assert made_since(shop, before) == before


@pytest.mark.provokes("several_matches")
@pytest.mark.parametrize("method", ["imports", "profiles"])
def test_a_key_of_several_profiles_is_left(shop: Shop, method: str) -> None:
    """Nobody can say which of them had which value."""
    shop.dump("1,Ede", "1,Tiel", "2,Goes")
    shop.done("target.action=add")
    shop.dump("1,Urk", "2,Urk")
    several = ("target.on_several_matches=all", f"load.mode={method}", "guards.unique_keys=off")
    run = shop.done(*BEFORE, *several, "load.verify_sample=0").document["run"]
    found = undone(shop, run).document["undo"]
    assert (found["restore"], found["left"]) == (1, {"several_matches": 1})
    assert sorted(one["fields"]["City"] for one in shop.profiles("Shop")) == ["Goes", "Urk", "Urk"]


def test_rows_that_were_added_without_a_key_are_counted(shop: Shop) -> None:
    """Nothing finds them again; the run may be run again all the same."""
    shop.dump("1,Ede", "2,Tiel")
    add = ("target.action=add", "target.key_fields=[]")
    run = shop.done(*BEFORE, *add).document["run"]
    found = undone(shop, run).document
    assert (found["status"], found["undo"]["restore"], found["undo"]["keyless"]) == ("done", 0, 2)
    assert len(cities(shop)) == 2
    assert shop.done(*BEFORE, *add).document["records"]["confirmed"] == 2


def test_numbers_come_back_as_they_are_stored(shop: Shop) -> None:
    """What the run sent is compared as Copernica stores it: 3.10 is 3.1."""
    shop.write("schema.py", SCHEMA)
    before = filled(shop)
    shop.dump("1,Goes,6,No,A,3.10", header=HEADER)
    run = shop.done(*BEFORE, *ALL).document["run"]
    assert undone(shop, run).document["undo"]["conflicts"] == 0
    assert shop.contents() == before


def test_a_database_that_is_busy_is_not_undone(shop: Shop) -> None:
    """The lock of the job stands before everything."""
    shop.dump("1,Ede")
    run = shop.done(*BEFORE).document["run"]
    with job_lock(shop.state, "shop", Patience()):
        assert shop.ask("undo", run, "--yes").exit_code == 7
