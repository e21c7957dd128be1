"""What rows would leave, and which of them have to be sent so that the database ends the same."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.stage.compare import Terms, to_send, with_units
from pipeline.stage.settle import Rules, settle
from pipeline.validate.keys import maybe_same
from tests.stage.test_settle import COLUMNS, KEYS, SETS, numbered, order, profile, visit
from tests.support.soak import SOAK

Row = tuple[str | None, ...]
Stored = dict[str, dict[str, str]]

NAMES = dict(zip(COLUMNS, range(len(COLUMNS)), strict=True))


def terms(*, ignore_empty: bool = True) -> Terms:
    return Terms(KEYS, SETS, ignore_empty, b"0123456789abcdef")


def settled(rows: Sequence[Row], *, ignore_empty: bool) -> pl.DataFrame:
    frame = numbered(list(rows)).with_columns(
        pl.col("ID").map_elements(lambda key: hash(maybe_same(key)) & (2**63 - 1), pl.UInt64).alias("_key")
    )
    return settle(frame, Rules("update or add", KEYS, SETS, ignore_empty)).rows


def confirmed(rows: Sequence[Row], *, ignore_empty: bool) -> set[tuple[object, ...]]:
    """Return the units of rows with their folds, as a run would have confirmed them."""
    _, units = with_units(settled(rows, ignore_empty=ignore_empty), terms(ignore_empty=ignore_empty))
    return set(units.select("level", "profile", "unit", "high", "low").iter_rows())


def sent(rows: Sequence[Row], known: set[tuple[object, ...]], *, ignore_empty: bool) -> list[Row]:
    """Return the rows that would be sent, in the order of sending: by phase, then in file order."""
    with_numbers, units = with_units(settled(rows, ignore_empty=ignore_empty), terms(ignore_empty=ignore_empty))
    differs = [one not in known for one in units.select("level", "profile", "unit", "high", "low").iter_rows()]
    choice = to_send(with_numbers, pl.Series(differs, dtype=pl.Boolean), terms(ignore_empty=ignore_empty))
    return with_numbers.filter(choice.send).sort("_phase", "_seq").select(COLUMNS).rows()


def applied(stored: Stored, rows: Sequence[Row], same: str, *, ignore_empty: bool) -> Stored:
    """Store rows one by one as Copernica would that takes keys for one record under `same`: exact or loose."""
    stored = {key: dict(fields) for key, fields in stored.items()}
    alike = maybe_same if same == "loose" else str

    def write(record: str, columns: Sequence[str], row: Row) -> None:
        fields = stored.setdefault(record, {})
        for column in columns:
            value = row[NAMES[column]]
            if value is None and (ignore_empty or column.startswith("interest.")):
                continue
            fields[column] = value or ""

    for row in rows:
        key = alike(str(row[0]))
        write(key, COLUMNS[:3], row)
        for number, columns in (("Order.No", COLUMNS[3:5]), ("Visit.No", COLUMNS[5:])):
            if row[NAMES[number]] is not None:
                write(f"{key} {number} {alike(str(row[NAMES[number]]))}", columns, row)
    return stored


texts = st.sampled_from([None, "a", "b"])
row = st.tuples(
    st.sampled_from(["K", "k", "é", "e", "L"]),
    texts,
    st.sampled_from([None, "Yes", "No"]),
    st.sampled_from([None, None, "O1", "o1", "O2"]),
    texts,
    st.sampled_from([None, None, None, "V1", "V2"]),
    texts,
).map(lambda one: (*one[:4], one[4] if one[3] else None, one[5], one[6] if one[5] else None))
plain_row = row.map(lambda one: (one[0].upper(), *one[1:3], one[3] and one[3].upper(), *one[4:]))
dump = st.lists(st.one_of(row, plain_row, plain_row), max_size=10)


@settings(max_examples=SOAK * 20 or 80)
@given(
    nights=st.lists(dump, min_size=2, max_size=4), ignore_empty=st.booleans(), same=st.sampled_from(["exact", "loose"])
)
def test_the_database_ends_as_if_all_had_been_sent(nights: list[list[Row]], ignore_empty: bool, same: str) -> None:
    """Data rule 42: for random nights and both settings, whatever spellings of a key Copernica takes for one record."""
    changed: Stored = {}
    everything: Stored = {}
    known: dict[tuple[object, ...], tuple[object, ...]] = {}
    for rows in nights:
        todo = sent(rows, set(known.values()), ignore_empty=ignore_empty)
        everything = applied(
            everything,
            settled(rows, ignore_empty=ignore_empty).sort("_phase", "_seq").select(COLUMNS).rows(),
            same,
            ignore_empty=ignore_empty,
        )
        changed = applied(changed, todo, same, ignore_empty=ignore_empty)
        assert changed == everything
        assert len(todo) <= len(rows)
        _, units = with_units(settled(rows, ignore_empty=ignore_empty), terms(ignore_empty=ignore_empty))
        for unit in units.select("level", "profile", "unit", "high", "low").iter_rows():
            if unit[0] == len(terms().levels) - 1:  # a key that was sent as a whole has no other digests
                known = {at: one for at, one in known.items() if at[1] != unit[1]}
            else:
                known = {at: one for at, one in known.items() if (at[0], at[1]) != (len(terms().levels) - 1, unit[1])}
            known[unit[:3]] = unit


@given(rows=dump, ignore_empty=st.booleans())
def test_nothing_is_sent_twice(rows: list[Row], ignore_empty: bool) -> None:
    """Data rule 42: a dump that leaves what was confirmed sends nothing."""
    assert sent(rows, confirmed(rows, ignore_empty=ignore_empty), ignore_empty=ignore_empty) == []


def changes(before: list[Row], after: list[Row], *, ignore_empty: bool = True) -> list[Row]:
    return sent(after, confirmed(before, ignore_empty=ignore_empty), ignore_empty=ignore_empty)


def test_one_order_that_differs_is_sent_alone() -> None:
    """Data rule 42: rows of other full keys stay at home."""
    before = [order("K", "O1"), order("K", "O2"), order("K", "O3")]
    assert changes(before, [*before[:1], order("K", "O2", "9"), before[2]]) == [order("K", "O2", "9")]


def test_a_profile_that_differs_is_brought_by_one_row() -> None:
    """Data rule 42: the rows of its other orders need not be sent."""
    before = [order("K", "O1", city="A"), order("K", "O2", city="A")]
    after = [order("K", "O1", city="B"), order("K", "O2", city="B")]
    assert changes(before, after) == [after[1]]


def test_a_row_that_is_sent_takes_the_last_values_of_its_profile_with_it() -> None:
    """Data rule 42: an order of an early row would bring back the early city."""
    before = [order("K", "O1", city="A"), profile("K", "B")]
    after = [order("K", "O1", "9", city="A"), profile("K", "B")]
    assert changes(before, after) == after


def test_an_empty_cell_leaves_the_value_of_an_earlier_row() -> None:
    """Data rule 42: with ignore_empty_fields the last value that is not empty counts."""
    before = [order("K", "O1", city="A"), order("K", "O2")]
    assert changes(before, [order("K", "O1", city="A"), order("K", "O2", city="A")]) == []
    assert changes(before, before, ignore_empty=False) == []
    wiped = [order("K", "O1", city="A"), order("K", "O2", city="A")]
    assert changes(wiped, before, ignore_empty=False) == [before[1]]


def test_another_spelling_of_the_key_is_a_change() -> None:
    """Data rule 41: the spelling is part of what was confirmed."""
    assert changes([profile("K", "A")], [profile("k", "A")]) == [profile("k", "A")]


def test_a_key_in_two_spellings_is_sent_as_a_whole() -> None:
    """Copernica may have made one record of them or two: only the same sequence is the same."""
    before = [order("K", "O1"), order("k", "O2"), visit("L", "V1")]
    assert changes(before, [*before, order("k", "O3")]) == [*before[:2], order("k", "O3")]


def test_an_unknown_interest_leaves_the_known_one() -> None:
    """Rows with a null interest do not send it (data rule 18)."""
    before = [profile("K", "A", "Yes"), profile("K", "B")]
    assert changes(before, [profile("K", "A", "No"), profile("K", "B")], ignore_empty=False) == [
        profile("K", "A", "No"),
        profile("K", "B"),
    ]


@pytest.mark.parametrize("ignore_empty", [True, False])
def test_rows_that_another_row_stands_for_are_counted(ignore_empty: bool) -> None:
    """Data rule 42: they count as the row that brings the profile."""
    rows, units = with_units(
        settled([order("K", "O1", city="B"), order("K", "O2", city="B")], ignore_empty=ignore_empty), terms()
    )
    differs = pl.Series([True, False, False])
    choice = to_send(rows, differs, terms(ignore_empty=ignore_empty))
    assert (choice.send.to_list(), choice.stood_for, units.height) == ([False, True], 1, 3)
