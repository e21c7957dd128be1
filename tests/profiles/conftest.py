"""One sandbox for all tests of this folder, put back to its start before each; at their end it must have seen no hazard."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.sandbox import Sandbox
from tests.profiles.shop import STRUCTURE, Shop


@pytest.fixture(scope="session")
def shared_sandbox(sockets: None) -> Iterator[Sandbox]:
    with Sandbox(STRUCTURE) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared_sandbox: Sandbox) -> Sandbox:
    shared_sandbox.reset()
    return shared_sandbox


@pytest.fixture
def open_shop(sandbox: Sandbox, tmp_path: Path) -> Iterator[Callable[[str], Shop]]:
    """Open the shop through a version of the API; what it provoked on purpose stands in its `provoked`."""
    shops: list[Shop] = []

    def open_one(version: str) -> Shop:
        shops.append(Shop(sandbox, tmp_path, version))
        return shops[-1]

    yield open_one
    for shop in shops:
        shop.close()
    provoked = set().union(*(shop.provoked for shop in shops))
    assert [one for one in sandbox.hazards() if one["code"] not in provoked] == []


@pytest.fixture
def shop(open_shop: Callable[[str], Shop]) -> Shop:
    """The shop through v4."""
    return open_shop("v4")
