"""The shop of the tests of resume."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.journey import Journey
from tests.support.resumable import Shop, shop_of, state_of


@pytest.fixture
def shop(journey: Callable[..., Journey]) -> Shop:
    """Make the shop with its job."""
    return shop_of(journey)


@pytest.fixture
def undisturbed(shop: Shop) -> list[dict[str, Any]]:
    """Return the database as a run without any trouble leaves it."""
    here, job = shop()
    ran = here.call("run", job)
    assert ran.exit_code == 0, ran.stderr
    return state_of(here)
