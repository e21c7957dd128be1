"""The order of checks, removed entities, and values that match nothing: as observed on the live API (API sheet 4.2, 9, 13)."""

from __future__ import annotations

import pytest

from tests.behaviour.api import Api

UNKNOWN = "No entity with supplied ID"
NO_METHOD = "Invalid method"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize("path", ["profile/0/subprofiles", "profile//subprofiles"])
def test_an_unknown_entity_comes_before_a_missing_element(api: Api, method: str, path: str) -> None:
    """Whatever else is wrong with the path."""
    assert api.refused(method, path, None if method == "GET" else {}) == UNKNOWN


def test_the_method_comes_before_the_next_element(api: Api) -> None:
    """A path that knows no DELETE, or no GET, does not ask for its last element."""
    collection = next(iter(api.database.collections.values()))
    assert api.refused("DELETE", f"profile/{api.made()}/subprofiles") == NO_METHOD
    assert api.refused("GET", f"collection/{collection.id}/field") == NO_METHOD


def test_a_missing_element_is_named(api: Api) -> None:
    """By its number, from 0."""
    message = "Invalid request, element 3 is missing in 'directory' path"
    assert api.refused("GET", f"profile/{api.made()}/subprofiles") == message


def test_everything_below_a_removed_profile_has_been_removed(api: Api) -> None:
    """DELETE, that is; a subprofile too."""
    number = api.made()
    order = api.client.create_subprofile(number, api.database.collections["Orders"], {"Nr": "A1"})
    assert api.client.delete_profile(number) is True
    for path, kind in ((f"profile/{number}", "profile"), (f"subprofile/{order}", "subprofile")):
        for tail in ("", "/bogus", "/fields"):
            assert api.refused("DELETE", path + tail) == f"This {kind} has already been removed"


@pytest.mark.parametrize("body", [{"secret": "x"}, {"fields": []}, {"fields": {"Nothing": "x"}}, {}])
def test_an_update_of_a_removed_profile_without_a_field_does_not_move_modified(api: Api, body: object) -> None:
    """One with a known field does (C19)."""
    number = api.made()
    assert api.client.delete_profile(number) is True

    def modified() -> str:
        return str(api.raw("GET", f"profile/{number}").json()["modified"])

    before = modified()
    if api.sandbox is not None:
        api.sandbox.advance(5)
    assert api.raw("PUT", f"profile/{number}", body).status_code < 400
    assert modified() == before
    if api.sandbox is not None:
        assert api.raw("PUT", f"profile/{number}", {"fields": {"City": "Ede"}}).status_code < 400
        assert modified() > before


@pytest.mark.since("v2")
def test_an_unusable_body_comes_before_a_missing_selector(api: Api) -> None:
    """`fields` in the body is no object, `fields` in the query is not there."""
    path = f"database/{api.database.id}/profiles"
    assert api.refused("PUT", path, {"fields": True}) == "Invalid data provided"
    assert api.refused("PUT", path, {"fields": {}}) == "URL parameter fields is required"


def test_a_select_with_a_text_that_is_no_choice_matches_nothing(api: Api) -> None:
    """Not the profiles whose select is blank: an update changes none of them."""
    blank, gold = api.made(City="Delft"), api.made(City="Delft", Tier="gold")
    mine = [("fields[]", f"id>={blank}"), ("fields[]", f"id<={gold}")]
    path = f"database/{api.database.id}/profiles"
    params = [*mine, ("fields[]", "Tier==Gold")]
    assert api.raw("GET", path, params=params).json()["total"] == 0
    body = {"City": "Ede"} if api.version == "v1" else {"fields": {"City": "Ede"}}
    if api.sandbox is not None:
        assert api.raw("PUT", path, body, params=params).status_code < 400
    assert [api.client.profile(one).fields["City"] for one in (blank, gold)] == ["Delft", "Delft"]


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("2020-01-02 03:4", "2020-01-02 03:04:00"),
        ("2020-03-29 02:30:00", "2020-03-29 03:30:00"),
        ("2020-03-29 02:30", "2020-03-29 03:30:00"),
        ("2020-07-02 03:04:05 a", "2020-07-02 04:04:05"),
        ("2020-01-02 03:04:05 a", "2020-01-02 03:04:05"),
        ("2 January 2020", "2020-01-02 00:00:00"),
        ("2 Januari 2020", ""),
        ("2020-01-02 03:04:05,5", ""),
        ("2020-W05-3", "2020-01-29 00:00:00"),
    ],
)
def test_a_date_text_means_what_it_means_to_php(api: Api, text: str, stored: str) -> None:
    """Some of those that PHP reads otherwise than most."""
    assert api.stored("Left_at", text) == stored


def test_a_verb_that_is_not_offered_is_refused(api: Api) -> None:
    """Verbs that nobody offers are refused in the shape of all errors; on the way to a real one some are stopped."""
    for method in ("PATCH",) if api.place.live else ("PATCH", "TRACE", "HACK"):
        assert api.refused(method, "identity") == NO_METHOD


@pytest.mark.parametrize("number", ["\u00b2", "9" * 25])
def test_what_only_looks_like_an_id_is_unknown(api: Api, number: str) -> None:
    """Digits are 0 to 9."""
    assert api.refused("GET", f"profile/{number}") == UNKNOWN
