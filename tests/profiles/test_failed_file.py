"""failed.csv: what Copernica did not take, in canonical text, with the reason."""

from __future__ import annotations

import csv
import stat
import threading
from pathlib import Path
from typing import Any

from pipeline.model.codes import CODES, FAILED_CODES
from pipeline.model.rows import REJECT_COLUMNS
from pipeline.report.failed import FailedWriter
from tests.profiles.shop import Shop, Terms, staged

COLUMNS = ("CustomerID", "City", "Order.OrderID")
ROWS: list[dict[str, str | None]] = [
    {"CustomerID": "C1", "City": 'say "hi", line\nbreak', "Order.OrderID": None},
    {"CustomerID": "C2", "City": "", "Order.OrderID": "O1"},
]


def cells() -> list[dict[str, Any]]:
    return staged(ROWS, Terms()).rows(named=True)


def read(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, strict=True))


def test_a_row_stands_with_its_place_and_reason(tmp_path: Path) -> None:
    """Target columns first, empty cells as nothing, then the trailing columns of a rejects file."""
    with FailedWriter(tmp_path / "failed.csv", COLUMNS, ["dumps/a.csv"]) as writer:
        assert writer.path is None
        first, second = cells()
        writer.write(first, "refused_by_api", "", "no, it said")
        writer.write(second, "several_matches", "CustomerID", "several: 1, 2")
        assert read(tmp_path / "failed.csv") == [
            [*COLUMNS, *REJECT_COLUMNS],
            ["C1", 'say "hi", line\nbreak', "", "dumps/a.csv", "2", "1", "refused_by_api", "", "no, it said", ""],
            ["C2", "", "O1", "dumps/a.csv", "3", "2", "several_matches", "CustomerID", "several: 1, 2", ""],
        ]
    assert writer.rows == 2
    assert writer.path == tmp_path / "failed.csv"
    assert stat.S_IMODE((tmp_path / "failed.csv").stat().st_mode) == 0o600


def test_a_run_that_is_gone_on_with_repeats_no_row(tmp_path: Path) -> None:
    """A row that stood there when the process ended is not written again; new ones are appended."""
    first, second = cells()
    for _ in range(2):
        with FailedWriter(tmp_path / "failed.csv", COLUMNS, ["a.csv"]) as writer:
            writer.write(first, "refused_by_api", "", "no")
    with FailedWriter(tmp_path / "failed.csv", COLUMNS, ["a.csv"]) as writer:
        writer.write(first, "refused_by_api", "", "no, again")
        writer.write(second, "refused_by_api", "", "no")
    assert [line[0] for line in read(tmp_path / "failed.csv")] == ["CustomerID", "C1", "C2"]
    assert writer.rows == 2


def test_a_row_that_fails_again_has_its_new_reason_and_one_that_did_not_is_gone(tmp_path: Path) -> None:
    """The file holds what is failed now; without any row there is no file."""
    first, second = cells()
    path = tmp_path / "failed.csv"
    with FailedWriter(path, COLUMNS, ["a.csv"]) as writer:
        writer.write(first, "refused_by_api", "", "no")
        writer.write(second, "refused_by_api", "", "no")
    with FailedWriter(path, COLUMNS, ["a.csv"]) as writer:
        writer.withdraw(first)
        writer.write(second, "refused_by_api", "", "never")
    assert [(line[0], line[-2]) for line in read(path)[1:]] == [("C2", "never")]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with FailedWriter(path, COLUMNS, ["a.csv"]) as writer:
        writer.withdraw(second)
    assert not path.exists()


def test_equal_rows_of_one_process_both_stand(tmp_path: Path) -> None:
    """Two equal elements of one object are two rows of an `add`."""
    with FailedWriter(tmp_path / "failed.csv", COLUMNS, ["a.csv"]) as writer:
        for at in range(2):
            writer.write({**cells()[0], "_seq": at}, "refused_by_api", "", "no")
    assert len(read(tmp_path / "failed.csv")) == 3


def test_many_threads_write_whole_lines(tmp_path: Path) -> None:
    """No line is torn or lost."""
    row = cells()[0]
    with FailedWriter(tmp_path / "failed.csv", COLUMNS, ["a.csv"]) as writer:
        threads = [
            threading.Thread(
                target=lambda first=first: [
                    writer.write({**row, "_seq": first + at}, "refused_by_api", "", "no") for at in range(50)
                ]
            )
            for first in range(0, 200, 50)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert {tuple(line) for line in read(tmp_path / "failed.csv")[1:]} == {
        ("C1", 'say "hi", line\nbreak', "", "a.csv", "2", "1", "refused_by_api", "", "no", "")
    }
    assert writer.rows == 200


def test_every_code_of_the_way_is_in_the_catalogue(shop: Shop) -> None:
    """What the way hands over can be explained, and no code means two things."""
    shop.provoked.add("text_too_long")
    shop.sandbox.set_switches({"long_text": "fail"})
    shop.add({"CustomerID": "C1"})
    shop.add({"CustomerID": "c1"})
    rows = [
        {"CustomerID": "C1", "City": "a"},
        {"CustomerID": "C1", "City": "b"},
        {"CustomerID": "C2", "City": "x" * 400},
        {"CustomerID": " C3", "City": "c"},
    ]
    assert {failure[1] for failure in shop.load(rows).failed} == set(FAILED_CODES)
    assert not set(FAILED_CODES) & set(CODES)
