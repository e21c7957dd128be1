"""Every fault of the sandbox against every kind of request: what API sheet 18 says of it, sent as often as it allows."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import pytest

from pipeline.copernica import (
    ApiError,
    AuthError,
    BudgetSpentError,
    Client,
    LostError,
    NotSentError,
    Options,
    Outside,
    RefusedError,
)
from pipeline.copernica.wire import Kind
from pipeline.sandbox import Sandbox
from tests.faults.kinds import REQUESTS, Request, Stand
from tests.support.client import World

# Of a request that is answered in time, and of one that a slow answer lets down.
READ_S, SHORT_S = 20.0, 0.5
BUDGET_S = 60.0

# What is put in the way: as a fault of the sandbox, once or always.
FAULTS: dict[str, dict[str, Any]] = {
    "refuse": {"kind": "refuse"},
    "empty": {"kind": "empty"},
    "400": {"kind": "400", "message": "Something is wrong with it"},
    "429": {"kind": "429"},
    "502": {"kind": "502"},
    "503": {"kind": "503"},
    "504": {"kind": "504"},
    "slow": {"kind": "slow", "seconds": 3 * SHORT_S},
    "cut": {"kind": "cut"},
    "expire": {"kind": "expire"},
}
COLUMNS = ("down", *FAULTS)
AFTER_THE_WORK = ("slow", "cut")

# API sheet 18, hit once. again: a second request succeeds; look, unknown: LostError with and without `look_up` after one
# request; found: the answer was lost, what should be there is read back by its name (look: it is not there); refused:
# RefusedError after one request (auth: AuthError); once: it does not concern this request.
ONCE = """
                   down   refuse   empty    400      429    502      503      504      slow     cut      expire
read               again  again    again    refused  again  again    again    again    again    again    again
update profile     again  again    again    refused  again  again    again    again    again    again    again
switch interests   again  again    again    refused  again  again    again    again    again    again    again
update many        again  again    again    refused  again  again    again    again    again    again    again
update moving      again  look     look     refused  again  look     again    look     look     look     again
upsert             again  look     look     refused  again  look     look     look     look     look     again
create profile     again  look     look     refused  again  look     look     look     look     look     again
create subprofile  again  look     look     refused  again  look     look     look     look     look     again
delete             again  again    again    refused  again  again    again    again    again    again    again
import             again  unknown  unknown  refused  again  unknown  unknown  unknown  unknown  unknown  again
set-up             down   look     look     refused  again  look     look     look     found    found    again
token              again  again    again    auth     again  again    again    again    again    again    once
"""

# The same with the fault that never ends. spent: BudgetSpentError, down: NotSentError, auth: AuthError after two requests.
ALWAYS = {"down": "down", "429": "spent", "expire": "auth"}


def rows_of(table: str) -> dict[tuple[str, str], str]:
    """Read a table: columns are named by its first line, rows by what stands left of them."""
    head, *lines = (line for line in table.splitlines() if line.strip())
    names = head.split()
    found = {}
    for line in lines:
        words = line.split()
        cells = words[-len(names) :]
        found |= {(" ".join(words[: -len(names)]), name): cell for name, cell in zip(names, cells, strict=True)}
    return found


CELLS = rows_of(ONCE)
Connect = Callable[..., Stand]


@pytest.fixture
def connect(sandbox: Sandbox, world: World) -> Iterator[Connect]:
    """Make the stand; its client has asked for nothing yet, and the journal is empty."""
    opened: list[Client] = []

    def client(outside: Outside, read_s: float = READ_S) -> Client:
        limits = Options(connect_s=READ_S, read_s=read_s, import_read_s=read_s, retry_budget_s=BUDGET_S)
        opened.append(Client(sandbox.token, "v4", sandbox.api_url, sandbox.auth_url, limits, outside))
        return opened[-1]

    def make(read_s: float = READ_S, outside: Outside | None = None, fresh: bool = False) -> Stand:
        first = client(world.outside)
        database = first.structure("Shop")
        profile = first.create_profile(database, {"Nr": "17", "City": "Delft"})
        asking = client(outside or world.outside, read_s)
        if not fresh:
            asking.identity()  # it has its token
        sandbox.world.journal.clear()
        world.waits.clear()
        world.calls.clear()
        return Stand(sandbox, asking, database, profile)

    yield make
    for one in opened:
        one.close()


def fault(column: str, request: Request, **more: Any) -> dict[str, Any]:
    return {**FAULTS[column], "method": request.method, "path": request.path, **more}


def ending(request: Request, stand: Stand) -> str:
    """Do the call and name how it ended; the promise of `maybe_sent` is that it is never False where it was done."""
    name, error = outcome(request, stand)
    assert error is None or error.maybe_sent is (name in ("look", "unknown"))
    return name


def outcome(request: Request, stand: Stand) -> tuple[str, ApiError | None]:
    """Do the call; name how it ended, and give the error."""
    try:
        request.call(stand)
    except LostError as error:
        return "look" if error.look_up else "unknown", error
    except ApiError as error:
        return {NotSentError: "down", BudgetSpentError: "spent", RefusedError: "refused", AuthError: "auth"}[
            type(error)
        ], error
    return "done", None


def test_the_table_is_whole() -> None:
    """Every kind of request that the client knows against every fault of a connection that the sandbox knows."""
    assert {request.kind for request in REQUESTS.values()} == set(Kind)
    assert set(CELLS) == {(name, column) for name in REQUESTS for column in COLUMNS}


@pytest.mark.parametrize("column", FAULTS)
@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.provokes("async_call")
def test_a_fault_that_hits_once(sandbox: Sandbox, connect: Connect, world: World, name: str, column: str) -> None:
    """The outcome of the table; sent twice only where that is right, and the work is done at most once."""
    request, wanted = REQUESTS[name], CELLS[name, column]
    stand = connect(SHORT_S if column == "slow" else READ_S, fresh=name == "token")
    sandbox.set_faults([fault(column, request, times=1)])
    assert ending(request, stand) == {"again": "done", "found": "done", "once": "done"}.get(wanted, wanted)
    assert request.sent(stand) == (2 if wanted == "again" else 1)
    arrived = wanted in ("again", "once") or column in AFTER_THE_WORK
    if not (column == "slow" and request.kind is Kind.IMPORT):
        assert request.done(stand) == int(arrived or request.kind is Kind.READ)
    assert sum(world.waits) <= BUDGET_S
    assert [one["code"] for one in sandbox.hazards()] == []


@pytest.mark.parametrize("column", [column for column in FAULTS if column != "slow"])
@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.provokes("async_call")
def test_a_fault_that_stays(sandbox: Sandbox, connect: Connect, world: World, name: str, column: str) -> None:
    """What may be repeated is, until the budget is spent, and not for long after; what may not is sent once."""
    request = REQUESTS[name]
    stand = connect(fresh=name == "token")
    sandbox.set_faults([fault(column, request)])
    once = CELLS[name, column]
    wanted = {"again": ALWAYS.get(column, "spent"), "found": "done", "once": "done"}.get(once, once)
    ended, sent, waited_s = outcome(request, stand)[0], request.sent(stand), sum(world.waits)
    assert ended == wanted
    if wanted == "spent":
        # 0.5 + 1 + 2 + 4 + 8 + 16 s is what fits into 60; the shared pace after a refusal makes it fewer.
        assert 3 <= sent <= 7
        assert BUDGET_S / 3 <= waited_s <= BUDGET_S + 5
    else:
        assert sent == (2 if column == "expire" and wanted == "auth" else 1)
        assert waited_s <= 5


def is_listening(url: str) -> bool:
    parts = urlsplit(url)
    with socket.socket() as probe:
        return probe.connect_ex((parts.hostname or "", parts.port or 0)) == 0


@pytest.mark.parametrize("name", [name for name in REQUESTS if name != "set-up"])
@pytest.mark.provokes("async_call")
def test_nobody_listens_for_a_while(sandbox: Sandbox, connect: Connect, world: World, name: str) -> None:
    """Nothing was sent, so everything goes out again, on and on; once the door is open it arrives once."""
    request = REQUESTS[name]

    def sleep(seconds: float) -> None:
        world.sleep(seconds)
        while len(world.waits) > 2 and not is_listening(sandbox.api_url):
            pass  # the third wait lasts until somebody listens

    stand = connect(fresh=name == "token", outside=Outside(world.clock, world.clock, lambda: 0.01, sleep))
    shut(sandbox, connect)
    assert ending(request, stand) == "done"
    assert 1 <= request.sent(stand) <= 2
    assert request.done(stand) == 1
    assert len(world.waits) >= 2


@pytest.mark.parametrize("name", REQUESTS)
def test_nobody_listens_at_all(connect: Connect, world: World, name: str) -> None:
    """After the budget it is certain that nothing was sent; a set-up POST cannot even be looked for."""
    stand = connect()
    nowhere = Client("sandbox", "v3", "http://127.0.0.1:9", "http://127.0.0.1:9/", _limits(), world.outside)
    with nowhere:
        away = Stand(stand.sandbox, nowhere, stand.database, stand.profile)
        assert ending(REQUESTS[name], away) == "down"
    assert world.waits == [0.5, 1, 2, 4, 8, 16]
    assert stand.sandbox.journal() == []


def _limits() -> Options:
    return Options(connect_s=READ_S, read_s=READ_S, retry_budget_s=BUDGET_S)


def shut(sandbox: Sandbox, connect: Connect) -> None:
    """Let nobody listen for a moment, by a request of somebody else."""
    sandbox.set_faults([{"kind": "refuse", "path": "/shut", "for_s": 0.25}])
    parts = urlsplit(sandbox.api_url)
    with socket.create_connection((parts.hostname, parts.port)) as door:
        door.sendall(b"GET /shut HTTP/1.1\r\nHost: x\r\n\r\n")
        door.settimeout(10)
        with suppress(ConnectionResetError):
            door.recv(1)
    sandbox.world.journal.clear()


@pytest.mark.parametrize("http_date", [False, True])
@pytest.mark.parametrize(
    ("name", "kind"),
    [(name, kind) for (name, kind), cell in CELLS.items() if kind in ("429", "503") and cell == "again"],
)
@pytest.mark.provokes("async_call")
def test_retry_after_is_kept_to(
    sandbox: Sandbox, connect: Connect, world: World, name: str, kind: str, http_date: bool
) -> None:
    """In seconds and as a date: by whatever may go out again after it."""
    request = REQUESTS[name]
    outside = Outside(world.clock, time.time, lambda: 0.5, world.sleep)
    stand = connect(outside=outside, fresh=name == "token")
    sandbox.set_faults([fault(kind, request, times=1, retry_after=40, http_date=http_date)])
    assert ending(request, stand) == "done"
    assert 37 <= max(world.waits) <= 40
    assert request.sent(stand) == 2
