"""Never an older value on top of a newer one: late imports, held rows, closed runs, other jobs, other state folders."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import Ran
from tests.support.nights import leaping
from tests.support.shop import STRUCTURE, Shop

pytestmark = pytest.mark.usefixtures("sockets")

OpenShop = Callable[..., Shop]
LOST = {"kind": "cut", "method": "POST", "path": "*/imports", "times": 1}
LATE = {"kind": "delay", "times": 1, "seconds": 1800}


@pytest.fixture
def late(open_shop: OpenShop) -> Shop:
    """A shop with one customer in Ede, whose next import gets no answer and runs half an hour later; nobody waits."""
    shop = open_shop(changes={"load.wait_s": 0, "load.chunk_rows": 1})
    shop.dump("1,Ede")
    shop.done()
    shop.sandbox.advance(60)
    shop.sandbox.set_faults([LOST, LATE])
    return shop


def set_aside(shop: Shop, run: str) -> list[dict[str, str]]:
    """Read the open.csv of a run."""
    with (shop.state / "runs" / run / "open.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def city(shop: Shop) -> list[str]:
    return [one["fields"]["City"] for one in shop.profiles("Shop")]


def patient(shop: Shop, *words: Any) -> Ran:
    """Run the job with the time to wait."""
    with leaping(shop.sandbox):
        return shop.run("load.wait_s=14400", words=words)


def test_a_late_import_of_an_identical_dump_does_not_undo_a_mended_one(late: Shop) -> None:
    """The identical dump is lost and late; minutes later a mended file comes: it waits, and stands in the end."""
    first = late.run()
    assert (first.exit_code, first.document["open"]) == (6, True)
    late.dump("1,Maastricht")
    late.sandbox.advance(300)
    second = patient(late)
    assert second.exit_code == 0, second.stderr
    late.sandbox.advance(7200)
    late.sandbox.settle(10)
    assert city(late) == ["Maastricht"]


def test_a_row_behind_an_import_that_reads_back_equal_waits_until_it_cannot_run(late: Shop) -> None:
    """Somebody changes another field of the customer meanwhile: that proves nothing."""
    late.dump("1,Ede", "1,Zwolle")

    def somebody() -> None:
        profile = late.sandbox.contents("Shop")["profiles"][0]
        put = {"Points": "7"}
        call_api(late, f"profile/{profile['ID']}/fields", put)

    first = late.run()
    assert first.document["chunks"] == {"unknown": 1, "held": 1, "total": 2}
    somebody()
    with leaping(late.sandbox):
        ran = late.resume()
    assert ran.exit_code == 6  # wait_s is 0: it may still run
    late.sandbox.advance(3700)
    late.sandbox.settle(10)
    with leaping(late.sandbox):
        ran = late.resume()
    assert ran.exit_code == 0, ran.stderr
    assert city(late) == ["Zwolle"]


def call_api(shop: Shop, path: str, fields: dict[str, str]) -> None:
    """Change something as somebody else would."""
    import requests

    url = f"{shop.sandbox.api_url}/v3/{path}"
    answer = requests.put(url, params={"access_token": shop.sandbox.token}, json=fields, timeout=10)
    assert answer.status_code < 300


def test_a_run_that_was_closed_holds_its_customers_as_long_as_its_import_may_run(late: Shop) -> None:
    """Closing sends nothing and lists the rows; the next run waits for the import that may still walk."""
    late.dump("1,Urk")
    first = late.run()
    closed = late.ask("close", first.document["run"])
    assert (closed.exit_code, closed.document["open"], closed.document["status"]) == (6, False, "incomplete")
    rows = set_aside(late, first.document["run"])
    assert [(row["Nr"], row["City"], row["_code"]) for row in rows] == [("1", "Urk", "not_sent")]
    late.dump("1,Delft")
    ran = patient(late)
    assert ran.exit_code == 0, ran.stderr
    late.sandbox.advance(7200)
    late.sandbox.settle(10)
    assert city(late) == ["Delft"]


@pytest.mark.parametrize("other_folder", [False, True])
def test_an_open_run_does_not_send_what_another_job_has_sent_since(
    open_shop: OpenShop, tmp_path: Path, other_folder: bool
) -> None:
    """Job full stops, job delta sends 17 = New, full is resumed: Old goes to its open.csv. Also with another state folder."""
    shop = open_shop(changes={"load.chunk_rows": 1, "http.retry_budget_s": 1})
    shop.dump("16,Old", "17,Old", "18,Old")
    shop.sandbox.set_faults([{"kind": "502", "method": "GET", "path": "*/import/*"}])
    first = shop.run()
    assert (first.exit_code, first.document["open"]) == (6, True)
    shop.sandbox.set_faults([])
    dump = shop.dump("17,New", name="delta.csv")
    words = ("--state-dir", str(tmp_path / "other")) if other_folder else ()
    with leaping(shop.sandbox):
        ran = shop.run("job=delta", files=(dump,), words=words)
    assert ran.exit_code == 0, ran.stderr
    with leaping(shop.sandbox):
        last = shop.resume()
    found = {one["fields"]["Nr"]: one["fields"]["City"] for one in shop.profiles("Shop")}
    assert found == {"16": "Old", "17": "New", "18": "Old"}
    assert (last.exit_code, last.document["open"]) == (6, False), last.stderr
    rows = set_aside(shop, first.document["run"])
    assert [(row["Nr"], row["_code"]) for row in rows] == [("17", "overtaken")]


def test_an_open_run_of_another_database_is_left_alone(open_shop: OpenShop) -> None:
    """The job goes to another database now: what is open in the old one stays open, and is finished by its name."""
    other = {**STRUCTURE["databases"][0], "name": "Other"}
    shop = open_shop({"databases": [*STRUCTURE["databases"], other]}, changes={"load.wait_s": 0})
    shop.sandbox.set_faults([LOST, LATE])
    shop.dump("1,Ede")
    first = shop.run()
    assert (first.exit_code, first.document["open"]) == (6, True)
    shop.done("target.database=Other")
    assert shop.ledger("SELECT is_open FROM run WHERE id = ?", first.document["run"]) == [(1,)]
    shop.sandbox.advance(7200)
    shop.sandbox.settle(10)
    second = shop.resume(first.document["run"])
    assert (second.exit_code, second.document["open"]) == (0, False), second.stderr
    assert city(shop) == ["Ede"]
    assert len(shop.profiles("Other")) == 1
