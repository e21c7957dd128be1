"""Order and conflicts: whatever is left at home, the database ends as if all had been sent, with no more rows than needed."""

from __future__ import annotations

import pytest

from tests.changed.test_nights import CHANGED, night
from tests.changed.test_property import HEADER, shop_of
from tests.support.journey import words_of
from tests.support.shop import DELETE, ORDERS, Shop

pytestmark = pytest.mark.usefixtures("sockets")

# Nr, City, Points, news, Order.No, Order.Total: the dumps of some nights, and how many rows each of them sends.
CASES: dict[str, tuple[bool, list[tuple[list[str], int]]]] = {
    "phases": (
        True,
        [
            (["1,A,,,,", "1,B,,,P,1", "1,C,,,,"], 3),
            (["1,A,,,,", "1,B,,,P,1", "1,C,,,,"], 0),
            (["1,A,,,,", "1,B,,,P,2", "1,C,,,,"], 2),  # the order travels with city B, so that C has to follow
            (["1,A,,,,", "1,D,,,P,2", "1,C,,,,"], 0),
            (["1,C,,,,", "1,A,,,P,2", "1,A,,,,"], 3),
        ],
    ),
    "collections that a row has not": (
        True,
        [
            (["1,Ede,,,P,1", "1,Ede,,,Q,2"], 2),
            (["1,Ede,,,,"], 0),
            (["1,Tiel,,,,"], 1),
            (["1,Tiel,,,P,1", "1,Tiel,,,Q,3"], 1),
        ],
    ),
    "interests that a row does not know": (
        True,
        [(["1,Ede,,yes,,"], 1), (["1,Ede,,,,"], 1), (["1,Ede,,no,,"], 1), (["1,Ede,,no,,"], 0)],
    ),
    "empty cells that are ignored": (
        True,
        [(["1,Ede,7,,,"], 1), (["1,Ede,,,,"], 1), (["1,Ede,7,,,", "1,Ede,,,,"], 2), (["1,Ede,,,,", "1,Ede,7,,,"], 0)],
    ),
    "empty cells that are sent": (
        False,
        [(["1,Ede,7,,,"], 1), (["1,Ede,,,,"], 1), (["1,Ede,7,,,", "1,Ede,,,,"], 0), (["1,Ede,,,,", "1,Ede,7,,,"], 2)],
    ),
    "rows that are followed": (
        True,
        [(["1,A,,,,", "1,B,,,,"], 2), (["1,B,,,,"], 0), (["1,B,,,,", "1,A,,,,"], 2), (["1,C,,,,", "1,A,,,,"], 0)],
    ),
    "keys that are maybe the same": (
        True,
        [(["a,Ede,,,,", "A,Tiel,,,,"], 2), (["a,Ede,,,,", "A,Tiel,,,,"], 0), (["A,Tiel,,,,", "a,Ede,,,,"], 2)],
    ),
    "rejects": (True, [(["1,Ede,7,,,", "2,Ede,x,,,"], 1), (["1,Ede,7,,,", "2,Ede,8,,,"], 1), (["1,Ede,x,,,"], 0)]),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_left_at_home_changes_nothing(name: str) -> None:
    """Data rule 42: after each night equal to sending everything, and so many rows sent."""
    ignore_empty, dumps = CASES[name]
    sent = []
    with shop_of(ignore_empty) as everything, shop_of(ignore_empty) as changed:
        for rows, _ in dumps:
            for shop in (everything, changed):
                shop.dump(*rows, header=HEADER)
            everything.done()
            sent.append(changed.done("load.send=changed").records["confirmed"])
            assert changed.contents() == everything.contents()
    assert sent == [rows for _, rows in dumps]


def test_jobs_that_share_a_column_notice_each_other(shop: Shop) -> None:
    """Data rule 41: a job of customers and one of their orders, both with the city; what one has confirmed serves the other."""
    header = "Nr,City,Order.No"
    orders = ("job=orders", *ORDERS)
    shop.dump("1,Ede,P", "2,Ede,Q", header=header)
    assert night(shop, *orders)["confirmed"] == 2
    for _ in range(2):
        shop.dump("1,Ede", "2,Tiel")
        assert night(shop) == {"accepted": 2, "confirmed": 1, "unchanged": 1}
        assert [one["fields"]["City"] for one in shop.contents()] == ["Ede", "Tiel"]
        assert night(shop)["unchanged"] == 2
        shop.dump("1,Ede,P", "2,Ede,Q", header=header)
        assert night(shop, *orders) == {"accepted": 2, "confirmed": 1, "unchanged": 1}
        assert [one["fields"]["City"] for one in shop.contents()] == ["Ede", "Ede"]


def test_mended_rejects_and_named_files_are_compared_as_well(shop: Shop) -> None:
    """Data rules 40, 42: a replay sends what was mended, a file of yesterday nothing; the next dump knows of both."""
    shop.dump("1,Ede", f"2,{'x' * 60}")
    ran = shop.done(*CHANGED)
    rejects = shop.state / "runs" / ran.document["run"] / "rejects.csv"
    rejects.write_text(rejects.read_text().replace("x" * 60, "Tiel"))
    assert shop.ask("replay", ran.document["run"]).records["confirmed"] == 1
    dump = shop.dump("1,Ede", "2,Tiel", name="again.csv")
    assert shop.done(*CHANGED, files=(dump,)).records["unchanged"] == 2
    dump.unlink()
    shop.dump("1,Ede", "2,Tiel", "3,Goes")
    assert night(shop) == {"accepted": 3, "confirmed": 1, "unchanged": 2}


def test_a_database_with_fewer_records_than_were_confirmed_gets_everything(shop: Shop) -> None:
    """Data rule 43: somebody deleted one from outside; one line says why."""
    shop.dump("1,Ede", "2,Tiel", "3,Goes")
    night(shop)
    elsewhere = str(shop.folder / "elsewhere")
    shop.write(
        "schema.py",
        (shop.folder / "schema.py").read_text() + "\n\nclass Key(pa.DataFrameModel):\n    Nr: str = Text(20)\n",
    )
    shop.dump("2", header="Nr")
    words = words_of([*DELETE, "job=gone", "guards.max_deletes=5", "schema=schema.py:Key"])
    assert shop.call("run", shop.job, *words, "--state-dir", elsewhere, COPERNICA_HOST_DIR=elsewhere).exit_code == 0
    shop.dump("1,Ede", "2,Tiel", "3,Goes")
    ran = shop.done(*CHANGED)
    assert ran.records["confirmed"] == 3
    assert "the database holds 2 profiles, and 3 were confirmed" in ran.stderr
    assert night(shop)["unchanged"] == 3


def test_a_state_that_grows_is_partitioned_anew(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data rule 41: nothing of it is lost, and nothing is sent for it."""
    shop.dump(*(f"{number},Ede" for number in range(40)))
    night(shop)
    (state,) = (shop.folder / "host" / "confirmed").iterdir()
    assert len(list(state.glob("[0-9][0-9]-*"))) == 1
    monkeypatch.setattr("pipeline.state.confirmed.PARTITION_UNITS", 1)
    shop.dump(*(f"{number},Ede" for number in range(40)), "40,Tiel")
    assert night(shop) == {"accepted": 41, "confirmed": 1, "unchanged": 40}
    assert len(list(state.glob("[0-9][0-9]-*"))) > 1
    assert night(shop)["unchanged"] == 41


def test_a_plan_that_is_applied_by_a_job_that_sends_all_drops_what_it_writes(shop: Shop) -> None:
    """Data rule 41: any write drops the digests that it touches, that of `apply` too."""
    shop.dump("1,Ede", "2,Tiel")
    night(shop)
    shop.dump("1,Goes")
    planned = shop.call("plan", shop.job, *words_of(["job=other"]))
    assert planned.exit_code == 0, planned.stderr
    assert shop.ask("apply", planned.document["run"]).exit_code == 0
    shop.dump("1,Ede", "2,Tiel")
    assert night(shop) == {"accepted": 2, "confirmed": 1, "unchanged": 1}
    assert [one["fields"]["City"] for one in shop.contents()] == ["Ede", "Tiel"]
