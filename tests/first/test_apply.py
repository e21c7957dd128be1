"""`apply`: what was planned is sent once, and only where nothing has changed since."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.first.test_plan import FIRST, HEADER, SCHEMA, call, counts, opened
from tests.support.api_caller import Client
from tests.support.command import Ran
from tests.support.journey import Journey

SECOND = (
    HEADER
    + "C1,Gouda,1,1.50,2000-01-02,Yes,,\nC2,Delft,2,0,,,O1,5\nC2,Delft,2,0,,,O2,4\nC3,Goes,,,,No,,\nC4,Ede,,,,,,\n"
)


def planned(journey: Callable[..., Journey], *words: str) -> tuple[Journey, Ran]:
    """Load the first dump, then plan the second."""
    here = opened(journey, FIRST)
    assert call(here, "run").exit_code == 0
    here.write("dump.csv", SECOND)
    ran = call(here, "plan", *words)
    assert counts(ran) == {"create": 1, "update": 2, "unchanged": 2}
    return here, ran


def applied(here: Journey, plan: Ran, *words: str) -> Ran:
    return here.ask("apply", plan.document["run"], *words)


@pytest.mark.parametrize("mode", ["imports", "profiles"])
def test_the_planned_calls_are_those_that_apply_makes(journey: Callable[..., Journey], mode: str) -> None:
    """Structure, guards, reading again and reading back included: calls are billed."""
    here, plan = planned(journey, "--set", f"load.mode={mode}", "--set", "target.rebuild=false")
    before = len(here.sandbox.journal())
    assert applied(here, plan).exit_code == 0
    made = sum(entry["path"] != "/authenticate" for entry in here.sandbox.journal()[before:])
    assert made * 0.7 <= plan.document["plan"]["calls_planned"] <= made * 1.4


def test_what_was_planned_is_sent_and_nothing_else(journey: Callable[..., Journey]) -> None:
    """The unchanged row is not sent; the next plan is empty; the database is as if the run had been made."""
    here, plan = planned(journey)
    ran = applied(here, plan)
    assert ran.exit_code == 0, ran.stderr
    assert (ran.document["status"], ran.records["confirmed"], ran.records["unchanged"]) == ("done", 3, 2)
    cities = {one["fields"]["CustomerID"]: one["fields"]["City"] for one in here.profiles("Shop")}
    assert cities == {"C1": "Gouda", "C2": "Delft", "C3": "Goes", "C4": "Ede"}
    assert counts(call(here, "plan")) == {"unchanged": 5}


def refused(ran: Ran) -> str:
    """Return why an apply was refused; it says to plan again."""
    assert ran.exit_code == 5, ran.stdout
    assert " plan " in ran.document["errors"][0]["do"]
    return str(ran.document["errors"][0]["what"])


def test_a_plan_is_applied_once(journey: Callable[..., Journey]) -> None:
    """The second time it is used."""
    here, plan = planned(journey)
    assert applied(here, plan).exit_code == 0
    assert refused(applied(here, plan)) == "this plan was applied already: its run is done"


def test_an_old_plan_is_stale(journey: Callable[..., Journey]) -> None:
    """`--max-age` says how old it may be."""
    here, plan = planned(journey)
    assert "old, older than --max-age allows" in refused(applied(here, plan, "--max-age", "0s"))


def test_a_run_that_is_no_plan_is_refused(journey: Callable[..., Journey]) -> None:
    """As is one that does not exist."""
    here, _ = planned(journey)
    runs = here.ask("runs").document["runs"]
    done = next(one["run"] for one in runs if one["status"] == "done")
    assert refused(here.ask("apply", done)) == "this run is no plan: it is done"
    assert here.ask("apply", "shop-none").exit_code == 3


@pytest.mark.parametrize("name", ["job.yaml", "schema.py"])
def test_another_job_or_schema_is_refused(journey: Callable[..., Journey], name: str) -> None:
    """What was checked against the one is not what the other says."""
    here, plan = planned(journey)
    path = here.folder / name
    path.write_text(path.read_text() + "# edited\n")
    assert "has changed since the plan was made" in refused(applied(here, plan))


def test_a_run_in_between_makes_a_plan_foreign(journey: Callable[..., Journey]) -> None:
    """The database is not what the plan saw."""
    here, plan = planned(journey)
    assert call(here, "run").exit_code == 0
    assert "has sent to this database since the plan was made" in refused(applied(here, plan))


def test_another_structure_is_refused(journey: Callable[..., Journey]) -> None:
    """A field that became shorter since could cut a value."""
    here, plan = planned(journey)
    client = Client(here.sandbox)
    fields = {one["name"]: one["ID"] for one in client.get("database/1/fields")["data"]}
    assert client("PUT", f"database/1/field/{fields['City']}", {"name": "City", "length": 20}).status_code == 204
    client.close()
    assert refused(applied(here, plan)) == "the live field is not what it was when the plan was made"


def test_records_that_somebody_has_changed_are_left_alone(journey: Callable[..., Journey]) -> None:
    """They are listed; the others are sent."""
    here, plan = planned(journey)
    client = Client(here.sandbox)
    (one,) = client.get("database/1/profiles", **{"fields[]": "CustomerID==C1"})["data"]
    assert client("PUT", f"profile/{one['ID']}/fields", {"City": "Breda"}).status_code == 204
    client.close()
    ran = applied(here, plan)
    assert ran.exit_code == 6, ran.stderr
    assert (ran.records["confirmed"], ran.records["unchanged"], ran.records["unsent"]) == (2, 2, 1)
    problem: dict[str, Any] = ran.document["problems"][0]
    assert problem["what"] == "not sent: 1 row whose record is no longer as the plan saw it"
    assert Path(problem["where"]).read_text() == "CustomerID,Order.OrderID\nC1,\n"
    cities = {one["fields"]["CustomerID"]: one["fields"]["City"] for one in here.profiles("Shop")}
    assert cities["C1"] == "Breda"
    assert cities["C4"] == "Ede"


def test_a_plan_does_not_stand_in_the_way_of_a_run(journey: Callable[..., Journey]) -> None:
    """It is nothing unfinished: the next night goes on, and `resume` has nothing to do."""
    here, _ = planned(journey)
    assert here.ask("resume").exit_code == 0
    assert call(here, "run").exit_code == 0


@pytest.mark.parametrize("mode", ["imports", "profiles"])
def test_a_delete_is_planned_and_applied(journey: Callable[..., Journey], mode: str) -> None:
    """What is there goes, what is not is unchanged; the second plan has nothing left to delete."""
    here = opened(journey, "C1,Ede,,,,,,\nC2,Ede,,,,,,\n")
    assert call(here, "run").exit_code == 0
    here.write("dump.csv", HEADER + "C1,,,,,,,\nC9,,,,,,,\n")
    here.write("profile.py", "\n".join(line for line in SCHEMA.splitlines() if "order_" not in line) + "\n")
    words = [
        "--set", "target.action=delete", "--set", "target.delete_target=profile", "--set", "guards.max_deletes=5",
        "--set", "target.key_fields=[CustomerID]", "--set", "schema=profile.py:Shop", "--set", f"load.mode={mode}",
        "--set", "ignore=[Order.OrderID, Order.Total]",
    ]  # fmt: skip
    plan = call(here, "plan", *words)
    assert counts(plan) == {"update": 1, "unchanged": 1}, plan.stderr
    ran = applied(here, plan)
    assert ran.exit_code == 0, ran.stderr
    assert [one["fields"]["CustomerID"] for one in here.profiles("Shop")] == ["C2"]
    assert counts(call(here, "plan", *words)) == {"unchanged": 2}


def test_an_add_asks_nothing_and_makes_every_row(journey: Callable[..., Journey]) -> None:
    """Whatever is there: the plan has no calls of its own, and says so."""
    here = opened(journey, "C1,Ede,,,,,,\n")
    assert call(here, "run").exit_code == 0
    here.write("dump.csv", HEADER + "C1,Ede,,,,,,\nC1,Goes,,,,,,\n")
    here.write("profile.py", "\n".join(line for line in SCHEMA.splitlines() if "order_" not in line) + "\n")
    words = [
        "--set", "target.action=add", "--set", "target.key_fields=[CustomerID]", "--set", "schema=profile.py:Shop",
        "--set", "ignore=[Order.OrderID, Order.Total]",
    ]  # fmt: skip
    plan = call(here, "plan", *words)
    assert (counts(plan), plan.document["plan"]["calls_made"]) == ({"create": 2}, 0)
    assert applied(here, plan).exit_code == 0
    assert len(here.profiles("Shop")) == 3


def test_the_last_row_of_a_key_ends_last_also_where_it_changes_nothing(journey: Callable[..., Journey]) -> None:
    """Only the first row has a new order total; sent alone it would put its older city on top."""
    here = opened(journey, "C1,Ede,,,,,O1,1\nC1,Delft,,,,,O2,2\n")
    assert call(here, "run").exit_code == 0
    here.write("dump.csv", HEADER + "C1,Ede,,,,,O1,5\nC1,Delft,,,,,O2,2\n")
    plan = call(here, "plan")
    assert plan.document["plan"]["records"] == {"profile": {"unchanged": 1}, "Order": {"update": 1, "unchanged": 1}}
    assert counts(plan) == {"update": 2}
    assert applied(here, plan).exit_code == 0
    assert [one["fields"]["City"] for one in here.profiles("Shop")] == ["Delft"]
    assert counts(call(here, "plan")) == {"unchanged": 2}


def test_the_list_of_changed_records_has_full_keys(journey: Callable[..., Journey]) -> None:
    """A customer with two orders has a line for each."""
    here, plan = planned(journey)
    client = Client(here.sandbox)
    (one,) = client.get("database/1/profiles", **{"fields[]": "CustomerID==C2"})["data"]
    assert client("PUT", f"profile/{one['ID']}/fields", {"City": "Breda"}).status_code == 204
    client.close()
    here.write("dump.csv", HEADER)
    ran = applied(here, plan)
    assert ran.exit_code == 6, ran.stderr
    assert Path(ran.document["problems"][0]["where"]).read_text() == "CustomerID,Order.OrderID\nC2,O1\n"


def test_what_was_applied_counts_as_confirmed(journey: Callable[..., Journey]) -> None:
    """With `send: changed` the next run has nothing to send, but for keys of which the plan sent only some rows."""
    here = opened(journey, FIRST)
    job = here.folder / "job.yaml"
    job.write_text(job.read_text().replace("mode: imports,", "mode: imports, send: changed,"))
    assert call(here, "run").exit_code == 0
    here.write("dump.csv", HEADER + "C1,Gouda,1,1.50,2000-01-02,Yes,,\nC3,Goes,,,,No,,\nC4,Ede,,,,,,\n")
    plan = call(here, "plan")
    assert counts(plan) == {"create": 1, "update": 1, "unchanged": 1}
    assert applied(here, plan).exit_code == 0
    ran = call(here, "run")
    assert (ran.exit_code, ran.records["unchanged"], ran.records["confirmed"]) == (0, 3, 0)
    here.write("dump.csv", SECOND.replace("C4,Ede", "C4,Goes"))
    plan = call(here, "plan")
    assert counts(plan) == {"update": 2, "unchanged": 3}
    assert applied(here, plan).exit_code == 0
    ran = call(here, "run")
    # C2 had two orders, of which one was sent: its profile is sent once more, by one row for both.
    assert (ran.exit_code, ran.records["confirmed"], ran.records["unchanged"]) == (0, 2, 3)
    assert call(here, "run").records["unchanged"] == 5


def test_a_plan_of_a_first_dump_of_a_job_that_reports_what_is_gone(journey: Callable[..., Journey]) -> None:
    """Nothing is gone at first; then what a run would list, and what is listed when it was applied."""
    here = opened(journey, FIRST)
    job = here.folder / "job.yaml"
    text = job.read_text().replace("mode: imports,", "mode: imports, send: changed, gone_after: 1,")
    text = text.replace("rebuild: false", "rebuild: false\n  gone: report").replace("files:", "dump: full, files:")
    job.write_text(text)
    assert call(here, "plan").document["plan"]["gone"] == 0
    assert call(here, "run").exit_code == 0
    here.write("dump.csv", HEADER + "C1,Gouda,1,1.50,2000-01-02,Yes,,\n")
    plan = call(here, "plan")
    assert plan.document["plan"]["gone"] == 2
    assert call(here, "plan", "--limit", "1").document["plan"]["gone"] is None
    ran = applied(here, plan)
    assert (ran.exit_code, ran.document["gone"]) == (0, 2)
    assert call(here, "plan", "--set", "load.gone_after=3").document["plan"]["gone"] == 0


def test_the_command_that_plans_again_has_what_the_plan_had(journey: Callable[..., Journey]) -> None:
    """Settings with quotes, files, limit, guards and state folder; it runs as it is printed."""
    here = opened(journey, FIRST)
    extra = here.write("extra.csv", HEADER + "C7,Ede,,,,,,\nC8,Ede,,,,,,\n")
    words = ("--set", "constants={}", "--set", "source.null_values=['N/A', 'it''s']", "--limit", "1")
    plan = call(here, "plan", extra, *words, "--force", "unique_keys")
    ran = applied(here, plan, "--max-age", "0s")
    do = str(ran.document["errors"][0]["do"])
    assert do.startswith("plan again: ")
    done = subprocess.run(
        do.removeprefix("plan again: ") + " --json", shell=True, cwd="/", capture_output=True, text=True, check=False,
        env={**os.environ, **here.environment()},
    )  # fmt: skip
    again = json.loads(done.stdout)
    assert (done.returncode, again["plan"]["create"], again["forced"]) == (0, 1, ["unique_keys"])
    (copy,) = here.ledger("SELECT job_copy FROM run WHERE id = ?", again["run"])[0]
    assert json.loads(copy)["settings"] == ["constants={}", "source.null_values=['N/A', 'it''s']"]
