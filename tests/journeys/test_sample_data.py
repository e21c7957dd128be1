"""The sample data that `make run` shows: every job, every code, the database at the end."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.model.codes import CODES
from tests.support.command import Ran, call
from tests.support.journey import Journey
from tests.support.places import ROOT

CONFIGS = ROOT / "configs"
MENDED = ROOT / "sample_data" / "mended-2026-11-17.csv"

# Line, or element of a JSON array, and code of each reject, in the order of the rejects file.
NIGHT_1 = [
    (21, "key_blank"),
    (22, "key_outer_blank"),
    (23, "key_control"),
    (25, "blank_value"),
    (26, "not_an_integer"),
    (27, "not_a_decimal"),
    (28, "out_of_range"),
    (29, "not_a_date"),
    (30, "not_a_datetime"),
    (31, "not_yes_no"),
    (32, "not_in_choices"),
    (33, "too_long | check_failed"),
    (34, "check_failed"),
    (35, "too_long"),
    (36, "key_blank"),
]
NIGHT_2 = [
    (13, "field_count"),
    (14, "field_count"),
    (15, "repeated_header"),
    (16, "stray_quote"),
    (17, "not_decodable"),
    (18, "nul"),
    (19, "bare_cr"),
    (20, "record_too_long"),
    (21, "unclosed_quote"),
]
NESTED = [
    (11, "key_blank"),
    (11, "not_a_decimal"),
    (13, "not_an_object"),
    (14, "duplicate_key"),
    (15, "lone_surrogate"),
    (16, "nul"),
    (17, "not_json"),
    (18, "check_failed"),
    (20, "row_too_big"),
]
VISITS = [(4, "column_absent"), (5, "not_json"), (6, "too_deep")]
HALF_MENDED = [(4, "unreadable_before")]
# Codes that the samples do not show: they ask for pages of records, for source.escape, for a row that was overtaken.
NOT_SHOWN = {"nothing_to_send", "swallowed_lines", "stray_escape", "overtaken"}
WITHDRAWN = [(4, "nothing_to_delete")]


@pytest.fixture
def shop(journey: Callable[..., Journey]) -> Journey:
    return journey(CONFIGS / "sandbox.yaml")


def run(shop: Journey, job: str, *files: Path) -> Ran:
    """Run a job of the samples, with its state in the folder of the test."""
    return call("run", CONFIGS / job, *files, "--state-dir", shop.folder / "state", environment=shop.environment())


def rejects(ran: Ran) -> list[dict[str, Any]]:
    path = Path(ran.document["rejects"])
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file)) if path.suffix == ".csv" else [json.loads(line) for line in file]


def places(rows: list[dict[str, Any]]) -> list[tuple[int, str]]:
    return [(int(row["_line"]), row["_code"]) for row in rows]


def counted(ran: Ran) -> dict[str, int]:
    """Return the counts that are not 0."""
    return {name: count for name, count in ran.records.items() if count}


def test_two_nights_of_csv_arrive_and_every_bad_record_is_named(shop: Journey) -> None:
    """The job of `make run`: exact counts, each reject with file, line and code, and its original values."""
    ran = run(shop, "customers.yaml")
    assert ran.exit_code == 0, ran.stderr
    assert counted(ran) == {
        "read": 54,
        "malformed": 9,
        "rejected": 15,
        "collapsed": 1,
        "accepted": 29,
        "superseded": 3,
        "profile_conflicts": 6,
        "confirmed": 29,
    }
    found = rejects(ran)
    assert places([row for row in found if row["_file"].endswith("customers-2026-11-18.csv")]) == NIGHT_1
    assert places([row for row in found if row["_file"].endswith("customers-2026-11-19.csv")]) == NIGHT_2
    assert found[6]["points"] == "99999999999999999999"
    assert found[11]["_column"] == "city | phone"
    assert found[15]["_raw"] == "00026,lars@shop.test,Lars Smit, Kerkstraat 12,Ede,,,,,,,,,,,,,,,,"
    assert [(Path(file["path"]).name, file["lines"], file["records"]) for file in ran.document["files"]] == [
        ("customers-2026-11-18.csv", 36, 34),
        ("customers-2026-11-19.csv", 21, 20),
    ]
    verify = ran.document["verify"]
    # Chance may choose a record that is among the riskiest, too.
    assert 5 <= verify["checked"] <= 10
    assert (verify["equal"], verify["different"]) == (verify["checked"], 0)
    assert ran.document["rebuild"] == "done"
    assert shop.sandbox.hazards() == []


def test_nested_json_arrives_row_by_row(shop: Journey) -> None:
    """Lists of orders and visits are rows; what is damaged is named by line and element."""
    ran = run(shop, "customers-json.yaml")
    assert ran.exit_code == 0, ran.stderr
    assert counted(ran) == {"read": 16, "malformed": 5, "rejected": 4, "accepted": 7, "confirmed": 7}
    assert ran.document["files"][0]["elements"] == 12
    found = rejects(ran)
    assert places(found) == NESTED
    assert [row["_element"] for row in found[:3]] == [2, 3, None]
    assert found[0]["orders"] == [{"order_no": None, "total": 31}]
    assert shop.sandbox.hazards() == []


def test_a_missing_key_is_a_fault_where_empty_values_are_sent(shop: Journey) -> None:
    """The visits job says ignore_empty_fields: false, so a missing key would wipe a field."""
    ran = run(shop, "visits.yaml")
    assert ran.exit_code == 0, ran.stderr
    assert counted(ran) == {"read": 7, "malformed": 2, "rejected": 1, "accepted": 4, "confirmed": 4}
    assert places(rejects(ran)) == VISITS
    assert shop.sandbox.hazards() == []


def test_a_rejects_file_that_was_half_mended_runs_again(shop: Journey) -> None:
    """Its own columns are ignored; the row that nobody mended is set aside again."""
    ran = run(shop, "customers.yaml", MENDED)
    assert ran.exit_code == 0, ran.stderr
    assert counted(ran) == {"read": 3, "malformed": 1, "accepted": 2, "confirmed": 2}
    assert places(rejects(ran)) == HALF_MENDED
    assert [profile["fields"]["Name"] for profile in shop.profiles("Customers")] == ["Yara Ypma", "Zeno Zijlstra, sr."]


def test_withdrawn_visits_go_and_a_row_that_names_none_is_set_aside(shop: Journey) -> None:
    """A delete of subprofiles: keys only, within max_deletes, and never a request without the key of the visit."""
    assert run(shop, "customers.yaml").exit_code == 0
    ran = run(shop, "withdrawn-visits.yaml")
    assert ran.exit_code == 0, ran.stderr
    assert counted(ran) == {"read": 3, "rejected": 1, "accepted": 2, "confirmed": 2}
    assert places(rejects(ran)) == WITHDRAWN
    assert ran.document["verify"] == {"checked": 2, "equal": 2, "different": 0}
    left = {
        sub["fields"]["VisitID"] for profile in shop.profiles("Customers") for sub in profile["subprofiles"]["Visit"]
    }
    assert left == {"V506", "V509", "V600", "V601", "V602", "V603", "V604", "V605"}
    assert shop.sandbox.hazards() == []


def test_the_sample_data_holds_a_bad_record_for_every_code() -> None:
    """Whoever reads the samples has seen each code; the runs above are held against these lists."""
    known = NIGHT_1 + NIGHT_2 + NESTED + VISITS + HALF_MENDED + WITHDRAWN
    assert {code for _, codes in known for code in codes.split(" | ")} == set(CODES) - NOT_SHOWN


def test_each_job_shows_the_codes_that_the_page_of_codes_says() -> None:
    """docs/codes.md: CSV by `make run`, what only JSON can have by two jobs, the other two by a job and a file of their own."""
    csv_codes, json_codes = (
        {code for _, codes in known for code in codes.split(" | ")} for known in (NIGHT_1 + NIGHT_2, NESTED + VISITS)
    )
    besides = {
        "not_an_object",
        "not_json",
        "duplicate_key",
        "lone_surrogate",
        "too_deep",
        "column_absent",
        "row_too_big",
    }
    assert json_codes - csv_codes == besides
    assert set(CODES) - csv_codes - besides == {"unreadable_before", "nothing_to_delete"} | NOT_SHOWN


# Number: city, points, interests; order: total and status; visits.
SHOP = {
    "00001": (
        ("Den Haag", "260", ["news"]),
        {"O1000": (19.95, "shipped"), "O1020": (5.0, "open")},
        ["V600", "V700", "V801", "V802"],
    ),
    "00002": (("'s-Hertogenbosch", "135", ["offers"]), {}, ["V601"]),
    "00003": (("Liège", "260", []), {"O1002": (21.95, "shipped")}, ["V602", "V803"]),
    "00004": (("Gouda", "385", ["news"]), {}, ["V603", "V804"]),
    "00005": (("Köln", "510", ["offers"]), {"O1004": (23.95, "shipped")}, ["V604"]),
    "00006": (("Rotterdam", "635", []), {}, ["V605"]),
    "00007": (("Leiden", "750", ["news"]), {"O1006": (25.95, "open")}, ["V506"]),
    "00008": (("Praha", "875", ["offers"]), {}, []),
    "00009": (("Zwolle", "1000", []), {"O1008": (27.95, "shipped")}, []),
    "00010": (("Antwerpen", "1125", ["news"]), {}, ["V509"]),
    "00025": (("Urk", "5", ["news", "offers"]), {}, []),
    "00034": (("Sneek", "40", []), {}, []),
    "00035": (("Joure", "0", ["news"]), {}, []),
    "00040": (("Utrecht", "0", ["news", "offers"]), {"00041": (12.5, "paid")}, []),
    "00042": (("Breda", "0", []), {"O1042": (30.0, "")}, []),
    "00050": (("", "0", []), {}, []),
}


def test_all_jobs_together_leave_the_shop_as_the_dumps_say(shop: Journey) -> None:
    """One sandbox, five runs: every profile with its last values, every order and visit once; nothing else."""
    for job, files in (
        ("customers.yaml", ()),
        ("customers-json.yaml", ()),
        ("visits.yaml", ()),
        ("customers.yaml", (MENDED,)),
        ("withdrawn-visits.yaml", ()),
    ):
        ran = run(shop, job, *files)
        assert ran.exit_code == 0, ran.stderr
    left = {}
    for profile in shop.profiles("Customers"):
        fields, subs = profile["fields"], profile["subprofiles"]
        orders = {
            sub["fields"]["OrderID"]: (float(sub["fields"]["Total"]), sub["fields"]["Status"]) for sub in subs["Order"]
        }
        assert len(orders) == len(subs["Order"])
        visits = sorted(sub["fields"]["VisitID"] for sub in subs["Visit"])
        about = (fields["City"], fields["Points"], sorted(profile["interests"]))
        assert fields["CustomerID"] not in left
        left[fields["CustomerID"]] = (about, orders, visits)
        assert fields["Source"] == "shop"
    assert left == SHOP
    names = {profile["fields"]["CustomerID"]: profile["fields"]["Name"] for profile in shop.profiles("Customers")}
    assert names["00004"] == 'Dirk "de Lange" Bos'
    assert names["00008"] == "Hana Nováková"
    assert names["00009"] == "Igor 🙂 Petrov"
    assert shop.sandbox.hazards() == []


def test_a_second_run_of_the_same_nights_changes_nothing(shop: Journey) -> None:
    """`update or add` by keys can be run again at any time."""
    assert run(shop, "customers.yaml").exit_code == 0
    before = shop.sandbox.contents("Customers")
    ran = run(shop, "customers.yaml")
    assert ran.exit_code == 0, ran.stderr
    assert shop.sandbox.contents("Customers") == before
    assert shop.sandbox.hazards() == []
