"""What a run set aside is mended, in a spreadsheet or not, and run again as a run of its own."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import call
from tests.support.journey import Journey
from tests.support.places import CONFIGS, ROOT
from tests.support.shop import Shop


def spreadsheet(path: Path, mend: Callable[[dict[str, str]], dict[str, str]]) -> None:
    """Save a CSV file as a spreadsheet does: BOM, semicolons, CRLF, every text quoted; with each row mended."""
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), delimiter=";", quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(mend(row) for row in rows)
    path.write_bytes(b"\xef\xbb\xbf" + out.getvalue().encode())


@pytest.fixture
def parent(shop: Shop) -> dict[str, Any]:
    shop.dump("1,Ede", "2," + "x" * 60, ",Elst")
    return shop.run("guards.max_rejects=9").document


def test_mended_rejects_are_run_as_a_child_and_both_add_up(shop: Shop, parent: dict[str, Any]):
    """Saved by a spreadsheet: parent and child together have every record confirmed once, and are linked."""
    rejects = Path(parent["rejects"])
    spreadsheet(rejects, lambda row: row | {"Nr": row["Nr"] or "3", "City": row["City"][:50]})
    ran = shop.ask("replay", parent["run"])
    assert ran.exit_code == 0, ran.stderr
    assert ran.document["replay_of"] == parent["run"]
    assert (ran.records["read"], ran.records["confirmed"]) == (parent["records"]["rejected"], 2)
    assert parent["records"]["confirmed"] + ran.records["confirmed"] == parent["records"]["read"]
    assert sorted(shop.numbers()) == ["1", "2", "3"]
    assert f"rows of run <code>{parent['run']}</code>" in Path(ran.document["report"]).read_text()


def test_a_mended_copy_may_be_named(shop: Shop, parent: dict[str, Any]):
    """Who mends elsewhere names the file; the run's own stays as it was."""
    copy = shop.folder / "mended.csv"
    copy.write_bytes(Path(parent["rejects"]).read_bytes())
    spreadsheet(copy, lambda row: row | {"Nr": row["Nr"] or "3", "City": "Epe"})
    ran = shop.ask("replay", parent["run"], copy)
    assert (ran.exit_code, ran.records["confirmed"]) == (0, 2), ran.stderr


def test_what_is_not_mended_is_rejected_again(shop: Shop, parent: dict[str, Any]):
    """The guard of rejects holds, and may be overridden on the record."""
    assert shop.ask("replay", parent["run"]).exit_code == 4
    ran = shop.ask("replay", parent["run"], "--force", "max_rejects", "--force", "min_records")
    assert (ran.exit_code, ran.records["rejected"], ran.document["forced"]) == (0, 2, ["max_rejects", "min_records"])


def test_failed_rows_are_run_again(shop: Shop):
    """Once what Copernica refused them for is mended there."""
    shop.dump("1,Ede", "2,Epe")
    shop.sandbox.set_faults([{"kind": "400", "method": "PUT", "path": "*/profiles", "message": "No", "nth": 1}])
    failed = shop.run("load.mode=profiles")
    assert failed.records["failed"] == 1
    shop.sandbox.set_faults([])
    ran = shop.ask("replay", failed.document["run"])
    assert (ran.exit_code, ran.records["read"], ran.records["confirmed"]) == (0, 1, 1), ran.stderr
    assert sorted(shop.numbers()) == ["1", "2"]


def test_the_job_may_have_been_mended_in_place_of_the_rows(shop: Shop, parent: dict[str, Any]):
    """It is read from its file again."""
    shop.configure({"source.null_values": ["x" * 60], "guards.max_rejects": 1})
    ran = shop.ask("replay", parent["run"])
    assert (ran.exit_code, ran.records["confirmed"], ran.records["rejected"]) == (0, 1, 1), ran.stderr


def test_a_run_without_rejects_has_nothing_to_replay(shop: Shop):
    """Exit 4, and one message."""
    shop.dump("1,Ede")
    ran = shop.ask("replay", shop.done().document["run"])
    assert (ran.exit_code, len(ran.document["errors"])) == (4, 1)
    assert ran.document["errors"][0]["what"] == "this run has set nothing aside that could be run again"


def test_an_unknown_run_and_a_file_of_another_job_are_refused(shop: Shop, parent: dict[str, Any]):
    """3 for the run, 4 for the file; nothing is sent."""
    before = len(shop.posted())
    assert shop.ask("replay", "nobody").exit_code == 3
    other = shop.write("other.csv", "Shoe,Size\n1,2\n")
    ran = shop.ask("replay", parent["run"], other)
    assert (ran.exit_code, len(shop.posted())) == (4, before)
    assert "other.csv" in ran.document["errors"][0]["where"]


# A good value for each column of the sample data that has a bad one somewhere.
GOOD = {
    "email": "mended@example.com", "name": "Mended", "city": "Ede", "phone": "+31201234567", "tier": "gold",
    "born": "1980-02-03", "signed_up": "2026-01-02 03:04:05", "points": "1", "balance": "1.50", "likes_news": "yes",
    "likes_offers": "no", "order_no": "M-1", "order_total": "1.50", "order_placed": "2026-01-02 03:04:05",
}  # fmt: skip


def mended(row: dict[str, str]) -> dict[str, str]:
    """Fill in what the reject's columns lack; of a record that could not be split make a customer of its own."""
    number = f"M{row['_file'][-6:-4]}{row['_line']}"
    if row["_raw"]:
        return row | {"customer_no": number, "name": "Mended", "_raw": ""}
    bad = row["_column"].split(" | ")
    return row | {name: number if name == "customer_no" else GOOD[name] for name in bad}


def test_the_rejects_of_the_sample_data_are_mended_and_replayed(journey: Callable[..., Journey]):
    """Every one of them, saved by a spreadsheet: parent and child together have each record once, and nothing is left."""
    here = journey(CONFIGS / "sandbox.yaml")
    for folder in ("configs", "schemas", "sample_data"):
        shutil.copytree(ROOT / folder, here.folder / folder, ignore=shutil.ignore_patterns(".*"))
    job = here.folder / "configs" / "customers.yaml"
    parent = here.call("run", job).document
    state = ("--state-dir", here.folder / "configs" / ".copernica-import")
    spreadsheet(Path(parent["rejects"]), mended)
    child = call("replay", parent["run"], *state, environment=here.environment())
    assert child.exit_code == 0, child.stderr
    set_aside = parent["records"]["malformed"] + parent["records"]["rejected"]
    assert (child.records["read"], child.records["malformed"], child.records["rejected"]) == (set_aside, 0, 0)
    sums = {name: parent["records"][name] + child.records[name] for name in ("collapsed", "confirmed")}
    assert sums["collapsed"] + sums["confirmed"] == parent["records"]["read"]
    runs = call("runs", *state).document["runs"]
    assert [one.get("replay_of") for one in runs] == [parent["run"], None]


def test_a_date_that_a_spreadsheet_has_written_anew_is_named(journey: Callable[..., Journey]):
    """It is rejected again, by its code and its text; nothing guesses which number is the day."""
    here = journey(CONFIGS / "sandbox.yaml")
    for folder in ("configs", "schemas", "sample_data"):
        shutil.copytree(ROOT / folder, here.folder / folder, ignore=shutil.ignore_patterns(".*"))
    parent = here.call("run", here.folder / "configs" / "customers.yaml").document
    rejects = Path(parent["rejects"])
    spreadsheet(rejects, lambda row: mended(row) | {"born": "3-2-1980"})
    state = (
        "--state-dir",
        here.folder / "configs" / ".copernica-import",
        "--force",
        "max_rejects",
        "--force",
        "min_records",
    )
    child = call("replay", parent["run"], *state, environment=here.environment())
    assert child.exit_code == 0, child.stderr
    assert [(one["code"], one["column"]) for one in child.document["set_aside"]] == [("not_a_date", "born")]
    assert "3-2-1980" in Path(child.document["rejects"]).read_text()
