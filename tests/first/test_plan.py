"""`plan`: what a run would change, compared with the live target as the API would store it; then `run`, then nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.api_caller import Client
from tests.support.command import Ran
from tests.support.journey import Journey

STRUCTURE: dict[str, Any] = {
    "databases": [
        {
            "name": "Shop",
            "fields": [
                {"name": "CustomerID", "type": "text", "length": 20, "index": True},
                {"name": "City", "type": "text", "length": 50},
                {"name": "Points", "type": "integer", "value": "0"},
                {"name": "Balance", "type": "float", "value": "0"},
                {"name": "Born", "type": "empty_date"},
            ],
            "interests": [{"name": "news"}],
            "collections": [
                {
                    "name": "Order",
                    "fields": [
                        {"name": "OrderID", "type": "text", "length": 20, "index": True},
                        {"name": "Total", "type": "float", "value": "0"},
                    ],
                }
            ],
        }
    ]
}
SCHEMA = """\
import datetime
import pandera.polars as pa
from pipeline import fields

class Shop(pa.DataFrameModel):
    CustomerID: str = fields.Text(20)
    City: str = fields.Text(50, nullable=True)
    Points: int = fields.Integer(nullable=True)
    Balance: float = fields.Decimal(nullable=True)
    Born: datetime.date = fields.Date(nullable=True)
    news: bool = fields.Interest(alias="interest.news", nullable=True)
    order_id: str = fields.Text(20, alias="Order.OrderID", nullable=True)
    order_total: float = fields.Decimal(alias="Order.Total", nullable=True)
"""
JOB = """\
job: shop
source: {files: [dump.csv], delimiter: ","}
schema: schema.py:Shop
target:
  api: v4
  database: Shop
  action: update or add
  key_fields: [CustomerID, Order.OrderID]
  ignore_empty_fields: true
  followups: false
  rebuild: false
load: {mode: imports, poll: {first_s: 0, most_s: 0.05}}
"""
HEADER = "CustomerID,City,Points,Balance,Born,interest.news,Order.OrderID,Order.Total\n"
FIRST = """\
C1,Ede,1,1.50,2000-01-02,Yes,,
C2,Delft,2,0,,,O1,3.50
C2,Delft,2,0,,,O2,4
C3,Goes,,,,No,,
"""


def opened(journey: Callable[..., Journey], rows: str = FIRST) -> Journey:
    here = journey(STRUCTURE)
    here.write("schema.py", SCHEMA)
    here.write("job.yaml", JOB)
    here.write("dump.csv", HEADER + rows)
    return here


def call(here: Journey, command: str, *words: str | Path) -> Ran:
    return here.call(command, here.folder / "job.yaml", *words)


def counts(ran: Ran) -> dict[str, int]:
    """Return the rows of a plan by what becomes of them, without zeros."""
    names = ("create", "update", "unchanged", "several", "not_checked")
    return {name: ran.document["plan"][name] for name in names if ran.document["plan"][name]}


def test_an_empty_database_gets_everything(journey: Callable[..., Journey]) -> None:
    """Nothing is sent by the plan; the run confirms what it said, and the next plan is empty."""
    here = opened(journey)
    ran = call(here, "plan", "--detailed-exitcode")
    assert (ran.exit_code, ran.document["exit_code"]) == (10, 10)
    assert ran.document["status"] == "planned"
    assert counts(ran) == {"create": 4}
    assert ran.document["plan"]["records"] == {"profile": {"create": 3}, "Order": {"create": 2}}
    assert here.posted() == []
    assert call(here, "run").exit_code == 0
    again = call(here, "plan", "--detailed-exitcode")
    assert (again.exit_code, counts(again), again.document["go_on"]) == (0, {"unchanged": 4}, "Nothing would change.")


def test_each_field_that_changes_is_listed_with_old_and_new(journey: Callable[..., Journey]) -> None:
    """As the API would store it: 1.50 is 1.5, an empty cell changes nothing."""
    here = opened(journey)
    assert call(here, "run").exit_code == 0
    here.write(
        "dump.csv", HEADER + "C1,,1,1.5,2000-01-03,No,,\nC2,Delft,3,0,,,O1,3.5\nC2,Delft,3,0,,,O3,1\nC4,Ede,,,,,,\n"
    )
    changes = here.folder / "changes.ndjson"
    ran = call(here, "plan", "--out", changes)
    assert ran.exit_code == 0, ran.stderr
    assert counts(ran) == {"create": 2, "update": 2}
    listed = [json.loads(line) for line in changes.read_text().splitlines()]
    found = {(one["change"], one["record"], one["key"], one["field"], one["old"], one["new"]) for one in listed}
    assert found == {
        ("update", "profile", "CustomerID=C1", "Born", "2000-01-02", "2000-01-03"),
        ("update", "profile", "CustomerID=C1", "interest.news", "Yes", "No"),
        ("update", "profile", "CustomerID=C2", "Points", "2", "3"),
        ("create", "profile", "CustomerID=C4", None, None, None),
        ("create", "Order", "CustomerID=C2 Order.OrderID=O3", None, None, None),
    }


def test_the_changes_file_can_be_csv(journey: Callable[..., Journey]) -> None:
    """With a header, one line per change."""
    here = opened(journey, "C1,Ede,1,1.50,2000-01-02,Yes,,\n")
    changes = here.folder / "changes.csv"
    assert call(here, "plan", "--out", changes).exit_code == 0
    assert changes.read_text() == "change,record,key,id,field,old,new\ncreate,profile,CustomerID=C1,,,,\n"


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("update or add", {"create": 1, "update": 1, "unchanged": 1}),
        ("update", {"update": 1, "unchanged": 2}),
        ("ignore or add", {"create": 1, "unchanged": 2}),
    ],
)
@pytest.mark.parametrize("mode", ["imports", "profiles"])
def test_actions_and_methods_end_as_the_plan_says(
    journey: Callable[..., Journey], action: str, expected: dict[str, int], mode: str
) -> None:
    """A second plan after the run finds nothing."""
    here = opened(journey, "C1,Ede,1,1,,,,\nC2,Delft,2,2,,,,\n")
    assert call(here, "run").exit_code == 0
    here.write("dump.csv", HEADER + "C1,Ede,1,1,,,,\nC2,Goes,2,2,,,,\nC9,Ede,9,9,,,,\n")
    words = ("--set", f"target.action={action}", "--set", f"load.mode={mode}", "--set", "target.rebuild=false")
    narrow = ("--set", "target.key_fields=[CustomerID]", "--set", "schema=profile.py:Shop",
              "--set", "ignore=[Order.OrderID, Order.Total]")  # fmt: skip
    here.write("profile.py", "\n".join(line for line in SCHEMA.splitlines() if "order_" not in line) + "\n")
    ran = call(here, "plan", *words, *narrow)
    assert (ran.exit_code, counts(ran)) == (0, expected)
    assert call(here, "run", *words, *narrow).exit_code == 0
    assert counts(call(here, "plan", *words, *narrow)) == {"unchanged": 3}


def test_several_matches_and_doubtful_keys_are_told_apart(journey: Callable[..., Journey]) -> None:
    """Two profiles of one key, and a key that only may be the same, are not guessed at."""
    here = opened(journey, "C1,Ede,1,1,,,,\nC1,Ede,1,1,,,,\n")
    profiles = here.folder / "profile.py"
    profiles.write_text("\n".join(line for line in SCHEMA.splitlines() if "order_" not in line) + "\n")
    narrow = ("--set", "target.key_fields=[CustomerID]", "--set", "schema=profile.py:Shop",
              "--set", "ignore=[Order.OrderID, Order.Total]")  # fmt: skip
    assert call(here, "run", *narrow, "--set", "target.action=add").exit_code == 0
    here.write("dump.csv", HEADER + "C1,Goes,1,1,,,,\nC2,Ede,,,,,,\n")
    assert counts(call(here, "plan", *narrow, "--force", "unique_keys")) == {"create": 1, "several": 1}
    here.write("dump.csv", HEADER + "Ç1,Goes,1,1,,,,\n")
    assert counts(call(here, "plan", *narrow, "--force", "unique_keys")) == {"not_checked": 1}


def test_lookups_are_taken_where_they_are_cheaper(journey: Callable[..., Journey]) -> None:
    """Two keys among many profiles are looked up; the calls are counted."""
    here = opened(journey, "".join(f"C{at},Ede,{at},1,,,,\n" for at in range(1200)))
    assert call(here, "run").exit_code == 0
    here.write("dump.csv", HEADER + "C1,Ede,1,1,,,,\n")
    plan = call(here, "plan").document["plan"]
    assert (plan["unchanged"], plan["calls_planned"]) == (1, 0)
    assert plan["calls_made"] <= 4


@pytest.mark.provokes("several_matches")
def test_all_profiles_of_a_key_are_compared_where_all_are_written(journey: Callable[..., Journey]) -> None:
    """With `on_several_matches: all` the second of two profiles differs, and so does the order that it lacks."""
    here = opened(journey, "C1,Ede,1,1,,,O1,3\n")
    assert call(here, "run").exit_code == 0
    client = Client(here.sandbox)
    assert client("POST", "database/1/profiles", {"fields": {"CustomerID": "C1", "City": "Goes"}}).status_code == 201
    client.close()
    changes = here.folder / "changes.ndjson"
    words = ("--set", "target.on_several_matches=all", "--set", "load.mode=profiles")
    ran = call(here, "plan", *words, "--out", changes)
    assert counts(ran) == {"create": 1}, ran.stderr
    assert ran.document["plan"]["records"] == {
        "profile": {"unchanged": 1, "update": 1},
        "Order": {"create": 1, "unchanged": 1},
    }
    listed = [json.loads(line) for line in changes.read_text().splitlines()]
    assert ("City", "Goes", "Ede") in [(one["field"], one["old"], one["new"]) for one in listed]
    assert call(here, "run", *words).exit_code == 0
    assert counts(call(here, "plan", *words)) == {"unchanged": 1}


def test_guards_that_would_stop_the_run_stand_beside_the_comparison(journey: Callable[..., Journey]) -> None:
    """Those of the input and those before sending, all at once; such a plan cannot be applied."""
    here = opened(journey)
    assert call(here, "run").exit_code == 0
    here.write("dump.csv", HEADER + "C1,Goes,1,1.50,2000-01-02,Yes,,\nC4,Ede,x,,,,,\n")
    ran = call(here, "plan", "--set", "guards.max_calls=1", "--force", "max_calls")
    assert ran.exit_code == 4, ran.stdout
    assert counts(ran) == {"update": 1}
    here.write("dump.csv", HEADER + "C1,Goes,1,1.50,2000-01-02,Yes,,\nC1,Ede,x,,,,,\n")
    client = Client(here.sandbox)
    assert client("POST", "database/1/profiles", {"fields": {"CustomerID": "C1"}}).status_code == 201
    client.close()
    ran = call(here, "plan")
    assert (ran.exit_code, ran.document["status"]) == (4, "refused")
    assert [one["where"] for one in ran.document["errors"]] == ["guards.max_rejects", "guards.unique_keys"]
    assert counts(ran) == {"several": 1}
    again = here.ask("apply", ran.document["run"])
    assert (again.exit_code, again.document["errors"][0]["what"]) == (
        5,
        "guards refuse this plan, or its apply; see its problems",
    )
    forced = call(here, "plan", "--force", "max_rejects", "--force", "unique_keys")
    assert (forced.exit_code, forced.document["status"]) == (0, "planned")


def test_an_add_lists_its_records_with_their_keys(journey: Callable[..., Journey]) -> None:
    """Every row makes one, subprofiles by their full key."""
    here = opened(journey, "C1,Ede,,,,,O1,1\nC1,Ede,,,,,O2,1\n")
    changes = here.folder / "changes.csv"
    ran = call(here, "plan", "--out", changes, "--set", "target.action=add", "--set", "load.mode=profiles")
    assert ran.exit_code == 0, ran.stderr
    assert changes.read_text().splitlines()[1:] == [
        "create,profile,CustomerID=C1,,,,",
        "create,Order,CustomerID=C1 Order.OrderID=O1,,,,",
        "create,Order,CustomerID=C1 Order.OrderID=O2,,,,",
    ]


def test_the_list_of_changes_does_not_overwrite_a_dump(journey: Callable[..., Journey]) -> None:
    """A dump named by mistake is refused as a usage error, and stays as it was."""
    here = opened(journey)
    before = (here.folder / "dump.csv").read_bytes()
    ran = call(here, "plan", "--out", here.folder / "dump.csv")
    assert (ran.exit_code, ran.document["errors"][0]["what"]) == (2, "this would overwrite a dump of the run")
    assert (here.folder / "dump.csv").read_bytes() == before
