"""What becomes of each row: the refused, the doubtful, those behind them, and those that were never sent."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.model.row_state import RowState
from tests.profiles.shop import Shop, Terms
from tests.profiles.wrapped import Wrapped

Opens = Callable[[str], Shop]
ONE_KEY = ("CustomerID",)


def test_several_matches_fail_the_row_with_their_ids(shop: Shop) -> None:
    """By default a key with two profiles changes neither; the ids stand in the message, the key in the column."""
    first, second = shop.add({"CustomerID": "C1"}), shop.add({"CustomerID": "c1"})
    rows = [{"CustomerID": "C1", "City": "Ede"}, {"CustomerID": "C2", "City": "Goes"}]
    loaded = shop.load(rows)
    assert shop.contents() == [{"CustomerID": "C1"}, {"CustomerID": "c1"}, {"CustomerID": "C2", "City": "Goes"}]
    message = f"several profiles have this key: {first}, {second}"
    assert loaded.failed == [(2, "several_matches", "CustomerID", message)]
    assert loaded.counted == (1, 1, 0, 0)
    assert not loaded.stopped
    assert loaded.counts[RowState.SEVERAL] == 1


@pytest.mark.parametrize("version", ["v1", "v4"])
def test_several_matches_are_all_changed_where_the_job_says_so(open_shop: Opens, version: str) -> None:
    """One PUT with `fields` changes them; interests and subprofiles follow for each."""
    shop = open_shop(version)
    shop.provoked.add("several_matches")
    for spelling in ("C1", "c1"):
        shop.add({"CustomerID": spelling}, ["offers"])
    rows = [{"CustomerID": "C1", "City": "Ede", "interest.news": "Yes", "Order.OrderID": "O1"}]
    loaded = shop.load(rows, Terms(several="all"))
    profile = {"CustomerID": "C1", "City": "Ede", "interests": ["news", "offers"], "Order": [{"OrderID": "O1"}]}
    assert shop.contents() == [profile, profile]
    assert loaded.counted == (1, 0, 0, 0)
    assert [path for method, path in shop.changing() if method == "PUT"] == [f"/database/{shop.database.id}/profiles"]


def test_several_subprofiles_of_a_key_fail_the_row_or_are_all_changed(shop: Shop) -> None:
    """Below one profile the same choice holds."""
    shop.add({"CustomerID": "C1"}, Order=[{"OrderID": "O1", "Total": "1"}, {"OrderID": "o1", "Total": "2"}])
    rows = [{"CustomerID": "C1", "Order.OrderID": "O1", "Order.Total": "9"}]
    loaded = shop.load(rows)
    assert loaded.failed[0][1] == "several_matches"
    assert [order["Total"] for order in shop.contents()[0]["Order"]] == ["1", "2"]
    shop.load(rows, Terms(several="all"))
    assert [order["Total"] for order in shop.contents()[0]["Order"]] == ["9", "9"]


def test_what_the_api_refuses_fails_with_its_words_and_holds_nothing(shop: Shop) -> None:
    """A row that was refused for good holds nothing: those behind it are sent (data rule 23)."""
    shop.provoked.add("text_too_long")
    shop.sandbox.set_switches({"long_text": "fail"})
    rows = [
        {"CustomerID": "C1", "City": "Delft"},
        {"CustomerID": "C1", "City": "x" * 400},
        {"CustomerID": "c1", "City": "Ede"},
        {"CustomerID": "C2", "City": "Goes"},
    ]
    loaded = shop.load(rows)
    assert shop.contents() == [{"CustomerID": "c1", "City": "Ede"}, {"CustomerID": "C2", "City": "Goes"}]
    assert [failure[:3] for failure in loaded.failed] == [(3, "refused_by_api", "")]
    assert "Invalid data provided" in loaded.failed[0][3]
    assert loaded.counted == (3, 1, 0, 0)


def test_a_row_that_cannot_be_sent_safely_fails(shop: Shop) -> None:
    """A key that no selector can carry never leaves, should validation have let it through."""
    shop.add({"CustomerID": "C1"})
    loaded = shop.load([{"CustomerID": " C1", "City": "Ede"}])
    assert [failure[:2] for failure in loaded.failed] == [(2, "not_sendable")]
    assert shop.contents() == [{"CustomerID": "C1"}]


def test_a_wrong_token_stops_the_way(shop: Shop) -> None:
    """The token ends the run, not the row: what was confirmed stands, the rest is unsent."""
    shop.add({"CustomerID": "X"})
    refused = [{"kind": "expire", "path": "*/profile/*"}, {"kind": "refuse", "path": "/authenticate"}]
    rows = [{"CustomerID": key, "City": "Ede"} for key in ("C1", "X", "C2")]
    stopping = {"posting": lambda: None, "ended": lambda: shop.sandbox.set_faults(refused)}
    client = shop.connect(retry_budget_s=0)
    loaded = shop.load(rows, Terms(workers=1), client=client, log=lambda log: Wrapped(log, after=stopping))
    assert loaded.counted == (1, 0, 0, 2)
    assert loaded.stopped
    assert [one.get("City") for one in shop.contents()] == [None, "Ede"]


def test_the_limit_of_calls_stops_the_way(shop: Shop) -> None:
    """No call is made beyond the limit, and every row is accounted for."""
    shop.add({"CustomerID": "X"})
    rows = [{"CustomerID": f"C{number}", "City": "Ede"} for number in range(10)]
    client = shop.connect(max_calls=13)
    loaded = shop.load(rows, Terms(workers=3), client=client)
    assert client.calls == 13
    confirmed, failed, unknown, unsent = loaded.counted
    assert (failed, unknown) == (0, 0)
    assert confirmed + unsent == 10
    assert len(shop.contents()) == 1 + confirmed
    assert loaded.stopped
    assert "limit of 13 calls" in loaded.tried.message


def test_an_interrupt_ends_between_two_rows(shop: Shop) -> None:
    """The row in work is finished, the others are unsent; the keys of both are told apart."""
    shop.add({"CustomerID": "X"})
    stop = threading.Event()

    def stopping(log: Any) -> Any:
        return Wrapped(log, before={"ended": stop.set})

    rows = [{"CustomerID": key, "City": "Ede"} for key in ("C1", "C2", "C3")]
    loaded = shop.load(rows, Terms(workers=1), stop=stop, log=stopping)
    assert loaded.counted == (1, 0, 0, 2)
    assert loaded.stopped == "interrupted"


def test_an_interrupt_before_the_first_row_sends_nothing(shop: Shop) -> None:
    """Nothing was written, and the outcome says so."""
    stop = threading.Event()
    stop.set()
    loaded = shop.load([{"CustomerID": "C1"}], stop=stop)
    assert loaded.counted == (0, 0, 0, 1)
    assert shop.contents() == []


def test_switching_one_interest_leaves_the_others(shop: Shop) -> None:
    """In a sandbox in which a PUT replaces all interests no PUT carries any."""
    shop.sandbox.set_switches({"interests_put": "replace"})
    shop.add({"CustomerID": "C1"}, ["offers"])
    shop.add({"CustomerID": "C2"}, ["offers", "news"])
    rows = [{"CustomerID": "C1", "interest.news": "Yes"}, {"CustomerID": "C2", "interest.news": "No"}]
    shop.load(rows)
    assert [one["interests"] for one in shop.contents()] == [["news", "offers"], ["offers"]]
    puts = [one for one in shop.sandbox.journal() if one["method"] == "PUT"]
    assert len(puts) == 2
    assert all("interests" not in one["body"] for one in puts)


HOSTILE = [
    "a+b@x.test", "a b&c=d", "100%41", "x==y", "a=b", "q\"'`", "🚲é", "k" * 40, "<b>", "[]", "=~%", "!x", "-1", "_", "\\n",
    "a#b?c/d;e",
]  # fmt: skip


@pytest.mark.parametrize("version", ["v1", "v2", "v3", "v4"])
def test_hostile_keys_and_values_arrive_unchanged(open_shop: Opens, version: str) -> None:
    """Twice the same load: the first makes each profile, the second finds it again, and nobody else is touched."""
    shop = open_shop(version)
    bystanders = [shop.add({"CustomerID": key, "City": "mine"}) for key in ("", "a", "b", "x", "100A", "kk", "c=d")]
    values = ["  outer ", "line\nbreak\r\n\ttab", "v" * 300, "a==b&c+d%20", "“quotes” '\"", "🚲" * 3, "fields[]=x"]
    rows = [
        {"CustomerID": key, "City": values[number % len(values)], "Order.OrderID": key[:20]}
        for number, key in enumerate(HOSTILE)
    ]
    for _ in range(2):
        loaded = shop.load(rows)
        assert loaded.counted == (len(rows), 0, 0, 0)
    found = shop.sandbox.contents("Customers")["profiles"]
    assert [one["fields"]["City"] for one in found[: len(bystanders)]] == ["mine"] * len(bystanders)
    arrived = {
        one["fields"]["CustomerID"]: (
            one["fields"]["City"],
            [order["fields"]["OrderID"] for order in one["subprofiles"]["Order"]],
        )
        for one in found[len(bystanders) :]
    }
    assert arrived == {row["CustomerID"]: (row["City"], [row["Order.OrderID"]]) for row in rows}


def test_every_row_that_ends_moves_the_bar(shop: Shop) -> None:
    """Confirmed and failed ones, each once; a chunk may hold a thousand of them."""
    moved: list[int] = []
    shop.add({"CustomerID": "C1"})
    shop.add({"CustomerID": "c1"})
    rows = [{"CustomerID": f"C{number}", "City": "Ede"} for number in range(1, 6)]
    shop.load(rows, moved=moved.append)
    assert moved == [1] * 5
