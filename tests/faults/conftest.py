"""One sandbox for the table of faults, a client whose waits are counted and take no time, and a small shop for runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pipeline.sandbox import Sandbox
from tests.support.client import World
from tests.support.journey import unprovoked
from tests.support.shop import STRUCTURE


@pytest.fixture(scope="session")
def running(sockets: None) -> Iterator[Sandbox]:
    """Return the one sandbox of this folder; use `sandbox` instead."""
    with Sandbox(structure=STRUCTURE) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox, request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """Return a sandbox without data, faults and journal; at the end of the test it must have seen no hazard."""
    running.reset()
    yield running
    assert unprovoked(running, request) == []


@pytest.fixture
def world() -> World:
    """Return a clock that only waiting moves."""
    return World()
