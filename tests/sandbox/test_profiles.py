"""Profiles: bodies per version, updates, removal, interests (API sheet 3, 4, 9, 14)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pipeline.sandbox import Sandbox
from tests.support.api_caller import STRUCTURE, Client, codes


def fields_of(sandbox: Sandbox, number: int = 0) -> dict[str, str]:
    """Return the fields of one profile of Customers by its place."""
    return dict(sandbox.contents("Customers")["profiles"][number]["fields"])


def test_version_1_takes_flat_fields(sandbox: Sandbox, client_of: Callable[[int], Client]) -> None:
    """In version 1 the body is the fields."""
    assert client_of(1).made("database/1/profiles", {"City": "Delft"}) == "1"
    assert fields_of(sandbox)["City"] == "Delft"
    assert codes(sandbox) == []


@pytest.mark.parametrize("version", [2, 3, 4])
def test_a_flat_body_makes_an_empty_profile(sandbox: Sandbox, client_of: Callable[[int], Client], version: int) -> None:
    """From version 2 on flat fields are ignored with success."""
    client_of(version).made("database/1/profiles", {"City": "Delft"})
    assert fields_of(sandbox)["City"] == ""
    assert codes(sandbox) == ["flat_body"]


def test_the_key_fields_is_case_sensitive(sandbox: Sandbox, api: Client) -> None:
    """`FIELDS` is an unknown key: an empty profile results."""
    api.made("database/1/profiles", {"FIELDS": {"City": "Delft"}})
    assert fields_of(sandbox)["City"] == ""
    assert codes(sandbox) == ["unknown_body_key"]


def test_field_names_have_no_case_and_the_last_wins(sandbox: Sandbox, api: Client) -> None:
    """Two spellings of one name: the last value counts, even an empty one."""
    api.made("database/1/profiles", {"fields": {"city": "Delft", "CITY": ""}})
    assert fields_of(sandbox)["City"] == ""
    assert codes(sandbox) == ["duplicate_body_field"]


def test_unknown_fields_are_dropped(sandbox: Sandbox, api: Client) -> None:
    """The rest of the body counts."""
    api.made("database/1/profiles", {"fields": {"Nope": "x", "City": "Delft"}})
    assert fields_of(sandbox)["City"] == "Delft"
    assert codes(sandbox) == ["unknown_body_field"]


@pytest.mark.parametrize("fields", ["x", 17, None])
def test_fields_that_are_no_object_are_refused_only_where_many_are_meant(api: Client, fields: Any) -> None:
    """POST and PUT of many answer 400, PUT of one ignores them."""
    assert api.refused("POST", "database/1/profiles", {"fields": fields}) == "Invalid data provided"
    query = {"fields[]": "City==Delft"}
    assert api.refused("PUT", "database/1/profiles", {"fields": fields}, **query) == "Invalid data provided"
    api.made("database/1/profiles", {})
    assert api("PUT", "profile/1", {"fields": fields}).status_code == 204


def test_a_form_body_is_read_as_php_does(sandbox: Sandbox, api: Client) -> None:
    """`fields[City]=Delft` names a field."""
    answer = api.session.post(api.base + "database/1/profiles", data={"fields[City]": "Delft"}, timeout=10)
    assert answer.status_code == 201
    assert fields_of(sandbox)["City"] == "Delft"


def test_a_body_that_is_no_json_counts_as_empty(sandbox: Sandbox, api: Client) -> None:
    """Nobody knows it of the real API; the worst case is an empty profile."""
    for switch, status in (("ignore", 201), ("error", 400)):
        sandbox.set_switches({"unreadable_body": switch})
        answer = api.session.post(
            api.base + "database/1/profiles", data="{", headers={"Content-Type": "application/json"}, timeout=10
        )
        assert answer.status_code == status
    assert codes(sandbox) == ["body_unreadable"] * 2


@pytest.mark.parametrize(("version", "status"), [(1, 303), (2, 303), (3, 204), (4, 204)])
def test_updating_one_answers_by_version(client_of: Callable[[int], Client], version: int, status: int) -> None:
    """303 before version 3, 204 since; POST acts as PUT."""
    client = client_of(version)
    client.made("database/1/profiles", {})
    assert client("PUT", "profile/1", {"fields": {"City": "Delft"}}).status_code == status
    assert client("POST", "profile/1/fields", {"City": "Breda"}).status_code == status
    assert client.get("profile/1/fields")["City"] == "Breda"


@pytest.mark.parametrize(("version", "updated", "made"), [(1, 200, 303), (2, 200, 303), (3, 204, 201), (4, 204, 201)])
def test_updating_many_answers_by_version(
    sandbox: Sandbox, client_of: Callable[[int], Client], version: int, updated: int, made: int
) -> None:
    """Nothing matched and something matched look the same; a creation shows its id."""
    client = client_of(version)
    body = {"City": "Delft"} if version == 1 else {"fields": {"City": "Delft"}}
    nothing = client("PUT", "database/1/profiles", body, **{"fields[]": "City==Delft"})
    created = client("PUT", "database/1/profiles", body, **{"fields[]": "City==Delft", "create": "true"})
    one = client("PUT", "database/1/profiles", body, **{"fields[]": "City==Delft", "create": "true"})
    assert [answer.status_code for answer in (nothing, created, one)] == [updated, made, updated]
    assert created.headers["X-Created"] == "1"
    assert "Location" not in one.headers
    if version < 3:
        assert created.headers["Location"].startswith(f"{sandbox.api_url}/profile/1?access_token=sandbox")


def test_creating_by_update_does_not_copy_the_selector(sandbox: Sandbox, api: Client) -> None:
    """Only the body fills the new profile, so the next try creates another."""
    for _ in range(2):
        api("PUT", "database/1/profiles", {"fields": {"City": "Delft"}}, **{"fields[]": "CustNo==17", "create": "1"})
    assert [one["fields"]["CustNo"] for one in sandbox.contents("1")["profiles"]] == ["", ""]


def test_modified_moves_only_on_real_change(sandbox: Sandbox, api: Client) -> None:
    """A value that is normalised to the stored one, or a secret, does not move it."""
    api.made("database/1/profiles", {"fields": {"Points": 2}})
    before = api.get("profile/1")["modified"]
    sandbox.advance(100)
    api("PUT", "profile/1", {"fields": {"Points": "2.99"}, "secret": "é"})
    assert (api.get("profile/1")["modified"], api.get("profile/1")["secret"]) == (before, "?")
    api("PUT", "profile/1", {"fields": {"Points": "3"}})
    assert api.get("profile/1")["modified"] > before


def test_a_removed_profile_stays_readable_and_blank(sandbox: Sandbox, api: Client) -> None:
    """It keeps its id, shows when it went, and is in no list; its subprofiles go along; updates seem to work."""
    api.made("database/1/profiles", {"fields": {"CustNo": "17"}})
    api.made("profile/1/subprofiles/Orders", {"No": "A1"})
    answer = api("DELETE", "profile/1")
    assert (answer.status_code, answer.headers["X-deleted"]) == (204, "profile 1")
    removed = api.get("profile/1")
    assert removed["removed"] == api.get("subprofile/1")["removed"]
    assert len(removed["removed"]) == 19
    assert set(removed["fields"].values()) == {""}
    assert api.get("database/1/profiles")["total"] == 0
    assert api.get("database/1/profiles", **{"fields[]": "CustNo==17"})["total"] == 0
    assert api.get("collection/1/subprofiles")["total"] == 0
    assert api("PUT", "profile/1", {"fields": {"City": "Delft"}}).status_code == 204
    assert api.get("profile/1/fields")["City"] == ""
    assert codes(sandbox) == ["updated_removed"]
    assert api.refused("DELETE", "profile/1") == "This profile has already been removed"


def test_a_subprofile_under_a_removed_profile_is_made(sandbox: Sandbox, api: Client) -> None:
    """A known bug of the real API: it is made, and noted."""
    api.made("database/1/profiles", {})
    api("DELETE", "profile/1")
    assert api.made("profile/1/subprofiles/1", {"No": "A1"}) == "1"
    assert codes(sandbox) == ["subprofile_under_removed"]


def test_completely_removed_is_unknown(api: Client) -> None:
    """`completely: Yes` leaves nothing behind."""
    api.made("database/1/profiles", {})
    assert api("DELETE", "profile/1", {"completely": "Yes"}).status_code == 204
    assert api.refused("GET", "profile/1") == "No entity with supplied ID"


def test_bulk_removal_takes_ids_in_its_body(sandbox: Sandbox, client_of: Callable[[int], Client]) -> None:
    """From version 2 on; a profile of another database goes too, as a hazard."""
    client = client_of(2)
    for database in (1, 1, 2):
        client.made(f"database/{database}/profiles", {})
    assert client_of(1).refused("DELETE", "database/1/profiles", {"profiles": [1]}) == "Invalid method"
    assert client("DELETE", "database/1/profiles", {"profiles": [1, "3"]}).status_code == 200
    assert [one["ID"] for one in sandbox.contents("Customers")["profiles"]] == ["2"]
    assert sandbox.contents("Other")["profiles"] == []
    assert codes(sandbox) == ["delete_foreign_profile"]


@pytest.mark.usefixtures("sockets")
@pytest.mark.parametrize(("behaviour", "city"), [("nothing", "Delft"), ("unsubscribe", "gone")])
def test_the_delete_behaviour_may_keep_a_profile(behaviour: str, city: str) -> None:
    """DELETE succeeds, but the profile stays, or is unsubscribed by its rule."""
    database = {**STRUCTURE["databases"][0], "delete_behaviour": behaviour, "unsubscribe": {"City": "gone"}}
    with Sandbox(structure={"databases": [database]}) as sandbox:
        client = Client(sandbox)
        client.made("database/1/profiles", {"fields": {"City": "Delft"}, "interests": ["news"]})
        assert client("DELETE", "profile/1").headers["X-deleted"] == "profile 1"
        client.close()
        kept = sandbox.contents("Customers")["profiles"][0]
        assert (kept["fields"]["City"], kept["interests"]) == (city, ["news"] if behaviour == "nothing" else [])
        assert codes(sandbox) == ["delete_did_nothing"]


def test_interests_of_a_profile(sandbox: Sandbox, api: Client) -> None:
    """POST leaves what is not mentioned; PUT switches it off; the names come in three forms."""
    api.made("database/1/profiles", {"interests": ["news"]})
    assert api("POST", "profile/1/interests", {"offers": True, "News": False}).status_code == 204
    assert api.get("profile/1/interests") == ["offers"]
    api("POST", "profile/1/interests", ["news"])
    assert api.get("profile/1/interests", **{"return": "ids"}) == ["1", "2"]
    assert codes(sandbox) == []
    api("PUT", "profile/1/interests", ["news", "nope"])
    assert api.get("profile/1/interests", **{"return": "objects"}) == [{"ID": "1", "name": "news", "group": "mail"}]
    assert codes(sandbox) == ["unknown_interest", "interest_switched_off"]


def test_interests_in_the_body_of_an_update_replace_by_default(sandbox: Sandbox, api: Client) -> None:
    """Whether unlisted interests survive is unknown: the worst case is that they do not; a switch chooses otherwise."""
    api.made("database/1/profiles", {"interests": ["news"]})
    api("PUT", "profile/1", {"interests": ["offers"]})
    assert api.get("profile/1/interests") == ["offers"]
    assert codes(sandbox) == ["interest_switched_off"]
    sandbox.set_switches({"interests_put": "add"})
    api("PUT", "database/1/profiles", {"interests": {"news": 1}}, **{"fields[]": "id==1"})
    assert api.get("profile/1/interests") == ["news", "offers"]


def test_an_unknown_interest_may_be_made_or_refused(sandbox: Sandbox, api: Client) -> None:
    """Both are switches."""
    sandbox.set_switches({"unknown_interests": "create"})
    api.made("database/2/profiles", {"interests": ["fresh"]})
    assert api.get("profile/1/interests") == ["fresh"]
    sandbox.set_switches({"unknown_interests": "error"})
    assert api.refused("POST", "profile/1/interests", ["nope"]) == "No interest with supplied name"


def test_an_asynchronous_update_tells_no_id(sandbox: Sandbox, api: Client) -> None:
    """The work is done, but nobody learns what was created."""
    answer = api("PUT", "database/1/profiles", {"fields": {}}, **{"fields[]": "City==x", "create": "1", "async": "1"})
    assert (answer.status_code, "X-Created" in answer.headers) == (204, False)
    assert len(sandbox.contents("1")["profiles"]) == 1
    assert codes(sandbox) == ["async_call", "create_without_key"]


def test_profileids_is_a_bare_array_of_texts(sandbox: Sandbox, api: Client) -> None:
    """Paged by default, whole by a switch."""
    for _ in range(3):
        api.made("database/1/profiles", {})
    assert api.get("database/1/profileids", limit=2) == ["1", "2"]
    sandbox.set_switches({"profileids": "all"})
    assert api.get("database/1/profileids", limit=2) == ["1", "2", "3"]
