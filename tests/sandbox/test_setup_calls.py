"""Databases, fields, collections, interests, account: made and read by the API's own calls (API sheet 8)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest

from pipeline.sandbox import Sandbox
from tests.support.api_caller import Client

pytestmark = pytest.mark.usefixtures("sockets")


def test_an_account_is_built_by_calls_alone() -> None:
    """Without a structure the sandbox starts empty and takes everything by its calls."""
    with Sandbox() as sandbox:
        api = Client(sandbox)
        assert api.get("databases") == {"start": 0, "limit": 100, "count": 0, "data": [], "total": 0}
        assert api("POST", "databases", {"name": "Shop"}).headers["X-location"].endswith("/v4/database/1")
        assert api.made("database/shop/fields", {"name": "No", "type": "text", "length": 20, "index": 1}) == "1"
        assert api.made("database/1/fields", {"name": "Tier", "type": "select", "value": "gold\nsilver *"}) == "2"
        assert api.made("database/1/interests", {"name": "news", "group": "mail"}) == "1"
        assert api.made("database/1/collections", {"name": "Orders"}) == "1"
        assert api.made("collection/1/fields", {"name": "Id_", "type": "integer"}) == "1"
        database = api.get("database/SHOP")
        api.close()
    created = database.pop("created")
    first = {
        "ID": "1", "name": "No", "type": "text", "value": "", "displayed": True, "ordered": False, "length": "20",
        "textlines": "1", "hidden": False, "index": True,
    }  # fmt: skip
    second = {**first, "ID": "2", "name": "Tier", "type": "select", "value": "gold\r\nsilver", "length": "0"}
    inner = {**first, "name": "Id_", "type": "integer", "length": "0", "index": False}
    intentions = database["intentions"]
    assert len(created) == 19
    assert database == {
        "ID": "1", "name": "Shop", "description": "", "archived": False,
        "fields": {"start": 0, "limit": 1000, "count": 2, "data": [first, {**second, "index": False}], "total": 2},
        "interests": {"start": 0, "limit": 1000, "count": 1, "data": [{"ID": "1", "name": "news", "group": "mail"}],
                      "total": 1},
        "collections": {
            "start": 0, "limit": 1000, "count": 1, "total": 1,
            "data": [{"ID": "1", "name": "Orders", "database": "1", "intentions": intentions,
                      "fields": {"start": 0, "limit": 100, "count": 1, "data": [inner], "total": 1}}],
        },
        "intentions": intentions,
    }  # fmt: skip


def test_an_embedded_collection_shows_only_100_fields(api: Client) -> None:
    """The list of its own shows all."""
    for number in range(120):
        api.made("collection/2/fields", {"name": f"F{number}"})
    embedded = api.get("database/1")["collections"]["data"][1]["fields"]
    assert (embedded["count"], embedded["limit"], embedded["total"]) == (100, 100, 121)
    assert api.get("collection/2/fields", limit=1000)["count"] == 121


@pytest.mark.parametrize("body", [{}, {"name": "1x"}, {"name": "id"}, {"name": "city"}, {"name": "news"},
                                  {"name": "New", "type": "nope"}])  # fmt: skip
def test_a_field_of_a_bad_name_or_type_is_refused(api: Client, body: dict[str, str]) -> None:
    """Names start with a letter, are not reserved and not taken by a field, interest or collection."""
    assert api.refused("POST", "database/1/fields", body) == "Invalid data provided"


def test_a_new_field_shows_zero_in_old_records(api: Client) -> None:
    """Not its default; and it can be found by that."""
    api.made("database/1/profiles", {})
    api.made("database/1/fields", {"name": "Age", "type": "integer", "value": "18"})
    assert api.get("profile/1/fields")["Age"] == "0"
    assert api.get("database/1/profiles", **{"fields[]": "Age==0"})["total"] == 1
    api.made("database/1/profiles", {})
    assert api.get("profile/2/fields")["Age"] == "18"


def test_a_field_of_another_type_bends_its_values(api: Client) -> None:
    """Fields are changed by id, removed by id or name."""
    api.made("database/1/profiles", {"fields": {"City": "12 Oak"}})
    assert api.get("database/1/profiles", **{"fields[]": "City==12 Oak"})["total"] == 1
    assert api("PUT", "database/1/field/3", {"name": "City", "type": "integer"}).status_code == 204
    assert api.get("profile/1/fields")["City"] == "12"
    assert api.get("database/1/profiles", **{"fields[]": "City==12"})["total"] == 1
    assert api("DELETE", "database/1/field/city").status_code == 204
    assert "City" not in api.get("profile/1/fields")
    assert api.refused("PUT", "database/1/field", {}) == "No field id supplied for the field"
    assert api.refused("PUT", "database/1/field/Email", {}) == "Failed to get the field"


def test_databases_collections_and_interests_are_renamed(api: Client) -> None:
    """PUT changes what is mentioned; an empty POST does nothing."""
    assert api("PUT", "database/1", {"name": "Clients", "archived": True}).status_code == 204
    assert api("POST", "collection/1").status_code == 204
    assert api("PUT", "collection/1", {"name": "Buys"}).status_code == 204
    assert api("PUT", "interest/1", {"name": "letters"}).status_code == 204
    assert api("DELETE", "interest/2").status_code == 204
    database = api.get("database/clients")
    assert (database["name"], database["archived"]) == ("Clients", True)
    assert api.get("collection/1")["name"] == "Buys"
    assert [one["name"] for one in api.get("database/1/interests")["data"]] == ["letters"]


def test_a_copy_takes_what_its_options_name(sandbox: Sandbox, api: Client) -> None:
    """Profiles with interests and subprofiles arrive under new ids."""
    api.made("database/1/profiles", {"fields": {"CustNo": "17"}, "interests": ["news"]})
    api.made("profile/1/subprofiles/1", {"No": "A1"})
    options = {"collections": True, "profiles": True, "subprofiles": True}
    assert api.made("database/1/copy", {"name": "Backup", "options": options}) == "3"
    copied = sandbox.contents("Backup")["profiles"][0]
    assert (copied["ID"], copied["fields"]["CustNo"], copied["interests"]) == ("2", "17", ["news"])
    assert copied["subprofiles"]["Orders"] == [{"ID": "2", "fields": {"No": "A1", "Total": "0"}}]


def test_consumption_counts_calls(sandbox: Sandbox, client_of: Callable[[int], Client]) -> None:
    """Every call with a good token counts, from version 2 on it can be read."""
    client = client_of(2)
    sandbox.world.clock.set(datetime(2024, 3, 1))
    client.get("databases")
    client.refused("GET", "database/99")
    counts = client.get("consumption", begin="2024-03-01", end="2024-03-01")
    assert counts == {
        "emails": 0, "texts": 0, "fax": 0, "webpages": 0, "apicalls": 3, "litmustests": 0, "twofiftyoktests": 0,
    }  # fmt: skip
    message = "URL parameters begin and end are required"
    assert client.refused("GET", "consumption") == message
    assert client_of(1).refused("GET", "consumption", begin="2024-03-01", end="2024-03-01") == "Invalid method"


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("PUT", "database/2", "customers"),
        ("POST", "database/2/copy", "Customers"),
        ("POST", "databases", "other"),
        ("PUT", "collection/1", "visits"),
        ("PUT", "collection/1", "CITY"),
        ("PUT", "collection/1", "no blanks"),
        ("PUT", "interest/1", "offers"),
        ("PUT", "interest/1", "Orders"),
        ("POST", "database/1/interests", "News"),
        ("POST", "database/1/fields", "orders"),
    ],
)
def test_a_name_that_is_taken_is_refused(sandbox: Sandbox, api: Client, method: str, path: str, name: str) -> None:
    """In any case, and nothing changes; what has the name may be given it again."""
    before = api.get("databases")
    assert api.refused(method, path, {"name": name}) == "Invalid data provided"
    assert api.get("databases") == before
    assert api("PUT", "database/2", {"name": "OTHER"}).status_code == 204
    assert api("PUT", "collection/1", {"name": "ORDERS"}).status_code == 204
    assert api("PUT", "interest/1", {"name": "NEWS"}).status_code == 204


@pytest.mark.parametrize(
    ("method", "path", "message"),
    [
        ("GET", "nothing", "Invalid method"),
        ("GET", "PROFILE/1", "Invalid method"),
        ("GET", "database", "Invalid request, element 1 is missing in 'directory' path"),
        ("GET", "profile/0/subprofiles", "No entity with supplied ID"),
        ("GET", "profile//subprofiles", "No entity with supplied ID"),
        ("POST", "profile/0/subprofiles", "No entity with supplied ID"),
        ("POST", "profile//subprofiles", "No entity with supplied ID"),
        ("PUT", "profile/0/subprofiles", "No entity with supplied ID"),
        ("PUT", "profile//subprofiles", "No entity with supplied ID"),
        ("DELETE", "profile/0/subprofiles", "No entity with supplied ID"),
        ("DELETE", "profile//subprofiles", "No entity with supplied ID"),
        ("GET", "profile/1/subprofiles", "Invalid request, element 3 is missing in 'directory' path"),
        ("POST", "profile/1/subprofiles", "Invalid request, element 3 is missing in 'directory' path"),
        ("DELETE", "profile/1/subprofiles", "Invalid method"),
        ("GET", "collection/1/field", "Invalid method"),
        ("PUT", "collection/1/field", "No field id supplied for the field"),
        ("DELETE", "database/1/field", "No field id supplied for the field"),
        ("PATCH", "identity", "Invalid method"),
        ("TRACE", "identity", "Invalid method"),
        ("HACK", "database/1", "Invalid method"),
        ("GET", "", "Invalid method"),
        ("GET", "database//fields", "No database with supplied ID"),
        ("GET", "database/99/bogus", "No database with supplied ID"),
        ("GET", "database/1/bogus", "Invalid method"),
        ("DELETE", "database/1", "Invalid method"),
        ("GET", "profile/x", "No entity with supplied ID"),
        ("GET", "import/1", "No import with supplied ID"),
    ],
)
def test_a_bad_path_is_refused_in_this_order(api: Client, method: str, path: str, message: str) -> None:
    """Known path, known entity, method, next element."""
    api.made("database/1/profiles", {})
    assert api.refused(method, path) == message


def test_elements_behind_a_sub_resource_and_slashes_at_the_end_are_ignored(api: Client) -> None:
    """`database/1/profiles/bogus/` is a list of profiles."""
    assert api.get("database/customers/profiles/bogus/")["total"] == 0


@pytest.mark.parametrize("path", ["imports", "import/1"])
def test_imports_start_with_version_3(client_of: Callable[[int], Client], path: str) -> None:
    """Versions 1 and 2 do not know them."""
    method = "POST" if path == "imports" else "GET"
    assert client_of(2).refused(method, path, {"database": 1}) == "Invalid method"
