"""The table of the per-profile method: each action, on profiles and on subprofiles, in every version of the API."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipeline.model.row_state import RowState
from tests.profiles.shop import Shop, Terms

ALL = ("v1", "v2", "v3", "v4")
Opens = Callable[[str], Shop]


def some_rows() -> list[dict[str, str | None]]:
    """A profile that is there with an order that is there, one that is there with a new order, and a new one."""
    none = dict.fromkeys(("Order.OrderID", "Order.Total", "Visit.VisitID", "Visit.Page"))
    return [
        {
            "CustomerID": "C1",
            "City": "Gouda",
            "interest.news": "Yes",
            **none,
            "Order.OrderID": "O1",
            "Order.Total": "5",
        },
        {"CustomerID": "C2", "City": None, "interest.news": "No", **none, "Order.OrderID": "O9", "Order.Total": "1.5"},
        {"CustomerID": "C3", "City": "Ede", "interest.news": "Yes", **none, "Visit.VisitID": "V1", "Visit.Page": "/a"},
    ]


def seed(shop: Shop) -> None:
    shop.add({"CustomerID": "C1", "City": "Delft"}, ["offers"], Order=[{"OrderID": "O1", "Total": "1"}])
    shop.add({"CustomerID": "C2", "City": "Delft"}, ["news", "offers"])


@pytest.mark.parametrize("version", ALL)
def test_update_or_add_writes_what_is_there_and_makes_the_rest(open_shop: Opens, version: str) -> None:
    """Fields, interests and subprofiles change or come to be; an empty cell and an unmentioned interest stay."""
    shop = open_shop(version)
    seed(shop)
    loaded = shop.load(some_rows())
    assert shop.contents() == [
        {
            "CustomerID": "C1",
            "City": "Gouda",
            "interests": ["news", "offers"],
            "Order": [{"OrderID": "O1", "Total": "5"}],
        },
        {"CustomerID": "C2", "City": "Delft", "interests": ["offers"], "Order": [{"OrderID": "O9", "Total": "1.5"}]},
        {"CustomerID": "C3", "City": "Ede", "interests": ["news"], "Visit": [{"VisitID": "V1", "Page": "/a"}]},
    ]
    assert loaded.counted == (3, 0, 0, 0)
    assert loaded.tried.unmatched == 0
    assert loaded.counts == {RowState.UPDATED: 1, RowState.CREATED: 2}


@pytest.mark.parametrize("version", ALL)
def test_update_makes_nothing_and_counts_what_it_did_not_find(open_shop: Opens, version: str) -> None:
    """A profile or subprofile that is not there is no fault: the row is confirmed and counted as unmatched."""
    shop = open_shop(version)
    seed(shop)
    loaded = shop.load(some_rows(), Terms("update"))
    assert shop.contents() == [
        {
            "CustomerID": "C1",
            "City": "Gouda",
            "interests": ["news", "offers"],
            "Order": [{"OrderID": "O1", "Total": "5"}],
        },
        {"CustomerID": "C2", "City": "Delft", "interests": ["offers"]},
    ]
    assert loaded.counted == (3, 0, 0, 0)
    assert loaded.tried.unmatched == 2


@pytest.mark.parametrize("version", ALL)
def test_add_without_collections_makes_a_profile_of_every_row(open_shop: Opens, version: str) -> None:
    """Nothing is looked up; the same key twice is two profiles, and those that are there stay."""
    shop = open_shop(version)
    seed(shop)
    rows = [
        {"CustomerID": "C1", "City": "Gouda", "interest.news": "Yes"},
        {"CustomerID": "C1", "City": "Leiden", "interest.news": "No"},
    ]
    before = len(shop.calls)
    loaded = shop.load(rows, Terms("add", ("CustomerID",)))
    assert shop.contents()[2:] == [
        {"CustomerID": "C1", "City": "Gouda", "interests": ["news"]},
        {"CustomerID": "C1", "City": "Leiden"},
    ]
    assert loaded.counted == (2, 0, 0, 0)
    assert {call.method for call in shop.calls[before:]} == {"POST"}


@pytest.mark.parametrize("version", ALL)
def test_add_with_collections_makes_one_profile_per_key(open_shop: Opens, version: str) -> None:
    """The first row of a key makes the profile, every row its subprofiles, also equal ones."""
    shop = open_shop(version)
    seed(shop)
    rows = [
        {"CustomerID": "C1", "City": "Gouda", "interest.news": "Yes", "Order.OrderID": "O1"},
        {"CustomerID": "c1", "City": "Leiden", "interest.news": "No", "Order.OrderID": "O1"},
        {"CustomerID": "C1", "City": "Ede", "interest.news": None, "Order.OrderID": None},
        {"CustomerID": "C5", "City": None, "interest.news": None, "Order.OrderID": "O1"},
    ]
    loaded = shop.load(rows, Terms("add", workers=1))
    assert shop.contents()[2:] == [
        {"CustomerID": "C1", "City": "Gouda", "interests": ["news"], "Order": [{"OrderID": "O1"}, {"OrderID": "O1"}]},
        {"CustomerID": "C5", "Order": [{"OrderID": "O1"}]},
    ]
    assert loaded.counted == (4, 0, 0, 0)


@pytest.mark.parametrize("version", ALL)
def test_add_without_key_fields_takes_rows_that_say_nothing(open_shop: Opens, version: str) -> None:
    """Each row is a profile of its own; one without any value is an empty profile with the defaults of its fields."""
    shop = open_shop(version)
    rows = [{"City": "Ede", "interest.news": None}, {"City": None, "interest.news": None}]
    loaded = shop.load(rows, Terms("add", (), workers=1))
    assert shop.contents() == [{"City": "Ede"}, {}]
    assert shop.sandbox.contents("Customers")["profiles"][1]["fields"]["Points"] == "7"
    assert loaded.counted == (2, 0, 0, 0)


@pytest.mark.parametrize("version", ALL)
def test_ignore_or_add_leaves_what_is_there(open_shop: Opens, version: str) -> None:
    """What is there keeps every value; a subprofile that is not there is added to a profile that is."""
    shop = open_shop(version)
    seed(shop)
    loaded = shop.load(some_rows(), Terms("ignore or add"))
    assert shop.contents() == [
        {"CustomerID": "C1", "City": "Delft", "interests": ["offers"], "Order": [{"OrderID": "O1", "Total": "1"}]},
        {
            "CustomerID": "C2",
            "City": "Delft",
            "interests": ["news", "offers"],
            "Order": [{"OrderID": "O9", "Total": "1.5"}],
        },
        {"CustomerID": "C3", "City": "Ede", "interests": ["news"], "Visit": [{"VisitID": "V1", "Page": "/a"}]},
    ]
    assert loaded.counts == {RowState.KEPT: 1, RowState.CREATED: 2}


@pytest.mark.parametrize("version", ALL)
def test_delete_removes_profiles_by_key(open_shop: Opens, version: str) -> None:
    """Only the profiles with the keys go; one that is not there is no fault."""
    shop = open_shop(version)
    seed(shop)
    rows = [{"CustomerID": "C1"}, {"CustomerID": "C4"}, {"CustomerID": "c1"}]
    loaded = shop.load(rows, Terms("delete", ("CustomerID",), delete_target="profile"))
    assert [one["CustomerID"] for one in shop.contents()] == ["C2"]
    assert loaded.counted == (3, 0, 0, 0)
    assert loaded.counts == {RowState.DELETED: 1, RowState.UNMATCHED: 2}
    assert loaded.tried.unmatched == 0  # which counts rows of an update


@pytest.mark.parametrize("version", ALL)
def test_delete_of_subprofiles_leaves_their_profiles(open_shop: Opens, version: str) -> None:
    """With delete_target subprofile the matched subprofiles of each carried collection go, nothing else."""
    shop = open_shop(version)
    visits = [{"VisitID": "V1"}, {"VisitID": "V2"}]
    shop.add({"CustomerID": "C1"}, Order=[{"OrderID": "O1"}, {"OrderID": "O2"}], Visit=visits)
    shop.add({"CustomerID": "C2"}, Order=[{"OrderID": "O1"}])
    rows = [
        {"CustomerID": "C1", "Order.OrderID": "o1", "Visit.VisitID": "V2"},
        {"CustomerID": "C1", "Order.OrderID": "O3", "Visit.VisitID": None},
    ]
    loaded = shop.load(rows, Terms("delete", delete_target="subprofile"))
    assert shop.contents() == [
        {"CustomerID": "C1", "Order": [{"OrderID": "O2"}], "Visit": [{"VisitID": "V1"}]},
        {"CustomerID": "C2", "Order": [{"OrderID": "O1"}]},
    ]
    assert loaded.counted == (2, 0, 0, 0)


def test_empty_cells_are_sent_where_the_job_does_not_ignore_them(shop: Shop) -> None:
    """With ignore_empty_fields false an empty cell empties its field; a null interest is left out all the same."""
    shop.add({"CustomerID": "C1", "City": "Delft", "Email": "a@x.test"}, ["news"])
    rows = [{"CustomerID": "C1", "City": None, "Email": "b@x.test", "interest.news": None}]
    shop.load(rows, Terms(ignore_empty=False))
    assert shop.contents() == [{"CustomerID": "C1", "Email": "b@x.test", "interests": ["news"]}]


def test_a_row_sends_only_the_collections_that_it_carries(shop: Shop) -> None:
    """Columns of a collection that the row does not carry make no subprofile, also where empty cells are sent."""
    rows = [{"CustomerID": "C1", "Order.OrderID": None, "Order.Total": None, "Visit.VisitID": "V1", "Visit.Page": None}]
    shop.load(rows, Terms(ignore_empty=False))
    assert shop.contents() == [{"CustomerID": "C1", "Visit": [{"VisitID": "V1"}]}]


def test_each_profile_is_looked_up_and_listed_once(shop: Shop) -> None:
    """Rows of one profile share one lookup and one list per collection; a new profile has no list to read."""
    seed(shop)
    rows = [
        {"CustomerID": key, "City": city, "Order.OrderID": order}
        for key, city, order in [
            ("C1", "a", "O1"),
            ("C1", "b", "O2"),
            ("c1", "c", "o2"),
            ("C4", "d", "O1"),
            ("C4", "e", "O2"),
        ]
    ]
    way = shop.method(Terms(), rows)
    way.prepare()
    before = len(shop.calls)
    shop.load(rows)
    reads = [call.path for call in shop.calls[before:] if call.method == "GET"]
    canaries = 3
    assert len([path for path in reads if path.endswith("/profiles")]) == canaries + 2
    assert len([path for path in reads if "/subprofiles/" in path]) == 1
    assert shop.contents()[0] == {
        "CustomerID": "c1", "City": "c", "interests": ["offers"],
        "Order": [{"OrderID": "O1", "Total": "1"}, {"OrderID": "o2"}],
    }  # fmt: skip


def test_lists_of_subprofiles_are_read_to_their_end(open_shop: Opens) -> None:
    """A subprofile on the second page is found, not made again (v1 gives 100 a page)."""
    shop = open_shop("v1")
    shop.sandbox.set_switches({"v1_subprofiles": "wrapper"})
    shop.add({"CustomerID": "C1"}, Order=[{"OrderID": f"O{number}"} for number in range(130)])
    shop.load([{"CustomerID": "C1", "Order.OrderID": "O129", "Order.Total": "3"}])
    orders = shop.contents()[0]["Order"]
    assert len(orders) == 130
    assert orders[129] == {"OrderID": "O129", "Total": "3"}


def test_keys_of_several_fields_are_matched_together(shop: Shop) -> None:
    """A profile is the one of which every key field is equal."""
    shop.add({"CustomerID": "C1", "Number": "1"})
    shop.add({"CustomerID": "C1", "Number": "2"})
    rows = [{"CustomerID": "C1", "Number": "2", "City": "Ede"}, {"CustomerID": "C2", "Number": "2", "City": "Goes"}]
    loaded = shop.load(rows, Terms(key_fields=("CustomerID", "Number")))
    assert shop.contents() == [
        {"CustomerID": "C1", "Number": "1"},
        {"CustomerID": "C1", "Number": "2", "City": "Ede"},
        {"CustomerID": "C2", "Number": "2", "City": "Goes"},
    ]
    assert loaded.counted == (2, 0, 0, 0)


def test_a_removed_profile_is_not_written_to(shop: Shop) -> None:
    """A profile that was removed is not found by its key: `update or add` makes a new one."""
    number = shop.add({"CustomerID": "C1", "City": "Delft"})
    shop.client.delete_profile(number)
    shop.add({"CustomerID": "C9"})
    shop.load([{"CustomerID": "C1", "City": "Ede"}])
    assert shop.contents() == [{"CustomerID": "C9"}, {"CustomerID": "C1", "City": "Ede"}]
