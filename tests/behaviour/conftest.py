"""Where the suite runs: four versions on the sandbox, and one on a real account where the environment names it.

What is learned of the unknowns of the API sheet (section 21) is in a table at the end: after a live run, or with -v.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator

import pytest

from pipeline.copernica import Client, Options
from pipeline.copernica.versions import API_URL, AUTH_URL
from pipeline.sandbox import Sandbox
from tests.behaviour.api import Api, Learn, Place, account, scratch

VERSIONS = ("v1", "v2", "v3", "v4")
# A live run writes into a database of its own, and its name has to show it.
SCRATCH = "scratch"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test with the versions of its `since`, and live where an account is configured."""
    if "api" not in metafunc.fixturenames:
        return
    marks = {mark.args[0] for mark in metafunc.definition.iter_markers("since")}
    first = max(marks, default="v1")
    places = [pytest.param(version) for version in VERSIONS if version >= first]
    if all(account()):
        places.append(pytest.param(f"live-{first}", marks=pytest.mark.live))
    metafunc.parametrize("api", places, indirect=True)


@pytest.fixture(scope="session")
def sandbox(sockets: None) -> Iterator[Sandbox]:
    """Return an empty sandbox; the suite makes its databases in it, one for each version."""
    with Sandbox(structure={"account": {"id": "34", "name": "Sandbox"}, "databases": []}) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def places(sandbox: Sandbox) -> Iterator[Callable[[str], Api]]:
    """Open each place once, and clear it at the end."""
    opened: dict[str, Api] = {}

    def place(name: str) -> Api:
        if name not in opened:
            opened[name] = opened_at(live_place() if name == "live" else sandbox_place(sandbox, name))
        return opened[name]

    yield place
    for api in opened.values():
        if api.place.live:
            api.cleared()
        api.session.close()
        api.client.close()


def sandbox_place(sandbox: Sandbox, version: str) -> Place:
    return Place(sandbox.api_url, sandbox.auth_url, sandbox.token, version, f"Scratch_{version}", sandbox)


def live_place() -> Place:
    """Read where the real account is; fails where the database is not a scratch one."""
    token, database = account()
    if SCRATCH not in database.casefold():
        pytest.fail(f"the name of a database that tests write into must hold {SCRATCH!r}")
    version = os.environ.get("COPERNICA_LIVE_API", "v4")
    return Place(
        os.environ.get("COPERNICA_LIVE_API_URL", API_URL), os.environ.get("COPERNICA_LIVE_AUTH_URL", AUTH_URL), token,
        version, database,
    )  # fmt: skip


def opened_at(place: Place) -> Api:
    client = Client(place.token, place.version, place.api_url, place.auth_url, Options(retry_budget_s=120))
    api = Api(place, client, scratch(client, place.database), secrets.token_hex(3))
    api.session.trust_env = False
    return api


@pytest.fixture
def api(request: pytest.FixtureRequest, places: Callable[[str], Api]) -> Api:
    """Return the API at the place of this test."""
    name, _, first = str(request.param).partition("-")
    api = places(name)
    if first and api.version < first:
        pytest.skip(f"{api.version} does not have it")
    return api


@pytest.fixture
def learn(api: Api, request: pytest.FixtureRequest) -> Learn:
    """Note what was seen of an unknown: `learn(number, question, answer, sandbox=..., possible=...)`.

    On the sandbox the answer is the one of its first switches. A real account may give any that is possible; without
    `possible` whatever it answers is news and no failure.
    """

    def note(number: str, question: str, answer: str, *, sandbox: str, possible: tuple[str, ...] = ()) -> str:
        where = "live" if api.place.live else "sandbox"
        request.node.user_properties.append(("learned", (number, f"{where} {api.version}", question, answer)))
        if not api.place.live:
            assert answer == sandbox
        elif possible:
            assert answer in (sandbox, *possible)
        return answer

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what was learned, once per place and question."""
    reports = [one for kind in ("passed", "failed") for one in terminalreporter.getreports(kind) if one.when == "call"]
    rows = {tuple(row) for one in reports for name, row in one.user_properties if name == "learned"}
    if not any(row[1].startswith("live") for row in rows) and config.get_verbosity() < 1:
        return
    if rows:
        terminalreporter.section("what was learned of the API (docs/live.md)")
    for number, where, question, answer in sorted(rows, key=lambda row: (row[0][0], int(row[0][1:]), row)):
        terminalreporter.line(f"{number:<4} {where:<11} {question}: {answer}")
