"""The parts of the per-profile method by themselves: rows, what is kept, lost answers, the ledger's records of rows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.copernica import ApiError, LostError, NotSentError
from pipeline.load.profiles.lookup import KEPT_S, Kept
from pipeline.load.profiles.rows import RowReader, SubprofileRow
from pipeline.load.profiles.sending import PresentError, send_or_find
from pipeline.model.row_state import RowEntry, RowState, Why
from pipeline.state.ledger import Ledger
from pipeline.state.row_records import RowRecords
from tests.profiles.shop import Shop, Terms, columns_of, keys_of, sets_of, staged

ROWS: list[dict[str, str | None]] = [
    {"CustomerID": "É1", "City": None, "interest.news": "No", "Order.OrderID": "O1", "Order.Total": None},
    {"CustomerID": "C2", "City": "Ede", "interest.news": None, "Order.OrderID": None, "Order.Total": None},
    {"CustomerID": "e1", "City": "", "interest.news": "Yes", "Order.OrderID": None, "Order.Total": None},
]


def reader(ignore_empty: bool) -> RowReader:
    return RowReader(sets_of(columns_of(ROWS)), keys_of(ROWS, Terms()), ignore_empty=ignore_empty)


def test_rows_are_grouped_by_keys_that_may_be_the_same() -> None:
    """Groups in the order of their first rows, rows in their own; nothing is lost."""
    groups = reader(True).groups(staged(ROWS, Terms()))
    assert [[row.position for row in group] for group in groups] == [[0, 2], [1]]
    assert [row.key for group in groups for row in group] == [("É1",), ("e1",), ("C2",)]


def test_an_empty_cell_is_left_out_or_sent_empty_and_a_null_interest_never_sent() -> None:
    """What a row writes, with and without ignore_empty_fields."""
    first, third, second = (row for group in reader(True).groups(staged(ROWS, Terms())) for row in group)
    assert first.fields == {"CustomerID": "É1"}
    assert first.interests == {"news": False}
    assert first.subprofiles == (SubprofileRow("Order", ("O1",), {"OrderID": "O1"}),)
    assert (second.interests, second.subprofiles) == ({}, ())
    assert third.interests == {"news": True}
    first, third, second = (row for group in reader(False).groups(staged(ROWS, Terms())) for row in group)
    assert first.fields == {"CustomerID": "É1", "City": ""}
    assert first.subprofiles == (SubprofileRow("Order", ("O1",), {"OrderID": "O1", "Total": ""}),)
    assert (second.fields, second.subprofiles) == ({"CustomerID": "C2", "City": "Ede"}, ())
    assert third.fields == {"CustomerID": "e1", "City": ""}


def test_rows_without_key_fields_are_each_their_own_group() -> None:
    """Nothing relates them, so that all may go at one time."""
    rows = [{"City": "Ede"}, {"City": "Ede"}]
    terms = Terms("add", ())
    groups = RowReader(sets_of(columns_of(rows)), keys_of(rows, terms), ignore_empty=True).groups(staged(rows, terms))
    assert [len(group) for group in groups] == [1, 1]


class Clock:
    """Time that moves when it is told to."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_what_was_used_longest_ago_is_forgotten_when_there_is_too_much() -> None:
    """Memory stays within its bound, by the size of the values; what is asked for stays longest."""
    kept: Kept[str, tuple[int, ...]] = Kept(5, len, Clock())
    for key, size in [("a", 2), ("b", 2)]:
        kept.put(key, tuple(range(size)))
    assert kept.get("a") == (0, 1)
    assert not kept.dropped
    kept.put("c", (0, 1))
    assert (kept.get("a"), kept.get("b"), kept.get("c")) == ((0, 1), None, (0, 1))
    assert kept.dropped
    kept.put("d", tuple(range(9)))  # one that is too big alone is kept alone
    assert (kept.get("a"), kept.get("c"), kept.get("d")) == (None, None, tuple(range(9)))


def test_what_is_old_is_looked_up_again() -> None:
    """A write to a profile that was removed meanwhile succeeds without effect; a fresh lookup would not find it."""
    clock = Clock()
    kept: Kept[str, int] = Kept(5, lambda _: 1, clock)
    kept.put("a", 1)
    clock.now_s = KEPT_S
    assert kept.get("a") == 1
    clock.now_s = KEPT_S + 1
    assert kept.get("a") is None


def lost(status: int | None = None, *, look_up: bool = True) -> LostError:
    return LostError("lost", status=status, look_up=look_up)


def raising(errors: list[ApiError]) -> Callable[[], str]:
    def send() -> str:
        if errors:
            raise errors.pop(0)
        return "sent"

    return send


@pytest.mark.parametrize(
    ("errors", "found", "again", "expected"),
    [
        ([], None, True, "sent"),
        ([lost()], "found", True, "found"),
        ([lost(503)], "found", False, "found"),
        ([lost(503), lost(503)], None, True, "sent"),
    ],
)
def test_a_lost_answer_is_looked_up(errors: list[ApiError], found: str | None, again: bool, expected: str) -> None:
    """What the look finds stands for the answer; only after 503 does the request go out again."""
    assert send_or_find(raising(errors), lambda: found, again=again) == expected


@pytest.mark.parametrize(
    ("errors", "again"),
    [
        ([lost()], True),
        ([lost(503)], False),
        ([lost(503, look_up=False)], True),
        ([lost(503), lost(502)], True),
        ([lost(503), lost(503), lost(503)], True),
    ],
)
def test_an_answer_that_stays_lost_is_unknown(errors: list[ApiError], again: bool) -> None:
    """Nothing goes out again, and the error says that it may have been sent."""
    with pytest.raises(LostError) as unknown:
        send_or_find(raising(errors), lambda: None, again=again)
    assert unknown.value.maybe_sent
    assert errors == []


def test_a_look_that_fails_leaves_the_answer_lost() -> None:
    """The error of the look carries that the request before it may have been carried out."""

    def look() -> str:
        raise NotSentError("no connection")

    with pytest.raises(NotSentError) as unknown:
        send_or_find(raising([lost()]), look, again=True)
    assert unknown.value.maybe_sent


@pytest.mark.parametrize(("status", "raised"), [(503, PresentError), (502, LostError), (None, LostError)])
def test_a_record_that_is_there_in_another_way_stops_the_second_try(status: int | None, raised: type[ApiError]) -> None:
    """It is taken for present after a 503 only; either way nothing goes out again."""

    def look() -> str:
        raise PresentError

    errors: list[ApiError] = [lost(status)]
    with pytest.raises(LostError) as unknown:
        send_or_find(raising(errors), look, again=True)
    assert type(unknown.value) is raised
    assert unknown.value.maybe_sent


@pytest.fixture
def records(tmp_path: Path) -> Iterator[RowRecords]:
    ledger = Ledger(tmp_path)
    yield ledger.rows_of("run", 1)
    ledger.close()


def test_the_ledger_tells_what_is_recorded_of_each_row(records: RowRecords) -> None:
    """States, messages and the ids of POSTs; a POST that made nothing leaves no trace."""
    records.window([7, 8, 9])
    records.posting(7, "profile")
    records.posted(7, "profile", 501)
    records.posting(7, "subprofile of 501 in collection 3")
    records.posting(8, "profile")
    records.unposted(8, "profile")
    records.ended(8, RowState.UNKNOWN, Why("answer_lost", "", "no"))
    assert records.entries() == {
        7: RowEntry(
            RowState.SENDING,
            "",
            {"profile": 501, "subprofile of 501 in collection 3": None},
        ),
        8: RowEntry(RowState.UNKNOWN, "no"),
        9: RowEntry(RowState.SENDING),
    }
    assert records.has_posted_profiles()
    assert records.made_among("profile", [500, 501, 502]) == {501}
    records.reopen()
    assert records.entries()[8].state is RowState.SENDING


def test_many_threads_write_to_the_ledger_at_once(records: RowRecords) -> None:
    """What a verb has returned for is on disk, whoever's commit it went with."""
    missing: list[int] = []

    def work(first: int) -> None:
        for position in range(first, first + 40):
            records.window([position])
            records.ended(position, RowState.CREATED)
            if records.entries()[position].state is not RowState.CREATED:
                missing.append(position)

    threads = [threading.Thread(target=work, args=(number * 1000,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert missing == []
    assert len(records.entries()) == 240


def test_profiles_are_worked_on_in_parallel_and_each_in_order(shop: Shop) -> None:
    """Several profiles are in work at one time; the rows of one never overtake each other."""
    shop.add({"CustomerID": "C0"})
    shop.sandbox.set_faults([{"kind": "slow", "seconds": 0.02, "path": "*/profile*"}])
    rows = [{"CustomerID": f"C{number % 6}", "City": f"{number:03}"} for number in range(36)]
    loaded = shop.load(rows, Terms(workers=6))
    assert loaded.counted == (36, 0, 0, 0)
    written: dict[str, list[str]] = {}
    for one in shop.sandbox.journal():
        if one["method"] == "PUT":
            fields = one["body"]["fields"]
            written.setdefault(fields["CustomerID"], []).append(fields["City"])
    assert all(cities == sorted(cities) and len(cities) == 6 for cities in written.values())
    order = [one["body"]["fields"]["CustomerID"] for one in shop.sandbox.journal() if one["method"] == "PUT"]
    assert order != sorted(order)  # profiles are mixed, not one after another
