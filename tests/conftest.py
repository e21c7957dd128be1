"""What holds for every test: no sockets but for those that ask, nobody's own environment; and journeys to a sandbox."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import urllib3  # noqa: F401 - it probes IPv6 with a socket when it is first imported
from hypothesis import settings

pytest.register_assert_rewrite("tests.support")

from tests.support.journey import Journey, Sandboxes  # noqa: E402 (its assertions are rewritten first)
from tests.support.shop import Shop, open_shop  # noqa: E402

Open = Callable[..., Shop]
# A busy machine makes an example slow, not wrong.
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")


@pytest.fixture(scope="session", autouse=True)
def own_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the environment of whoever runs the tests out of them, and what the tests leave out of their home."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("COPERNICA_") and "_LIVE_" not in name]:
            patch.delenv(name)
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("user-state")))
        yield


def refuse_socket(*_: object) -> None:
    """Fail the test that opens a socket without asking for one."""
    pytest.fail('this test opens a socket: use `journey` or `shop`, or pytest.mark.usefixtures("sockets")')


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Refuse every connection and every port to a test that asks for no fixture behind which a server runs."""
    with pytest.MonkeyPatch.context() as patch:
        if "sockets" not in getattr(item, "fixturenames", ()):
            for name in ("connect", "connect_ex", "bind"):
                patch.setattr(socket.socket, name, refuse_socket)
        return (yield)


@pytest.fixture(scope="session")
def sockets() -> None:
    """Allow sockets: fixtures that start a server ask for this; a module does with `pytest.mark.usefixtures("sockets")`."""


@pytest.fixture(scope="session")
def ended() -> Iterator[list[Thread]]:
    """Collect the threads in which sandboxes end; all have ended with the session."""
    threads: list[Thread] = []
    yield threads
    for thread in threads:
        thread.join()


@pytest.fixture
def sandboxes(sockets: None, ended: list[Thread], request: pytest.FixtureRequest) -> Iterator[Sandboxes]:
    """Start sandboxes that are ended behind the test, and must have seen no hazard till then."""
    mine = Sandboxes()
    yield mine
    seen = mine.hazards(request)
    ended += mine.end()
    assert seen == []


@pytest.fixture
def journey(sandboxes: Sandboxes, tmp_path: Path) -> Callable[..., Journey]:
    """Make journeys: a folder, and a sandbox of this structure (with settings as in `Sandbox`)."""

    def start(structure: dict[str, Any] | Path, **settings: Any) -> Journey:
        return Journey(sandboxes.start(structure, **settings), tmp_path)

    return start


@pytest.fixture(name="open_shop")
def _open_shop(journey: Callable[..., Journey]) -> Open:
    """Open sample shops: `open_shop(changes={"load.mode": "profiles"}, switches={...})`."""

    def opened(*words: Any, **more: Any) -> Shop:
        return open_shop(journey, *words, **more)

    return opened


@pytest.fixture
def shop(open_shop: Open) -> Shop:
    """Open the sample shop, empty."""
    return open_shop()
