"""The wire samples of the API sheet, section 23, come out as they are there."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.sandbox import Sandbox
from tests.support.api_caller import Client, codes


def test_version_4_creates_and_refuses(sandbox: Sandbox, api: Client) -> None:
    """A creation answers 201 with the id in a header and no body, an unknown database 400 with exact JSON."""
    answer = api("POST", "database/1/profiles", {"fields": {"Email": "a@x.test"}})
    assert (answer.status_code, answer.content) == (201, b"")
    assert answer.headers["X-Created"] == "1"
    assert answer.headers["X-location"] == f"{sandbox.api_url}/v4/profile/1"
    refused = api("GET", "database/99/profiles")
    assert refused.status_code == 400
    assert refused.headers["Content-Type"] == "application/json"
    assert refused.text == '{"error":{"message":"No database with supplied ID"}}'


def test_version_2_leaks_its_token_in_the_redirect(sandbox: Sandbox, client_of: Callable[[int], Client]) -> None:
    """An update answers 303 to the entity without version, query and token repeated."""
    client = client_of(2)
    client.made("database/1/profiles", {"fields": {}})
    answer = client("PUT", "profile/1/fields", {"Email": "b@x.test"})
    assert (answer.status_code, answer.content) == (303, b"")
    assert answer.headers["Location"] == f"{sandbox.api_url}/profile/1?access_token=sandbox"


def test_upsert_by_key_tells_only_of_creations(sandbox: Sandbox, api: Client) -> None:
    """PUT with fields and create: 201 with the new id, then 204 for the update."""
    body = {"fields": {"CustNo": "17", "City": "Delft"}}
    first = api("PUT", "database/1/profiles", body, **{"fields[]": "CustNo==17", "create": "1"})
    again = api("PUT", "database/1/profiles", body, **{"fields[]": "CustNo==17", "create": "1"})
    assert (first.status_code, first.headers["X-Created"]) == (201, "1")
    assert (again.status_code, again.content, "X-Created" in again.headers) == (204, b"", False)
    assert codes(sandbox) == []


def test_a_list_page_has_these_keys_in_this_order(api: Client) -> None:
    """Keys, order and types of a list and of the profile in it."""
    api.made("database/1/profiles", {"fields": {"CustNo": "0", "Email": "b@x.test"}, "interests": ["news"]})
    api.made("database/1/profiles", {"fields": {}})
    page = api.get("database/1/profiles", limit=1)
    assert list(page) == ["start", "limit", "count", "data", "nextid", "total"]
    assert {**page, "data": None} == {"start": 0, "limit": 1, "count": 1, "data": None, "nextid": 2, "total": 2}
    profile = page["data"][0]
    assert list(profile) == ["ID", "fields", "interests", "database", "secret", "created", "modified", "removed"]
    assert profile["ID"] == "1"
    assert profile["database"] == "1"
    assert profile["interests"] == ["news"]
    assert profile["removed"] is False
    assert len(profile["secret"]) == 28
    assert profile["fields"] == {
        "CustNo": "0", "Email": "b@x.test", "City": "", "Tier": "", "Points": "7", "Balance": "0", "Born": "",
        "Since": "0000-00-00 00:00:00",
    }  # fmt: skip


def test_an_import_with_subprofiles_and_an_interest(sandbox: Sandbox, api: Client) -> None:
    """Two rows of one profile make one profile with its interest and two subprofiles."""
    row = {"CustNo": "17", "interest.news": "Yes"}
    status = api.imported(
        [{**row, "Orders.No": "A1", "Orders.Total": "3.50"}, {**row, "Orders.No": "A2", "Orders.Total": "9.00"}],
        name="run-2024-001", action="update or add", keyFields=["CustNo", "Orders.No"], ignoreEmptyFields=True,
        removeMissing=False, followups=False, rebuild=True, autostart=True,
    )  # fmt: skip
    assert len(status.pop("lastrun")) == 19
    assert status == {
        "ID": "1", "name": "run-2024-001", "type": "update or add", "status": "finished", "totallines": "2",
        "processedLines": "2", "nextrun": False, "lasterror": False,
    }  # fmt: skip
    profile = sandbox.contents("Customers")["profiles"][0]
    assert (profile["ID"], profile["interests"], profile["fields"]["CustNo"]) == ("1", ["news"], "17")
    assert profile["subprofiles"] == {
        "Orders": [
            {"ID": "1", "fields": {"No": "A1", "Total": "3.5"}},
            {"ID": "2", "fields": {"No": "A2", "Total": "9"}},
        ],
        "Visits": [],
    }
    assert codes(sandbox) == []
