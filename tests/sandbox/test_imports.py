"""Imports: actions, keys, cells and the traps of API sheet 11, row by row."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.sandbox import Sandbox
from tests.support.api_caller import STRUCTURE, Client, codes

ALL = ["add", "update", "update or add", "ignore or add", "delete"]


def cities(sandbox: Sandbox) -> list[tuple[str, str]]:
    """List key and city of all profiles."""
    return [(one["fields"]["CustNo"], one["fields"]["City"]) for one in sandbox.contents("Customers")["profiles"]]


def orders(sandbox: Sandbox, place: int = 0) -> list[tuple[str, str]]:
    """List number and total of a profile's orders."""
    found = sandbox.contents("Customers")["profiles"][place]["subprofiles"]["Orders"]
    return [(one["fields"]["No"], one["fields"]["Total"]) for one in found]


def counts(sandbox: Sandbox, kind: str = "profiles") -> dict[str, int]:
    """Return what the last import did, without the zeros."""
    return {name: count for name, count in sandbox.imports()[-1][kind].items() if count}


@pytest.fixture
def shop(api: Client) -> Client:
    """Return a client of a database with profile 17 in Delft and its order A1 of 5."""
    api.made("database/1/profiles", {"fields": {"CustNo": "17", "City": "Delft"}})
    api.made("profile/1/subprofiles/1", {"No": "A1", "Total": "5"})
    return api


@pytest.mark.parametrize(
    ("action", "after", "did"),
    [
        ("add", [("17", "Delft"), ("17", "Breda"), ("18", "Ede")], {"created": 2}),
        ("update", [("17", "Breda")], {"updated": 1, "skipped": 1}),
        ("update or add", [("17", "Breda"), ("18", "Ede")], {"created": 1, "updated": 1}),
        ("ignore or add", [("17", "Delft"), ("18", "Ede")], {"created": 1, "ignored": 1}),
        ("delete", [], {"deleted": 1, "skipped": 1}),
    ],
)
def test_each_action(
    sandbox: Sandbox, shop: Client, action: str, after: list[tuple[str, str]], did: dict[str, int]
) -> None:
    """What a matching and a new row do."""
    rows = [{"CustNo": "17", "City": "Breda"}, {"CustNo": "18", "City": "Ede"}]
    status = shop.imported(rows, action=action, keyFields=["CustNo"], deleteTarget="profile")
    assert (status["type"], status["processedLines"], status["lasterror"]) == (action, "2", False)
    assert (cities(sandbox), counts(sandbox)) == (after, did)
    assert codes(sandbox) == []


@pytest.mark.parametrize(
    ("action", "after", "did"),
    [
        ("add", [("A1", "5")], {"created": 2}),
        ("update", [("A1", "7")], {"updated": 1, "skipped": 1}),
        ("update or add", [("A1", "7"), ("A2", "8")], {"created": 1, "updated": 1}),
        ("ignore or add", [("A1", "5")], {"ignored": 2}),
        ("delete", [], {"deleted": 1, "skipped": 1}),
    ],
)
def test_each_action_on_subprofiles(
    sandbox: Sandbox, shop: Client, action: str, after: list[tuple[str, str]], did: dict[str, int]
) -> None:
    """Subprofiles are matched inside the profile; `add` makes a profile for each row instead."""
    rows = [{"CustNo": "17", "Orders.No": no, "Orders.Total": total} for no, total in [("a1", "7"), ("A2", "8")]]
    target = {"deleteTarget": "subprofile"} if action == "delete" else {}
    shop.imported(rows, action=action, keyFields=["CustNo", "Orders.No"], **target)
    assert [(no.upper(), total) for no, total in orders(sandbox)] == after
    assert counts(sandbox, "subprofiles") == did
    assert len(cities(sandbox)) == (3 if action == "add" else 1)


def test_update_may_create_subprofiles_by_a_switch(sandbox: Sandbox, shop: Client) -> None:
    """Unknown of the real API; `ignore or add` may add them as well."""
    sandbox.set_switches({"update_subprofiles": "create", "ignore_or_add_subprofiles": "add"})
    for action, number in [("update", "B1"), ("ignore or add", "B2")]:
        rows = [{"CustNo": "17", "Orders.No": number, "Orders.Total": "1"}]
        shop.imported(rows, action=action, keyFields=["CustNo", "Orders.No"])
    assert orders(sandbox) == [("A1", "5"), ("B1", "1"), ("B2", "1")]


def test_rows_see_what_earlier_rows_did(sandbox: Sandbox, api: Client) -> None:
    """The first row creates, the second matches; the last value wins; far apart rows too."""
    rows = [{"CustNo": str(number % 400), "City": str(number)} for number in range(1000)]
    api.imported(rows, action="update or add", keyFields=["CustNo"])
    assert cities(sandbox)[:2] == [("0", "800"), ("1", "801")]
    assert counts(sandbox) == {"created": 400, "updated": 600}


def test_a_key_matches_without_case_and_takes_the_new_spelling(sandbox: Sandbox, api: Client) -> None:
    """Key columns are data too."""
    api.imported([{"CustNo": "ab"}, {"CustNo": "AB"}], action="update or add", keyFields=["CustNo"])
    assert cities(sandbox) == [("AB", "")]


@pytest.mark.parametrize(("key", "first", "second", "profiles"), [
    ("Points", "5", "05", 1), ("Points", "5", "5.9", 1), ("CustNo", "5", "05", 2), ("Tier", "gold", "silver", 2),
    ("Born", "1980-01-02", "1980-01-02 00:00:00", 1), ("Balance", "1.5", "1.50", 1),
])  # fmt: skip
def test_keys_compare_by_their_normal_form(
    sandbox: Sandbox, api: Client, key: str, first: str, second: str, profiles: int
) -> None:
    """Zeros in front matter to a text, not to a number."""
    api.imported([{key: first}, {key: second}], action="update or add", keyFields=[key])
    assert len(cities(sandbox)) == profiles


def test_several_keys_must_all_be_equal(sandbox: Sandbox, shop: Client) -> None:
    """Keys are ANDed."""
    rows = [{"CustNo": "17", "City": "Ede"}, {"CustNo": "17", "City": "delft"}]
    shop.imported(rows, action="update or add", keyFields=["CustNo", "City"])
    assert cities(sandbox) == [("17", "delft"), ("17", "Ede")]


def test_empty_cells_overwrite_unless_they_are_ignored(sandbox: Sandbox, shop: Client) -> None:
    """By default a blank wipes; on create an ignored blank leaves the default."""
    row = {"CustNo": "17", "City": "", "Points": "", "interest.news": ""}
    shop.imported([row, {**row, "CustNo": "18"}], action="update or add", keyFields=["CustNo"], ignoreEmptyFields=True)
    profiles = sandbox.contents("1")["profiles"]
    assert [(one["fields"]["City"], one["fields"]["Points"]) for one in profiles] == [("Delft", "7"), ("", "7")]
    assert codes(sandbox) == []
    shop.imported([row], action="update", keyFields=["CustNo"])
    assert sandbox.contents("1")["profiles"][0]["fields"] == {
        "CustNo": "17", "Email": "", "City": "", "Tier": "", "Points": "0", "Balance": "0", "Born": "",
        "Since": "0000-00-00 00:00:00",
    }  # fmt: skip
    assert codes(sandbox) == ["empty_becomes_zero", "interest_cell"]


@pytest.mark.parametrize(("cell", "on"), [("Yes", True), ("true", True), (True, True), ("No", False), ("FALSE", False)])
def test_interest_cells(sandbox: Sandbox, shop: Client, cell: Any, on: bool) -> None:
    """Yes, No, true and false in any case; the other interest is left alone."""
    shop("POST", "profile/1/interests", {"offers": True, "news": not on})
    shop.imported([{"CustNo": "17", "interest.news": cell}], action="update", keyFields=["CustNo"])
    assert sandbox.contents("1")["profiles"][0]["interests"] == (["news", "offers"] if on else ["offers"])
    assert codes(sandbox) == []


@pytest.mark.parametrize(
    ("rows", "parameters", "expected"),
    [
        ([{"City": "x", "CustNo": "1"}, {"CustNo": "2", "City": "x"}], {"action": "add"}, ["import_row_order"]),
        ([{"Nope": "x"}], {"action": "add"}, ["import_unknown_column"]),
        ([{"city": "x"}], {"action": "add"}, ["import_unknown_column"]),
        ([{"Orders. No": "x"}], {"action": "add"}, ["import_unknown_column"]),
        ([{"interest.nope": "Yes"}], {"action": "add"}, ["unknown_interest"]),
        ([{"CustNo": ""}], {"action": "update or add", "keyFields": ["CustNo"]}, ["import_blank_key"]),
        ([{"CustNo": "1"}], {}, ["import_missing_action"]),
        ([{"CustNo": "1"}], {"action": "update or add"}, ["import_missing_keys"]),
        ([{"CustNo": "1"}], {"action": "update", "keyFields": ["Nope"]}, ["import_unknown_key", "import_missing_keys"]),
        ([{"City": "1"}], {"action": "update", "keyFields": ["CustNo"]}, ["import_key_column_missing", "import_blank_key"]),
        ([{"CustNo": "1"}], {"action": "delete", "keyFields": ["CustNo"]}, ["import_delete_without_target"]),
        (
            [{"CustNo": "1"}],
            {"action": "delete", "keyFields": ["CustNo"], "deleteTarget": "subprofile"},
            ["import_delete_without_subprofile_key"],
        ),
        ([{"CustNo": "1"}], {"action": "add", "removeMissing": True}, ["import_remove_missing"]),
        ([{"CustNo": "1"}], {"action": "add", "rebuild": "false"}, ["boolean_as_text"]),
        ([{"CustNo": "1"}], {"action": "add", "speed": "high"}, ["import_unknown_parameter"]),
        (
            [{"Orders.No": "1"}],
            {"action": "update or add", "keyFields": ["Orders.No"]},
            ["import_missing_keys", "import_dotted_without_profile_key"],
        ),
        (
            [{"CustNo": "1", "Orders.No": "1"}],
            {"action": "update or add", "keyFields": ["CustNo"]},
            ["import_dotted_without_key"],
        ),
        (
            [{"CustNo": "1", "Orders.No": ""}],
            {"action": "update or add", "keyFields": ["CustNo", "Orders.No"]},
            ["import_blank_key", "import_empty_subprofile"],
        ),
        (
            [{"CustNo": "17", "Orders.No": "A2"}],
            {"action": "ignore or add", "keyFields": ["CustNo", "Orders.No"]},
            ["import_subprofile_dropped"],
        ),
        ([], {"action": "add"}, ["import_source_unclear"]),
        (["x"], {"action": "add"}, ["import_row_not_an_object"]),
        ([{"CustNo": "1"}], {"action": "add", "location": "https://x.test/a"}, ["import_source_unclear"]),
        ([{"Points": "2.5", "City": "x" * 11, "Tier": "tin"}], {"action": "add"},
         ["text_too_long", "select_not_a_member", "value_not_canonical"]),
    ],
)  # fmt: skip
def test_each_trap_is_noted(
    sandbox: Sandbox, shop: Client, rows: list[Any], parameters: dict[str, Any], expected: list[str]
) -> None:
    """Every dangerous import leaves exactly these hazards."""
    shop.imported(rows, **parameters)
    assert sorted(codes(sandbox)) == sorted(expected)


@pytest.mark.parametrize("cell", [None, "2024-01-02", "2024-01-02 00:00:00", ""])
def test_what_a_careful_client_sends_is_no_hazard(sandbox: Sandbox, api: Client, cell: str | None) -> None:
    """Canonical dates in both forms, plain numbers and ignored blanks."""
    row = {"CustNo": "1", "Born": cell, "Since": cell, "Points": "-3", "Balance": "0.10", "Tier": "gold", "City": "Ede"}
    api.imported([row], action="update or add", keyFields=["CustNo"], ignoreEmptyFields=True, followups=True)
    assert codes(sandbox) == []
    assert sandbox.imports()[0]["followups"] is True


def test_rows_in_another_order_are_refused_as_a_whole(sandbox: Sandbox, api: Client) -> None:
    """The import ends at once with lasterror and no line; nothing is stored."""
    status = api.imported([{"CustNo": "1", "City": "x"}, {"City": "x", "CustNo": "2"}], action="add")
    assert (status["totallines"], status["processedLines"], status["status"]) == ("2", "0", "failed")
    assert status["lasterror"] == "Row 2 does not have the same keys in the same order as the first row"
    assert status["lastrun"] is not False
    assert cities(sandbox) == []


def test_rows_in_another_order_may_swap_columns(sandbox: Sandbox, api: Client) -> None:
    """The plausible failure of the real API, as a switch: values go by position."""
    sandbox.set_switches({"row_order": "positional"})
    api.imported([{"CustNo": "1", "City": "x"}, {"City": "y", "CustNo": "2"}], action="add")
    assert cities(sandbox) == [("1", "x"), ("y", "2")]
    assert codes(sandbox) == ["import_row_order"]


def test_a_blank_key_matches_every_blank_record(sandbox: Sandbox, api: Client) -> None:
    """The worst case by default; a switch skips the row, another fails the import."""
    for _ in range(2):
        api.made("database/1/profiles", {})
    rows = [{"CustNo": "", "City": "Ede"}]
    api.imported(rows, action="update", keyFields=["CustNo"])
    assert cities(sandbox) == [("", "Ede"), ("", "Ede")]
    assert codes(sandbox) == ["import_blank_key", "several_matches"]
    sandbox.set_switches({"blank_keys": "skip"})
    api.imported(rows, action="update or add", keyFields=["CustNo"])
    assert counts(sandbox) == {"skipped": 1}
    sandbox.set_switches({"blank_keys": "fail"})
    status = api.imported([{"CustNo": "5"}, *[{"CustNo": ""}] * 2], action="update or add", keyFields=["CustNo"])
    assert (status["lasterror"], status["processedLines"]) == ("Row 2 has no value for key CustNo", "1")
    assert cities(sandbox)[2:] == [("5", "")]


def test_several_matches_may_be_cut_to_the_first(sandbox: Sandbox, api: Client) -> None:
    """All by default."""
    for _ in range(2):
        api.made("database/1/profiles", {"fields": {"CustNo": "5"}})
    sandbox.set_switches({"several_matches": "first"})
    api.imported([{"CustNo": "5", "City": "Ede"}], action="update", keyFields=["CustNo"])
    assert cities(sandbox) == [("5", "Ede"), ("5", "")]


def test_update_without_keys_hits_everything(sandbox: Sandbox, shop: Client) -> None:
    """Or nothing, by a switch."""
    shop.imported([{"City": "Ede"}], action="update")
    assert cities(sandbox) == [("17", "Ede")]
    sandbox.set_switches({"missing_keys": "nothing"})
    shop.imported([{"City": "Goes"}], action="update")
    assert cities(sandbox) == [("17", "Ede")]


def test_subprofiles_without_a_key_are_added_again(sandbox: Sandbox, shop: Client) -> None:
    """Or all overwritten, by a switch."""
    rows = [{"CustNo": "17", "Orders.No": "A1"}]
    shop.imported(rows, action="update or add", keyFields=["CustNo"])
    assert orders(sandbox) == [("A1", "5"), ("A1", "0")]
    sandbox.set_switches({"dotted_without_key": "overwrite"})
    shop.imported([{"CustNo": "17", "Orders.No": "Z"}], action="update or add", keyFields=["CustNo"])
    assert orders(sandbox) == [("Z", "5"), ("Z", "0")]


def test_an_empty_subprofile_is_made_unless_switched_off(sandbox: Sandbox, shop: Client) -> None:
    """A row without any order cell makes an empty order."""
    rows = [{"CustNo": "17", "Orders.No": "", "Orders.Total": ""}]
    options: dict[str, Any] = {
        "action": "update or add",
        "keyFields": ["CustNo", "Orders.No"],
        "ignoreEmptyFields": True,
    }
    shop.imported(rows, **options)
    assert orders(sandbox) == [("A1", "5"), ("", "0")]
    shop.imported(rows, **options)
    assert orders(sandbox) == [("A1", "5"), ("", "0")]
    sandbox.set_switches({"empty_subprofiles": "skip"})
    shop.imported([{**rows[0], "CustNo": "18"}], **options)
    assert orders(sandbox, 1) == []


def test_one_row_may_feed_two_collections(sandbox: Sandbox, api: Client) -> None:
    """It makes one subprofile in each."""
    row = {"CustNo": "1", "Orders.No": "A", "Visits.Page": "/"}
    api.imported([row], action="update or add", keyFields=["CustNo", "Orders.No", "Visits.Page"])
    assert counts(sandbox, "subprofiles") == {"created": 2}
    assert codes(sandbox) == []


@pytest.mark.parametrize(
    ("scope", "left", "first_orders"),
    [("everything", ["17"], ["A2"]), ("profiles", ["17"], ["A1", "A2"]), ("subprofiles", ["17", "18"], ["A2"])],
)
def test_remove_missing(sandbox: Sandbox, shop: Client, scope: str, left: list[str], first_orders: list[str]) -> None:
    """What no row touched goes; how far that reaches is a switch."""
    shop.made("database/1/profiles", {"fields": {"CustNo": "18"}})
    sandbox.set_switches({"remove_missing": scope})
    rows = [{"CustNo": "17", "Orders.No": "A2"}]
    shop.imported(rows, action="update or add", keyFields=["CustNo", "Orders.No"], removeMissing=True)
    assert [number for number, _ in cities(sandbox)] == left
    assert [number for number, _ in orders(sandbox)] == first_orders


def test_remove_missing_of_nothing_wipes_the_database(sandbox: Sandbox, shop: Client) -> None:
    """An empty source with removeMissing is the end of everything."""
    shop.imported([], action="update or add", keyFields=["CustNo"], removeMissing=True)
    assert cities(sandbox) == []
    assert counts(sandbox) == {"deleted": 1}


@pytest.mark.usefixtures("sockets")
def test_the_delete_behaviour_holds_for_imports() -> None:
    """The import succeeds and nothing is removed."""
    database = {**STRUCTURE["databases"][0], "delete_behaviour": "nothing"}
    with Sandbox(structure={"databases": [database]}) as sandbox:
        client = Client(sandbox)
        client.made("database/1/profiles", {"fields": {"CustNo": "1"}})
        status = client.imported([{"CustNo": "1"}], action="delete", keyFields=["CustNo"], deleteTarget="profile")
        client.close()
        assert (status["lasterror"], cities(sandbox), codes(sandbox)) == (False, [("1", "")], ["delete_did_nothing"])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"source": []}, "No database with supplied ID"),
        ({"database": 99}, "No database with supplied ID"),
        ({"database": "Customers"}, "No database with supplied ID"),
        ({"database": 1, "action": "merge"}, "Invalid data provided"),
    ],
)
def test_some_mistakes_are_refused_at_once(api: Client, body: dict[str, Any], message: str) -> None:
    """An unknown database, by name too, and an unknown action."""
    assert api.refused("POST", "imports", body) == message


def test_an_account_may_not_import_at_all(sandbox: Sandbox, api: Client) -> None:
    """As accounts that are not yet approved; a switch."""
    sandbox.set_switches({"imports": "refuse"})
    assert api.refused("POST", "imports", {"database": 1}) == "You are not allowed to import files"


def test_unknown_columns_and_long_texts_may_fail(sandbox: Sandbox, api: Client) -> None:
    """Both are switches."""
    sandbox.set_switches({"unknown_columns": "fail", "long_text": "fail"})
    assert api.imported([{"Nope": "x"}], action="add")["lasterror"] == "Unknown column Nope"
    assert api.imported([{"City": "x" * 11}], action="add")["lasterror"] == "Row 1: the value of City is too long"
    assert api.refused("POST", "database/1/profiles", {"fields": {"City": "x" * 11}}) == "Invalid data provided"


@pytest.mark.parametrize("path", ["imports", "imports/"])
def test_put_and_a_slash_are_taken_too(api: Client, path: str) -> None:
    """The sources disagree on the verb."""
    assert api("PUT", path, {"database": 1, "action": "add", "source": [{"City": "x"}]}).status_code == 201


def test_a_parked_import_never_starts(sandbox: Sandbox, api: Client) -> None:
    """There is no call that could start it."""
    status = api.imported([{"City": "x"}], action="add", autostart=False)
    assert (status["status"], status["lastrun"], status["processedLines"]) == ("ready for start", False, "0")
    assert codes(sandbox) == ["import_parked"]


@pytest.mark.parametrize(
    ("source", "more", "expected"),
    [
        ("CustNo,City\n1,Ede\n2,'\\'s Hert'\n", {"format": "csv", "delimiter": ","}, [("1", "Ede"), ("2", "'s Hert")]),
        ('CustNo\tCity\r\n1\t"a\tb"\r\n2\t\r\n', {"format": "csv", "delimiter": "\t"}, [("1", "a\tb"), ("2", "")]),
        ('[{"CustNo": "1", "City": "Ede"}]', {"format": "json"}, [("1", "Ede")]),
    ],
)
def test_a_source_may_be_text(
    sandbox: Sandbox, api: Client, source: str, more: dict[str, str], expected: list[tuple[str, str]]
) -> None:
    """CSV with quotes of both kinds and backslashes, or JSON."""
    api.made("imports", {"database": 1, "action": "add", "source": source, **more})
    assert sandbox.settle()
    assert cities(sandbox) == expected


def test_an_unclosed_quote_ends_a_csv_import(sandbox: Sandbox, api: Client) -> None:
    """An apostrophe at the start of a value is read as a quote."""
    api.made("imports", {"database": 1, "action": "add", "source": "City\n's Hertogenbosch\n", "format": "csv"})
    assert sandbox.settle()
    assert sandbox.imports()[0]["lasterror"] == "The source could not be read: a quote does not close"


def test_modified_of_an_import_moves_only_on_real_change(sandbox: Sandbox, shop: Client) -> None:
    """The same row twice is no change."""
    before = shop.get("profile/1")["modified"]
    sandbox.advance(100)
    shop.imported([{"CustNo": "17", "City": "Delft"}], action="update", keyFields=["CustNo"])
    assert shop.get("profile/1")["modified"] == before
    shop.imported([{"CustNo": "17", "City": "Ede"}], action="update", keyFields=["CustNo"])
    assert shop.get("profile/1")["modified"] > before
