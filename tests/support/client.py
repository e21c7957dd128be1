"""A client's world outside: a token, JWTs, and a clock that only moves when someone waits."""

from __future__ import annotations

import base64
import json
from threading import Event

from pipeline.copernica import Call, Outside

TOKEN = "secret-abc"


def jwt(exp: object = 9_999_999_999, mark: str = "sig") -> str:
    """A JWT as the exchange gives it; `mark` tells one from the next."""
    payload = base64.urlsafe_b64encode(json.dumps({"exp": exp}).encode()).decode().rstrip("=")
    return f"head.{payload}.{mark}"


class World:
    """A clock that moves by waiting only; `waits` holds every wait, `calls` every attempt."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.waits: list[float] = []
        self.calls: list[Call] = []
        self.cancelled = Event()
        self.draw = 0.5

    def clock(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now_s += seconds

    @property
    def outside(self) -> Outside:
        return Outside(self.clock, self.clock, lambda: self.draw, self.sleep, self.cancelled, self.calls.append)
