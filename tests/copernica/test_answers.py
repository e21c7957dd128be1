"""What an answer says, against the wire samples of API sheet 23 and what is known of errors."""

from __future__ import annotations

import json

import pytest

from pipeline.copernica.answers import (
    Failure,
    Fault,
    Page,
    created_id,
    fault_in,
    is_already_removed,
    is_unknown_id,
    json_of,
    made,
    page_of,
    retry_after_s,
    shortened,
    words_of,
)
from pipeline.copernica.failures import LostError, UnexpectedResponseError
from pipeline.copernica.wire import Kind, Request, Response

GET, PUT, POST = Request("GET", "/x"), Request("PUT", "/x"), Request("POST", "/database/7/profiles")


def error(status: int, message: str) -> Response:
    return Response.of(
        status, [("Content-Type", "application/json")], json.dumps({"error": {"message": message}}).encode()
    )


def test_sample_create() -> None:
    """POST of a profile in v4: 201, empty body, two headers."""
    response = Response.of(201, [("X-Created", "501"), ("X-location", "https://api.copernica.com/v4/profile/501")])
    assert fault_in(POST, response, 0) is None
    assert made(POST, response, "profile") == 501


def test_sample_unknown_database() -> None:
    """An error is 400 with one message."""
    fault = fault_in(GET, error(400, "No database with supplied ID"), 0)
    assert fault == Fault(Failure.REFUSED, "No database with supplied ID", 400)
    assert is_unknown_id(fault.words)


def test_sample_update_in_v2() -> None:
    """303 to the profile, with the token in the URL: success, nothing made, nothing followed."""
    location = "https://api.copernica.com/profile/501?access_token=T"
    response = Response.of(303, [("Location", location)])
    assert fault_in(PUT, response, 0) is None
    assert created_id(response, "profile") == 501


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ([("Content-Type", "text/html; charset=utf-8")], b"<html>Back soon</html>"),
        ([("Content-Type", "text/html")], b"Back soon"),
        ([], b"  \n<!DOCTYPE html>"),
    ],
)
@pytest.mark.parametrize("request_", [GET, PUT, POST], ids=["GET", "PUT", "POST"])
def test_a_page_of_html_is_no_success(request_: Request, headers: list[tuple[str, str]], body: bytes) -> None:
    """Data rule 28: something in between has answered, so the outcome of a change is not known."""
    fault = fault_in(request_, Response.of(200, headers, body), 0)
    assert fault == Fault(Failure.LOST, "answered with a page of HTML, which the API never sends", 200)


@pytest.mark.parametrize("body", [b"", b" ", b"true", b"[]", b'{"a": "<b>"}', b"ok"])
def test_what_the_api_sends_for_a_change_is_success(body: bytes) -> None:
    """Nothing, JSON or a word, whatever its type is called."""
    assert fault_in(PUT, Response.of(200, [("Content-Type", "application/json")], body), 0) is None
    assert fault_in(POST, Response.of(201, [], body), 0) is None


@pytest.mark.parametrize(
    ("status", "headers", "number"), [(204, [], None), (201, [("x-created", "502")], 502), (200, [], None)]
)
def test_sample_upsert(status: int, headers: list[tuple[str, str]], number: int | None) -> None:
    """204: updated or nothing matched; 201 names what was made."""
    response = Response.of(status, headers)
    assert fault_in(PUT, response, 0) is None
    assert created_id(response, "profile") == number


def test_sample_page() -> None:
    """The list wrapper with `nextid` and `total`."""
    row = {"ID": "501", "fields": {"Email": "b@x.test", "CustNo": "0"}, "interests": ["news"]}
    body = {"start": 0, "limit": 2, "count": 1, "data": [row], "nextid": 503, "total": 40}
    assert page_of(Response(200, {}, json.dumps(body).encode())) == Page((row,), 2, 40)


@pytest.mark.parametrize(
    ("body", "page"),
    [
        (b'[{"ID":"1"}]', Page(({"ID": "1"},))),
        (b"[]", Page(())),
        (b'{"data":[]}', Page(())),
        (b'{"start":0,"limit":"5","data":{"0":{"ID":"1"}}}', Page(({"ID": "1"},), 5)),
    ],
)
def test_pages_without_wrapper_or_total(body: bytes, page: Page) -> None:
    """v1 documents a bare array; `total` is absent when it was not asked for (API sheet 5, ⚠C20)."""
    assert page_of(Response(200, {}, body)) == page


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"1", b'{"a":1}', b"[1]", b'{"data":null}', b"{}", b"\xff", b"[" * 100_000]
)
def test_what_is_no_list_is_a_stranger(body: bytes) -> None:
    """An answer that cannot be understood is never an empty list."""
    with pytest.raises(UnexpectedResponseError, match=r"no list|no JSON"):
        page_of(Response(200, {}, body))


@pytest.mark.parametrize(
    ("headers", "number"),
    [
        ([("X-CREATED", " 12 ")], 12),
        ([("X-Created", "12"), ("Location", "/profile/9")], 12),
        ([("X-Created", "profile"), ("X-Location", "https://api.copernica.com/v1/profile/9")], 9),
        ([("Location", "https://api.copernica.com/v4/profile/88/")], 88),
        ([("Location", "https://api.copernica.com/v4/profiles/88")], None),
        ([("Location", "/profile/3")], 3),
        ([("Location", "http://[broken/profile/3")], 3),
        ([("Location", "https://api.copernica.com/subprofile/9")], None),
        ([("Location", "https://api.copernica.com/profile/1/subprofiles/2?access_token=T")], None),
        ([("Location", "https://api.copernica.com/database/7/profiles?fields[]=a==/profile/1")], None),
        ([("Location", "https://api.copernica.com/profile/x")], None),
        ([("Location", "12")], None),
        ([("X-deleted", "profile 123")], None),
        ([], None),
    ],
)
def test_the_id_of_what_was_made(headers: list[tuple[str, str]], number: int | None) -> None:
    """X-Created, else the end of a location that names one; the echo of a URL is none (API sheet 4.1)."""
    assert created_id(Response.of(201, headers), "profile") == number


@pytest.mark.parametrize("location", ["/v4/import/88", "/v4/imports/88/"])
def test_the_id_of_an_import(location: str) -> None:
    """Its URL is nowhere documented (API sheet ?U14)."""
    assert created_id(Response.of(201, [("X-location", location)]), "import") == 88


def test_a_success_without_an_id_is_an_unknown_outcome() -> None:
    """API sheet 11: never post it again."""
    with pytest.raises(LostError) as caught:
        made(Request("POST", "/imports", kind=Kind.IMPORT), Response.of(200, []), "import")
    assert (caught.value.maybe_sent, caught.value.look_up) == (True, False)
    assert str(caught.value) == "POST /imports was answered with 200, but without the id of the import"


@pytest.mark.parametrize(
    ("response", "failure"),
    [
        (Response(401, {}), Failure.AUTH),
        (Response(403, {}), Failure.AUTH),
        (error(400, "Invalid access token"), Failure.AUTH),
        (error(400, "The access token is invalid."), Failure.AUTH),
        (error(400, "Invalid data provided"), Failure.REFUSED),
        (Response(404, {}, b"<h1>gone</h1>"), Failure.REFUSED),
        (Response(413, {}), Failure.REFUSED),
        (Response(301, {}), Failure.REFUSED),
        (Response(408, {}), Failure.LOST),
        (Response(500, {}), Failure.LOST),
        (Response(502, {}), Failure.LOST),
        (Response(504, {}), Failure.LOST),
        (Response(503, {}), Failure.BUSY),
        (Response(429, {}), Failure.THROTTLED),
    ],
)
def test_faults_by_status(response: Response, failure: Failure) -> None:
    """API sheet 4, 18."""
    fault = fault_in(PUT, response, 0)
    assert fault is not None
    assert fault.failure is failure
    assert fault.status == response.status


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("1.5", 1.5),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 40.0),
        ("Thu, 01 Jan 1970 00:00:10 GMT", 0.0),
        ("Thu, 01 Jan 1970 01:01:40 +0100", 40.0),
        ("Thu, 01 Jan 1970 00:01:40 -0000", 40.0),
        ("soon", None),
        ("-5", None),
        ("", None),
        ("999999999999", None),
        (None, None),
    ],
)
def test_retry_after_in_both_forms(header: str | None, seconds: float | None) -> None:
    """Seconds or an HTTP date, which is compared with our clock (here: 60 s after 1970 began)."""
    assert retry_after_s(header, 60.0) == seconds


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_kept_with_the_fault(status: int) -> None:
    """For both statuses that may carry it."""
    fault = fault_in(GET, Response.of(status, [("Retry-After", "7")]), 0)
    assert fault is not None
    assert fault.retry_after_s == 7.0


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"error":{"message":"Invalid\\nmethod"}}', "Invalid method"),
        (b'{"error":"broken"}', "broken"),
        (b'{"error":{}}', '{"error":{}}'),
        (b"<html><head><title>x</title></head><body><h1>Loadbalancer Error</h1>Too &lt;many&gt;</body></html>",
         "Loadbalancer Error Too <many>"),
        (b"", ""),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"x" * 300, "x" * 300),
        (b'{"error":"' + b"x" * 300 + b'"}', "x" * 300),
        (b" " * 19_980 + b"whole <b>and</b> secret-abc", "whole and"),
    ],
)  # fmt: skip
def test_words_of_errors(body: bytes, words: str) -> None:
    """JSON, HTML of a load balancer, or anything else, on one line; no part of a word is left where the body is cut."""
    assert words_of(Response(400, {}, body)) == words


def test_words_are_shortened() -> None:
    """To 200 characters."""
    assert shortened("x" * 200) == "x" * 200
    assert shortened("x" * 201) == "x" * 199 + "…"


def test_a_token_is_refused_in_the_first_words_only() -> None:
    """Further on in a long page the same words mean anything."""
    fault = fault_in(GET, Response(400, {}, b"Invalid method. " + b"x" * 300 + b" access token"), 0)
    assert fault is not None
    assert fault.failure is Failure.REFUSED


@pytest.mark.parametrize(
    "words",
    [
        "No entity with supplied ID",
        "No subprofile with supplied ID",
        "No collection with given ID",
        "no profile with the given id",
    ],
)
def test_unknown_ids_are_recognised_loosely(words: str) -> None:
    """API sheet 4.2: texts are not documented."""
    assert is_unknown_id(words)
    assert not is_already_removed(words)


def test_the_second_delete_is_recognised() -> None:
    """It is a success (API sheet 18)."""
    assert is_already_removed("This subprofile has already been removed")
    assert not is_unknown_id("This subprofile has already been removed")


def test_a_page_of_html_with_status_200_is_a_stranger() -> None:
    """Some gateways answer so; its text does not get into the message."""
    with pytest.raises(UnexpectedResponseError, match=r"^the answer is no JSON$"):
        json_of(Response(200, {}, b"<html>token</html>"))
