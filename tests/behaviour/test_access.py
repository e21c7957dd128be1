"""Who may ask, what there is, and how a refusal looks."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
import requests

from pipeline.copernica import AuthError, Client, RefusedError
from tests.behaviour.api import COLLECTIONS, FIELDS, INTERESTS, MARK, Api, Learn, account

JWT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+")


@pytest.mark.live
@pytest.mark.skipif(not all(account()), reason="COPERNICA_LIVE_TOKEN and COPERNICA_LIVE_DATABASE name no real account")
def test_a_real_account_is_asked(places: Callable[[str], Api]) -> None:
    """All tests of this folder run there too; the database is one of its own, found or made."""
    live = places("live")
    assert live.database.name.casefold() == account()[1].casefold()
    assert live.place.live


def test_the_account_says_who_it_is(api: Api) -> None:
    """C13: `id` in the examples, `ID` in the text; the client takes both."""
    assert re.fullmatch(r"[0-9]+", api.client.identity().id)


def test_identity_is_spelled(api: Api, learn: Learn) -> None:
    """C13: flat or inside `data`, and under which name the id is."""
    answer = api.raw("GET", "identity").json()
    inner = answer.get("data", answer)
    name = next(key for key in inner if key.lower() == "id")
    learn(
        "C13", "identity", f"{'data.' if inner is not answer else ''}{name}", sandbox="id", possible=("ID", "data.id")
    )


@pytest.mark.since("v4")
def test_a_token_is_exchanged_for_a_jwt(api: Api, learn: Learn) -> None:
    """U1: the reply is the JWT as a bare text, and of which type."""
    answer = api.exchange()
    assert answer.status_code == 200
    form = "bare text" if JWT.fullmatch(answer.text.strip()) else "something else"
    learn("U1", "reply of the exchange", f"{form}, {answer.headers.get('Content-Type')}",
          sandbox="bare text, text/plain; charset=utf-8")  # fmt: skip
    assert re.search(JWT, answer.text)


@pytest.mark.since("v4")
def test_a_wrong_token_is_not_exchanged(api: Api, learn: Learn) -> None:
    """U1: the failure of the exchange."""
    answer = api.exchange(data={"access_token": "0" * 32})
    assert answer.status_code >= 400
    learn("U1", "refusal of the exchange", f"{answer.status_code} {answer.text[:80]}",
          sandbox='400 {"error":{"message":"Invalid access token"}}')  # fmt: skip


@pytest.mark.since("v4")
def test_the_token_of_the_exchange_in_the_query(api: Api, learn: Learn) -> None:
    """C2: an older page passes it in the query."""
    answer = api.exchange(data=None, params={"access_token": api.place.token})
    learn("C2", "exchange with the token in the query", "taken" if answer.ok else "refused", sandbox="refused",
          possible=("taken",))  # fmt: skip


@pytest.mark.since("v4")
def test_the_raw_token_as_bearer(api: Api, learn: Learn) -> None:
    """U2: whether v4 takes the API token without the exchange."""
    answer = api.raw("GET", "identity", headers={"Authorization": f"Bearer {api.place.token}"})
    learn("U2", "raw token as Bearer", "taken" if answer.ok else f"refused with {answer.status_code}",
          sandbox="refused with 400")  # fmt: skip


@pytest.mark.since("v4")
def test_a_wrong_jwt(api: Api, learn: Learn) -> None:
    """U3: the status for a bad JWT."""
    answer = api.raw("GET", "identity", headers={"Authorization": "Bearer eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjF9.AAAA"})
    assert answer.status_code in (400, 401, 403)
    learn("U3", "a bad JWT", f"{answer.status_code} {answer.text[:80]}",
          sandbox='400 {"error":{"message":"Invalid access token"}}')  # fmt: skip


def test_a_wrong_token_stops_the_client(api: Api) -> None:
    """In every version, whatever the status is."""
    wrong = "0" * 32
    with (
        Client(wrong, api.version, api.place.api_url, api.place.auth_url) as client,
        pytest.raises(AuthError) as caught,
    ):
        client.identity()
    assert wrong not in str(caught.value)


def test_what_was_set_up_is_listed(api: Api) -> None:
    """Names, types, lengths, indexes, choices, defaults: as the set-up calls asked for."""
    database = api.database
    assert [(one.name, one.type) for one in FIELDS] == [(field.name, field.type) for field in database.fields.values()]
    assert (database.fields["Nr"].length, database.fields["Nr"].index) == (50, True)
    assert database.fields["City"].length == 10
    assert database.fields["Tier"].choices == ("gold", "silver")
    assert database.fields["Points"].default == "7"
    assert tuple(database.interests) == INTERESTS
    assert {name: [one.name for one in fields] for name, fields in COLLECTIONS.items()} == {
        name: list(collection.fields) for name, collection in database.collections.items()
    }


def test_a_database_has_its_name_in_any_case(api: Api) -> None:
    """And its id."""
    assert api.client.structure(api.place.database.swapcase()).id == api.database.id
    assert api.client.structure(api.database.id).name == api.database.name


@pytest.mark.parametrize(
    ("method", "path", "words"),
    [
        ("GET", "nonsense", "Invalid method"),
        ("GET", "DATABASES", "Invalid method"),
        ("GET", "database", "Invalid request, element 1 is missing in 'directory' path"),
        ("GET", "profile/999999999", "No entity with supplied ID"),
        ("GET", "subprofile/999999999", "No subprofile with supplied ID"),
        ("GET", "database/999999999", "No database with supplied ID"),
        ("GET", "collection/999999999", "No collection with given ID"),
    ],
)
def test_refusals_are_400_with_words(api: Api, method: str, path: str, words: str) -> None:
    """API sheet 4.2: a JSON error, no machine code."""
    assert api.refused(method, path) == words


def test_an_unknown_profile_is_refused_to_the_client(api: Api) -> None:
    """An error with Copernica's words; deleting it is no error (C8)."""
    with pytest.raises(RefusedError, match="No entity with supplied ID"):
        api.client.profile(999_999_999)
    assert api.client.delete_profile(999_999_999) is False


def test_deleting_the_unknown(api: Api, learn: Learn) -> None:
    """C8: 204 or 400."""
    learn("C8", "DELETE of an unknown profile", str(api.raw("DELETE", "profile/999999999").status_code), sandbox="400",
          possible=("204",))  # fmt: skip


def test_a_body_that_is_no_json(api: Api, learn: Learn) -> None:
    """U4: malformed JSON makes an empty profile, or is refused."""
    answer = api.raw("POST", f"database/{api.database.id}/profiles", data="{nonsense",
                     headers={"Content-Type": "application/json"})  # fmt: skip
    learn("U4", "malformed JSON", made_by(api, answer), sandbox="an empty profile", possible=("refused",))


def test_a_body_without_a_type(api: Api, learn: Learn) -> None:
    """U4: no Content-Type: read as JSON, as nothing, or refused."""
    key = api.key()
    flat = f'{{"Nr":"{key}"}}'
    answer = api.raw("POST", f"database/{api.database.id}/profiles",
                     data=(flat if api.version == "v1" else f'{{"fields":{flat}}}').encode())  # fmt: skip
    learn("U4", "no Content-Type", made_by(api, answer), sandbox="an empty profile", possible=("refused", "a profile"))


def made_by(api: Api, answer: requests.Response) -> str:
    """Describe what a POST made, and remove it if it has no key of ours."""
    created = answer.headers.get("X-Created")
    if created is None:
        return "refused"
    if api.client.profile(int(created)).fields["Nr"].startswith(MARK):
        return "a profile"
    api.client.delete_profile(int(created))
    return "an empty profile"


@pytest.mark.since("v2")
def test_calls_are_counted(api: Api, learn: Learn) -> None:
    """U31: which requests `consumption` counts: a GET, a refused one."""
    day = datetime.now(UTC).date()
    period = [("begin", str(day - timedelta(days=1))), ("end", str(day + timedelta(days=1)))]
    counts = []
    for path in (None, "identity", "nonsense"):
        if path:
            api.raw("GET", path)
        counts.append(int(api.raw("GET", "consumption", params=period).json()["apicalls"]))
    steps = [after - before for before, after in pairwise(counts)]
    learn("U31", "calls counted by: a GET, a refused one (the look itself is one)", str(steps), sandbox="[2, 2]")
