"""How thorough the tests are: `make soak` sets SOAK, and then nothing is left out."""

from __future__ import annotations

import os

# How many times as many random moments are tried; 0 in a plain run.
SOAK = int(os.environ.get("SOAK", "0"))


def steps(total: int, offset: int, *, every: int = 16) -> range:
    """Return the steps from 1 to `total` that are tried: each in a soak, else every sixteenth, beginning at an offset."""
    return range(1, total + 1) if SOAK else range(1 + offset % every, total + 1, every)
