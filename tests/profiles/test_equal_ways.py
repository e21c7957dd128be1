"""The same rows leave the same database, whether they go as imports or profile by profile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.sandbox import Sandbox
from pipeline.validate.keys import maybe_same
from tests.profiles.shop import Row, Shop, Terms

# Some differ in case, some in accents or width only, some hold what a careless client would misread on its way.
PROFILE_KEYS = ["C1", "c1", "C2", "é1", "e1", "É1", "A+b c&d=e", "x==y%41", "ﬁ", "fi", "🚲 'q\" <>"]
SUBPROFILE_KEYS = ["O1", "o1", "O2", "ö1", "O=1", "O&2+%"]
TEXTS = ["Delft", "delft", "Gouda ", " a==b", "50% & +1", "“ß”\nx", "🚲🚲", "'s-Hertogenbosch"]
COLUMNS = (
    "CustomerID", "City", "Email", "Born", "interest.news", "interest.offers",
    "Order.OrderID", "Order.Total", "Visit.VisitID", "Visit.Page",
)  # fmt: skip
ACTIONS = ["update or add", "update", "add", "ignore or add", "delete", "delete of subprofiles"]

Seed = tuple[dict[str, str], list[str], list[dict[str, str]]]


@st.composite
def rows(draw: st.DrawFn) -> dict[str, str | None]:
    """One row: profile columns, and none, one or both collections."""
    row: dict[str, str | None] = dict.fromkeys(COLUMNS)
    row["CustomerID"] = draw(st.sampled_from(PROFILE_KEYS))
    row["City"] = draw(st.none() | st.sampled_from(TEXTS))
    row["Email"] = draw(st.none() | st.just("a+b@x.test"))
    row["Born"] = draw(st.none() | st.just("1980-02-29"))
    row["interest.news"] = draw(st.sampled_from([None, "Yes", "No"]))
    row["interest.offers"] = draw(st.sampled_from([None, "Yes", "No"]))
    if draw(st.booleans()):
        row["Order.OrderID"] = draw(st.sampled_from(SUBPROFILE_KEYS))
        row["Order.Total"] = draw(st.sampled_from(["1.5", "20", "-0.25"]))
    if draw(st.booleans()):
        row["Visit.VisitID"] = draw(st.sampled_from(SUBPROFILE_KEYS))
        row["Visit.Page"] = draw(st.none() | st.sampled_from(TEXTS))
    return row


def seeds(fold: Callable[[str], str]) -> st.SearchStrategy[list[Seed]]:
    """Profiles that are there before, no two of one key to Copernica, with orders, no two of one key in a profile."""
    orders = st.lists(
        st.fixed_dictionaries({"OrderID": st.sampled_from(SUBPROFILE_KEYS), "Total": st.just("7")}),
        max_size=2,
        unique_by=lambda order: fold(order["OrderID"]),
    )
    fields = st.fixed_dictionaries({"CustomerID": st.sampled_from(PROFILE_KEYS), "City": st.sampled_from(TEXTS)})
    interests = st.lists(st.sampled_from(["news", "offers"]), unique=True)
    return st.lists(st.tuples(fields, interests, orders), max_size=3, unique_by=lambda one: fold(one[0]["CustomerID"]))


def columns_for(action: str, row: Row) -> Row:
    """The columns that a job with this action sends."""
    if action == "delete":
        return {"CustomerID": row["CustomerID"]}
    if action == "delete of subprofiles":
        return {name: row[name] for name in ("CustomerID", "Order.OrderID", "Visit.VisitID")}
    if action in ("add", "ignore or add"):
        return {name: text for name, text in row.items() if "." not in name or name.startswith("interest.")}
    return row


def terms_for(action: str, ignore_empty: bool) -> Terms:
    if action == "delete of subprofiles":
        return Terms("delete", ignore_empty=ignore_empty, delete_target="subprofile")
    return Terms(action, ignore_empty=ignore_empty, delete_target="profile" if action == "delete" else None)


def load(shop: Shop, way: str, seeded: Sequence[Seed], given_rows: Sequence[Row], terms: Terms) -> list[Any]:
    """Start anew, load, and give what the database holds."""
    for fields, interests, orders in seeded:
        shop.add(fields, interests, Order=orders)
    if way == "imports":
        shop.load_by_imports(given_rows, terms)
    else:
        assert shop.load(given_rows, terms).counted[1:] == (0, 0, 0)
    return shop.comparable()


def both_ways(
    sandbox: Sandbox, folder: Path, seeded: Sequence[Seed], given_rows: Sequence[Row], terms: Terms, **switches: str
) -> tuple[list[Any], list[Any]]:
    """What the database holds after either way; v2 to v4 take turns for the per-profile method."""
    found = []
    for number, (way, version) in enumerate([("imports", "v4"), ("profiles", f"v{2 + len(given_rows) % 3}")]):
        sandbox.reset()
        sandbox.set_switches({"update_subprofiles": "skip", **switches})
        shop = Shop(sandbox, folder / str(number), version)
        found.append(load(shop, way, seeded, given_rows, terms))
        shop.close()
        assert sandbox.hazards() == []
    return found[0], found[1]


LAW = settings(
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@settings(LAW, max_examples=32)
@given(
    st.sampled_from(ACTIONS),
    seeds(str.casefold),
    st.lists(rows(), min_size=1, max_size=6),
    st.booleans(),
)
def test_both_ways_leave_equal_databases(
    sandbox: Sandbox,
    tmp_path_factory: pytest.TempPathFactory,
    action: str,
    seeded: list[Seed],
    given_rows: list[Row],
    ignore_empty: bool,
) -> None:
    """Fields, interests and subprofiles are equal for random rows, keys, sets and orders of every action."""
    sent = [columns_for(action, row) for row in given_rows]
    if action == "delete of subprofiles":
        sent = [row for row in sent if row["Order.OrderID"] or row["Visit.VisitID"]] or [
            {"CustomerID": "C1", "Order.OrderID": "O1", "Visit.VisitID": None}
        ]
    found = both_ways(sandbox, tmp_path_factory.mktemp("law"), seeded, sent, terms_for(action, ignore_empty))
    assert found[0] == found[1]


@settings(LAW, max_examples=12)
@given(seeds(maybe_same), st.lists(rows(), min_size=1, max_size=5))
def test_both_ways_leave_equal_databases_where_accents_do_not_count(
    sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory, seeded: list[Seed], given_rows: list[Row]
) -> None:
    """Which keys are one is Copernica's to say: also with a collation to which é and e are the same."""
    folder = tmp_path_factory.mktemp("law")
    found = both_ways(sandbox, folder, seeded, given_rows, Terms(), collation="accents")
    assert found[0] == found[1]
