"""Selectors, paging and order: what is found, what is silently dropped (API sheet 5, 6)."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from pipeline.sandbox import Sandbox
from pipeline.sandbox.selectors import is_like
from tests.support.api_caller import Client, codes

PEOPLE = [
    {"CustNo": "00001", "Email": "Ann@x.test", "City": "Delft", "Tier": "gold", "Points": "5", "Born": "1980-01-02"},
    {"CustNo": "2", "Email": "bob@x.test", "City": "delft", "Tier": "silver", "Points": "30", "Born": "1990-05-06"},
    {"CustNo": "3", "Email": "", "City": "a=b", "Tier": "gold", "Points": "0", "Born": ""},
]


@pytest.fixture
def people(api: Client) -> Client:
    """Return a client of an account with three profiles."""
    for one in PEOPLE:
        api.made("database/1/profiles", {"fields": one})
    return api


def found(client: Client, *expressions: str, **more: str) -> list[str]:
    """List the ids that a selector finds."""
    page = client.get("database/1/profiles", **{"fields[]": list(expressions), **more})
    assert page["total"] == len(page["data"])
    return [str(one["ID"]) for one in page["data"]]


@pytest.mark.parametrize(
    ("expressions", "ids"),
    [
        (["City==DELFT"], ["1", "2"]),
        (["tier==gold"], ["1", "3"]),
        (["Points>5"], ["2"]),
        (["Points>=5", "Points<30"], ["1"]),
        (["Points!=5"], ["2", "3"]),
        (["Points<>5"], ["2", "3"]),
        (["CustNo==1"], []),
        (["CustNo==00001"], ["1"]),
        (["Email=~%@x.test"], ["1", "2"]),
        (["Email=~_nn@%"], ["1"]),
        (["Email!~%@x.test"], ["3"]),
        (["Born==1980-01-02"], ["1"]),
        (["Born>1985-01-01"], ["2"]),
        (["City==a=b"], ["3"]),
        (["  City==Delft  "], ["1", "2"]),
        (["City== Delft"], []),
        (["id>1"], ["2", "3"]),
        (["ID==2"], ["2"]),
        (["id=~%"], ["1", "2", "3"]),
        (["City>=b"], ["1", "2"]),
        (["modified>2000-01-01"], ["1", "2", "3"]),
        (["modified<2000-01-01"], []),
    ],
)
def test_a_selector_finds(sandbox: Sandbox, people: Client, expressions: list[str], ids: list[str]) -> None:
    """Text without case, selects with it, numbers and dates by their normal form."""
    assert found(people, *expressions) == ids
    assert codes(sandbox) == []


@pytest.mark.parametrize(
    ("expression", "ids", "code"),
    [
        ("Tier==Gold", [], "selector_not_a_member"),
        ("Tier!=Gold", ["1", "2", "3"], "selector_not_a_member"),
        ("Points==abc", ["3"], "selector_value_bent"),
        ("Points== 5 ", ["1"], "selector_value_bent"),
        ("Points==5.9", ["1"], "selector_value_bent"),
        ("Points==\u00a05", ["3"], "selector_value_bent"),
        ("Born==02-01-1980", ["1"], "selector_value_bent"),
        ("id==1e0", ["1"], "selector_value_bent"),
        ("id==99999999999999999999999999", [], "selector_value_bent"),
        ("id==\u00b2", [], "selector_value_bent"),
        ("City==Delft\0", ["1", "2"], None),
        ("City==Delft\u00a0", [], None),
        ("City==Delft\x1f", [], None),
    ],
)
def test_a_selector_is_bent(
    sandbox: Sandbox, people: Client, expression: str, ids: list[str], code: str | None
) -> None:
    """As a write is, with a hazard; trimmed as PHP trims. What no choice of a select is matches nothing."""
    assert found(people, expression) == ids
    assert codes(sandbox) == ([code] if code else [])


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("", "", True), ("", "a", False), ("%", "", True), ("a%", "Ab", True), ("%b", "ab", True), ("%b", "ba", False),
        ("a%b%c", "a-b-b-c", True), ("a%b%c", "a-c-b", False), ("a%a", "a", False), ("_", "", False), ("_%_", "a", False),
        ("a_c", "aXc", True), ("%_b_%", "xabyz", True), ("%_b_%", "bb", False), ("%ab%ab", "abab", True),
        ("%ab%ab", "ab", False), ("100%", "100%", True), ("a.c", "abc", False), ("%", "\n", True),
    ],
)  # fmt: skip
def test_a_pattern_fits(pattern: str, text: str, fits: bool) -> None:
    """`%` is any run, `_` one character, all else itself in any case."""
    assert is_like(pattern, text) == fits


@pytest.mark.parametrize("pattern", ["%a" * 40 + "%b", "%" * 5000 + "b", "%_a" * 200 + "b", "a" * 5000 + "b%"])
def test_a_pattern_takes_no_longer_than_its_text(pattern: str) -> None:
    """No place is tried again for what comes behind it."""
    began = time.perf_counter()
    assert not is_like(pattern, "a" * 50_000)
    assert time.perf_counter() - began < 0.5


def test_many_selectors_are_one_request(people: Client) -> None:
    """More than SQLite nests."""
    assert found(people, *["id>=2"] * 1500) == ["2", "3"]


def test_the_secret_selects(people: Client) -> None:
    """`code` compares the secret."""
    assert found(people, f"code=={people.get('profile/2')['secret']}") == ["2"]


@pytest.mark.parametrize(
    ("expression", "ids", "code"),
    [
        ("Nope==x", ["1", "2", "3"], "selector_unknown_field"),
        ("City ==x", ["1", "2", "3"], "selector_blank_before_operator"),
        ("City=x", ["1", "2", "3"], "selector_unparseable"),
        ("", ["1", "2", "3"], "selector_unparseable"),
        ("Email==", ["3"], "selector_empty_value"),
    ],
)
def test_what_a_list_drops_silently(
    sandbox: Sandbox, people: Client, expression: str, ids: list[str], code: str
) -> None:
    """An illegal selector is dropped: too many records come."""
    assert found(people, expression) == ids
    assert codes(sandbox) == [code]


def test_fields_without_brackets_select_nothing(sandbox: Sandbox, people: Client) -> None:
    """A scalar is ignored, a wrong-case name too."""
    assert people.get("database/1/profiles", fields="City==x")["total"] == 3
    assert people.get("database/1/profiles", **{"FIELDS[]": "City==x"})["total"] == 3
    assert people.get("database/1/profiles", **{"fields[0]": "City==x"})["total"] == 0
    assert codes(sandbox) == ["selector_scalar", "unknown_parameter"]


def test_an_update_without_a_valid_selector_hits_all(sandbox: Sandbox, people: Client) -> None:
    """The great trap; by a switch it is an error, as a product log claims."""
    assert people.refused("PUT", "database/1/profiles", {"fields": {}}) == "URL parameter fields is required"
    body = {"fields": {"City": "Breda"}}
    assert people("PUT", "database/1/profiles", body, **{"fields[]": "Cty==Delft"}).status_code == 204
    assert [one["fields"]["City"] for one in sandbox.contents("1")["profiles"]] == ["Breda"] * 3
    assert codes(sandbox) == ["selector_unknown_field", "update_of_all", "several_matches"]
    sandbox.set_switches({"unknown_selector_fields": "error"})
    message = people.refused("PUT", "database/1/profiles", body, **{"fields[]": "Cty==Delft"})
    assert message == "Invalid selector in URL parameter fields"


def test_lookups_may_drop_a_selector_or_answer_with_strangers(sandbox: Sandbox, people: Client) -> None:
    """Two switches for accounts that lie: no hazard, for the client did nothing wrong."""
    sandbox.set_switches({"lookups_drop": ["CustNo"]})
    assert found(people, "CustNo==2") == ["1", "2", "3"]
    sandbox.set_switches({"lookups_drop": [], "lookup_strangers": True})
    page = people.get("database/1/profiles", **{"fields[]": "CustNo==2"})
    assert [one["ID"] for one in page["data"]] == ["1", "2"]
    assert codes(sandbox) == []


def test_changed_and_removed_values_are_found_anew(people: Client) -> None:
    """The index behind a key follows every change."""
    assert found(people, "CustNo==2") == ["2"]
    people("PUT", "profile/2/fields", {"CustNo": "22"})
    people("DELETE", "profile/3")
    assert (found(people, "CustNo==2"), found(people, "CustNo==22"), found(people, "CustNo==3")) == ([], ["2"], [])


def test_the_collation_is_a_switch(sandbox: Sandbox, people: Client) -> None:
    """Accents and outer blanks may count or not."""
    people.made("database/1/profiles", {"fields": {"City": "Délft "}})
    assert found(people, "City==Delft") == ["1", "2"]
    sandbox.set_switches({"collation": "accents"})
    assert found(people, "City==Delft") == ["1", "2", "4"]


@pytest.mark.parametrize(
    ("parameters", "ids"),
    [
        ({"orderby": "Points"}, ["3", "1", "2"]),
        ({"orderby": "POINTS", "order": "DESC"}, ["2", "1", "3"]),
        ({"orderby": "5", "order": "descending"}, ["2", "1", "3"]),
        ({"order": "desc"}, ["3", "2", "1"]),
        ({"order": "down"}, ["1", "2", "3"]),
        ({"orderby": "nope", "order": "desc"}, ["3", "2", "1"]),
        ({"orderby": "modified"}, ["1", "2", "3"]),
    ],
)
def test_the_order_of_a_list(people: Client, parameters: dict[str, str], ids: list[str]) -> None:
    """By a field's name or id, by id otherwise; only desc and descending descend."""
    assert found(people, **parameters) == ids


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"start": "1", "limit": "1"}, (1, 1, ["2"], 3)),
        ({"limit": "abc"}, (0, 0, [], 3)),
        ({"limit": "-5"}, (0, -5, [], 3)),
        ({"start": "-1"}, (-1, 100, [], 3)),
        ({"LIMIT": "1"}, (0, 100, ["1", "2", "3"], 3)),
        ({"limit[]": "7"}, (0, 1, ["1"], 3)),
        ({"total": "no"}, (0, 100, ["1", "2", "3"], None)),
        ({"total": "0.5"}, (0, 100, ["1", "2", "3"], None)),
        ({"total": "-1"}, (0, 100, ["1", "2", "3"], 3)),
        ({"total": "YES"}, (0, 100, ["1", "2", "3"], 3)),
        ({"total": "on"}, (0, 100, ["1", "2", "3"], None)),
        ({"total": " true "}, (0, 100, ["1", "2", "3"], None)),
        ({"total[]": "0"}, (0, 100, ["1", "2", "3"], 3)),
    ],
)
def test_paging_parameters(
    people: Client, parameters: dict[str, str], expected: tuple[int, int, list[str], int | None]
) -> None:
    """Numbers are cast, odd ones echoed with an empty page; only some words are true."""
    page = people.get("database/1/profiles", **parameters)
    ids = [one["ID"] for one in page["data"]]
    assert (page["start"], page["limit"], ids, page.get("total")) == expected
    assert page["count"] == len(ids)


@pytest.mark.parametrize(("version", "most"), [(1, 100), (2, 1000), (4, 1000)])
def test_the_limit_is_capped_silently(
    sandbox: Sandbox, api: Client, client_of: Callable[[int], Client], version: int, most: int
) -> None:
    """100 in version 1, 1000 later; which limit is echoed is a switch."""
    api.imported([{"CustNo": str(number)} for number in range(1100)], action="add")
    page = client_of(version).get("database/1/profiles", limit="5000")
    assert (page["count"], page["limit"], page["total"]) == (most, 5000, 1100)
    sandbox.set_switches({"limit_echo": "capped"})
    assert client_of(version).get("database/1/profiles", limit="5000")["limit"] == most


def test_paging_by_id(people: Client) -> None:
    """The way that skips nothing: id above the last, no total."""
    page = people.get("database/1/profiles", **{"fields[]": "id>1", "orderby": "id", "limit": "1", "total": "false"})
    assert list(page) == ["start", "limit", "count", "data", "nextid"]
    assert (page["data"][0]["ID"], page["nextid"]) == ("2", 3)


def test_dataonly_shortens_a_profile(people: Client) -> None:
    """ID, fields, interests and modified stay."""
    page = people.get("database/1/profiles", dataonly="1", limit="1")
    assert list(page["data"][0]) == ["ID", "fields", "interests", "modified"]
