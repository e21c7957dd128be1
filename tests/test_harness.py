"""The harness keeps its own promises."""

from __future__ import annotations

import os
import re
import socket

import pytest

from pipeline.sandbox import Sandbox
from tests.support.places import ROOT


def test_no_test_imports_from_a_conftest() -> None:
    """What tests share stands in tests/support; a conftest holds fixtures only."""
    pattern = re.compile(r"^ *(from \S*conftest import|import \S*conftest)", re.MULTILINE)
    found = [str(path) for path in sorted((ROOT / "tests").rglob("*.py")) if pattern.search(path.read_text("utf-8"))]
    assert found == []


def test_a_test_that_does_not_ask_has_no_sockets() -> None:
    """Neither a connection nor a port, so no sandbox either."""
    with pytest.raises(pytest.fail.Exception, match="opens a socket"), socket.socket() as mine:
        mine.connect(("127.0.0.1", 9))
    with pytest.raises(pytest.fail.Exception, match="opens a socket"), socket.socket() as mine:
        mine.bind(("127.0.0.1", 0))


def test_a_test_that_asks_has_them(sandboxes) -> None:
    """Behind `sandboxes`, `journey` and `shop` a server listens."""
    sandbox: Sandbox = sandboxes.start(None)
    with socket.create_connection(("127.0.0.1", int(sandbox.api_url.rpartition(":")[2])), timeout=5):
        pass


def test_the_environment_of_the_caller_is_out_of_reach() -> None:
    """No token, no state folder and no home of whoever runs the tests."""
    assert [name for name in os.environ if name.startswith("COPERNICA_") and "_LIVE_" not in name] == []
    assert "user-state" in os.environ["XDG_STATE_HOME"]
