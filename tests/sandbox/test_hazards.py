"""A request that leaves no hazard was right: each way of being wrong that the API forgives is noted, and what it does."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
import requests

from pipeline.sandbox import Sandbox
from tests.support.api_caller import Client, codes

KEYS = {"action": "update", "keyFields": ["CustNo"]}


@pytest.fixture
def people(api: Client) -> Client:
    """Return a client of an account with two profiles."""
    for number in ("1", "2"):
        api.made("database/1/profiles", {"fields": {"CustNo": number, "City": "Delft"}})
    return api


def cities(sandbox: Sandbox) -> list[str]:
    """List the cities of all profiles."""
    return [one["fields"]["City"] for one in sandbox.contents("Customers")["profiles"]]


def sent(client: Client, method: str, path: str, body: bytes, kind: str | None) -> requests.Response:
    """Send a body as it is, with or without a Content-Type."""
    headers = {} if kind is None else {"Content-Type": kind}
    return client.session.request(method, client.base + path, data=body, headers=headers, timeout=30)


@pytest.mark.parametrize(
    ("method", "path", "params", "code"),
    [
        ("GET", "database/1/profiles", {"FIELDS[]": "CustNo==1"}, "unknown_parameter"),
        ("GET", "database/1/profiles", {"LIMIT": "1"}, "unknown_parameter"),
        ("GET", "database/1/profiles", {"order_by": "City"}, "unknown_parameter"),
        ("GET", "identity", {"total": "1"}, "unknown_parameter"),
        ("GET", "database/1/profiles", {"orderby": "Cty"}, "orderby_unknown"),
        ("GET", "database/1/profiles", {"orderby": "99"}, "orderby_unknown"),
        ("GET", "database/1/profiles", {"orderby[]": "City"}, "orderby_unknown"),
        ("GET", "database/1/profiles", {"order": "down"}, "parameter_not_canonical"),
        ("GET", "database/1/profiles", {"total": "on"}, "parameter_not_canonical"),
        ("GET", "database/1/profiles", {"dataonly": "2"}, "parameter_not_canonical"),
        ("GET", "database/1/profiles", {"limit": "1e3"}, "parameter_not_canonical"),
        ("GET", "database/1/profiles", {"start": " 1"}, "parameter_not_canonical"),
        ("GET", "database/1/profiles", {"limit": "1001"}, "limit_capped"),
        ("GET", "database/1/profiles", {"fields[]": ""}, "selector_unparseable"),
        ("GET", "database/1/profiles/bogus", {}, "path_ignored"),
        ("GET", "identity/bogus", {}, "path_ignored"),
        ("GET", "profile/1/interests", {"return": "numbers"}, "parameter_not_canonical"),
        ("GET", "consumption", {"begin": "1-1-2024", "end": "2024-01-31"}, "parameter_not_canonical"),
        ("GET", "database/1/profiles", {"fields" + "[a]" * 65: "CustNo==1"}, "unknown_parameter"),
    ],
)
def test_a_question_that_is_partly_ignored(
    sandbox: Sandbox, people: Client, method: str, path: str, params: dict[str, str], code: str
) -> None:
    """It is answered, with one hazard."""
    assert people(method, path, **params).status_code == 200
    assert codes(sandbox) == [code]


@pytest.mark.parametrize(
    ("text", "records", "total"),
    [("1e3", 2, True), ("1", 1, True), ("0x1", 0, True), ("\u00b2", 0, True), ("9" * 30, 2, True)],
)
def test_a_limit_is_cast_as_php_casts(sandbox: Sandbox, people: Client, text: str, records: int, total: bool) -> None:
    """A number with an exponent is one; what only looks like a digit is none."""
    page = people.get("database/1/profiles", limit=text)
    assert (len(page["data"]), "total" in page) == (records, total)


@pytest.mark.parametrize(
    ("text", "shown"), [("1e5", True), (" 1", True), ("1 ", True), ("0.9", False), (" true ", False)]
)
def test_a_boolean_is_cast_as_php_casts(people: Client, text: str, shown: bool) -> None:
    """By the table of the API sheet, 3.3."""
    assert ("total" in people.get("database/1/profiles", total=text)) == shown


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("PUT", "database/1", {"title": "x"}, "unknown_body_key"),
        ("POST", "database/1/collections", {"name": "More", "fields": []}, "unknown_body_key"),
        ("PUT", "interest/1", {"Group": "x"}, "unknown_body_key"),
        ("DELETE", "profile/1", {"complete": "Yes"}, "unknown_body_key"),
        ("DELETE", "profile/1", {"completely": "on"}, "parameter_not_canonical"),
        ("PUT", "database/1", {"archived": "on"}, "parameter_not_canonical"),
        ("PUT", "database/1/field/1", {"length": "20 characters"}, "parameter_not_canonical"),
        ("POST", "database/1/fields", {"name": "Sum", "index": "on"}, "parameter_not_canonical"),
        ("POST", "profile/1/interests", {"news": "on"}, "parameter_not_canonical"),
        ("PUT", "profile/1", {"secret": None}, "secret_bent"),
        ("PUT", "profile/1", {"secret": "\u00e9"}, "secret_bent"),
        ("POST", "database/1/fields", {"name": "Sum", "type": "integer"}, "field_without_default"),
        ("POST", "database/1/fields", {"name": "Sum", "type": "float", "value": ""}, "field_without_default"),
        ("DELETE", "database/1/profiles", {"profiles": "1"}, "delete_no_list"),
        ("DELETE", "database/1/profiles", {}, "delete_no_list"),
        ("DELETE", "database/1/profiles", {"profiles": [99]}, "delete_unknown_profile"),
        ("DELETE", "database/1/profiles", {"profiles": ["\u00b2"]}, "delete_unknown_profile"),
        ("DELETE", "database/1/profiles", {"profiles": [10**25]}, "delete_unknown_profile"),
    ],
)
def test_a_change_that_is_partly_ignored(
    sandbox: Sandbox, people: Client, method: str, path: str, body: Any, code: str
) -> None:
    """It succeeds, with one hazard."""
    assert people(method, path, body).status_code < 300
    assert codes(sandbox) == [code]


def test_a_selector_that_overwrites_another(sandbox: Sandbox, people: Client) -> None:
    """`fields[0]` twice is one selector, and the update hits more than was meant."""
    query = f"{people.base}database/1/profiles?fields[0]=CustNo==1&fields[0]=City==Delft"
    assert people.session.put(query, json={"fields": {"City": "Ede"}}, timeout=10).status_code == 204
    assert cities(sandbox) == ["Ede", "Ede"]
    assert codes(sandbox) == ["parameter_doubled", "several_matches"]


def test_a_request_without_a_version_is_a_guess(sandbox: Sandbox, people: Client) -> None:
    """It is answered as version 1."""
    answer = requests.get(f"{sandbox.api_url}/profile/1?access_token={sandbox.token}", timeout=10)
    assert "removed" not in answer.json()
    assert codes(sandbox) == ["version_missing"]


def test_a_bulk_removal_under_another_key_removes_nothing(sandbox: Sandbox, people: Client) -> None:
    """`ids` is not `profiles`."""
    assert people("DELETE", "database/1/profiles", {"ids": ["1"]}).status_code == 204
    assert len(cities(sandbox)) == 2
    assert codes(sandbox) == ["unknown_body_key", "delete_no_list"]


def test_numbers_without_a_default_may_be_refused(sandbox: Sandbox, api: Client) -> None:
    """As the user interface does."""
    sandbox.set_switches({"fields_without_default": "refuse"})
    assert api.refused("POST", "database/1/fields", {"name": "Sum", "type": "float"}) == "Invalid data provided"
    assert api("POST", "database/1/fields", {"name": "Sum", "type": "float", "value": 0}).status_code == 201


JSON = b'{"fields":{"City":"Ede"}}'


@pytest.mark.parametrize(
    ("body", "kind", "city", "found"),
    [
        (JSON, "application/json", "Ede", []),
        (JSON, "Application/JSON; charset=utf-8", "Ede", []),
        (JSON, None, "", ["body_content_type"]),
        (JSON, "text/plain", "", ["body_content_type"]),
        (b"\xef\xbb\xbf" + JSON, "application/json", "", ["body_unreadable"]),
        (JSON.decode().encode("utf-16"), "application/json", "", ["body_unreadable"]),
        (b'{"fields":{"City":"\xff"}}', "application/json", "", ["body_unreadable"]),
        (b'{"fields":{"City":"\xed\xa0\x80"}}', "application/json", "", ["body_unreadable"]),
        (b'{"fields":{"City":NaN}}', "application/json", "", ["body_unreadable"]),
        (b'"Ede"', "application/json", "", ["body_unreadable"]),
        (b"fields[City]=Ede", "application/json", "", ["body_unreadable"]),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "application/json", "", ["body_unreadable"]),
        (b'{"a":' * 600 + b"1" + b"}" * 600, "application/json", "", ["body_unreadable"]),
        (b'{"fields":{"City":"Urk","City":"Ede"}}', "application/json", "Ede", ["body_doubled_key"]),
    ],
)
def test_a_body_that_is_not_read(
    sandbox: Sandbox, api: Client, body: bytes, kind: str | None, city: str, found: list[str]
) -> None:
    """An empty profile, which nobody wanted, and a hazard."""
    assert sent(api, "POST", "database/1/profiles", body, kind).status_code == 201
    assert (cities(sandbox), codes(sandbox)) == ([city], found)


@pytest.mark.parametrize(("switch", "status", "city"), [("json", 201, "Ede"), ("error", 400, None)])
def test_a_body_of_another_type_may_be_read_or_refused(
    sandbox: Sandbox, api: Client, switch: str, status: int, city: str | None
) -> None:
    """U4: unknown of the real API."""
    sandbox.set_switches({"other_content_types": switch})
    assert sent(api, "POST", "database/1/profiles", JSON, "text/json").status_code == status
    assert (cities(sandbox), codes(sandbox)) == ([city] if city else [], ["body_content_type"])


def test_the_body_of_a_question_is_ignored(sandbox: Sandbox, people: Client) -> None:
    """A selector in it selects nothing."""
    page = people("GET", "database/1/profiles", {"fields": ["CustNo==1"]}).json()
    assert (page["total"], codes(sandbox)) == (2, ["body_ignored"])


@pytest.mark.parametrize(
    ("selectors", "fields", "found"),
    [
        (["CustNo==9"], {"CustNo": "9"}, []),
        (["CustNo==A"], {"custno": "a"}, []),
        (["CustNo==9"], {"City": "Ede"}, ["create_without_key"]),
        (["CustNo==9"], {"CustNo": "8"}, ["create_without_key"]),
        (["CustNo==9", "City==Ede"], {"CustNo": "9"}, ["create_without_key"]),
        (["CustNo=~9%"], {"CustNo": "9"}, ["create_without_key"]),
        (["id==9"], {"CustNo": "9"}, ["create_without_key"]),
        (["Tier==Gold"], {"Tier": "Gold"}, ["selector_not_a_member", "select_not_a_member", "create_without_key"]),
    ],
)
def test_a_create_that_does_not_find_itself(
    sandbox: Sandbox, api: Client, selectors: list[str], fields: dict[str, str], found: list[str]
) -> None:
    """A second time it would create another."""
    query = {"fields[]": selectors, "create": "1"}
    assert api("PUT", "database/1/profiles", {"fields": fields}, **query).status_code == 201
    assert sorted(codes(sandbox)) == sorted(found)


@pytest.mark.parametrize("value", ["on", " 1 ", "TRUE ", "x"])
def test_a_create_in_another_notation(sandbox: Sandbox, api: Client, value: str) -> None:
    """It may not be one."""
    query = {"fields[]": "CustNo==9", "create": value}
    api("PUT", "database/1/profiles", {"fields": {"CustNo": "9"}}, **query)
    assert codes(sandbox) == ["parameter_not_canonical"]


def test_create_in_capitals_is_ignored(sandbox: Sandbox, api: Client) -> None:
    """Names of parameters are case-sensitive."""
    query = {"fields[]": "CustNo==9", "CREATE": "1"}
    assert api("PUT", "database/1/profiles", {"fields": {"CustNo": "9"}}, **query).status_code == 204
    assert (cities(sandbox), codes(sandbox)) == ([], ["unknown_parameter"])


@pytest.mark.parametrize(("switch", "made", "found"), [("double", 2, ["create_race"]), ("safe", 1, [])])
def test_two_creates_at_one_time(
    sandbox: Sandbox, client_of: Callable[[int], Client], switch: str, made: int, found: list[str]
) -> None:
    """Both are under way before either has worked; a third one later updates what is there."""
    sandbox.set_switches({"create_race": switch})
    clients = [client_of(4) for _ in range(3)]

    def put(client: Client) -> None:
        query = {"fields[]": "CustNo==9", "create": "1"}
        client("PUT", "database/1/profiles", {"fields": {"CustNo": "9", "City": "Ede"}}, **query)

    threads = [threading.Thread(target=put, args=(client,)) for client in clients[:2]]
    with sandbox.world.store.reading():
        for thread in threads:
            thread.start()
        while len([one for one in sandbox.journal() if one["method"] == "PUT"]) < 2:
            threading.Event().wait(0.005)
    for thread in threads:
        thread.join()
    assert (cities(sandbox), codes(sandbox)) == (["Ede"] * made, found)
    put(clients[2])
    assert len(cities(sandbox)) == made


# Imports.


def outcome(sandbox: Sandbox, api: Client, **body: Any) -> str:
    """Post an import and return its lasterror, empty for none."""
    number = api.made("imports", {"database": 1, "source": [{"CustNo": "1", "City": "Ede"}], **body})
    assert sandbox.settle()
    return str(api.get(f"import/{number}")["lasterror"] or "")


@pytest.mark.parametrize(
    ("keys", "switch", "changed", "found"),
    [
        (["CustNo"], "ignore", 1, []),
        ({"0": "CustNo"}, "ignore", 1, ["import_keys_no_list"]),
        ("CustNo", "ignore", 2, ["import_keys_no_list", "import_missing_keys"]),
        ("CustNo", "key", 1, ["import_keys_no_list"]),
        (7, "ignore", 2, ["import_keys_no_list", "import_missing_keys"]),
    ],
)
def test_key_fields_that_are_no_list(
    sandbox: Sandbox, people: Client, keys: object, switch: str, changed: int, found: list[str]
) -> None:
    """A map counts by its values; a text is feared to be ignored, and the update hits all."""
    sandbox.set_switches({"key_fields_text": switch, "several_matches": "all"})
    assert outcome(sandbox, people, action="update", keyFields=keys) == ""
    assert cities(sandbox).count("Ede") == changed
    assert [code for code in codes(sandbox) if code != "several_matches"] == found


def test_key_fields_of_a_form_are_keys(sandbox: Sandbox, people: Client) -> None:
    """`keyFields[]=CustNo` reaches PHP as a list; it updates one profile, not all."""
    body = {
        "database": "1",
        "action": "update",
        "keyFields[]": "CustNo",
        "source[0][CustNo]": "1",
        "source[0][City]": "Ede",
    }
    assert people.session.post(people.base + "imports", data=body, timeout=10).status_code == 201
    assert sandbox.settle()
    assert sorted(cities(sandbox)) == ["Delft", "Ede"]
    assert codes(sandbox) == ["import_keys_no_list"]


@pytest.mark.parametrize(
    ("text", "more", "stored", "found"),
    [
        ('City,CustNo\n"a ""b"" c",1\n', {}, ["a "], ["import_csv_quote"]),
        ('City,CustNo\n"Jan" Jansen,1\n', {}, ["Jan"], ["import_csv_quote"]),
        ("City,CustNo\n'Jan' Jansen,1\n", {}, ["Jan"], ["import_csv_quote"]),
        ("City,CustNo\nEde,1\n", {"delimiter": None}, ["Ede"], ["import_csv_delimiter"]),
        ("City|CustNo\nEde|1\n", {"delimiter": "|"}, ["Ede"], ["import_csv_delimiter"]),
        ("City,CustNo\nEde\n", {}, ["Ede"], ["import_csv_short_row"]),
        ("City,City\nEde,Urk\n", {}, ["Urk"], ["import_csv_doubled_column"]),
    ],
)
def test_csv_that_is_read_otherwise_than_meant(
    sandbox: Sandbox, api: Client, text: str, more: dict[str, Any], stored: list[str], found: list[str]
) -> None:
    """Each with its hazard."""
    body = {"action": "add", "source": text, "format": "csv", "delimiter": ",", **more}
    assert outcome(sandbox, api, **body) == ""
    assert (cities(sandbox), codes(sandbox)) == (stored, found)


@pytest.mark.parametrize(
    ("switch", "text", "more", "stored", "error"),
    [
        ({"csv_doubled_quotes": "quote"}, 'City,CustNo\n"a ""b"" c",1\n', {}, ['a "b" c'], ""),
        ({"csv_short_rows": "fail"}, "City,CustNo\nEde\n", {}, [], "row 1 has fewer values than the header"),
        ({"csv_without_delimiter": "fail"}, "City\nEde\n", {"delimiter": None}, [], "no delimiter"),
    ],
)
def test_csv_by_other_switches(
    sandbox: Sandbox,
    api: Client,
    switch: dict[str, Any],
    text: str,
    more: dict[str, Any],
    stored: list[str],
    error: str,
) -> None:
    """What is not documented may be otherwise."""
    sandbox.set_switches(switch)
    body = {"action": "add", "source": text, "format": "csv", "delimiter": ",", **more}
    assert outcome(sandbox, api, **body).endswith(error)
    assert cities(sandbox) == stored


def test_a_select_key_that_is_no_choice_matches_nothing(sandbox: Sandbox, people: Client) -> None:
    """Not the profiles whose select is blank."""
    rows = [{"Tier": "Gold", "City": "Ede"}]
    assert outcome(sandbox, people, source=rows, action="update", keyFields=["Tier"]) == ""
    assert cities(sandbox) == ["Delft", "Delft"]


def test_rows_with_a_key_twice(sandbox: Sandbox, api: Client) -> None:
    """The last one wins, as in any JSON reader."""
    body = b'{"database":1,"action":"add","source":[{"City":"Ede","City":"Urk"}]}'
    assert sent(api, "POST", "imports", body, "application/json").status_code == 201
    assert sandbox.settle()
    assert (cities(sandbox), codes(sandbox)) == (["Urk"], ["body_doubled_key"])


def test_the_journal_never_shows_the_token(sandbox: Sandbox, client_of: Callable[[int], Client]) -> None:
    """However its name is written."""
    client = client_of(2)
    client.session.get(
        f"{client.base}identity?access%5Ftoken={sandbox.token}&access_token[]={sandbox.token}", timeout=10
    )
    assert sandbox.token not in json.dumps([one["query"] for one in sandbox.journal()])


def test_half_of_a_character_is_a_hazard(api: Client, sandbox: Sandbox) -> None:
    """No store can hold it; a whole pair is a character, and none."""
    assert sent(api, "POST", "database/1/profiles", b'{"fields": {"City": "\\ud83d\\ude00"}}', "application/json").ok
    assert codes(sandbox) == []
    assert sent(api, "POST", "database/1/profiles", b'{"fields": {"City": "\\ud800"}}', "application/json").ok
    assert codes(sandbox) == ["body_lone_surrogate"]
    assert cities(sandbox) == ["\U0001f600", "?"]
