"""Job against schema, without any network (data rules 16, 17, 34; API sheet 11.3)."""

from __future__ import annotations

import pytest

from pipeline.errors import Problem
from pipeline.model.job import Job
from pipeline.validate.fit import check_schema_for_job
from tests.support.schemas import Load, job_of

SHOP = """
S = pa.DataFrameSchema({
    "ID": pa.Column(str),
    "Score": pa.Column(float),
    "City": pa.Column(str, nullable=True, required=False),
    "Source": pa.Column(str),
    "interest.news": pa.Column(bool, nullable=True),
    "Order.OrderID": pa.Column(str, nullable=True),
    "Order.Shop": pa.Column(str, nullable=True, required=False),
})
"""
PROFILES = 'S = pa.DataFrameSchema({"ID": pa.Column(str), "City": pa.Column(str)})'


def _found(load: Load, job: Job, body: str = SHOP) -> list[tuple[str, str]]:
    return [(problem.where, problem.what) for problem in check_schema_for_job(job, load(body))]


def test_a_job_that_fits_its_schema_says_nothing(load: Load) -> None:
    """Renames, constants, ignored columns and keys of both levels."""
    job = job_of(
        ["ID", "Order.OrderID"],
        columns={"customer_no": "ID", "order_no": "Order.OrderID", "likes": "interest.news"},
        constants={"Source": "shop", "Order.Shop": "web"},
        ignore=["City", "internal"],
    )
    assert _found(load, job) == []


def test_names_that_the_schema_does_not_have_are_refused_with_the_nearest(load: Load) -> None:
    """Targets, constants and keys are columns of the schema."""
    job = job_of(
        ["id", "Order.OrderID", "ID"],
        columns={"a": "Cityy", "b": "Order.Nothing.Like"},
        constants={"Sourse": "x", "Source": "shop"},
    )
    assert check_schema_for_job(job, load(SHOP)) == (
        Problem("the schema has no column Cityy", "columns.a", "did you mean City?"),
        Problem("the schema has no column Order.Nothing.Like", "columns.b", "add it to S, or correct the name"),
        Problem("the schema has no column Sourse", "constants.Sourse", "did you mean Source?"),
        Problem("the schema has no column id", "target.key_fields", "did you mean ID? case counts"),
    )


def test_constants_that_cannot_be_sent_are_refused(load: Load) -> None:
    """Never a key, never a second source, never empty for a column that may not be, never alone in a collection."""
    job = job_of(
        ["ID", "Source"],
        columns={"a": "City"},
        constants={"Source": "", "City": "Ede", "Order.Shop": "web"},
        ignore=["Order.OrderID"],
        action="add",
    )
    assert _found(load, job)[:4] == [
        ("constants.Source", "a constant is never a key"),
        ("constants.Source", "the constant is empty, and the schema has nullable=False"),
        ("constants.City", "a dump column goes to it too"),
        ("constants.Order.Shop", "no dump column goes to Order, so no row carries it and the constant is never sent"),
    ]


def test_columns_that_nothing_reaches_are_refused(load: Load) -> None:
    """A required column whose dump column is ignored or goes elsewhere; an optional one is simply absent."""
    job = job_of(["ID", "Order.OrderID"], columns={"Score": "City"}, ignore=["Source", "Order.Shop"])
    assert _found(load, job) == [
        ("feed.py:S", "nothing goes to the column Score: the dump column of that name goes to City"),
        ("feed.py:S", "nothing goes to the column Source: the dump column of that name is ignored"),
    ]


def test_keys_that_cannot_be_keys_are_refused(load: Load) -> None:
    """No decimal, no interest, no column that the dump does not have."""
    job = job_of(["ID", "Score", "interest.news", "City", "Order.OrderID"], ignore=["City"])
    assert _found(load, job) == [
        ("target.key_fields", "the key Score is a decimal, and equal decimals may differ"),
        ("target.key_fields", "the interest interest.news is no key"),
        ("target.key_fields", "no dump column goes to the key City"),
    ]


@pytest.mark.parametrize("action", ["update", "update or add", "ignore or add"])
def test_dotted_columns_want_keys_of_both_levels(load: Load, action: str) -> None:
    """Without a profile key nobody knows whose order it is; without a dotted one each run adds it again."""
    no_key = ("target.key_fields", "no key of the collection Order is named, so each run would add its rows again")
    no_profile = ("target.key_fields", "rows for Order do not name the profile that they belong to")
    assert _found(load, job_of(["ID"], action=action)) == [no_key]
    assert _found(load, job_of(["Order.OrderID"], action=action)) == [no_profile]
    assert _found(load, job_of([], action=action)) == [no_profile, no_key]


def test_collections_that_are_ignored_want_no_key(load: Load) -> None:
    """Columns without a source are not part of the job; interests are no collection."""
    body = SHOP.replace(
        '"Order.OrderID": pa.Column(str, nullable=True)', '"Order.OrderID": pa.Column(str, required=False)'
    )
    assert _found(load, job_of(["ID"], ignore=["Order.OrderID", "Order.Shop"]), body) == []


def test_add_goes_without_keys_unless_there_are_dotted_columns(load: Load) -> None:
    """Data rule 16: `key_fields` may be empty for add without dotted columns only; a dotted key add does not want."""
    assert _found(load, job_of([], action="add"), PROFILES) == []
    assert _found(load, job_of(["ID"], action="add")) == []
    assert _found(load, job_of([], action="add")) == [
        ("target.key_fields", "rows for Order do not name the profile that they belong to")
    ]
    assert _found(load, job_of([], action="update"), PROFILES) == [
        ("target.key_fields", "no key of the profile is named")
    ]


def test_a_delete_takes_the_columns_of_its_level(load: Load) -> None:
    """Data rule 34: profiles go without dotted columns, subprofiles need a dotted key."""
    profile = {"action": "delete", "delete_target": "profile"}
    subprofile = {"action": "delete", "delete_target": "subprofile"}
    assert _found(load, job_of(["ID"], **profile), PROFILES) == []
    assert _found(load, job_of(["ID", "Order.OrderID"], **subprofile)) == []
    assert _found(load, job_of(["ID"], **profile)) == [
        ("target.key_fields", "a delete of profiles takes no columns of collections, and the schema has some of Order")
    ]
    assert _found(load, job_of(["ID"], **subprofile), PROFILES) == [
        ("target.key_fields", "a delete of subprofiles needs a key of their collection")
    ]
