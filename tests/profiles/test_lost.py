"""Answers that are lost: looked up where that can tell, unknown where it cannot, never sent twice blindly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pipeline.copernica import Call, Client, Options, Outside
from pipeline.load.profiles.sending import MOST_TRIES
from pipeline.model.outcome import Ending
from pipeline.model.row_state import RowState
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


def when_busy(shop: Shop, method: str, path: str, meanwhile: Callable[[], object], kind: str = "503") -> Client:
    """Give a client whose first such request gets 503; when the answer is there something happens, as if by that request."""
    shop.sandbox.set_faults([{"kind": kind, "method": method, "path": path, "times": 1}])
    left = [meanwhile]

    def hear(call: Call) -> None:
        shop.calls.append(call)
        if (call.method, call.status) == (method, 503 if kind == "503" else None) and left:
            left.pop()()

    outside = Outside(sleep=lambda _: None, random=lambda: 0.0, on_call=hear)
    url, auth = shop.sandbox.api_url, shop.sandbox.auth_url
    return Client(shop.sandbox.token, shop.version, url, auth, Options(retry_budget_s=5), outside)


@pytest.mark.parametrize("version", ["v1", "v2", "v4"])
@pytest.mark.parametrize(
    ("action", "method", "city"), [("update or add", "PUT", "Ede"), ("ignore or add", "POST", "EDE")]
)
def test_a_profile_that_came_up_behind_a_503_is_taken_for_present(
    open_shop: Opens, version: str, action: str, method: str, city: str
) -> None:
    """Stored in another way, or made by somebody else: it is changed by its id or left, and nothing is made beside it."""
    shop = open_shop(version)
    order = [{"OrderID": "O1"}]
    with when_busy(
        shop, method, PROFILES, lambda: shop.add({"CustomerID": "C1", "City": "EDE"}, Order=order)
    ) as client:
        loaded = shop.load([{"CustomerID": "C1", "City": "Ede", "Order.OrderID": "O1"}], Terms(action), client=client)
    assert loaded.counted == (1, 0, 0, 0)
    assert shop.contents() == [{"CustomerID": "C1", "City": city, "Order": order}]
    assert [one.status for one in shop.calls if one.method == method and one.path.endswith("/profiles")].count(503) == 1


@pytest.mark.parametrize(("action", "total"), [("update or add", "2.5"), ("ignore or add", "9")])
def test_a_subprofile_that_came_up_behind_a_503_is_taken_for_present(shop: Shop, action: str, total: str) -> None:
    """As a profile; what the row has written before is not made again."""

    def somebody() -> None:
        shop.client.create_subprofile(1, shop.database.collections["Order"], {"OrderID": "o1", "Total": "9"})

    with when_busy(shop, "POST", SUBPROFILES, somebody) as client:
        loaded = shop.load([{**ROW, "Order.Total": "2.5"}], Terms(action), client=client)
    assert loaded.counted == (1, 0, 0, 0)
    (found,) = shop.contents()
    assert [(one["OrderID"].upper(), one["Total"]) for one in found["Order"]] == [("O1", total)]


def test_a_subprofile_whose_key_is_only_maybe_the_same_is_not_taken_for_it(shop: Shop) -> None:
    """The server tells Ó1 from O1: the row makes its own, also after a 503, and overwrites nothing."""
    there = [{"OrderID": "Ó1", "Total": "9"}]
    shop.add({"CustomerID": "C1"}, Order=there)
    shop.sandbox.set_faults([{"kind": "503", "method": "POST", "path": SUBPROFILES, "times": 2}])
    loaded = shop.load([{**ROW, "Order.Total": "2.5"}])
    assert loaded.counted == (1, 0, 0, 0)
    assert shop.contents()[0]["Order"] == [*there, {"OrderID": "O1", "Total": "2.5"}]


def test_several_profiles_that_came_up_behind_a_503_fail_the_row(shop: Shop) -> None:
    """No other is made, and none of them is changed."""

    def somebody() -> None:
        shop.add({"CustomerID": "C1", "City": "A"})
        shop.add({"CustomerID": "C1", "City": "B"})

    with when_busy(shop, "POST", PROFILES, somebody) as client:
        loaded = shop.load([ROW], Terms("ignore or add"), client=client)
    assert loaded.counted == (0, 1, 0, 0)
    assert loaded.failed[0][1] == "several_matches"
    assert [one["City"] for one in shop.contents()] == ["A", "B"]


def test_an_equal_profile_that_was_found_may_have_subprofiles(shop: Shop) -> None:
    """What a look has found is not taken for new: its orders are listed before one is added."""
    order = [{"OrderID": "O1"}]
    with when_busy(
        shop, "POST", PROFILES, lambda: shop.add({"CustomerID": "C1", "City": "Ede"}, ["news"], Order=order)
    ) as client:
        loaded = shop.load([ROW], Terms("ignore or add"), client=client)
    assert loaded.counted == (1, 0, 0, 0)
    assert shop.contents() == [MADE]


def test_another_record_behind_a_connection_that_broke_leaves_the_row_unknown(shop: Shop) -> None:
    """Without a 503 the request may still be carried out: only what is as it was sent confirms it (data rule 28)."""
    with when_busy(shop, "POST", PROFILES, lambda: shop.add({"CustomerID": "C1", "City": "EDE"}), "empty") as client:
        loaded = shop.load([ROW], Terms("ignore or add"), client=client)
    assert loaded.counted == (0, 0, 1, 0)
    assert shop.contents() == [{"CustomerID": "C1", "City": "EDE"}]


def test_a_second_trouble_behind_a_503_leaves_the_row_unknown(shop: Shop) -> None:
    """An error while the row is taken up once more does not make it unsent: it may have been sent."""

    def somebody() -> None:
        shop.add({"CustomerID": "C1", "City": "EDE"})
        shop.sandbox.set_faults([{"kind": "refuse", "method": "PUT"}])

    with when_busy(shop, "PUT", PROFILES, somebody) as client:
        loaded = shop.load([{"CustomerID": "C1", "City": "Ede"}], client=client)
    assert loaded.counted == (0, 0, 1, 0)


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
