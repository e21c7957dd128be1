"""The shop of the tests of secrets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.journey import Journey
from tests.support.traces import JOB, ROWS, SCHEMA, STRUCTURE, TOKEN, Makes, Traces


@pytest.fixture
def shop(journey: Callable[..., Journey], capfd: pytest.CaptureFixture[str]) -> Makes:
    """Make the shop with its job; the words of the job file can be said."""

    def make(dump: str = ROWS, switches: dict[str, Any] | None = None, **words: Any) -> tuple[Traces, Path]:
        here = journey(STRUCTURE, token=TOKEN, switches=switches)
        here.write("schema.py", SCHEMA)
        here.write("shop.csv", dump)
        said = {"api": "v4", "action": "update or add", "mode": "imports", "read_s": 20}
        return Traces(here, capfd), here.write("job.yaml", JOB.format(**said | words))

    return make
