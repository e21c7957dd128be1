"""The client asks the right question and refuses the wrong answer (against a scripted server)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipeline.copernica import (
    Change,
    Client,
    Collection,
    Database,
    Field,
    ImportRequest,
    ImportStatus,
    LostError,
    NewField,
    RefusedError,
    Selector,
    Subprofile,
    UnexpectedResponseError,
    UnsupportedError,
)
from tests.copernica.server import CLOSE, Reply, Script, Seen, Server, answer, in_turn

Serve = Callable[[Script], Server]
Connect = Callable[..., Client]

VERSIONS = ["v1", "v2", "v3", "v4"]


def listed(*rows: object, total: int | None = None) -> bytes:
    """A page with its total, as lists of the structure have it."""
    return answer(200, {"start": 0, "limit": 100, "count": len(rows), "data": rows, "total": total or len(rows)})


STRUCTURE: dict[str, Reply] = {
    "/v3/database/customers": answer(200, {"ID": "7", "name": "Customers", "fields": {"data": [{"ID": "666"}]}}),
    "/v3/database/7": answer(200, {"ID": "7", "name": "Customers"}),
    "/v3/database/7/fields": listed({"ID": "1", "name": "CustNo", "type": "text", "length": "50", "index": True}),
    "/v3/database/7/interests": listed({"ID": "9", "name": "news", "group": ""}),
    "/v3/database/7/collections": listed({"ID": "3", "name": "Orders", "database": "7", "fields": {"data": []}}),
    "/v3/collection/3/fields": listed({"ID": "1", "name": "No", "type": "text"}),
}


@pytest.mark.parametrize("asked", ["customers", "7", 7])
def test_the_structure_is_read_from_its_own_lists(serve: Serve, connect: Connect, asked: str | int) -> None:
    """By name or id; the copies inside other answers are cut (API sheet 5)."""
    found = connect(serve(lambda seen: STRUCTURE[seen.path]).url).structure(asked)
    assert (found.id, found.name) == (7, "Customers")
    assert found.fields == {"CustNo": Field(1, "CustNo", "text", 50, True)}
    assert found.collections == {"Orders": Collection(3, "Orders", {"No": Field(1, "No", "text")})}
    assert list(found.interests) == ["news"]


@pytest.mark.parametrize(
    ("path", "wrong", "noun"),
    [
        ("/v3/database/customers", answer(200, {"ID": "x", "name": "Customers"}), "database"),
        ("/v3/database/7/collections", listed({"ID": "3"}), "collection"),
        ("/v3/database/7/fields", listed({"ID": "1", "type": "text"}), "field"),
        ("/v3/collection/3/fields", listed({"ID": "1"}), "field"),
        ("/v3/database/7/interests", listed({"ID": "9"}), "interest"),
    ],
)
def test_a_structure_that_cannot_be_read_names_what_is_wrong(
    serve: Serve, connect: Connect, path: str, wrong: Reply, noun: str
) -> None:
    """Each object is read by itself: an error of a call in between stays what it is."""
    server = serve(lambda seen: {**STRUCTURE, path: wrong}[seen.path])
    with pytest.raises(UnexpectedResponseError, match=f"something that is no {noun}"):
        connect(server.url).structure("customers")


@pytest.mark.parametrize("asked", ["Customer", "8"])
def test_another_database_than_asked_for_is_a_stranger(serve: Serve, connect: Connect, asked: str) -> None:
    """Writing to it would be the worst of all mistakes."""
    server = serve(in_turn(STRUCTURE["/v3/database/7"]))
    with pytest.raises(UnexpectedResponseError, match=r"got 'Customers' \(7\)"):
        connect(server.url).structure(asked)


def test_a_wide_structure_is_paged(serve: Serve, connect: Connect, customers: Database) -> None:
    """v1 gives a hundred fields a page."""
    rows = [{"ID": str(n), "name": f"F{n}", "type": "text"} for n in range(1, 251)]

    def script(seen: Seen) -> bytes:
        start = int(dict(seen.query).get("start", 0))
        return answer(200, {"start": start, "limit": 100, "data": rows[start : start + 100], "total": 250})

    server = serve(script)
    assert len(connect(server.url, "v1").database_fields(7)) == 250
    assert [dict(seen.query)["limit"] for seen in server.seen] == ["100", "100", "100"]


def test_a_lookup_by_key(serve: Serve, connect: Connect, customers: Database) -> None:
    """One call; a plus in an address arrives as a plus."""
    row = {"ID": "501", "fields": {"Email": "a+b@x.test"}, "interests": ["news"], "database": "7", "removed": False}
    server = serve(in_turn(listed(row)))
    selector = Selector.equals(customers.fields["Email"], "a+b@x.test")
    found = list(connect(server.url).profiles(customers, selector, limit=2, data_only=True))
    assert [(one.id, one.fields, one.interests) for one in found] == [(501, {"Email": "a+b@x.test"}, ("news",))]
    assert server.seen[0].path == "/v3/database/7/profiles"
    assert server.seen[0].query == [
        ("fields[]", "Email==a+b@x.test"),
        ("dataonly", "1"),
        ("fields[]", "id>0"),
        ("orderby", "id"),
        ("total", "false"),
        ("limit", "2"),
        ("access_token", "secret-abc"),
    ]


def test_v1_has_no_dataonly(serve: Serve, connect: Connect, customers: Database, orders: Collection) -> None:
    """It is left out there (API sheet 9)."""
    server = serve(in_turn(listed()))
    client = connect(server.url, "v1")
    assert list(client.profiles(customers, data_only=True)) == []
    assert list(client.collection_subprofiles(orders, data_only=True)) == []
    assert all("dataonly" not in seen.target for seen in server.seen)


def test_counting_costs_one_call(serve: Serve, connect: Connect, customers: Database, orders: Collection) -> None:
    """`total=true`, `limit=1`."""
    server = serve(in_turn(answer(200, {"start": 0, "limit": 1, "count": 1, "data": [{"ID": "1"}], "total": 40})))
    client = connect(server.url)
    assert client.count(customers, Selector.equals(customers.fields["Age"], "3")) == 40
    assert client.count_subprofiles(orders) == 40
    assert server.seen[0].query[:3] == [("fields[]", "Age==3"), ("total", "true"), ("limit", "1")]


def test_a_count_that_is_not_told_is_a_stranger(serve: Serve, connect: Connect, customers: Database) -> None:
    """Never zero."""
    server = serve(in_turn(answer(200, {"start": 0, "limit": 1, "count": 0, "data": []})))
    with pytest.raises(UnexpectedResponseError, match="has none"):
        connect(server.url).count(customers)


@pytest.mark.parametrize("noun", ["profile", "subprofile"])
def test_another_record_than_asked_for_is_a_stranger(serve: Serve, connect: Connect, noun: str) -> None:
    """Its values would be taken for another's."""
    server = serve(in_turn(answer(200, {"ID": "502", "fields": {}})))
    with pytest.raises(UnexpectedResponseError, match=f"asked for {noun} 501, got 502"):
        getattr(connect(server.url), noun)(501)


def test_subprofiles_of_another_profile_are_strangers(serve: Serve, connect: Connect, orders: Collection) -> None:
    """They would be overwritten."""
    server = serve(in_turn(listed({"ID": "9", "fields": {"No": "A1"}, "profile": "502", "collection": "3"})))
    with pytest.raises(UnexpectedResponseError, match="asked for subprofiles of profile 501, got one of 502"):
        list(connect(server.url).subprofiles(501, orders))


def test_subprofiles_may_come_as_an_array(serve: Serve, connect: Connect, orders: Collection) -> None:
    """v1 documents it so (API sheet ⚠C20)."""
    server = serve(in_turn(answer(200, [{"ID": "9", "fields": {"No": "A1"}, "profile": "501", "collection": "3"}])))
    found = list(connect(server.url, "v1").subprofiles(501, orders))
    assert found == [Subprofile(9, {"No": "A1"}, 501, 3)]
    assert server.seen[0].path == "/v1/profile/501/subprofiles/3"


@pytest.mark.parametrize(
    ("version", "reply", "number"),
    [
        ("v2", answer(303, Location="/profile/502?access_token=T", X_Created="502"), 502),
        ("v2", answer(200), None),
        ("v3", answer(201, X_Created="502"), 502),
        ("v3", answer(204), None),
    ],
)
def test_the_outcome_of_putting_profiles(
    serve: Serve, connect: Connect, customers: Database, version: str, reply: Reply, number: int | None
) -> None:
    """API sheet 4.1: what was made is named, what was changed is not."""
    change = Change((Selector.equals(customers.fields["CustNo"], "17"),), {"CustNo": "17"}, create=True)
    assert connect(serve(in_turn(reply)).url, version).put_profiles(customers, change) == number


@pytest.mark.parametrize(
    ("reply", "removed"),
    [
        (answer(204, X_deleted="profile 501"), True),
        (answer(200, X_deleted="profile 501"), True),
        (answer(204), False),
        (answer(400, {"error": {"message": "This profile has already been removed"}}), False),
        (answer(400, {"error": {"message": "No entity with supplied ID"}}), False),
    ],
)
def test_the_outcomes_of_deleting(serve: Serve, connect: Connect, reply: Reply, removed: bool) -> None:
    """Gone is gone; whether it was this call is told (API sheet 4.1, ⚠C8)."""
    client = connect(serve(in_turn(reply)).url)
    assert client.delete_profile(501) is removed
    assert client.delete_subprofile(501) is removed


def test_a_delete_that_is_not_allowed_is_refused(serve: Serve, connect: Connect) -> None:
    """Only what is gone counts as gone."""
    server = serve(in_turn(answer(400, {"error": {"message": "Invalid method"}})))
    with pytest.raises(RefusedError, match="Invalid method"):
        connect(server.url).delete_profile(501)


def test_an_import_and_its_status(serve: Serve, connect: Connect) -> None:
    """The sample of API sheet 23."""
    status = {"ID": "88", "status": "free text", "totallines": "2", "processedLines": "1", "lastrun": False}
    server = serve(in_turn(answer(201, X_location="https://api.copernica.com/v3/import/88"), answer(200, status)))
    client = connect(server.url)
    number = client.post_import(ImportRequest(7, "run", "add", (), True), b'[{"CustNo":"17"}]')
    assert client.import_status(number) == ImportStatus(88, "free text", 2, 1, None, None)
    assert [seen.path for seen in server.seen] == ["/v3/imports", "/v3/import/88"]


def test_another_import_than_asked_for_is_a_stranger(serve: Serve, connect: Connect) -> None:
    """Its end would confirm ours."""
    server = serve(in_turn(answer(200, {"ID": "89", "totallines": "2", "processedLines": "2"})))
    with pytest.raises(UnexpectedResponseError, match="asked for import 88, got 89"):
        connect(server.url).import_status(88)


def test_what_a_version_does_not_have_is_refused_without_a_call(serve: Serve, connect: Connect) -> None:
    """API sheet 8, 10, 11."""
    server = serve(in_turn(answer(200)))
    v1, v2 = connect(server.url, "v1"), connect(server.url, "v2")
    for call in (
        lambda: v1.post_import(ImportRequest(7, "run", "add", (), True), b'[{"a":"b"}]'),
        lambda: v2.import_status(88),
    ):
        with pytest.raises(UnsupportedError, match=r"^v[12] of the API has no "):
            call()
    assert server.seen == []


def test_set_up_posts_once_and_names_what_it_made(serve: Serve, connect: Connect) -> None:
    """Database, collection, fields, interest (API sheet 8)."""
    server = serve(in_turn(*(answer(201, X_Created=str(n)) for n in range(1, 6))))
    set_up = connect(server.url).set_up
    assert set_up.database("Customers", "who buys") == 1
    assert set_up.collection(1, "Orders") == 2
    assert set_up.field(1, NewField("Gender", "select", "m\nf*", index=True)) == 3
    assert set_up.collection_field(2, NewField("No", length=20)) == 4
    assert set_up.interest(1, "news") == 5
    assert [(seen.path, seen.json) for seen in server.seen] == [
        ("/v3/databases", {"name": "Customers", "description": "who buys"}),
        ("/v3/database/1/collections", {"name": "Orders"}),
        ("/v3/database/1/fields", {"name": "Gender", "type": "select", "value": "m\nf*", "index": True}),
        ("/v3/collection/2/fields", {"name": "No", "type": "text", "length": 20}),
        ("/v3/database/1/interests", {"name": "news"}),
    ]


@pytest.mark.parametrize("reply", [CLOSE, answer(503), answer(504), answer(200)])
def test_a_set_up_post_without_an_answer_is_read_back(serve: Serve, connect: Connect, reply: Reply) -> None:
    """Never repeated; what is there by its name is taken for it."""
    server = serve(
        lambda seen: reply if seen.method == "POST" else listed({"ID": "4", "name": "CustNo", "type": "text"})
    )
    assert connect(server.url).set_up.field(7, NewField("custno")) == 4
    assert [seen.method for seen in server.seen] == ["POST", "GET"]


def test_a_set_up_post_without_an_answer_and_without_effect_is_unknown(serve: Serve, connect: Connect) -> None:
    """Nothing of that name is there: it may still come."""
    server = serve(lambda seen: CLOSE if seen.method == "POST" else listed())
    with pytest.raises(LostError) as caught:
        connect(server.url).set_up.interest(7, "news")
    assert caught.value.maybe_sent is True


@pytest.mark.parametrize(
    ("reply", "number"),
    [
        (answer(200, {"ID": "7", "name": "Customers"}), 7),
        (answer(400, {"error": {"message": "No database with supplied ID"}}), None),
    ],
)
def test_a_database_is_read_back_by_its_name(serve: Serve, connect: Connect, reply: Reply, number: int | None) -> None:
    """Without listing them all."""
    server = serve(lambda seen: CLOSE if seen.method == "POST" else reply)
    set_up = connect(server.url).set_up
    if number is not None:
        assert set_up.database("Customers") == number
    else:
        with pytest.raises(LostError):
            set_up.database("Customers")
    assert [seen.path for seen in server.seen] == ["/v3/databases", "/v3/database/Customers"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"version": "v5"}, "no version of the API: 'v5'"),
        ({"api_url": "http://api.copernica.com"}, "plain http"),
        ({"auth_url": "http://authenticate.copernica.com"}, "plain http"),
    ],
)
def test_a_client_that_would_not_be_safe_cannot_be_made(arguments: dict[str, str], message: str) -> None:
    """Before anything is sent."""
    with pytest.raises(ValueError, match=message):
        Client("token", **arguments)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_says_which_version_it_speaks(version: str) -> None:
    """And closes with its block."""
    with Client("token", version) as client:
        assert (client.version, repr(client)) == (version, f"Client({version})")
