"""Hard stops × nights: signals, power cuts, full disks and clocks that go back; three nights end as three quiet ones."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.faults.test_nights import cities, expected, rows_of, shop_of
from tests.support.command import Ran
from tests.support.disk import Disk, Names, disks
from tests.support.nights import Stop, last_run, leaping, lose_power, open_runs, run_apart, was_taken
from tests.support.shop import Shop
from tests.support.soak import SOAK

pytestmark = pytest.mark.usefixtures("sockets")

OpenShop = Callable[..., Shop]
# The state of a job and of its host, beside the job.
STATE = (".copernica-import", "host", "user-state")
MODES = ("imports", "profiles")
DUMPS = ("full", "delta")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """The disk of the job and its state."""
    yield from disks(tmp_path)


def nights(shop: Shop, dump: str, first: Callable[[], Ran]) -> Ran:
    """Run a night that is stopped and two quiet ones. A dump that no run has taken is brought again, as its error asks for."""
    shop.dump(*rows_of(0, dump))
    before = last_run(shop)
    ran = first()
    assert "Traceback" not in ran.stderr, ran.stderr
    if not was_taken(before, last_run(shop)):
        quiet(shop)
    for number in (1, 2):
        shop.sandbox.advance(24 * 3600)
        shop.dump(*rows_of(number, dump))
        quiet(shop)
    assert cities(shop) == expected(dump)
    assert open_runs(shop) == []
    shop.sandbox.settle(10)
    assert cities(shop) == expected(dump)  # nothing comes late
    return ran


def quiet(shop: Shop) -> None:
    with leaping(shop.sandbox):
        shop.done()


def every(*axes: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Return cases that have every value of each axis, in a soak all combinations of them."""
    if SOAK:
        return list(product(*axes))
    return [tuple(axis[at % len(axis)] for axis in axes) for at in range(max(map(len, axes)))]


@pytest.mark.parametrize(
    ("signal", "mode", "dump", "where"),
    every(
        ("SIGKILL", "SIGTERM", "SIGHUP", "SIGINT"),
        ("profiles", "imports", "profiles", "imports"),
        DUMPS,
        (("post-after", 2), ("post-before", 3)),
    ),
)
def test_a_signal_costs_nothing(open_shop: OpenShop, signal: str, mode: str, dump: str, where: tuple[str, int]) -> None:
    """Behind a request that changes something, or before one: neither lost nor doubled."""
    shop = shop_of(open_shop, mode, dump)
    ran = nights(shop, dump, lambda: run_apart(shop, stop=Stop(*where, signal)))
    # Of those that can be handled the run makes an end.
    assert ran.exit_code == {"SIGTERM": 130, "SIGINT": 130, "SIGHUP": -1, "SIGKILL": -9}[signal], ran.stderr


STEPS = (("post-after", 2), ("ledger-after", 12), ("wire-before", 7), ("post-after", 1))
ALL_STEPS = tuple((where, step) for where, step in STEPS for step in range(1, step + 6))


@pytest.mark.parametrize(
    ("where", "names", "mode", "dump"),
    every(
        tuple(ALL_STEPS) if SOAK else STEPS, ("synced names", "all names", "all names", "synced names"), MODES, DUMPS
    ),
)
def test_a_power_cut_costs_nothing(
    open_shop: OpenShop, disk: Disk, where: tuple[str, int], names: Names, mode: str, dump: str
) -> None:
    """Invariant 7: of every file what was synced is left, and of folders all names or those that were synced."""
    shop = shop_of(open_shop, mode, dump)
    nights(shop, dump, lambda: lose_power(shop, disk, Stop(*where), names))


@pytest.mark.parametrize("names", ["synced names", "all names"])
def test_what_is_on_the_wire_is_on_disk(open_shop: OpenShop, disk: Disk, names: Names) -> None:
    """Invariant 7: the ledger and both registers know an import that a power cut has met, and what was sent before it."""
    shop = shop_of(open_shop, "imports", "full")
    shop.dump(*rows_of(0, "full"))
    lose_power(shop, disk, Stop("post-after", 2), names)
    chunks = asked(shop.state / "ledger.sqlite", "SELECT state FROM chunk ORDER BY ordinal")
    assert chunks == ["confirmed", "sending"]
    registers = [path for name in STATE for path in (shop.job.parent / name).rglob("registers/*.sqlite")]
    assert [asked(path, "SELECT ordinal FROM note") for path in registers] == [[2], [2]]


def asked(path: Path, question: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return [one for (one,) in connection.execute(question)]


def test_a_run_whose_folder_is_lost_ends(open_shop: OpenShop) -> None:
    """A disk that was restored, or a folder that somebody deleted: its run stays open for nobody."""
    shop = shop_of(open_shop, "imports", "full")
    shop.dump(*rows_of(0, "full"))
    run_apart(shop, stop=Stop("post-after", 1))
    shutil.rmtree(shop.state / "runs")
    shop.sandbox.advance(24 * 3600)
    quiet(shop)
    assert open_runs(shop) == []
    assert set(cities(shop).values()) == {"Ede"}


@pytest.mark.parametrize(
    ("share", "mode"), every([at / 20 for at in range(1, 20)] if SOAK else [0.3], MODES if SOAK else ("imports",))
)
def test_a_full_disk_costs_nothing(open_shop: OpenShop, disk: Disk, share: float, mode: str) -> None:
    """Before anything is sent or in the midst of it; with room again the nights go on by themselves."""
    whole = shop_of(open_shop, mode, "full")
    whole.dump(*rows_of(0, "full"))
    written = disk.library.parent / "written"
    run_apart(whole, disk=disk.environment(DISK_COUNT=written))
    for name in STATE:
        shutil.rmtree(whole.folder / name, ignore_errors=True)
    whole.sandbox.reset()
    room = int(int(written.read_text()) * share)
    ran = nights(whole, "full", lambda: run_apart(whole, disk=disk.environment(DISK_BYTES=room)))
    assert ran.exit_code in (3, 6) or share > 0.8, ran.stderr


@pytest.mark.parametrize(
    ("lost", "syncs", "dump"), every((True, False), range(0, 60, 6) if SOAK else (0, 30), DUMPS[::-1])
)
def test_a_clock_that_is_set_back_an_hour_costs_nothing(
    open_shop: OpenShop, disk: Disk, lost: bool, syncs: int, dump: str
) -> None:
    """In the second night, from its start or in its midst; also behind a night that has left an import on its way."""
    shop = shop_of(open_shop, "imports", dump)
    shop.dump(*rows_of(0, dump))
    shop.sandbox.set_faults([{"kind": "cut", "method": "POST", "path": "*/imports", "nth": 2}] if lost else [])
    assert shop.run(*(["load.wait_s=0"] if lost else [])).exit_code == (6 if lost else 0)
    shop.sandbox.set_faults([])
    shop.dump(*rows_of(1, dump))
    ran = run_apart(shop, disk=disk.environment(CLOCK_BACK_S=3600, CLOCK_AFTER_SYNCS=syncs))
    assert ran.exit_code == 0, ran.stderr
    shop.dump(*rows_of(2, dump))
    quiet(shop)
    assert cities(shop) == expected(dump)
    assert open_runs(shop) == []
