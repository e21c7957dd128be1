"""A process that ends at any verb of the ledger is gone on with: nothing is sent twice that must not be, nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pipeline.load.loop import entry_of, recorded
from pipeline.load.methods import ChunkLog
from pipeline.model.outcome import Ending
from pipeline.model.row_state import RowState
from pipeline.state.chunk_records import ChunkState
from tests.profiles.shop import Loaded, Shop, Terms, chunk_of
from tests.profiles.wrapped import CrashAt, CrashError, Wrapped

Opens = Callable[[str], Shop]
ROWS: list[dict[str, str | None]] = [
    {"CustomerID": "C1", "City": "Delft", "interest.news": "Yes", "Order.OrderID": "O1", "Visit.VisitID": None},
    {"CustomerID": "C1", "City": "Gouda", "interest.news": "Yes", "Order.OrderID": "O2", "Visit.VisitID": "V1"},
    {"CustomerID": "C2", "City": "Ede", "interest.news": None, "Order.OrderID": "O1", "Visit.VisitID": None},
]


def crash(shop: Shop, rows: list[dict[str, str | None]], terms: Terms, at: int, *, kept: bool) -> bool:
    """Load until the n-th verb; say whether there was one."""
    try:
        shop.load(rows, terms, log=CrashAt(at, kept=kept), run="crashed")
    except CrashError:
        return True
    return False


def at_every_verb(
    open_shop: Opens, version: str, terms: Terms, kept: bool, then: Callable[[Shop, Loaded], None]
) -> int:
    """Crash at the first verb, the second and so on, each in a shop of its own, and go on; give how many there were."""
    at = 0
    while True:
        at += 1
        first = open_shop(version)
        first.sandbox.reset()
        first.folder = first.folder / f"crash-{at}"
        first.add({"CustomerID": "C2", "City": "Goes"}, ["offers"])
        if not crash(first, ROWS, terms, at, kept=kept):
            return at - 1
        if [chunk.state for chunk in first.ledger().chunks("crashed")] == [ChunkState.CONFIRMED]:
            continue  # the last verb was on disk: nothing is left to be done
        then(first, first.load(ROWS, terms, run="crashed"))


FINAL: dict[str, list[dict[str, Any]]] = {
    "update or add": [
        {"CustomerID": "C2", "City": "Ede", "interests": ["offers"], "Order": [{"OrderID": "O1"}]},
        {
            "CustomerID": "C1", "City": "Gouda", "interests": ["news"],
            "Order": [{"OrderID": "O1"}, {"OrderID": "O2"}], "Visit": [{"VisitID": "V1"}],
        },
    ],
    "ignore or add": [
        {"CustomerID": "C2", "City": "Goes", "interests": ["offers"], "Order": [{"OrderID": "O1"}]},
        {
            "CustomerID": "C1", "City": "Delft", "interests": ["news"],
            "Order": [{"OrderID": "O1"}, {"OrderID": "O2"}], "Visit": [{"VisitID": "V1"}],
        },
    ],
}  # fmt: skip


@pytest.mark.parametrize("kept", [False, True], ids=["before the disk", "after the disk"])
@pytest.mark.parametrize(("action", "version"), [("update or add", "v4"), ("ignore or add", "v1")])
def test_what_may_be_repeated_ends_as_without_a_crash(open_shop: Opens, action: str, version: str, kept: bool) -> None:
    """Wherever the process ended, the second one completes every row and makes nothing twice."""

    def check(shop: Shop, loaded: Loaded) -> None:
        assert loaded.counted == (3, 0, 0, 0)
        assert loaded.outcome.ending is Ending.CONFIRMED
        assert shop.contents() == FINAL[action]

    assert at_every_verb(open_shop, version, Terms(action, workers=1), kept, check) >= 10


@pytest.mark.parametrize("kept", [False, True], ids=["before the disk", "after the disk"])
@pytest.mark.parametrize("version", ["v1", "v4"])
def test_an_added_row_is_never_sent_twice(open_shop: Opens, version: str, kept: bool) -> None:
    """A POST whose end was not recorded is looked for: found, its row goes on; else it is unknown and holds its profile."""
    whole = [
        {
            "CustomerID": "C1", "City": "Delft", "interests": ["news"],
            "Order": [{"OrderID": "O1"}, {"OrderID": "O2"}], "Visit": [{"VisitID": "V1"}],
        },
        {"CustomerID": "C2", "City": "Ede", "Order": [{"OrderID": "O1"}]},
    ]  # fmt: skip
    endings = []

    def check(shop: Shop, loaded: Loaded) -> None:
        found = shop.contents()[1:]
        confirmed, failed, unknown, unsent = loaded.counted
        endings.append(unknown)
        assert failed == 0
        if not unknown:
            assert (confirmed, found) == (3, whole)
            return
        assert (loaded.outcome.ending, unknown) == (Ending.UNKNOWN, 1)
        assert confirmed + unsent == 2
        assert len({one["CustomerID"] for one in found}) == len(found)
        for one in found:
            orders = [order["OrderID"] for order in one.get("Order", [])]
            assert len(set(orders)) == len(orders)
            assert len(one.get("Visit", [])) <= 1

    verbs = at_every_verb(open_shop, version, Terms("add", workers=1), kept, check)
    posts = 6  # two profiles, three orders, a visit
    assert verbs == len(["sending", "window", "flush", "ended"]) + 2 * posts + len(ROWS)
    # "after the disk" ends before the POST goes out, "before the disk" when it has made something.
    assert sum(endings) == (posts if kept else 0)


def test_recorded_rows_are_counted_and_not_sent_again(shop: Shop) -> None:
    """Carrying a finished chunk again sends nothing and counts the same, failed and unmatched rows included."""
    shop.add({"CustomerID": "C1"})
    shop.add({"CustomerID": "c1"})
    shop.add({"CustomerID": "C2"})
    rows = [{"CustomerID": key, "City": "Ede"} for key in ("C1", "C2", "C3")]
    first = shop.load(rows, Terms("update"), run="again")
    before = len(shop.calls)
    second = shop.load(rows, Terms("update"), run="again")
    canaries = 3
    assert len(shop.calls) - before == canaries
    assert first.counted == second.counted == (2, 1, 0, 0)
    assert first.outcome.unmatched == second.outcome.unmatched == 1
    assert first.outcome.message == second.outcome.message
    assert second.failed == []
    assert dict(first.way.counts) == dict(second.way.counts)


def test_rows_that_ended_badly_can_be_opened_again(shop: Shop) -> None:
    """Once it is decided, failed and unknown rows are sent again; each after a lookup of its own."""
    shop.add({"CustomerID": "X"})
    shop.sandbox.set_faults([{"kind": "empty", "method": "PUT", "times": 1}])
    rows = [{"CustomerID": "C1", "City": "Ede"}, {"CustomerID": "C1", "City": "Goes"}]
    assert shop.load(rows, run="opened").counted == (0, 0, 1, 1)

    opened: list[int] = []

    def reopening(log: Any) -> ChunkLog:
        opened.append(log.rows.reopen([RowState.UNKNOWN, RowState.FAILED]))
        return Wrapped(log)

    again = shop.load(rows, run="opened")
    assert again.counted == (0, 0, 1, 1)
    last = shop.load(rows, run="opened", log=reopening)
    assert opened == [1]
    assert last.counted == (2, 0, 0, 0)
    assert shop.contents() == [{"CustomerID": "X"}, {"CustomerID": "C1", "City": "Goes"}]


def test_a_post_that_was_refused_is_not_taken_for_one_that_was_lost(shop: Shop) -> None:
    """Nothing was made: when the row is opened again the POST goes out again."""
    shop.sandbox.set_switches({"long_text": "fail"})
    shop.provoked.add("text_too_long")
    rows = [{"CustomerID": "C1", "City": "x" * 400}]
    terms = Terms("add", ("CustomerID",))
    assert shop.load(rows, terms, run="refused").counted == (0, 1, 0, 0)
    shop.sandbox.set_switches({"long_text": "truncate"})

    def reopening(log: Any) -> ChunkLog:
        assert log.rows.reopen([RowState.FAILED]) == 1
        return Wrapped(log)

    assert shop.load(rows, terms, run="refused", log=reopening).counted == (1, 0, 0, 0)


def test_nothing_of_a_customer_stands_in_the_ledger(shop: Shop) -> None:
    """Positions, states, ids and Copernica's words; no key, no value."""
    shop.provoked.add("text_too_long")
    shop.sandbox.set_switches({"long_text": "fail"})
    rows = [
        {"CustomerID": "Jansen-K", "City": "Zoutkamp", "Order.OrderID": "Order-77"},
        {"CustomerID": "Pietersen", "City": "Zoutkamp" * 50, "Order.OrderID": None},
    ]
    shop.load(rows, Terms("ignore or add"))
    for one in shop._opened:
        one.close()
    stored = b"".join(path.read_bytes() for path in (shop.folder / "state").iterdir())
    assert b"Invalid data provided" in stored
    for secret in (b"Jansen", b"Pietersen", b"Zoutkamp", b"Order-77", shop.sandbox.token.encode() + b"="):
        assert secret not in stored


@pytest.mark.parametrize("version", ["v1", "v4"])
def test_a_key_that_goes_on_in_the_next_chunk_is_added_once(open_shop: Opens, version: str) -> None:
    """Its profile is known from the ledger, also to another process; one that was there before is not taken for it."""
    shop = open_shop(version)
    shop.add({"CustomerID": "C1", "City": "Goes"})
    rows: list[dict[str, str | None]] = [
        {"CustomerID": "C1", "City": "Ede", "Order.OrderID": "O1"},
        {"CustomerID": "c1", "City": "Tiel", "Order.OrderID": "O2"},
        {"CustomerID": "C2", "City": "Tiel", "Order.OrderID": "O1"},
    ]
    shop.load(rows[:1], Terms("add"), run="chain", ordinal=1)
    shop.load(rows[1:], Terms("add"), run="chain", ordinal=2)
    assert shop.contents() == [
        {"CustomerID": "C1", "City": "Goes"},
        {"CustomerID": "C1", "City": "Ede", "Order": [{"OrderID": "O1"}, {"OrderID": "O2"}]},
        {"CustomerID": "C2", "City": "Tiel", "Order": [{"OrderID": "O1"}]},
    ]


@pytest.mark.parametrize(("verb", "city"), [("posted", None), ("ended", "Goes")])
def test_rows_on_the_wire_when_the_process_is_stopped_are_unknown(shop: Shop, verb: str, city: str | None) -> None:
    """What the ledger tells of a chunk that broke off: a row is confirmed or, where it may have been sent, unknown."""
    if city is not None:
        shop.add({"CustomerID": "C2", "City": city})
    ended: list[object] = []

    def stop(*_: object) -> None:
        ended.append(0)
        if verb == "posted" or len(ended) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shop.load(
            ROWS, Terms("ignore or add", workers=1), log=lambda log: Wrapped(log, before={verb: stop}), run="stopped"
        )
    report = recorded(shop.ledger().chunks("stopped"))
    confirmed = 0 if verb == "posted" else 2
    assert report.rows == {"confirmed": confirmed, "failed": 0, "unknown": 3 - confirmed, "unsent": 0}
    loaded = shop.load(ROWS, Terms("ignore or add"), run="stopped")
    assert loaded.counted == (3, 0, 0, 0)
    assert len(shop.contents()) == 2


def test_rows_of_an_import_on_the_wire_are_unknown(shop: Shop) -> None:
    """The ledger has the chunk as `sending`: the import may have arrived."""
    record = shop.ledger().chunk("stopped", entry_of(chunk_of(ROWS, Terms())), "imports")
    record.sending("2026-01-02T03:04:05+00:00")
    assert recorded(shop.ledger().chunks("stopped")).rows == {"confirmed": 0, "failed": 0, "unknown": 3, "unsent": 0}
    record.submitted(7)
    assert recorded(shop.ledger().chunks("stopped")).rows == {"confirmed": 0, "failed": 0, "unknown": 0, "unsent": 3}
