"""How a request proves who sends it: a token in the query (v1-v3) or an exchanged JWT (v4; pure; API sheet 2).

Reading a JWT is pure; `Exchange` keeps one for all workers.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from threading import Lock

from pipeline.copernica.failures import AuthError

# A JWT lives 24 hours (API sheet 2); it is renewed this long before its end.
LIFE_S = 24 * 3600.0
MARGIN_S = 600.0


class QueryToken:
    """What is added to each request of v1, v2 and v3: the token in the query, valid until revoked."""

    def __init__(self, token: str) -> None:
        self._token = token

    def query(self) -> tuple[tuple[str, str], ...]:
        """Return the parameters to add."""
        return (("access_token", self._token),)

    def headers(self) -> dict[str, str]:
        """Return the headers to add."""
        return {}

    def renew(self, refused: dict[str, str]) -> bool:  # noqa: ARG002
        """Return whether there can be another token than the refused one."""
        return False

    def secrets(self) -> tuple[str, ...]:
        """Return every text that must not appear anywhere."""
        return (self._token,)


class Exchange:
    """What is added to each request of v4: a JWT in a header, fetched first, before it expires, and when it is refused.

    `fetch` makes the exchange and returns the body of the answer; `now` gives seconds since 1970.
    """

    def __init__(self, token: str, fetch: Callable[[], bytes], now: Callable[[], float]) -> None:
        self._token, self._fetch, self._now = token, fetch, now
        self._jwt = ""
        self._renew_at_s = 0.0
        self._seen: tuple[str, ...] = (token,)
        self._lock = Lock()

    def query(self) -> tuple[tuple[str, str], ...]:
        """Return the parameters to add."""
        return ()

    def headers(self) -> dict[str, str]:
        """Return the headers to add; one worker fetches the JWT while the others wait."""
        with self._lock:
            if not self._jwt or self._now() >= self._renew_at_s:
                self._jwt = jwt_in(self._fetch())
                self._seen = (*self._seen[-3:], self._jwt)
                self._renew_at_s = renew_at_s(self._jwt, self._now())
            return {"Authorization": f"Bearer {self._jwt}"}

    def renew(self, refused: dict[str, str]) -> bool:
        """Drop the refused JWT, unless another worker has done so; there can always be another."""
        with self._lock:
            if refused.get("Authorization") == f"Bearer {self._jwt}":
                self._jwt = ""
        return True

    def secrets(self) -> tuple[str, ...]:
        """Return every text that must not appear anywhere: the token and the last JWTs."""
        return (self._token, *self._seen)


def jwt_in(body: bytes) -> str:
    """Find the JWT in the answer of the exchange (API sheet 2, ?U1).

    Read liberally: the bare text, a JSON string, or an object with `token`, `access_token` or `jwt`. Raises AuthError,
    without a word of the answer, where there are not three parts between dots.
    """
    text = body.decode("utf-8", "replace").strip()
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        answer = text
    if isinstance(answer, dict):
        answer = next((answer[key] for key in ("token", "access_token", "jwt") if isinstance(answer.get(key), str)), "")
    jwt = answer.strip() if isinstance(answer, str) else ""
    if not re.fullmatch(r"[A-Za-z0-9_=-]+\.[A-Za-z0-9_=-]+\.[A-Za-z0-9_=+/-]*", jwt):
        raise AuthError("the exchange of the token was answered without a JWT")
    return jwt


def renew_at_s(jwt: str, now_s: float) -> float:
    """Return when to fetch the next JWT: ten minutes before `exp`, for a short-lived one half way.

    Without a readable `exp`, or with one in the past (a clock that is off), 24 hours are taken; a JWT that ends sooner
    is refused and then renewed.
    """
    life_s = LIFE_S
    try:
        part = jwt.split(".")[1]
        exp = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))["exp"]
        if float(exp) > now_s:
            life_s = float(exp) - now_s
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        pass
    return now_s + life_s - min(MARGIN_S, life_s / 2)
