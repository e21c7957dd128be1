"""What the tests of the client share: a scripted server, a clock that only moves when someone waits, a structure."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from threading import Event

import pytest

from pipeline.copernica import Call, Client, Collection, Database, Field, Interest, Options, Outside
from pipeline.copernica.structure import by_name
from tests.copernica.server import Script, Server

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


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def serve() -> Iterator[Callable[[Script], Server]]:
    servers: list[Server] = []

    def start(script: Script) -> Server:
        servers.append(Server(script))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def connect(world: World) -> Iterator[Callable[..., Client]]:
    """Make clients of a server; v3 unless told, for it has everything and no exchange."""
    clients: list[Client] = []

    def make(url: str, version: str = "v3", **options: object) -> Client:
        limits = Options(**({"connect_s": 5.0, "read_s": 5.0} | options))  # type: ignore[arg-type]
        clients.append(Client(TOKEN, version, url, f"{url}/authenticate", limits, world.outside))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def orders() -> Collection:
    return Collection(3, "Orders", by_name([Field(1, "No", "text", 20), Field(2, "Total", "float")]))


@pytest.fixture
def customers(orders: Collection) -> Database:
    fields = by_name([Field(1, "CustNo", "text", 50, True), Field(2, "Email", "email"), Field(3, "Age", "integer")])
    return Database(7, "Customers", fields, by_name([orders]), by_name([Interest(9, "news")]))
