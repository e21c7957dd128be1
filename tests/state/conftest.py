"""The shop of the tests of resume."""

from __future__ import annotations

from tests.resume.conftest import journey, shop

__all__ = ["journey", "shop"]
