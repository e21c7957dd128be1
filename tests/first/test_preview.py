"""`preview`: records as they would be sent, field by field, rejects with their code in place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.command import call, call_plain
from tests.support.places import CONFIGS

JOB = CONFIGS / "customers.yaml"
DUMP = CONFIGS.parent / "sample_data" / "customers-2026-11-18.csv"


def record(number: int, *words: str) -> dict[str, Any]:
    ran = call("preview", JOB, DUMP, "--record", str(number), *words)
    assert ran.exit_code == 0
    (found,) = ran.document["records"]
    return found


def cell(found: dict[str, Any], source: str) -> dict[str, Any]:
    return next(one for one in found["columns"] if one["from"] == source)


def test_a_good_record_shows_text_value_type_and_what_is_sent() -> None:
    """The decimal's text is sent, not the number; a collection that the row does not carry is not sent."""
    found = record(1)
    assert (found["line"], found["record"], found["accepted"]) == (2, 1, True)
    assert cell(found, "balance") == {
        "from": "balance", "to": "Balance", "text": "0.00", "value": "0.0", "type": "decimal", "sent": "0.00",
        "code": "", "message": "",
    }  # fmt: skip
    assert cell(found, "order_no")["sent"] is None
    assert cell(found, "likes_news")["sent"] == "Yes"


def test_a_reject_has_its_code_in_the_place_of_the_fault() -> None:
    """The other fields show what they would be."""
    found = record(27)
    faulty = [one for one in found["columns"] if one["code"]]
    assert not found["accepted"]
    assert [(one["from"], one["code"]) for one in faulty] == [("born", "not_a_date")]


def test_the_first_rows_are_shown(tmp_path: Path) -> None:
    """`-n` says how many; a malformed record shows its raw text."""
    ran = call("preview", JOB, DUMP, "-n", "4")
    assert [one["record"] for one in ran.document["records"]] == [1, 2, 3, 4]
    bad = tmp_path / "bad.csv"
    header = DUMP.read_text(encoding="utf-8").splitlines()[0]
    bad.write_text(header + "\n1,2\n")
    (malformed,) = call("preview", JOB, bad).document["records"]
    assert (malformed["code"], malformed["raw"], malformed["accepted"]) == ("field_count", "1,2", False)


def test_a_record_that_is_not_there_is_refused() -> None:
    """Exit 4 with the number."""
    ran = call("preview", JOB, DUMP, "--record", "4000")
    assert (ran.exit_code, ran.document["errors"][0]["what"]) == (4, "there is no record 4,000")


def test_it_fits_eighty_columns() -> None:
    """The table folds long texts; nothing is cut off."""
    ran = call_plain("preview", JOB, DUMP, "--record", "1", environment={"COLUMNS": "80"})
    assert ran.exit_code == 0
    assert max(map(len, ran.stdout.splitlines())) <= 80
