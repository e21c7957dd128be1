"""The JWT of v4 is read liberally, renewed in time, and fetched once for all."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipeline.copernica.auth import Exchange, QueryToken, jwt_in, renew_at_s
from pipeline.copernica.failures import AuthError
from tests.support.client import jwt


@pytest.mark.parametrize(
    "body",
    [
        b"h.p.s",
        b"  h.p.s\r\n",
        b'"h.p.s"',
        b'{"token":"h.p.s"}',
        b'{"access_token":" h.p.s "}',
        b'{"jwt":"h.p.s","token":7}',
    ],
)
def test_the_answer_of_the_exchange_is_read_liberally(body: bytes) -> None:
    """Its form is not documented (API sheet ?U1)."""
    assert jwt_in(body) == "h.p.s"


@pytest.mark.parametrize(
    "body", [b"", b"h.p", b"h.p.s.x", b"h p.q.s", b"{}", b"[]", b"12", b"<html>a.b.c</html>", b"h.p.s\nX-Y: 1"]
)
def test_what_is_no_jwt_is_refused_without_repeating_it(body: bytes) -> None:
    """Three parts between dots, and nothing that could become another header."""
    with pytest.raises(AuthError, match=r"^the exchange of the token was answered without a JWT$"):
        jwt_in(body)


@pytest.mark.parametrize(
    ("token", "renew_s"),
    [
        (jwt(100_000), 100_000 - 600),
        (jwt(1_900), 1_000 + 900 / 2),
        (jwt(500), 1_000 + 86_400 - 600),
        (jwt("soon"), 1_000 + 86_400 - 600),
        ("h.p.s", 1_000 + 86_400 - 600),
        ("h.W10.s", 1_000 + 86_400 - 600),
    ],
)
def test_when_a_jwt_is_renewed(token: str, renew_s: float) -> None:
    """Ten minutes before `exp`; half way for a short one; 24 hours where there is none or our clock is off."""
    assert renew_at_s(token, 1_000.0) == renew_s


class Issuer:
    """Gives a new JWT each time."""

    def __init__(self, life_s: float) -> None:
        self.now_s, self.life_s, self.fetched = 0.0, life_s, 0

    def fetch(self) -> bytes:
        self.fetched += 1
        return json.dumps(jwt(self.now_s + self.life_s, f"n{self.fetched}")).encode()

    def now(self) -> float:
        return self.now_s


def test_a_jwt_is_kept_until_ten_minutes_before_its_end() -> None:
    """One exchange a day."""
    issuer = Issuer(86_400.0)
    exchange = Exchange("token", issuer.fetch, issuer.now)
    first = exchange.headers()
    issuer.now_s = 86_400.0 - 601.0
    assert exchange.headers() == first
    issuer.now_s = 86_400.0 - 600.0
    assert exchange.headers() != first
    assert issuer.fetched == 2


def test_many_workers_fetch_one_jwt() -> None:
    """They wait for the one that fetches."""
    issuer = Issuer(86_400.0)
    exchange = Exchange("token", issuer.fetch, issuer.now)
    with ThreadPoolExecutor(32) as pool:
        assert len({header["Authorization"] for header in pool.map(lambda _: exchange.headers(), range(200))}) == 1
    assert issuer.fetched == 1


def test_a_refused_jwt_is_dropped_once() -> None:
    """A second worker, refused with the same one, does not throw the new one away."""
    issuer = Issuer(86_400.0)
    exchange = Exchange("token", issuer.fetch, issuer.now)
    old = exchange.headers()
    assert exchange.renew(old)
    new = exchange.headers()
    assert exchange.renew(old)
    assert exchange.headers() == new
    assert issuer.fetched == 2


def test_a_token_of_v1_to_v3_has_no_successor() -> None:
    """It is valid until revoked."""
    token = QueryToken("T")
    assert (token.query(), token.headers(), token.renew({})) == ((("access_token", "T"),), {}, False)


def test_all_that_is_secret_is_named() -> None:
    """For the redaction of messages."""
    issuer = Issuer(86_400.0)
    exchange = Exchange("token", issuer.fetch, issuer.now)
    bearer = exchange.headers()["Authorization"].removeprefix("Bearer ")
    assert set(exchange.secrets()) == {"token", bearer}
