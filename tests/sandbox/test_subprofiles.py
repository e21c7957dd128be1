"""Subprofiles: flat bodies, the one selector that complains, removal (API sheet 10)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipeline.sandbox import Sandbox
from tests.support.api_caller import Client, codes


@pytest.fixture
def ready(api: Client) -> Client:
    """Return a client with one profile that has two orders."""
    api.made("database/1/profiles", {"fields": {"CustNo": "17"}})
    api.made("profile/1/subprofiles/orders", {"No": "A1", "Total": "1.50"})
    api.made("profile/1/subprofiles/1", {"No": "A2"})
    return api


def test_a_subprofile_shows_these_keys_in_this_order(ready: Client) -> None:
    """All ids and values are texts; there are no interests."""
    subprofile = ready.get("subprofile/1")
    assert list(subprofile) == ["ID", "secret", "fields", "profile", "collection", "created", "modified", "removed"]
    assert (subprofile["ID"], subprofile["profile"], subprofile["collection"]) == ("1", "1", "1")
    assert subprofile["fields"] == {"No": "A1", "Total": "1.5"}
    short = ready.get("collection/1/subprofiles", dataonly="1")["data"][0]
    assert list(short) == ["ID", "fields", "profile", "collection", "modified"]


def test_a_wrapped_body_does_nothing(sandbox: Sandbox, ready: Client) -> None:
    """The trap opposite to the one of profiles: success, and an empty subprofile."""
    number = ready.made("profile/1/subprofiles/1", {"fields": {"No": "A3"}})
    assert ready.get(f"subprofile/{number}/fields") == {"No": "", "Total": "0"}
    assert codes(sandbox) == ["wrapped_subprofile_body"]


def test_a_bad_collection_is_refused_in_its_own_words(ready: Client) -> None:
    """POST has another message than the rest."""
    assert ready.refused("POST", "profile/1/subprofiles/nope", {}) == "Subprofile could not be created"
    assert ready.refused("GET", "profile/1/subprofiles/nope") == "No collection with given ID"
    assert ready.refused("GET", "collection/Orders") == "No collection with given ID"


def test_updating_with_fields_stays_inside_the_profile(ready: Client) -> None:
    """PUT profile/P/subprofiles/C hits only matches of this profile and creates when asked."""
    ready.made("database/1/profiles", {})
    ready.made("profile/2/subprofiles/1", {"No": "A1"})
    answer = ready("PUT", "profile/1/subprofiles/1", {"Total": "9"}, **{"fields[]": "No==A1"})
    assert answer.status_code == 204
    assert [one["fields"]["Total"] for one in ready.get("collection/1/subprofiles")["data"]] == ["9", "0", "0"]


@pytest.mark.parametrize(("version", "status"), [(2, 303), (3, 201), (4, 201)])
def test_creating_by_update_hides_the_id(
    sandbox: Sandbox, client_of: Callable[[int], Client], ready: Client, version: int, status: int
) -> None:
    """No X-Created by default; a switch shows it."""
    client = client_of(version)
    answer = client("PUT", "profile/1/subprofiles/1", {"No": "B"}, **{"fields[]": "No==B", "create": "1"})
    assert (answer.status_code, "X-Created" in answer.headers) == (status, False)
    sandbox.set_switches({"subprofile_put_created_id": "present"})
    answer = client("PUT", "profile/1/subprofiles/1", {"No": "C"}, **{"fields[]": "No==C", "create": "1"})
    assert answer.headers["X-Created"] == "4"


def test_an_illegal_selector_is_an_error_here(ready: Client) -> None:
    """Unlike for profiles."""
    message = ready.refused("PUT", "profile/1/subprofiles/1", {"Total": "9"}, **{"fields[]": "Nope==A1"})
    assert message == "Invalid selector in URL parameter fields"
    assert ready.refused("PUT", "profile/1/subprofiles/1", {}) == "URL parameter fields is required"


def test_updating_a_whole_collection_spans_all_profiles(
    sandbox: Sandbox, ready: Client, client_of: Callable[[int], Client]
) -> None:
    """Since version 3; the body is flat, or wrapped by a switch."""
    query = {"fields[]": "No=~A%"}
    assert client_of(2).refused("PUT", "collection/1/subprofiles", {}, **query) == "Invalid method"
    assert ready.refused("POST", "collection/1/subprofiles", {}, **query) == "Invalid method"
    assert ready("PUT", "collection/1/subprofiles", {"Total": "2"}, **query).status_code == 204
    assert [one["fields"]["Total"] for one in ready.get("collection/1/subprofiles")["data"]] == ["2", "2"]
    assert codes(sandbox) == ["several_matches"]
    sandbox.set_switches({"collection_put_body": "wrapped"})
    ready("PUT", "collection/1/subprofiles", {"fields": {"Total": "3"}}, **query)
    assert [one["fields"]["Total"] for one in ready.get("collection/1/subprofiles")["data"]] == ["3", "3"]


def test_updating_one_is_wrapped(sandbox: Sandbox, ready: Client, client_of: Callable[[int], Client]) -> None:
    """PUT subprofile/S takes `fields`, PUT subprofile/S/fields takes them flat; version 1 has only the latter."""
    assert ready("PUT", "subprofile/1", {"fields": {"Total": "5"}}).status_code == 204
    assert codes(sandbox) == []
    ready("PUT", "subprofile/1", {"Total": "6"})
    assert codes(sandbox) == ["flat_body"]
    first = client_of(1)
    assert first.refused("PUT", "subprofile/1", {"fields": {}}) == "Invalid method"
    assert first("PUT", "subprofile/1/fields", {"Total": "7"}).status_code == 303
    assert ready.get("subprofile/1/fields") == {"No": "A1", "Total": "7"}


def test_version_1_lists_subprofiles_as_an_array(
    sandbox: Sandbox, ready: Client, client_of: Callable[[int], Client]
) -> None:
    """By its docs; clients knew a wrapper, which a switch gives."""
    assert [one["ID"] for one in client_of(1).get("profile/1/subprofiles/1")] == ["1", "2"]
    sandbox.set_switches({"v1_subprofiles": "wrapper"})
    assert client_of(1).get("profile/1/subprofiles/1")["total"] == 2
    assert ready.get("profile/1/subprofiles/Orders", **{"fields[]": "No==a2"})["data"][0]["ID"] == "2"
    assert ready.get("collection/1/subprofileids") == ["1", "2"]


def test_removing_one_leaves_the_profile(ready: Client) -> None:
    """Removed once; the second time is refused."""
    assert ready("DELETE", "subprofile/1").headers["X-deleted"] == "subprofile 1"
    assert ready.refused("DELETE", "subprofile/1") == "This subprofile has already been removed"
    assert ready.refused("DELETE", "subprofile/9") == "No subprofile with supplied ID"
    assert ready.get("profile/1/subprofiles/1")["total"] == 1
