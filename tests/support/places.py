"""Where the repository and the real data are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "configs"
DOCS = ROOT / "docs"
# Real dumps beside the repository, or where SHARED_DATA names them.
SHARED = Path(os.environ.get("SHARED_DATA", ROOT.parent / "shared" / "data"))
IN_CI = os.environ.get("CI", "").lower() in ("1", "true", "yes")


def needs_shared_data() -> None:
    """Skip the test module where the real data is absent; in CI fail, so that no rule goes unproven unnoticed."""
    if SHARED.is_dir():
        return
    if IN_CI:
        raise RuntimeError(f"CI is set, but the real data is not in {SHARED}: these tests must not be skipped")
    pytest.skip("the shared data is absent", allow_module_level=True)
