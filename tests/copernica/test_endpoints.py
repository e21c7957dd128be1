"""The requests of profiles and subprofiles have the shapes of API sheet 3.1, and dangerous ones cannot be made."""

from __future__ import annotations

import json

import pytest

from pipeline.copernica import endpoints
from pipeline.copernica.endpoints import Change, checked
from pipeline.copernica.selector import Selector
from pipeline.copernica.structure import Collection, Database, Field
from pipeline.copernica.versions import VERSIONS
from pipeline.copernica.wire import Connection, Kind, Request

V1, V2, V4 = VERSIONS["v1"], VERSIONS["v2"], VERSIONS["v4"]


def shape(request: Request) -> tuple[str, str, object, Kind]:
    return request.method, request.target, request.body and json.loads(request.body), request.kind


@pytest.fixture
def number(customers: Database) -> Selector:
    return Selector.equals(customers.fields["CustNo"], "17")


def test_creating_a_profile(customers: Database) -> None:
    """Flat in v1, wrapped since; on a connection that is young (data rule 30)."""
    flat = endpoints.create_profile(V1, customers, {"CustNo": "17"}, None)
    wrapped = endpoints.create_profile(V4, customers, {"CustNo": "17"}, {"news": True})
    assert shape(flat) == ("POST", "/database/7/profiles", {"CustNo": "17"}, Kind.CREATE)
    assert shape(wrapped)[2] == {"fields": {"CustNo": "17"}, "interests": {"news": True}}
    assert flat.connection is wrapped.connection is Connection.RECENT


def test_putting_profiles(customers: Database, number: Selector) -> None:
    """The sample of API sheet 23, and v1's flat body."""
    change = Change((number,), {"CustNo": "17", "Email": "a@x.test"}, create=True)
    target = "/database/7/profiles?fields[]=CustNo%3D%3D17&create=1"
    assert shape(endpoints.put_profiles(V4, customers, change)) == (
        "PUT",
        target,
        {"fields": {"CustNo": "17", "Email": "a@x.test"}},
        Kind.UPSERT,
    )
    assert shape(endpoints.put_profiles(V1, customers, change))[2] == {"CustNo": "17", "Email": "a@x.test"}


@pytest.mark.parametrize(
    ("fields", "how", "kind", "options"),
    [
        ({"Email": "b"}, {}, Kind.UPDATE_MANY, ()),
        ({"custno": "17"}, {}, Kind.UPDATE_MANY, ()),
        ({"CustNo": "18"}, {}, Kind.UPDATE_MOVING, ()),
        ({"CustNo": "17"}, {"create": True}, Kind.UPSERT, (("create", "1"),)),
    ],
)
def test_what_a_change_may_do_when_it_fails(
    number: Selector, fields: dict[str, str], how: dict[str, bool], kind: Kind, options: object
) -> None:
    """API sheet 18."""
    change = Change((number,), fields, **how)
    assert (change.kind, change.options) == (kind, options)


def test_a_change_needs_a_selector() -> None:
    """Without one it would change every record (API sheet 6.1)."""
    with pytest.raises(ValueError, match="would change every record"):
        Change((), {"Email": "b"})


@pytest.mark.parametrize("fields", [{"Email": "b"}, {"CustNo": "18", "Email": "b"}])
def test_create_must_write_what_is_selected_by(number: Selector, fields: dict[str, str]) -> None:
    """It creates from the body only: each repetition would make another one (API sheet 9)."""
    with pytest.raises(ValueError, match="must write what is selected by: CustNo"):
        Change((number,), fields, create=True)


def test_a_selector_of_another_database_is_refused(customers: Database) -> None:
    """It would be dropped, and then everything is meant."""
    stranger = Selector.equals(Field(5, "Klantnr", "text"), "17")
    with pytest.raises(ValueError, match="not one of the fields"):
        endpoints.put_profiles(V4, customers, Change((stranger,), {"Email": "b"}))
    with pytest.raises(ValueError, match="not one of the fields"):
        endpoints.list_profiles(customers, [stranger])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "no fields"),
        ({"CustNo": 17}, "must be a text"),
        ({"CustNo": None}, "must be a text"),
        ({"Email": "a", "EMAIL": "b"}, "two spellings"),
        ({"Emial": "a"}, "no field 'Emial'"),
    ],
)
def test_bodies_that_would_be_bent_are_refused(customers: Database, fields: dict[str, str], message: str) -> None:
    """An empty record, a coerced value, the last of two, a dropped name (API sheet 1)."""
    with pytest.raises(ValueError, match=message):
        checked(fields, customers.fields)


def test_interests_that_do_not_exist_are_refused(customers: Database) -> None:
    """What becomes of them is not known (API sheet ?U13)."""
    with pytest.raises(ValueError, match="no interest 'sport'"):
        endpoints.create_profile(V4, customers, {"CustNo": "1"}, {"News": True, "sport": True})


def test_putting_one_record() -> None:
    """`profile/$id` is wrapped, `.../fields` flat, in every version."""
    body = {"Email": "b"}
    assert shape(endpoints.update("profile", 501, body)) == ("PUT", "/profile/501", {"fields": body}, Kind.SAME_STATE)
    assert shape(endpoints.update_fields("subprofile", 9, body)) == (
        "PUT",
        "/subprofile/9/fields",
        body,
        Kind.SAME_STATE,
    )


def test_subprofiles_are_flat(orders: Collection) -> None:
    """In every version; wrapped they do nothing (API sheet 1, trap 5)."""
    assert shape(endpoints.create_subprofile(501, orders, {"No": "A1"})) == (
        "POST",
        "/profile/501/subprofiles/3",
        {"No": "A1"},
        Kind.CREATE,
    )


def test_interests_are_switched_by_a_map() -> None:
    """POST leaves the others as they are; PUT would switch them off (data rule 33)."""
    assert shape(endpoints.switch_interests(501, {"news": True, "sport": False})) == (
        "POST",
        "/profile/501/interests",
        {"news": True, "sport": False},
        Kind.SAME_STATE,
    )


@pytest.mark.parametrize("switches", [{}, {"news": "No"}, {"news": 0}])
def test_switches_are_true_or_false(switches: dict[str, bool]) -> None:
    """A text "No" is true to most parsers."""
    with pytest.raises(ValueError, match="True or False"):
        endpoints.switch_interests(501, switches)


def test_deleting_has_no_body() -> None:
    """API sheet ⚠C3."""
    assert shape(endpoints.delete("profile", 501)) == ("DELETE", "/profile/501", None, Kind.DELETE)
