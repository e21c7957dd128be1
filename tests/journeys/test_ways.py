"""Which way a run loads by, what it says about it, and what looking for lost rows may cost (data rules 24, 25, 29)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import Exit
from pipeline.load.choice import refuses_imports
from pipeline.run.loading import PROFILE_CHUNK_ROWS
from tests.journeys.shop import customers, opened, run
from tests.support.journey import Journey
from tests.support.nights import leaping


@pytest.fixture
def shop(journey: Callable[..., Journey]) -> Journey:
    return opened(journey)


def test_the_per_profile_way_loads_the_same_and_cannot_rebuild(shop: Journey) -> None:
    """`rebuild: true` is a warning at the start and `not possible` in the summary; the exit code does not change."""
    ran = run(shop, "--set", "load.mode=profiles")
    assert ran.exit_code == Exit.OK, ran.stderr
    assert (ran.document["way"], ran.document["rebuild"], ran.document["imports"]) == ("profiles", "not possible", 0)
    assert ran.document["way_reason"] == "set in the job"
    assert "rebuild.not_possible" in ran.stderr
    assert "automations set on changes over REST may fire" in ran.stderr
    assert customers(shop) == ["1", "2", "3", "4", "5"]
    assert shop.sandbox.hazards() == []


@pytest.mark.parametrize("api", ["v1", "v2"])
def test_imports_are_refused_where_the_api_has_none(shop: Journey, api: str) -> None:
    """Exit 5 for `imports`; `auto` goes per profile and says why."""
    ran = run(shop, "--set", f"target.api={api}")
    assert ran.exit_code == Exit.API
    assert ran.document["errors"][0]["what"] == f"api {api} has no imports"
    assert shop.posted() == []
    ran = run(shop, "--set", f"target.api={api}", "--set", "load.mode=auto")
    assert (ran.exit_code, ran.document["way"]) == (Exit.OK, "profiles"), ran.stderr
    assert ran.document["way_reason"] == f"api {api} has no imports"
    assert f"api {api} has no imports" in ran.stderr
    assert customers(shop) == ["1", "2", "3", "4", "5"]
    assert shop.sandbox.hazards() == []


def test_an_account_without_imports_falls_back_in_auto_only(shop: Journey) -> None:
    """The first import is refused as a whole: `imports` ends with 5 and Copernica's words, `auto` goes per profile."""
    shop.sandbox.set_switches({"imports": "refuse"})
    ran = run(shop)
    assert ran.exit_code == Exit.API
    assert "You are not allowed to import files" in ran.document["errors"][0]["what"]
    assert customers(shop) == []
    ran = run(shop, "--set", "load.mode=auto")
    assert (ran.exit_code, ran.document["way"]) == (Exit.OK, "profiles"), ran.stderr
    assert "You are not allowed to import files" in ran.document["way_reason"]
    assert customers(shop) == ["1", "2", "3", "4", "5"]


def test_falling_back_keeps_the_chunks_that_were_cut(shop: Journey) -> None:
    """An import may hold more rows than a chunk of the per-profile method would: its rows go per profile all the same."""
    rows = PROFILE_CHUNK_ROWS + 1
    shop.write("dump.csv", "CustomerID,City\n" + "".join(f"{number},Ede\n" for number in range(rows)))
    shop.sandbox.set_switches({"imports": "refuse"})
    ran = run(shop, "--set", "load.mode=auto", "--set", "load.chunk_rows=5000", "--set", "load.workers=8")
    assert (ran.exit_code, ran.records["confirmed"]) == (Exit.OK, rows), ran.stderr
    assert len(customers(shop)) == rows


BLAMES = "Column City is not allowed to hold these values"


@pytest.mark.parametrize(
    ("message", "refuses"),
    [
        ("Invalid method", True),
        ("You are not allowed to import files", True),
        ("This account is not approved for imports", True),
        ("Forbidden", True),
        ("Value 'x' not allowed in field City", False),
        ("Key field restricted", False),
        ("No database with supplied ID", False),
        ("", False),
    ],
)
def test_what_is_a_refusal_of_imports(message: str, refuses: bool) -> None:
    """What Copernica says of the right to import, not what it says of the data."""
    assert refuses_imports(message) is refuses


@pytest.mark.parametrize("mode", ["imports", "auto"])
def test_a_refusal_that_blames_our_data_is_no_refusal_of_imports(shop: Journey, mode: str) -> None:
    """The first import is refused for what is in it: exit 5 with Copernica's words, and nothing goes per profile."""
    shop.sandbox.set_faults([{"kind": "400", "path": "*/imports", "message": BLAMES}])
    ran = run(shop, "--set", f"load.mode={mode}")
    assert (ran.exit_code, ran.document["way"], ran.document["status"]) == (Exit.API, "imports", "refused")
    (error,) = ran.document["errors"]
    assert BLAMES in error["what"]
    assert f"in {shop.folder}/.copernica-import/ledger.sqlite" in error["do"]
    assert (ran.records["unsent"], ran.records["confirmed"]) == (5, 0)
    assert len(shop.posted()) == 1
    assert customers(shop) == []


@pytest.mark.parametrize("mode", ["imports", "auto"])
def test_the_same_after_an_import_was_accepted_leaves_the_rest_to_resume(shop: Journey, mode: str) -> None:
    """The second import is refused: exit 6, the first one's rows are confirmed, and resume sends the others."""
    shop.sandbox.set_faults([{"kind": "400", "path": "*/imports", "nth": 2, "message": BLAMES}])
    ran = run(shop, "--set", f"load.mode={mode}")
    assert (ran.exit_code, ran.document["way"]) == (Exit.INCOMPLETE, "imports")
    assert BLAMES in ran.stderr
    assert (ran.records["unsent"], ran.records["confirmed"]) == (3, 2)
    assert customers(shop) == ["1", "2"]
    resumed = shop.call("resume", ran.document["run"], "--state-dir", str(shop.folder / ".copernica-import"))
    assert (resumed.exit_code, resumed.records["confirmed"]) == (Exit.OK, 5), resumed.stderr
    assert customers(shop) == ["1", "2", "3", "4", "5"]


def test_reading_back_has_a_price_that_is_named(shop: Journey) -> None:
    """Above max_settle_calls nothing is read back: the rows are in unknown.csv, with the cost, and the run is closed."""
    shop.sandbox.set_faults([{"kind": "cut", "method": "POST", "path": "*/imports", "nth": 2}])
    with leaping(shop.sandbox):
        ran = run(shop, "--set", "load.max_settle_calls=0")
    assert (ran.exit_code, ran.records["unknown"], ran.document["open"]) == (Exit.INCOMPLETE, 2, False), ran.stderr
    unknown = (shop.state / "runs" / ran.document["run"] / "unknown.csv").read_text()
    assert "reading them back takes 1 calls, and 0 are left of 0 (load.max_settle_calls)" in unknown


@pytest.mark.parametrize(("rows", "asked"), [(3, {"count": 1, "lookup": 3}), (4, {"count": 1, "page": 3})])
def test_reading_back_takes_the_cheaper_way(shop: Journey, rows: int, asked: dict[str, int]) -> None:
    """Data rule 29: 2,345 profiles are three pages, so up to three keys are looked up one by one, more by paging."""
    shop.write("dump.csv", "CustomerID,City\n" + "".join(f"{number},Ede\n" for number in range(2345)))
    assert run(shop, "--set", "load.chunk_rows=2345").exit_code == Exit.OK
    shop.write("dump.csv", "CustomerID,City\n" + "".join(f"{number},Epe\n" for number in range(rows)))
    shop.sandbox.set_faults([{"kind": "cut", "method": "POST", "path": "*/imports", "nth": 1}])
    quiet = ("--set", "guards.unique_keys=off", "--set", "load.verify_sample=0", "--set", "load.max_settle_calls=3")
    before = len(shop.sandbox.journal())
    with leaping(shop.sandbox):
        ran = run(shop, "--set", "load.chunk_rows=10", *quiet)
    assert (ran.exit_code, ran.records["confirmed"]) == (Exit.OK, rows), ran.stderr
    lists = [one for one in shop.sandbox.journal()[before:] if one["path"].endswith("/profiles")]
    assert Counter(map(kind_of_list, lists)) == asked


def kind_of_list(entry: dict[str, Any]) -> str:
    """Return what a list of profiles was asked for: their number, those of a key, or a page of all."""
    query = str(entry["query"])
    return "lookup" if "CustomerID" in query else "count" if "id>" not in query else "page"


@pytest.mark.parametrize(
    ("action", "says", "left"),
    [
        ("update or add", "the last one wins", ["Epe"]),
        ("ignore or add", "the first one stands", ["Ede"]),
        ("add", "each makes a profile", ["Ede", "Epe"]),
    ],
)
@pytest.mark.parametrize("way", ["imports", "profiles"])
def test_rows_that_disagree_about_a_profile_are_a_warning_that_says_which_stands(
    shop: Journey, way: str, action: str, says: str, left: list[str]
) -> None:
    shop.write("dump.csv", "CustomerID,City\n1,Ede\n1,Epe\n")
    ran = run(shop, "--set", f"load.mode={way}", "--set", f"target.action={action}")
    assert ran.exit_code == Exit.OK, ran.stderr
    assert ran.records["profile_conflicts"] == 1
    assert f"rows of one profile disagree in its columns; {says}" in ran.stderr
    assert [one["fields"]["City"] for one in shop.profiles("Shop")] == left


def test_csv_and_json_files_go_in_one_run(shop: Journey) -> None:
    """Their rejects stand in one file, which is JSON then and takes both."""
    shop.write("dump.csv", "CustomerID,City\n1,Ede\n,Ede\n")
    shop.write("more.json", '[{"CustomerID": "2", "City": "Urk"}, {"CustomerID": "", "City": "Urk"}]')
    both = ("--set", "source.files=[dump.csv, more.json]", "--set", "guards.max_rejects=50%")
    ran = shop.call("run", shop.folder / "job.yaml", *both)
    assert (ran.exit_code, ran.records["confirmed"], ran.records["rejected"]) == (0, 2, 2), ran.stderr
    rejects = Path(ran.document["rejects"])
    assert rejects.name == "rejects.ndjson"
    assert [json.loads(line)["_file"] for line in rejects.read_text().splitlines()] == ["dump.csv", "more.json"]
