"""What becomes of the rows of one partition: collapse, superseded, conflicts, phases, lanes and chunks."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.load.cut import ChunkLimits, Shape, cut
from pipeline.model.columns import Keys, Sets
from pipeline.model.rows import STAGED
from pipeline.stage.sample import Sampler
from pipeline.stage.settle import Rules, settle
from pipeline.stage.stager import Stager
from tests.support.soak import SOAK

COLUMNS = ("ID", "City", "interest.news", "Order.No", "Order.Total", "Visit.No", "Visit.Page")
SETS = Sets(COLUMNS, ("Order", "Visit"), ("interest.news",))
KEYS = Keys.of(("ID", "Order.No", "Visit.No"))
UPSERT = Rules("update or add", KEYS, SETS, ignore_empty_fields=True)


def staged(rows: list[tuple[str | None, ...]]) -> pl.DataFrame:
    """Lay rows (values of COLUMNS) out as validation would."""
    records = []
    for line, row in enumerate(rows, start=2):
        values = dict(zip(COLUMNS, row, strict=True))
        carried = 0
        if values["Order.No"] is not None:
            carried |= SETS.bit("Order")
        if values["Visit.No"] is not None:
            carried |= SETS.bit("Visit")
        if values["interest.news"] is not None:
            carried |= SETS.bit("interest.news")
        key = hash(str(values["ID"]).casefold()) & (2**63 - 1)
        full = hash((values["ID"], values["Order.No"], values["Visit.No"])) & (2**63 - 1)
        records.append((*row, 0, line, line - 1, None, carried, key, full))
    schema = {**dict.fromkeys(COLUMNS, pl.String()), **STAGED}
    return pl.DataFrame(records, schema=schema, orient="row")


def numbered(rows: list[tuple[str | None, ...]]) -> pl.DataFrame:
    return staged(rows).with_columns(pl.int_range(pl.len(), dtype=pl.UInt64).alias("_seq"))


def profile(key: str, city: str | None = None, news: str | None = None) -> tuple[str | None, ...]:
    return (key, city, news, None, None, None, None)


def order(key: str, number: str, total: str | None = "1", city: str | None = None) -> tuple[str | None, ...]:
    return (key, city, None, number, total, None, None)


def visit(key: str, number: str, city: str | None = None) -> tuple[str | None, ...]:
    return (key, city, None, None, None, number, "/")


def test_a_b_a_ends_as_a() -> None:
    """Data rule 21: of equal rows under one full key the last stands for an upsert."""
    settled = settle(numbered([order("K", "O1", "1"), order("K", "O1", "2"), order("K", "O1", "1")]), UPSERT)
    assert settled.rows["Order.Total"].to_list() == ["2", "1"]
    assert (settled.collapsed, settled.superseded) == (1, 1)


def test_ignore_or_add_keeps_the_first_of_equal_rows() -> None:
    """Data rule 21: what comes later would be ignored anyway."""
    rules = Rules("ignore or add", KEYS, SETS, ignore_empty_fields=True)
    settled = settle(numbered([profile("K", "A"), profile("K", "B"), profile("K", "A")]), rules)
    assert settled.rows["_line"].to_list() == [2, 3]


def test_add_collapses_nothing() -> None:
    """Data rule 21: two equal rows of an `add` are two profiles."""
    settled = settle(
        numbered([profile("K", "A"), profile("K", "A")]), Rules("add", KEYS, SETS, ignore_empty_fields=True)
    )
    assert (settled.rows.height, settled.collapsed) == (2, 0)


def test_rows_that_differ_in_an_empty_cell_do_not_collapse() -> None:
    """Data rule 21: equal means equal in every sent value."""
    assert settle(numbered([profile("K", None), profile("K", "A")]), UPSERT).collapsed == 0


def test_conflicts_count_profiles_and_name_places() -> None:
    """Data rule 3: one conflict per profile key, with the first places."""
    rows = [order("K", "O1", city="A"), order("K", "O2", city="B"), order("K", "O3", city="C"), profile("L", "A")]
    settled = settle(numbered(rows), UPSERT)
    assert (settled.conflicts, settled.conflict_places) == (1, ((0, 3),))


@pytest.mark.parametrize(("ignore_empty", "conflicts"), [(True, 0), (False, 1)])
def test_an_empty_cell_disagrees_only_where_it_is_sent(ignore_empty: bool, conflicts: int) -> None:
    """Data rule 3: with `ignore_empty_fields` an empty cell leaves what is there."""
    rules = Rules("update or add", KEYS, SETS, ignore_empty_fields=ignore_empty)
    rows = [order("K", "O1", city="A"), order("K", "O2", city=None), order("K", "O3", city="A")]
    assert settle(numbered(rows), rules).conflicts == conflicts


def test_a_phase_starts_where_the_set_changes() -> None:
    """Data rule 19: 1 city A, 2 order with city B, 3 city C are three phases."""
    settled = settle(numbered([profile("K", "A"), order("K", "O1", city="B"), profile("K", "C")]), UPSERT)
    assert settled.rows["_phase"].to_list() == [0, 1, 2]


def test_phases_are_joined_where_no_order_can_be_seen() -> None:
    """Data rule 19: rows that agree in the profile, with no subprofile key in two sets, need one phase."""
    settled = settle(
        numbered([order("K", "O1", city="A"), visit("K", "V1", city="A"), order("K", "O2", city="A")]), UPSERT
    )
    assert settled.rows["_phase"].to_list() == [0, 0, 0]


def test_a_subprofile_key_in_two_sets_keeps_its_phases() -> None:
    """Data rule 19: O1 alone, then O1 beside a visit: the second must come second, whatever its letter case."""
    both = ("K", "A", None, "o1", "2", "V1", "/")
    settled = settle(numbered([order("K", "O1", "1", city="A"), both]), UPSERT)
    assert settled.rows["_phase"].to_list() == [0, 1]


def test_a_key_spelled_otherwise_keeps_its_phases() -> None:
    """Data rule 19: K and k are one profile, and its spelling at the end is the last one's."""
    settled = settle(numbered([order("K", "O1", city="A"), visit("k", "V1", city="A")]), UPSERT)
    assert settled.rows["_phase"].to_list() == [0, 1]


def chunks_of(
    rows: list[tuple[str | None, ...]], limits: ChunkLimits, partitions: int = 3
) -> list[tuple[str, list[dict[str, str]]]]:
    """Stage, settle and cut rows as a run does; give each chunk's lane and what its body says."""
    with TemporaryDirectory() as folder:
        stager = Stager(Path(folder), partitions, UPSERT, lambda: Sampler(0, 0, SETS, KEYS), whole=False)
        frame = staged(rows)
        for start in range(0, frame.height, 4):
            stager.add(frame.slice(start, 4))
        stager.finish()
        assert stager.staged.accepted + stager.staged.collapsed == frame.height
        return [
            (chunk.lane.folder_name, json.loads(chunk.body)) for chunk in cut(stager.lanes, Shape(SETS, KEYS), limits)
        ]


def apply(database: dict, row: dict[str, str]) -> None:
    """Do to a toy database what an upsert with ignored empty cells does."""
    entry = database.setdefault(row["ID"].casefold(), {"fields": {}, "subs": {}})
    for name, text in row.items():
        if ("." not in name or name.startswith("interest.")) and text:
            entry["fields"][name] = text
    for collection, key in (("Order", "Order.No"), ("Visit", "Visit.No")):
        if row.get(key):
            sub = entry["subs"].setdefault((collection, row[key].casefold()), {})
            sub.update({name: text for name, text in row.items() if name.startswith(collection + ".") and text})


texts = st.sampled_from([None, "A", "B"])
any_row = st.builds(
    lambda key, city, news, number, total, page: (
        key, city, news, number[0], total if number[0] else None, number[1], page if number[1] else None,
    ),
    st.sampled_from(["K", "k", "L", "M"]),
    texts,
    st.sampled_from([None, "Yes", "No"]),
    st.tuples(st.sampled_from([None, "1", "2", "x", "X"]), st.sampled_from([None, "1", "2"])),
    st.sampled_from([None, "1", "2"]),
    st.sampled_from([None, "/", "/a"]),
)  # fmt: skip


@settings(max_examples=SOAK * 8 or 50, derandomize=True)
@given(st.lists(any_row, max_size=24), st.integers(1, 5), st.integers(60, 400))
def test_chunking_is_invisible(rows: list[tuple[str | None, ...]], most_rows: int, most_bytes: int) -> None:
    """Invariant 6: sent as chunks, the rows leave the database that one import in file order would leave."""
    at_once: dict = {}
    for row in rows:
        apply(at_once, {name: text or "" for name, text in zip(COLUMNS, row, strict=True)})
    in_chunks: dict = {}
    for _, body in chunks_of(rows, ChunkLimits(most_rows, most_bytes)):
        assert len(body) <= most_rows
        for row in body:
            assert list(row) == list(body[0])
            apply(in_chunks, row)
    assert in_chunks == at_once


@settings(max_examples=60, derandomize=True)
@given(st.lists(any_row, min_size=1, max_size=24), st.integers(1, 400))
def test_bodies_stay_within_the_limit_unless_they_are_one_row(
    rows: list[tuple[str | None, ...]], most_bytes: int
) -> None:
    """Data rule 22: only a single row may be larger than `chunk_bytes`."""
    for _, body in chunks_of(rows, ChunkLimits(10, most_bytes)):
        size = len(json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode())
        assert size <= most_bytes or len(body) == 1


@pytest.mark.parametrize(("spare", "sizes"), [(0, [6, 6, 6, 2]), (-1, [5, 5, 5, 5])])
def test_wide_rows_fill_chunks_by_their_bytes(spare: int, sizes: list[int]) -> None:
    """Data rule 22: where bytes bind, every chunk but the last is as full as they let it be, to the byte."""
    rows = [profile(f"{number:02d}", "x" * 100) for number in range(20)]
    (_, one), *_ = chunks_of(rows[:1], ChunkLimits(1, 1))
    row_bytes = len(json.dumps(one, separators=(",", ":")).encode()) - 1  # the row, and a comma or a bracket
    chunks = chunks_of(rows, ChunkLimits(1000, 6 * row_bytes + 1 + spare), partitions=1)
    assert [len(body) for _, body in chunks] == sizes


def test_a_chunk_ends_between_two_keys() -> None:
    """Data rule 22: two rows of one key are in one chunk when a chunk can hold them."""
    rows = [profile("A", "1"), profile("B", "1"), profile("B", "2"), profile("C", "1")]
    cut_rows = [[row["ID"] for row in body] for _, body in chunks_of(rows, ChunkLimits(2, 10**6), partitions=1)]
    assert cut_rows == [["A"], ["B", "B"], ["C"]]


def test_a_key_with_more_rows_than_a_chunk_becomes_a_chain() -> None:
    """Data rule 22: its rows follow one another through several chunks, in order."""
    rows = [profile("A", str(number)) for number in range(5)]
    assert [[row["City"] for row in body] for _, body in chunks_of(rows, ChunkLimits(2, 10**6))] == [
        ["0", "1"],
        ["2", "3"],
        ["4"],
    ]


def test_uncarried_columns_do_not_travel() -> None:
    """Data rule 18: a row without an order is sent without any column of the collection, and so without its blank key."""
    ((_, body),) = chunks_of([profile("A", "x")], ChunkLimits(10, 10**6))
    assert body == [{"ID": "A", "City": "x"}]
