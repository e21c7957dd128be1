"""Lists: paging, and what a selector finds."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.copernica import Selector
from tests.behaviour.api import Api, Learn


def listed(api: Api, *selectors: str, **words: object) -> dict[str, Any]:
    """Ask for a page of profiles with selectors unchanged."""
    params = [("fields[]", one) for one in selectors] + [(name, str(word)) for name, word in words.items()]
    answer = api.raw("GET", f"database/{api.database.id}/profiles", params=params)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def ids(page: dict[str, Any]) -> list[int]:
    return [int(one["ID"]) for one in page["data"]]


def test_a_list_is_wrapped(api: Api) -> None:
    """API sheet 5: `start, limit, count, data, total`; the total goes with total=false."""
    number, key = api.made(), api.key()
    page = listed(api, f"id=={number}")
    assert (page["start"], page["count"], page["total"]) == (0, 1, 1)
    assert ids(page) == [number]
    assert "total" not in listed(api, f"Nr=={key}", total="false")
    assert api.raw("GET", f"profile/{number}").headers["Content-Type"] == "application/json"


def test_values_are_texts(api: Api) -> None:
    """API sheet 4.3: ids, fields and counters of a profile are texts, `removed` is not."""
    number = api.made(Points="3")
    (row,) = listed(api, f"id=={number}")["data"]
    assert (row["ID"], row["fields"]["Points"], row["database"]) == (str(number), "3", str(api.database.id))
    assert row.get("removed", False) is False
    assert list(row["fields"]) == list(api.database.fields)


def test_paging_by_id_gives_all_in_order(api: Api) -> None:
    """`orderby=id`, `fields[]=id>LAST`: what the client does with every list of records."""
    made = [api.made() for _ in range(3)]
    page = listed(api, f"id>{made[0] - 1}", orderby="id", limit=2, total="false")
    assert ids(page) == made[:2]
    assert ids(listed(api, f"id>{made[1]}", f"id<={made[2]}", orderby="id", limit=2)) == made[2:]
    assert [one.id for one in api.client.profiles(api.database) if one.id in made] == made


def test_start_is_an_offset(api: Api, learn: Learn) -> None:
    """C11: the second of two, not the record with that id."""
    first, second = api.made(), api.made()
    found = ids(listed(api, f"id>={first}", f"id<={second}", start=1))
    learn("C11", "start", "an offset" if found == [second] else str(found == []), sandbox="an offset")


def test_a_limit_that_is_capped(api: Api, learn: Learn) -> None:
    """U6, C21: what `limit` echoes when more is asked for than a page holds."""
    learn("U6", "limit=5000 echoes", str(listed(api, f"id=={api.made()}", limit=5000)["limit"]), sandbox="5000",
          possible=("1000", "100"))  # fmt: skip


def test_nextid_on_the_last_page(api: Api, learn: Learn) -> None:
    """U7: whether it is there, and what it is."""
    number = api.made()
    after = listed(api, f"id=={number}").get("nextid")
    names = {None: "absent", number + 1: "last id + 1", 0: "0"}
    learn("U7", "nextid behind the last record", names.get(after, "another number"),
          sandbox="absent" if api.version == "v1" else "last id + 1")  # fmt: skip


def test_an_empty_page(api: Api) -> None:
    """Nothing behind the last id: no row, and total 0 (a limit of 0 or a text gives none either; trap 14)."""
    page = listed(api, "id>999999999999")
    assert (page["data"], page["total"]) == ([], 0)
    assert listed(api, f"id=={api.made()}", limit="many")["data"] == []


def test_ids_without_paging(api: Api, learn: Learn) -> None:
    """U10, C14: how many of more than a hundred `profileids` gives."""
    api.alone()
    while api.client.count(api.database) <= 100:
        api.made()
    count, total = len(api.raw("GET", f"database/{api.database.id}/profileids").json()), api.client.count(api.database)
    learn("U10", "profileids of more than 100 profiles", "all" if count == total else str(count), sandbox="100",
          possible=("all",))  # fmt: skip


HOSTILE = [
    "a+b@x.test",
    "50% off",
    "Salt & Pepper",
    "x==y",
    "'quoted\"",
    "a#b?c=d",
    "sm\u00f6rg\u00e5s",
    "<>!~",
    "100_",
    "tab\u00a0x",
]


@pytest.mark.parametrize("tail", HOSTILE)
def test_a_selector_finds_exactly_its_value(api: Api, tail: str) -> None:
    """`+`, `%`, `&`, operators, quotes, letters outside ASCII: stored as sent, found by themselves and by nothing else."""
    key = f"{api.key()} {tail}"
    number, other = api.made(Nr=key), api.made(Nr=f"{key}x")
    assert api.client.profile(number).fields["Nr"] == key
    assert [one.id for one in api.found(key)] == [number]
    assert api.client.count(api.database, api.by_key(key)) == 1
    assert [one.id for one in api.found(f"{key}x")] == [other]


def test_an_emoji_survives(api: Api, learn: Learn) -> None:
    """U23: four bytes of UTF-8, stored and selected by."""
    key = f"{api.key()} \U0001f600"
    number = api.made(Nr=key)
    stored = api.client.profile(number).fields["Nr"]
    found = [one.id for one in api.client.profiles(api.database, api.by_key(key))]
    seen = ("kept" if stored == key else "changed", "found" if found == [number] else "not found")
    learn("U23", "emoji in a text", ", ".join(seen), sandbox="kept, found")


def test_case_does_not_count_in_a_text(api: Api) -> None:
    """API sheet 6: `==` finds another spelling of the key."""
    number = api.made(Nr=api.key() + "-AbC")
    key = api.client.profile(number).fields["Nr"]
    assert [one.id for one in api.found(key.upper())] == [number] == [one.id for one in api.found(key.lower())]


def test_case_counts_in_a_select(api: Api) -> None:
    """API sheet 6: options are compared as they are."""
    number = api.made(Tier="gold")
    tier = api.database.fields["Tier"]
    mine = f"id=={number}"
    assert ids(listed(api, mine, Selector.equals(tier, "gold").expression)) == [number]
    assert ids(listed(api, mine, "Tier==Gold")) == []


@pytest.mark.parametrize(
    ("what", "stored", "asked", "seen"),
    [
        ("accents", "e", "\u00e9", "differ"),
        ("trailing blanks of what is stored", "x  ", "x", "differ"),
        ("trailing blanks of what is asked for", "x", "x  ", "equal"),
        ("sharp s", "ss", "\u00df", "equal"),
    ],
)
def test_collation(api: Api, learn: Learn, what: str, stored: str, asked: str, seen: str) -> None:
    """U8: what else counts as equal."""
    key = api.key()
    number = api.made(Nr=f"{key}{stored}")
    found = ids(listed(api, f"id=={number}", f"Nr=={key}{asked}"))
    learn("U8", f"{what} under ==", "equal" if found else "differ", sandbox=seen, possible=("equal", "differ"))


def test_the_case_of_like(api: Api, learn: Learn) -> None:
    """U8: `=~` with a pattern in capitals; the client sends none."""
    key = api.key()
    number = api.made(Nr=f"{key}abc")
    found = ids(listed(api, f"id=={number}", f"Nr=~{key.upper()}%"))
    learn(
        "U8", "case under =~", "does not count" if found else "counts", sandbox="does not count", possible=("counts",)
    )


def test_numbers_and_dates_are_selected_by_value(api: Api) -> None:
    """API sheet 6: what is asked for is normalised like a write."""
    number = api.made(Points="12", Balance="3.5", Born="1980-09-03")
    mine = f"id=={number}"
    for asked in ("Points==012", "Points==12", "Balance==3.50", "Born==1980-09-03"):
        assert ids(listed(api, mine, asked)) == [number]
    assert ids(listed(api, mine, "Points==13")) == []


def test_several_selectors_are_all_to_hold(api: Api) -> None:
    """API sheet 6: ANDed."""
    key = api.key()
    delft, gouda = api.made(Nr=key, City="Delft"), api.made(Nr=key, City="Gouda")
    city = api.database.fields["City"]
    for name, number in (("Delft", delft), ("Gouda", gouda)):
        found = api.client.profiles(api.database, api.by_key(key), Selector.equals(city, name))
        assert [one.id for one in found] == [number]


@pytest.mark.parametrize(
    "asked", ["Nosuchfield==x", "Nr ==x", "Nr", "Nosuch.Nr==x"], ids=["unknown", "blank", "no operator", "dotted"]
)
def test_a_selector_that_is_not_understood(api: Api, learn: Learn, asked: str) -> None:
    """Trap 1, C1: dropped from a list, so that everything is found; the client cannot build one."""
    number = api.made()
    answer = api.raw(
        "GET", f"database/{api.database.id}/profiles", params=[("fields[]", f"id=={number}"), ("fields[]", asked)]
    )
    seen = (
        "refused" if answer.status_code == 400 else "dropped" if ids(answer.json()) == [number] else "matches nothing"
    )
    learn("C1", f"GET with the selector {asked!r}", seen, sandbox="dropped", possible=("refused", "matches nothing"))


def test_a_removed_profile_is_in_no_list(api: Api) -> None:
    """API sheet 14: neither by its key nor by its id, but it can be read."""
    key = api.key()
    number = api.made(Nr=key)
    assert api.client.delete_profile(number) is True
    assert api.found(key) == []
    assert ids(listed(api, f"id=={number}")) == []
    assert api.client.count(api.database, api.by_key(key)) == 0


@pytest.mark.since("v2")
def test_data_only_leaves_something_out(api: Api, learn: Learn) -> None:
    """C12: what a profile has with `dataonly=1`; the client reads nothing else then."""
    (row,) = listed(api, f"id=={api.made()}", dataonly=1)["data"]
    assert {"ID", "fields", "interests", "modified"} <= set(row)
    learn("C12", "secret under dataonly", "there" if "secret" in row else "left out", sandbox="left out",
          possible=("there",))  # fmt: skip
