"""What the tests of the client share: a scripted server, a clock that only moves when someone waits, a structure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from pipeline.copernica import Client, Collection, Database, Field, Interest, Options
from pipeline.copernica.structure import by_name
from tests.copernica.server import Script, Server
from tests.support.client import TOKEN, World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def serve(sockets: None) -> Iterator[Callable[[Script], Server]]:
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
