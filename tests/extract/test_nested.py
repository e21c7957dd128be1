"""Nested objects are laid out in rows (data rule 20)."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.extract.json.nested import Layout, lay_out
from pipeline.model.columns import Expected
from pipeline.model.rows import JsonNumber

COLUMNS = ("id", "city", "likes.news", "Orders.no", "Orders.ship.zip", "Visits.no")
EXPECTED = Expected(COLUMNS, ignored=frozenset({"junk", "Orders.lines"}), track_absent=True)
LAYOUT = Layout.of(EXPECTED, frozenset({"Orders", "Visits"}))


def _rows(obj: dict[str, Any], layout: Layout = LAYOUT) -> list[tuple[dict, str | None, int | None]]:
    laid = lay_out(obj, layout)
    assert not laid.unknown
    assert not laid.unfit
    assert laid.double is None
    return [
        ({key: value for key, value in row.values.items() if value is not None}, row.of_list, row.element)
        for row in laid.rows
    ]


def test_an_object_without_lists_is_one_row():
    """Keys of objects in objects are joined with a dot."""
    obj = {"id": "1", "city": None, "likes": {"news": True}}
    assert _rows(obj) == [({"id": "1", "likes.news": "true"}, None, None)]


def test_each_element_is_a_row():
    """The columns of the object stand beside those of the element, objects in it are flattened."""
    obj = {"id": "1", "Orders": [{"no": "a", "ship": {"zip": JsonNumber("01")}}, {"no": False}]}
    assert _rows(obj) == [
        ({"id": "1", "Orders.no": "a", "Orders.ship.zip": "01"}, "Orders", 1),
        ({"id": "1", "Orders.no": "false"}, "Orders", 2),
    ]


def test_several_lists_give_a_union():
    """Never a product; the rows follow the lists as they stand in the object."""
    obj = {"Visits": [{"no": "v"}], "id": "1", "Orders": [{"no": "a"}, {"no": "b"}]}
    assert _rows(obj) == [
        ({"id": "1", "Visits.no": "v"}, "Visits", 1),
        ({"id": "1", "Orders.no": "a"}, "Orders", 1),
        ({"id": "1", "Orders.no": "b"}, "Orders", 2),
    ]


def test_null_a_missing_list_and_an_empty_one_are_the_same():
    """Without elements there is one row of the object alone."""
    for lists in ({}, {"Orders": None}, {"Orders": []}, {"Orders": [], "Visits": None}, {"Orders": {}}):
        laid = lay_out({"id": "1", **lists}, LAYOUT)
        assert [(row.values.get("id"), row.of_list, row.absent) for row in laid.rows] == [
            ("1", None, frozenset({"city", "likes.news"}))
        ]


def test_an_object_in_place_of_a_list_is_a_list_of_one():
    """At a path of a collection it is a row of its own; elsewhere it is flattened."""
    obj = {"id": "1", "Orders": {"no": "a"}, "Visits": [{"no": "v"}]}
    assert _rows(obj) == [({"id": "1", "Orders.no": "a"}, "Orders", 1), ({"id": "1", "Visits.no": "v"}, "Visits", 1)]
    plain = Layout.of(EXPECTED, frozenset())
    assert _rows({"id": "1", "Orders": {"no": "a"}}, plain) == [({"id": "1", "Orders.no": "a"}, None, None)]


def test_a_list_in_a_plain_object_is_laid_out():
    """Where an object holds a list itself it is no list of one, though its other keys are columns."""
    layout = Layout.of(Expected(("id", "a.name", "a.o.no")), frozenset({"a", "a.o"}))
    obj = {"id": "1", "a": {"name": "x", "o": [{"no": "p"}, {"no": "q"}]}}
    assert _rows(obj, layout) == [
        ({"id": "1", "a.name": "x", "a.o.no": "p"}, "a.o", 1),
        ({"id": "1", "a.name": "x", "a.o.no": "q"}, "a.o", 2),
    ]


def test_an_ignored_list_does_not_keep_an_object_from_being_a_list_of_one():
    """So that several lists still give a union."""
    layout = Layout.of(Expected(COLUMNS, ignored=frozenset({"Orders.tags"})), frozenset({"Orders", "Visits"}))
    obj = {"id": "1", "Orders": {"no": "a", "tags": ["x"]}, "Visits": [{"no": "v"}, {"no": "w"}]}
    assert _rows(obj, layout) == [
        ({"id": "1", "Orders.no": "a"}, "Orders", 1),
        ({"id": "1", "Visits.no": "v"}, "Visits", 1),
        ({"id": "1", "Visits.no": "w"}, "Visits", 2),
    ]


def test_lists_that_do_not_fit_are_named():
    """A list of scalars, a mixed one and a list inside an element, unless they are ignored or empty."""
    laid = lay_out({"id": ["a"], "Visits": [{"no": "v"}, None], "Orders": [{"no": [{"x": "1"}], "lines": [1]}]}, LAYOUT)
    assert laid.unfit == [
        ("id", "a list whose elements are no objects"),
        ("Visits", "a list whose elements are no objects"),
        ("Orders.no", "a list inside an element of a list"),
    ]
    assert _rows({"id": "1", "junk": [1, [2]], "Orders": [{"no": "a", "lines": [{"x": [1]}]}]}) == [
        ({"id": "1", "Orders.no": "a"}, "Orders", 1)
    ]


def test_unknown_keys_are_named_with_their_path():
    """Also where they hold null, an empty list or an empty object; what lies above known columns may be empty."""
    laid = lay_out(
        {"x": "1", "y": None, "z": [], "likes": {"olds": {}}, "Orders": [{"q": None}], "Visits": "v"}, LAYOUT
    )
    assert laid.unknown == ["x", "y", "z", "likes.olds", "Visits", "Orders.q"]
    assert lay_out({"likes": None, "Orders": [{"ship": None}]}, LAYOUT).unknown == []


def test_ignored_covers_everything_below():
    """Whatever stands there."""
    obj = {"junk": {"x": {"y": [1]}}, "junk.more": "1", "id": "1"}
    assert _rows(obj) == [({"id": "1"}, None, None)]


def test_two_paths_to_one_column_are_told():
    """A dotted key beside the nested one, and a dotted key beside a list."""
    for obj in (
        {"likes": {"news": "1"}, "likes.news": "2"},
        {"Orders.no": "1", "Orders": [{"no": "2"}]},
        {"Orders": [{"ship": {"zip": "1"}, "ship.zip": "1"}]},
    ):
        assert lay_out(obj, LAYOUT).double in ("likes.news", "Orders.no", "Orders.ship.zip")


def test_absent_is_a_missing_key_and_nothing_else():
    """By object for its columns, by element for those of its list; columns of another list are null, not absent."""
    obj = {
        "id": None,
        "likes": None,
        "Orders": [{"no": "a"}, {"ship": {"zip": "1"}}, {"no": "b", "ship": None}],
        "Visits": [{}],
    }
    assert [(row.of_list, row.absent) for row in lay_out(obj, LAYOUT).rows] == [
        ("Orders", frozenset({"city", "Orders.ship.zip"})),
        ("Orders", frozenset({"city", "Orders.no"})),
        ("Orders", frozenset({"city"})),
        ("Visits", frozenset({"city", "Visits.no"})),
    ]
    assert lay_out({"id": "1", "city": "", "likes": {}}, LAYOUT).rows[0].absent == {"likes.news"}


_SCALARS = st.none() | st.text("ab", max_size=2)
_ELEMENTS = st.lists(st.dictionaries(st.sampled_from(["no"]), _SCALARS), max_size=3)


@settings(max_examples=200, derandomize=True)
@given(st.fixed_dictionaries({}, optional={"id": _SCALARS, "city": _SCALARS, "Orders": _ELEMENTS, "Visits": _ELEMENTS}))
def test_rows_are_elements_or_one(obj: dict[str, Any]):
    """There are as many rows as elements, one without; each carries the object's own values and its element's."""
    rows = lay_out(obj, LAYOUT).rows
    elements = [(name, element) for name in obj if name in ("Orders", "Visits") for element in obj[name]]
    assert len(rows) == max(1, len(elements))
    for row, (name, element) in zip(rows, elements or [(None, {})], strict=True):
        own = {key: obj[key] for key in ("id", "city") if key in obj}
        assert row.values == {**own, **{f"{name}.{key}": value for key, value in element.items()}}
        assert row.of_list == name
