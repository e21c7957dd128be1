"""Requests and answers are spelled as HTTP wants it, and nothing secret can be printed."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.copernica.wire import Request, Response, json_body, path, redact


def test_query_values_are_percent_encoded() -> None:
    """A plus stays a plus, and `%`, `&`, `#`, blanks and letters outside ASCII are escaped (API sheet 6)."""
    request = Request("GET", "/x", (("fields[]", "E==a+b%&é #="), ("total", "false")))
    assert request.target == "/x?fields[]=E%3D%3Da%2Bb%25%26%C3%A9%20%23%3D&total=false"


def test_the_upsert_of_the_sheet_is_spelled_as_there() -> None:
    """API sheet 23, upsert by key."""
    request = Request("PUT", path("database", 7, "profiles"), (("fields[]", "CustNo==17"), ("create", "1")))
    assert request.target == "/database/7/profiles?fields[]=CustNo%3D%3D17&create=1"


@settings(derandomize=True, max_examples=200)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_value_arrives_as_it_was(value: str) -> None:
    """What is encoded decodes to the same text."""
    target = Request("GET", "/x", (("fields[]", value),)).target
    assert parse_qsl(urlsplit(target).query, keep_blank_values=True) == [("fields[]", value)]


def test_a_path_element_is_encoded_whole() -> None:
    """A name with a slash or a question mark stays one element."""
    assert path("database", "A/b c?d%é") == "/database/A%2Fb%20c%3Fd%25%C3%A9"


@pytest.mark.parametrize("element", ["", ".", "..", 0, -1])
def test_a_path_element_that_would_mean_another_place_is_refused(element: str | int) -> None:
    """An empty element counts as an invalid id, dots are resolved on the way (API sheet 3.2)."""
    with pytest.raises(ValueError, match="no name or id"):
        path("database", element)


def test_json_is_utf8_without_blanks() -> None:
    """Nothing is escaped that need not be, 4-byte characters stay."""
    assert json_body({"a": "é😀", "b": True}) == '{"a":"é😀","b":true}'.encode()


def test_a_lone_surrogate_is_refused() -> None:
    """It has no UTF-8, and would otherwise arrive as another character."""
    with pytest.raises(ValueError, match="surrogates"):
        json_body("\ud800")


def test_header_names_have_no_case() -> None:
    """`X-Created` and `x-created` are one, and of two the first stands."""
    response = Response.of(201, [("X-CREATED", "1"), ("x-created", "2")])
    assert response.headers == {"x-created": "1"}


def test_redact_takes_out_secrets_and_queries() -> None:
    """A token as it is, percent-encoded, and inside a URL's query."""
    text = "see https://x/profile/1?access_token=abc&a=b now, tok+en or tok%2Ben, why? because"
    assert redact(text, ["tok+en"]) == "see https://x/profile/1?… now, … or …, why? because"


def test_what_is_printed_of_a_request_holds_no_value() -> None:
    """Values of customers stand in query and body; only names and sizes are shown."""
    request = Request("PUT", "/database/7/profiles", (("fields[]", "Email==ann@x.test"),), b'{"Email":"b@x.test"}')
    assert repr(request) == "Request(PUT /database/7/profiles?fields[], 20 bytes)"
    assert repr(Response(400, {"location": "/x?access_token=T"}, b"secret")) == "Response(400, 6 bytes)"
