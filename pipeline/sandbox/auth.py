"""Hand out JWTs for the one token and recognise them (edge: virtual clock; API sheet 2)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets

from pipeline.sandbox.clock import Clock

# Life of a JWT in seconds (API sheet 2).
JWT_LIFE_S = 24 * 3600


class Tokens:
    """Check the API token; sign JWTs with a key that lives as long as this object."""

    def __init__(self, token: str, account: str, clock: Clock) -> None:
        self.token = token
        self._account = account
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._generation = 0

    def is_token(self, text: object) -> bool:
        """Return whether `text` is the API token itself."""
        return isinstance(text, str) and hmac.compare_digest(text.encode(), self.token.encode())

    def issue(self) -> str:
        """Make a JWT that is good for 24 hours of the virtual clock."""
        now_s = int(self._clock.epoch_s())
        payload = {"sub": self._account, "iat": now_s, "exp": now_s + JWT_LIFE_S, "gen": self._generation}
        head = _packed(b'{"alg":"HS256","typ":"JWT"}') + "." + _packed(json.dumps(payload).encode())
        return head + "." + self._signature(head)

    def expire(self) -> None:
        """Make every JWT that was handed out so far worthless."""
        self._generation += 1

    def is_valid(self, jwt: str) -> bool:
        """Return whether `jwt` is one of ours and not expired."""
        head, _, signature = jwt.rpartition(".")
        if not head or not hmac.compare_digest(signature.encode(), self._signature(head).encode()):
            return False
        text = head.partition(".")[2]
        payload = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        return bool(payload["exp"] > self._clock.epoch_s() and payload["gen"] == self._generation)

    def _signature(self, head: str) -> str:
        return _packed(hmac.digest(self._key, head.encode(), hashlib.sha256))


def _packed(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
