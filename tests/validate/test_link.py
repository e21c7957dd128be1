"""How dump columns find their target columns."""

from __future__ import annotations

import pytest

from pipeline.errors import JobError
from pipeline.validate.link import Link
from tests.validate.making import job, spec

SPECS = [spec("CustomerID"), spec("City"), spec("interest.news", "yesno"), spec("Order.OrderID"), spec("Order.Total")]


def problems(of, specs=SPECS):
    with pytest.raises(JobError) as caught:
        Link.compile(of, specs)
    return [(problem.where, problem.what) for problem in caught.value.problems]


def test_columns_stand_in_the_order_of_the_schema():
    """The one column order of a run is that of the schema, constants included."""
    link = Link.compile(job(columns={"no": "CustomerID"}, constants={"City": "Delft"}), SPECS)
    assert link.columns == ("CustomerID", "City", "interest.news", "Order.OrderID", "Order.Total")
    assert [link.source_of(name) for name in link.columns] == [
        "no",
        None,
        "interest.news",
        "Order.OrderID",
        "Order.Total",
    ]


def test_expected_tells_required_optional_and_ignored_columns_apart():
    """An optional column of the schema is optional in the dump; a key never is, nor a column that the job names."""
    specs = [spec("CustomerID", required=False), spec("City", required=False), spec("Age", "integer")]
    specs += [spec("Tier", required=False), spec("Shop", required=False)]
    expected = Link.compile(job(ignore=["note"], columns={"town": "City", "Tier": "Tier"}), specs).expected
    assert expected.required == ("CustomerID", "town", "Age", "Tier")
    assert expected.optional == ("Shop",)
    assert expected.ignored == frozenset({"note"})
    assert expected.track_absent is False


@pytest.mark.parametrize(
    ("ignore_empty", "missing", "tracked"),
    [(False, None, True), (False, "empty", False), (True, None, False), (True, "empty", False)],
)
def test_absent_keys_are_tracked_only_where_they_would_wipe(ignore_empty, missing, tracked):
    """Data rule 9: with ignore_empty_fields false a missing key is told apart, unless the job says that it is empty."""
    of = job(target={"ignore_empty_fields": ignore_empty}, source={"missing_keys": missing})
    assert Link.compile(of, SPECS).expected.track_absent is tracked


def test_collections_and_interests_get_their_bits_in_schema_order():
    """Collections come first, then interests."""
    specs = [spec("CustomerID"), spec("interest.a", "yesno"), spec("Visit.ID"), spec("Order.ID"), spec("Visit.Page")]
    sets = Link.compile(job(), specs).sets
    assert sets.collections == ("Visit", "Order")
    assert sets.interests == ("interest.a",)
    assert sets.columns == ("CustomerID", "interest.a", "Visit.ID", "Order.ID", "Visit.Page")


def test_delete_sends_key_columns_only():
    """Data rule 34: the sets of a delete hold key columns, and no interests."""
    of = job(
        target={"action": "delete", "delete_target": "subprofile", "key_fields": ["CustomerID", "Order.OrderID"]},
    )
    link = Link.compile(of, SPECS)
    assert link.sets.columns == ("CustomerID", "Order.OrderID")
    assert link.sets.interests == ()
    assert link.columns == tuple(column.name for column in SPECS)


def test_an_ignored_optional_column_is_no_part_of_the_run():
    """What is ignored and not needed is not sent as empty."""
    specs = [spec("CustomerID"), spec("City", required=False)]
    link = Link.compile(job(ignore=["City"]), specs)
    assert link.columns == ("CustomerID",)
    assert link.expected.optional == ()


@pytest.mark.parametrize(
    ("columns", "lists"),
    [
        ({"Orders.id": "Order.OrderID", "Orders.total": "Order.Total"}, {"Orders"}),
        ({"shop.Orders.id": "Order.OrderID", "shop.Orders.sum.total": "Order.Total"}, {"shop.Orders"}),
        ({"Orders.id": "Order.OrderID", "Prices.total": "Order.Total"}, {"Orders", "Prices"}),
        ({"order_no": "Order.OrderID", "total": "Order.Total"}, set()),
    ],
)
def test_lists_are_the_paths_that_the_columns_of_a_collection_share(columns, lists):
    """Data rule 20: the elements of these lists are rows of the collection; interests and profiles have none."""
    assert Link.compile(job(columns={**columns, "likes.news": "interest.news"}), SPECS).lists == lists


def test_more_sets_than_bits_are_refused():
    """`_set` has 64 bits."""
    specs = [spec("CustomerID"), *(spec(f"interest.i{at}", "yesno") for at in range(65))]
    assert problems(job(), specs) == [("schema", "more than 64 collections and interests")]
    Link.compile(job(), specs[:65])


def test_a_column_of_our_own_name_is_refused():
    """`_line` and its like stand in every staged frame."""
    assert problems(job(), [spec("CustomerID"), spec("_line")]) == [
        ("schema", "a target column cannot start with an underscore: _line")
    ]
