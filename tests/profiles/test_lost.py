"""Answers that are lost: looked up where that can tell, unknown where it cannot, never sent twice blindly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pipeline.load.outcome import Ending
from pipeline.load.profile_log import RowState
from pipeline.load.profile_sending import MOST_TRIES
from tests.profiles.shop import Shop, Terms

Opens = Callable[[str], Shop]
ROW: dict[str, str | None] = {"CustomerID": "C1", "City": "Ede", "interest.news": "Yes", "Order.OrderID": "O1"}
MADE = {"CustomerID": "C1", "City": "Ede", "interests": ["news"], "Order": [{"OrderID": "O1"}]}
PROFILES, SUBPROFILES = "*/profiles", "*/subprofiles/*"


@pytest.mark.parametrize("version", ["v1", "v2", "v3", "v4"])
@pytest.mark.parametrize(
    ("action", "method", "path"),
    [
        ("update or add", "PUT", PROFILES),
        ("update or add", "POST", SUBPROFILES),
        ("ignore or add", "POST", PROFILES),
        ("ignore or add", "POST", SUBPROFILES),
        ("add", "POST", SUBPROFILES),
    ],
)
def test_what_was_done_is_found_again(open_shop: Opens, version: str, action: str, method: str, path: str) -> None:
    """The connection is cut after the work: a look finds the record as it was sent, and the row goes on."""
    shop = open_shop(version)
    shop.sandbox.set_faults([{"kind": "cut", "method": method, "path": path, "times": 1}])
    loaded = shop.load([ROW], Terms(action))
    assert loaded.counted == (1, 0, 0, 0)
    assert shop.contents() == [MADE]


@pytest.mark.parametrize(
    ("action", "method", "path", "left"),
    [
        ("update or add", "PUT", PROFILES, []),
        ("update or add", "POST", SUBPROFILES, [{"CustomerID": "C1", "City": "Ede", "interests": ["news"]}]),
        ("ignore or add", "POST", PROFILES, []),
        ("add", "POST", PROFILES, []),
        ("add", "POST", SUBPROFILES, [{"CustomerID": "C1", "City": "Ede", "interests": ["news"]}]),
    ],
)
def test_what_is_not_found_is_unknown_and_holds_the_rest_of_its_profile(
    shop: Shop, action: str, method: str, path: str, left: list[Any]
) -> None:
    """No answer and no trace: it may still come. The row is unknown, the rows behind it are unsent, others go on."""
    shop.sandbox.set_faults([{"kind": "empty", "method": method, "path": path, "times": 1}])
    rows = [ROW, {**ROW, "City": "Goes"}, {**ROW, "CustomerID": "C2"}]
    loaded = shop.load(rows, Terms(action, workers=1))
    assert loaded.counted == (1, 0, 1, 1)
    assert (loaded.outcome.ending, loaded.outcome.stop) == (Ending.UNKNOWN, False)
    assert shop.contents() == [*left, {**MADE, "CustomerID": "C2"}]
    assert loaded.failed == []


def test_the_lost_post_of_an_added_profile_is_unknown_though_one_like_it_is_there(shop: Shop) -> None:
    """For `add` a profile with the same values proves nothing: it may have been there before."""
    shop.add({"CustomerID": "C1", "City": "Ede"})
    shop.sandbox.set_faults([{"kind": "empty", "method": "POST", "path": PROFILES, "times": 1}])
    loaded = shop.load([{"CustomerID": "C1", "City": "Ede"}], Terms("add", ("CustomerID",)))
    assert loaded.counted == (0, 0, 1, 0)


@pytest.mark.parametrize(
    ("action", "method", "path"),
    [("update or add", "PUT", PROFILES), ("update or add", "POST", SUBPROFILES), ("ignore or add", "POST", PROFILES)],
)
def test_a_busy_server_is_asked_again_after_a_look(shop: Shop, action: str, method: str, path: str) -> None:
    """503 means that nothing was done, most likely: when the look finds nothing the request goes out again."""
    shop.sandbox.set_faults([{"kind": "503", "method": method, "path": path, "times": MOST_TRIES - 1}])
    loaded = shop.load([ROW], Terms(action))
    assert loaded.counted == (1, 0, 0, 0)
    assert shop.contents() == [MADE]


def test_a_server_that_stays_busy_leaves_the_row_unknown(shop: Shop) -> None:
    """After a few tries nothing is sent any more for the row."""
    shop.sandbox.set_faults([{"kind": "503", "method": "PUT", "path": PROFILES}])
    loaded = shop.load([ROW])
    assert loaded.counted == (0, 0, 1, 0)
    assert len([one for one in shop.calls if one.method == "PUT"]) == MOST_TRIES


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "*/profile/*"), ("POST", "*/interests"), ("PUT", "*/subprofile/*")]
)
def test_repeatable_requests_are_simply_repeated(shop: Shop, method: str, path: str) -> None:
    """PUT by id and switching interests end in the same state however often they go out."""
    shop.add({"CustomerID": "C1", "City": "Delft"}, Order=[{"OrderID": "O1", "Total": "1"}])
    shop.sandbox.set_faults([{"kind": "cut", "method": method, "path": path, "times": 2}])
    loaded = shop.load([{**ROW, "Order.Total": "2"}])
    assert loaded.counted == (1, 0, 0, 0)
    assert shop.contents() == [{**MADE, "Order": [{"OrderID": "O1", "Total": "2"}]}]


def test_a_second_delete_that_finds_nothing_is_a_success(shop: Shop) -> None:
    """The first DELETE worked and its answer was lost."""
    shop.add({"CustomerID": "C1"})
    shop.sandbox.set_faults([{"kind": "cut", "method": "DELETE", "times": 1}])
    loaded = shop.load([{"CustomerID": "C1"}], Terms("delete", ("CustomerID",), delete_target="profile"))
    assert loaded.counted == (1, 0, 0, 0)
    assert shop.contents() == []


def test_an_outage_while_looking_leaves_the_row_unknown_and_stops(shop: Shop) -> None:
    """A lost answer that cannot even be looked up is unknown; the budget is spent, so nothing more goes out."""
    shop.add({"CustomerID": "X"})
    shop.sandbox.set_faults([{"kind": "empty", "method": "PUT"}, {"kind": "502", "method": "GET", "every": 5}])
    client = shop.connect(retry_budget_s=0)
    loaded = shop.load([ROW, {**ROW, "CustomerID": "C2"}], Terms(workers=1), client=client)
    assert loaded.counted == (0, 0, 1, 1)
    assert loaded.outcome.stop
    assert loaded.way.counts == {RowState.UNKNOWN: 1}


def test_a_shower_of_faults_loses_nothing(shop: Shop) -> None:
    """A fifth of all requests get 429, 503 or a cut connection: every row arrives once, or is named as unknown."""
    shop.sandbox.set_faults(
        [
            {"kind": "429", "share": 0.1, "seed": 1},
            {"kind": "503", "share": 0.05, "seed": 2},
            {"kind": "cut", "share": 0.05, "seed": 3},
        ]
    )
    rows = [
        {"CustomerID": f"C{number % 25}", "City": f"city {number}", "Order.OrderID": f"O{number % 2}"}
        for number in range(50)
    ]
    loaded = shop.load(rows, Terms(workers=8), client=shop.connect(retry_budget_s=900))
    confirmed, failed, unknown, unsent = loaded.counted
    assert (failed, confirmed + unknown + unsent) == (0, 50)
    found = shop.contents()
    assert len({one["CustomerID"] for one in found}) == len(found)
    assert all(
        len({order["OrderID"] for order in one["Order"]}) == len(one["Order"]) for one in found if "Order" in one
    )
    assert confirmed > 40
