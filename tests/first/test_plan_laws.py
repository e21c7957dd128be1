"""The law of `plan`: its totals are what the run then does to the database, and a second plan is empty."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from tests.first.test_plan import HEADER, call, opened
from tests.support.api_caller import Client
from tests.support.journey import Journey
from tests.support.soak import SOAK

ACTIONS = ("update or add", "update", "ignore or add", "delete", "add")
CITIES = ("Ede", "Delft", "", "Goes")


def rows(chance: random.Random, count: int) -> str:
    """Return rows of few customers and orders, so that keys come back, with cells that are often empty."""
    lines = []
    for _ in range(count):
        order = chance.choice(("", "", "O1", "O2"))
        cells = [
            f"C{chance.randrange(8)}", chance.choice(CITIES), chance.choice(("", "1", "2", "+3", "4.0")),
            chance.choice(("", "1.50", "1.5", "2")), chance.choice(("", "2000-01-02", "1999-12-31")),
            chance.choice(("", "Yes", "No")), order, chance.choice(("1", "2.50")) if order else "",
        ]  # fmt: skip
        lines.append(",".join(cells) + "\n")
    return HEADER + "".join(lines)


def held(here: Journey) -> dict[tuple[str, Any], Any]:
    """Return every record of the database by level and id."""
    client = Client(here.sandbox)
    found: dict[tuple[str, Any], Any] = {}
    for profile in client.get("database/1/profiles", limit=1000)["data"]:
        found["profile", profile["ID"]] = (profile["fields"], sorted(profile["interests"]))
    for sub in client.get("collection/1/subprofiles", limit=1000)["data"]:
        found["Order", sub["ID"]] = sub["fields"]
    client.close()
    return found


def done(before: dict[tuple[str, Any], Any], after: dict[tuple[str, Any], Any]) -> dict[str, dict[str, int]]:
    """Return how many records were created and changed (or deleted), by level."""
    found: dict[str, dict[str, int]] = {}
    for level, number in before.keys() | after.keys():
        key = (level, number)
        change = "create" if key not in before else "update" if before[key] != after.get(key) else ""
        if change:
            found.setdefault(level, {}).setdefault(change, 0)
            found[level][change] += 1
    return found


@pytest.mark.parametrize("empties", ["true", "false"])
@pytest.mark.parametrize("mode", ["imports", "profiles"])
@pytest.mark.parametrize("action", ACTIONS)
def test_a_plan_is_what_the_run_does(journey: Callable[..., Journey], action: str, mode: str, empties: str) -> None:
    """Over random dumps on a random database, nested records and all; rows that stand for several records count once."""
    if action in ("ignore or add", "add") and mode == "imports":
        pytest.skip("imports refuse it with dotted columns (rule 25)")
    chance = random.Random(f"{action} {mode} {empties}")
    here = opened(journey, "C0,Ede,,,,,,\n")
    here.write("dump.csv", rows(chance, 12))
    assert call(here, "run").exit_code == 0
    words = ["--set", f"target.action={action}", "--set", f"load.mode={mode}"]
    if action == "delete":
        words += [
            "--set",
            "target.delete_target=subprofile",
            "--set",
            "guards.max_deletes=100",
            "--set",
            "guards.max_rejects=100%",
        ]
    else:
        words += ["--set", f"target.ignore_empty_fields={empties}"]
    if empties == "false":
        schema = here.folder / "schema.py"
        schema.write_text(
            schema.read_text().replace("Integer(", 'Integer(empty="0", ').replace("Decimal(", 'Decimal(empty="0", ')
        )
    for _ in range(4 if SOAK else 1):
        here.write("dump.csv", rows(chance, 8))
        plan = call(here, "plan", *words)
        assert plan.exit_code == 0, plan.stderr
        before = held(here)
        assert call(here, "run", *words).exit_code in (0, 6)
        expected = {
            level: {name: count for name, count in of.items() if name != "unchanged"}
            for level, of in plan.document["plan"]["records"].items()
        }
        assert {level: of for level, of in expected.items() if of} == done(before, held(here))
        if action != "add":  # which makes every record again
            again = call(here, "plan", *words).document["plan"]
            assert (again["create"], again["update"]) == (0, 0)


@pytest.mark.provokes("several_matches")
@pytest.mark.parametrize("action", ["update or add", "update"])
def test_a_plan_of_keys_that_several_profiles_have_is_what_the_run_does(
    journey: Callable[..., Journey], action: str
) -> None:
    """With `on_several_matches: all` each of them is changed, and has its own orders."""
    chance = random.Random(action)
    here = opened(journey, "C0,Ede,,,,,,\n")
    for _ in range(2):
        here.write("dump.csv", rows(chance, 8))
        assert call(here, "run", "--set", "target.action=add", "--set", "load.mode=profiles").exit_code == 0
    words = [
        "--set",
        f"target.action={action}",
        "--set",
        "load.mode=profiles",
        "--set",
        "target.on_several_matches=all",
    ]
    for _ in range(4 if SOAK else 2):
        here.write("dump.csv", rows(chance, 6))
        plan = call(here, "plan", *words)
        assert plan.exit_code == 0, plan.stderr
        before = held(here)
        assert call(here, "run", *words).exit_code == 0
        expected = {
            level: {name: count for name, count in of.items() if name != "unchanged"}
            for level, of in plan.document["plan"]["records"].items()
        }
        assert {level: of for level, of in expected.items() if of} == done(before, held(here))
        again = call(here, "plan", *words).document["plan"]
        assert (again["create"], again["update"]) == (0, 0)
