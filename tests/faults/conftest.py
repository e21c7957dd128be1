"""One sandbox for the table of faults, a client whose waits are counted and take no time, and a small shop for runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.sandbox import Sandbox
from tests.copernica.conftest import World
from tests.journeys.conftest import journey, unprovoked

__all__ = ["journey"]

STRUCTURE: dict[str, Any] = {
    "databases": [
        {
            "name": "Shop",
            "fields": [
                {"name": "Nr", "type": "text", "length": 20, "index": True},
                {"name": "City", "type": "text", "length": 50},
            ],
            "interests": [{"name": "news"}],
            "collections": [{"name": "Order", "fields": [{"name": "No", "type": "text", "length": 20}]}],
        }
    ]
}


@pytest.fixture(scope="session")
def running() -> Iterator[Sandbox]:
    """Give the one sandbox of this folder; use `sandbox` instead."""
    with Sandbox(structure=STRUCTURE) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox, request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """Give a sandbox without data, faults and journal; at the end of the test it must have seen no hazard."""
    running.reset()
    yield running
    assert unprovoked(running, request) == []


@pytest.fixture
def world() -> World:
    """Give a clock that only waiting moves."""
    return World()
