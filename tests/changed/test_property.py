"""Random nights: `send: changed` leaves what `send: all` leaves, with no more writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.sandbox import Sandbox
from tests.support.job import job_text
from tests.support.journey import words_of
from tests.support.nights import Stop, last_run, leaping, run_apart, was_taken
from tests.support.shop import JOB, SCHEMA, STRUCTURE, Shop
from tests.support.soak import SOAK

pytestmark = pytest.mark.usefixtures("sockets")

HEADER = "Nr,City,Points,interest.news,Order.No,Order.Total"
CHANGED = "load.send=changed"


@dataclass(frozen=True)
class Night:
    """One night: rows of the dump, rows of another job that writes City, and whether somebody edits a record after it."""

    rows: tuple[str, ...]
    other: tuple[str, ...]
    edited: bool


cells = {
    "nr": st.sampled_from(["1", "2", "2", "3", "A", "a"]),
    "city": st.sampled_from(["", "Ede", "Tiel", "Goes"]),
    "points": st.sampled_from(["", "0", "7", "x"]),  # x is a reject
    "news": st.sampled_from(["", "", "yes", "no"]),
    "no": st.sampled_from(["", "P", "p", "Q"]),
    "total": st.sampled_from(["", "1.50", "2"]),
}
row = st.builds(
    lambda nr, city, points, news, no, total: ",".join((nr, city, points, news, no, total if no else "")), **cells
)
night = st.builds(
    Night,
    rows=st.lists(row, min_size=1, max_size=6).map(tuple),
    other=st.lists(st.builds("{},{}".format, cells["nr"], st.sampled_from(["Hoorn", "Ede"])), max_size=2).map(tuple),
    edited=st.booleans(),
)
nights = st.lists(night, min_size=2, max_size=4)


@contextmanager
def shop_of(ignore_empty: bool) -> Iterator[Shop]:
    with Sandbox(structure=STRUCTURE) as sandbox, TemporaryDirectory() as folder:
        shop = Shop(sandbox, Path(folder))
        zeros = SCHEMA.replace("Integer(nullable", 'Integer(empty="0", nullable')
        zeros = zeros.replace('alias="Order.Total", nullable', 'alias="Order.Total", empty="0", nullable')
        shop.write("schema.py", SCHEMA if ignore_empty else zeros)
        shop.write(
            "job.yaml",
            job_text(
                JOB,
                {
                    "schema": "schema.py:All",
                    "target.key_fields": ["Nr", "Order.No"],
                    "target.ignore_empty_fields": ignore_empty,
                    "guards.max_rejects": 99,
                    "guards.min_records": 0,
                    "guards.unique_keys": "off",
                },
            ),
        )
        yield shop


OTHER = ("job=other", "schema=schema.py:Shop", "target.key_fields=[Nr]")


def run(shop: Shop, night: Night, *settings: str) -> None:
    """Do what happens in a night."""
    shop.dump(*night.rows, header=HEADER)
    shop.done(*settings)
    run_other(shop, night, *settings)


def run_other(shop: Shop, night: Night, *settings: str) -> None:
    """Run the other job, where it has something this night."""
    if night.other:
        shop.dump(*night.other)
        shop.done(*OTHER, *settings)


def edit(shop: Shop) -> None:
    """Change a record from another host, which knows nothing of what was confirmed here."""
    shop.dump("2,Elsewhere")
    elsewhere = str(shop.folder / "elsewhere")
    ran = shop.call("run", shop.job, *words_of(OTHER), "--state-dir", elsewhere, COPERNICA_HOST_DIR=elsewhere)
    assert ran.exit_code == 0


@settings(max_examples=SOAK * 5 or 3, suppress_health_check=list(HealthCheck))
@given(plan=nights, ignore_empty=st.booleans())
def test_random_nights_leave_the_same_database(plan: list[Night], ignore_empty: bool) -> None:
    """Data rules 41-43: whatever the dumps hold, and whoever else writes; once nobody from outside has, or all is old."""
    with shop_of(ignore_empty) as everything, shop_of(ignore_empty) as changed:
        edited = False
        for night in plan:
            run(everything, night)
            run(changed, night, CHANGED)
            assert edited or changed.contents() == everything.contents()
            assert len(changed.posted()) <= len(everything.posted())
            if night.edited:
                edit(everything)
                edit(changed)
                edited = True
        run(everything, plan[-1])
        run(changed, plan[-1], CHANGED, "load.full_every=0d")
        assert changed.contents() == everything.contents()


# What a night may bring. A refusal for good is not among it: its rows would be set aside.
POST, POLL = {"method": "POST", "path": "*/imports"}, {"method": "GET", "path": "*/import/*"}
faults = st.one_of(
    st.builds(
        lambda kind, nth: {"kind": kind, "nth": nth, **POST},
        st.sampled_from(["cut", "empty", "503"]),
        st.integers(1, 4),
    ),
    st.builds(
        lambda kind, nth: {"kind": kind, "nth": nth, **POLL}, st.sampled_from(["502", "html", "400"]), st.integers(1, 4)
    ),
    st.builds(
        lambda kind, nth: {"kind": kind, "nth": nth}, st.sampled_from(["false_counters", "hang"]), st.integers(1, 3)
    ),
    st.builds(
        lambda nth, after: {"kind": "fail", "nth": nth, "after_rows": after}, st.integers(1, 3), st.integers(0, 2)
    ),
    st.just({"kind": "delay", "seconds": 1800}),
)
places = st.sampled_from(["ledger-before", "ledger-after", "wire-before", "wire-after", "post-after"])
stops = st.none() | st.builds(Stop, places, st.integers(1, 40))
bad_nights = st.lists(st.tuples(night, st.lists(faults, max_size=2), stops), min_size=2, max_size=4)


def survive(shop: Shop, bad: list[dict[str, Any]], stop: Stop | None, *settings: str) -> None:
    """Run a night with its faults and its kill; bring a dump again that was not taken, and finish a run that is open."""
    before = last_run(shop)
    shop.sandbox.set_faults(bad)
    run_apart(shop, *settings, stop=stop) if stop else patient(shop, *settings)
    shop.sandbox.set_faults([])
    if not was_taken(before, last_run(shop)):
        patient(shop, *settings)
    while (last := last_run(shop)) is not None and last["open"]:
        shop.sandbox.advance(3700)
        with leaping(shop.sandbox):
            assert shop.resume().exit_code in (0, 6)
    assert last is not None
    assert last["exit_code"] == 0 or last["status"] == "incomplete", last


def patient(shop: Shop, *settings: str) -> None:
    with leaping(shop.sandbox):
        shop.run(*settings)


@settings(max_examples=SOAK * 3 or 2, deadline=None, suppress_health_check=list(HealthCheck))
@given(plan=bad_nights, ignore_empty=st.booleans(), rows=st.sampled_from([1, 2, 100]))
def test_random_nights_of_faults_and_kills_leave_the_same_database(
    plan: list[tuple[Night, list[dict[str, Any]], Stop | None]], ignore_empty: bool, rows: int
) -> None:
    """Data rules 41-43: what faults and kills stop is sent again, never left at home as unchanged."""
    many = f"load.chunk_rows={rows}"
    with shop_of(ignore_empty) as everything, shop_of(ignore_empty) as changed:
        edited = False
        for night, bad, stop in plan:
            run(everything, night, many)
            changed.dump(*night.rows, header=HEADER)
            survive(changed, bad, stop, CHANGED, many)
            run_other(changed, night, CHANGED, many)
            assert edited or changed.contents() == everything.contents()
            if night.edited:
                edit(everything)
                edit(changed)
                edited = True
        run(everything, night)
        run(changed, night, CHANGED, "load.full_every=0d")
        assert changed.contents() == everything.contents()
