"""Only the sandbox's own token opens it, in the way of each version (API sheet 2)."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import pytest
import requests

from pipeline.sandbox import Sandbox
from tests.support.api_caller import Client, codes


def exchange(sandbox: Sandbox, **arguments: dict[str, str]) -> requests.Response:
    """Ask for a JWT."""
    return requests.post(sandbox.auth_url, timeout=10, **arguments)  # type: ignore[arg-type]


def test_the_exchange_answers_with_a_bare_jwt_for_24_hours(sandbox: Sandbox) -> None:
    """The body is the JWT alone; its payload is readable and expires 24 hours after it was made."""
    jwt = exchange(sandbox, data={"access_token": "sandbox"}).text
    payload = jwt.split(".")[1]
    content = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert len(jwt.split(".")) == 3
    assert content["exp"] - content["iat"] == 86400


@pytest.mark.parametrize("arguments", [{"data": {"access_token": "wrong"}}, {"params": {"access_token": "sandbox"}},
                                       {"json": {"access_token": "sandbox"}}])  # fmt: skip
def test_the_exchange_takes_its_token_from_a_form_only(sandbox: Sandbox, arguments: dict[str, dict[str, str]]) -> None:
    """A wrong token, one in the query and one in JSON are refused."""
    answer = exchange(sandbox, **arguments)
    assert answer.status_code == 400
    assert answer.json() == {"error": {"message": "Invalid access token"}}


def test_a_jwt_expires_on_the_virtual_clock(sandbox: Sandbox, api: Client) -> None:
    """A JWT is good for a day and no longer."""
    sandbox.advance(86000)
    assert api("GET", "identity").status_code == 200
    sandbox.advance(500)
    assert api.refused("GET", "identity") == "Invalid access token"


def test_the_status_for_a_bad_jwt_is_a_switch(sandbox: Sandbox, api: Client) -> None:
    """Nobody knows it of the real API, so it can be chosen."""
    sandbox.set_switches({"bad_jwt_status": 401})
    api.session.headers["Authorization"] = "Bearer a.b.c"
    assert api("GET", "identity").status_code == 401


@pytest.mark.parametrize("version", [1, 2, 3])
def test_earlier_versions_take_the_token_from_the_query(client_of: Callable[[int], Client], version: int) -> None:
    """Any other token is refused with 400, not 401."""
    client = client_of(version)
    assert client.get("identity")["id"] == "34"
    client.params = {"access_token": "wrong"}
    assert client.refused("GET", "identity") == "Invalid access token"


def test_version_4_takes_no_token_from_the_query(sandbox: Sandbox, api: Client) -> None:
    """A token in the URL of version 4 opens nothing and is a hazard, redacted in the journal."""
    del api.session.headers["Authorization"]
    assert api.refused("GET", "identity", access_token="sandbox") == "Invalid access token"
    assert codes(sandbox) == ["token_in_query"]
    assert sandbox.journal()[-1]["query"] == [["access_token", "***"]]


def test_identity_is_flat_and_grows_with_version_3(client_of: Callable[[int], Client]) -> None:
    """The account's id is a text in every version."""
    assert client_of(2).get("identity") == {"id": "34", "name": "Sandbox", "description": "", "company": "Sandbox"}
    assert list(client_of(3).get("identity"))[4:] == ["customer", "usedBy", "license"]


def test_the_unversioned_base_answers_as_version_1(sandbox: Sandbox, client_of: Callable[[int], Client]) -> None:
    """It is where the redirects of versions 1 and 2 point."""
    client = client_of(1)
    client.base = sandbox.api_url + "/"
    assert client.get("identity")["id"] == "34"
