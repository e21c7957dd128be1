"""The shop of the tests of resume."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.journey import Journey
from tests.support.resumable import Shop, shop_of


@pytest.fixture
def shop(journey: Callable[..., Journey]) -> Shop:
    """Make the shop with its job."""
    return shop_of(journey)
