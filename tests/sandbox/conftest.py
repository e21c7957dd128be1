"""One sandbox for all tests of this folder, put back to its start before each, and clients for its versions."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from pipeline.sandbox import Sandbox
from tests.support.api_caller import STRUCTURE, Client


@pytest.fixture(scope="session")
def running(sockets: None) -> Iterator[Sandbox]:
    """Return the one sandbox of this folder; use `sandbox` instead."""
    with Sandbox(structure=STRUCTURE) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    """Return a sandbox without data, faults and journal."""
    running.reset()
    return running


@pytest.fixture
def client_of(sandbox: Sandbox) -> Iterator[Callable[[int], Client]]:
    """Return a maker of clients by version."""
    made: list[Client] = []

    def make(version: int) -> Client:
        made.append(Client(sandbox, version))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def api(client_of: Callable[[int], Client]) -> Client:
    """Return a client of version 4."""
    return client_of(4)
