"""Profiles: made, changed and removed, their interests, and what becomes of their values."""

from __future__ import annotations

import pytest
import requests

from pipeline.copernica import Change, RefusedError, Selector
from tests.behaviour.api import Api, Learn


def put_many(api: Api, *selectors: str, city: str, **options: str) -> requests.Response:
    """PUT the city with selectors unchanged."""
    fields = {"City": city} | ({"Nr": options.pop("nr")} if "nr" in options else {})
    params = [("fields[]", one) for one in selectors] + list(options.items())
    body = fields if api.version == "v1" else {"fields": fields}
    return api.raw("PUT", f"database/{api.database.id}/profiles", body, params=params)


def test_a_profile_is_made_with_its_fields(api: Api) -> None:
    """Those not named have their defaults, those that may be empty are (API sheet 13)."""
    number = api.made(City="Delft", Email="A@x.test")
    profile = api.client.profile(number)
    wanted = {"City": "Delft", "Email": "A@x.test", "Points": "7", "Tier": "", "Born": "", "Left_at": "", "Story": ""}
    assert {name: profile.fields[name] for name in wanted} == wanted
    assert (profile.removed, profile.interests, profile.database) == (False, (), api.database.id)


def test_the_same_twice_is_two(api: Api) -> None:
    """API sheet 9: POST never looks."""
    key = api.key()
    first, second = api.made(Nr=key), api.made(Nr=key)
    assert [one.id for one in api.found(key)] == [first, second]


def test_creating_is_answered_with_the_id(api: Api) -> None:
    """API sheet 4.1: 201, no body, `X-Created` with digits, and a location that ends in them."""
    fields = {"Nr": api.key()}
    body = fields if api.version == "v1" else {"fields": fields}
    answer = api.raw("POST", f"database/{api.database.id}/profiles", body)
    assert (answer.status_code, answer.content) == (201, b"")
    assert answer.headers["X-location"].endswith(f"/profile/{int(answer.headers['X-Created'])}")


def test_updating_is_answered(api: Api, learn: Learn) -> None:
    """C7: 303 with a `Location` in v1 and v2, 204 later; the client takes both and follows nothing."""
    answer = api.raw("PUT", f"profile/{api.made()}/fields", {"City": "Ede"})
    where = " with the token" if api.place.token in answer.headers.get("Location", "") else ""
    learn("C7", "PUT of one profile", f"{answer.status_code}{where}",
          sandbox="303 with the token" if api.version in ("v1", "v2") else "204")  # fmt: skip
    assert answer.status_code in (200, 204, 303)


def test_only_what_is_named_changes(api: Api) -> None:
    """PUT of one profile."""
    number = api.made(City="Delft", Points="1")
    api.client.update_profile(number, {"City": "Gouda"})
    fields = api.client.profile(number).fields
    assert (fields["City"], fields["Points"]) == ("Gouda", "1")


def test_modified_moves_only_with_a_value(api: Api) -> None:
    """API sheet 9: an update to what is there already changes nothing."""
    number = api.made(Points="2")
    before = api.raw("GET", f"profile/{number}").json()["modified"]
    if api.sandbox is not None:
        api.sandbox.advance(5)
    api.client.update_profile(number, {"Points": "2.99"})
    assert api.raw("GET", f"profile/{number}").json()["modified"] == before


def test_a_removed_profile_stays_readable(api: Api) -> None:
    """API sheet 14: fields blank, `removed` set; the second DELETE reports it; an update succeeds without effect (C19)."""
    number = api.made(City="Delft")
    assert api.client.delete_profile(number) is True
    profile = api.client.profile(number)
    assert (profile.removed, profile.fields["City"]) == (True, "")
    assert api.refused("DELETE", f"profile/{number}") == "This profile has already been removed"
    assert api.client.delete_profile(number) is False
    api.client.update_profile(number, {"City": "Gouda"})
    assert api.client.profile(number).removed is True


# Upsert and update by selector.


def test_put_with_create_makes_one_and_then_changes_it(api: Api) -> None:
    """API sheet 9: from the body; afterwards nothing is made, though it matches in another case."""
    key = api.key()
    made = api.client.put_profiles(api.database, Change((api.by_key(key),), {"Nr": key, "City": "Delft"}, create=True))
    assert made == api.one(key).id
    other = Change((api.by_key(key.upper()),), {"Nr": key.upper(), "City": "Gouda"}, create=True)
    assert api.client.put_profiles(api.database, other) is None
    profile = api.one(key)
    assert (profile.id, profile.fields["City"], profile.fields["Nr"]) == (made, "Gouda", key.upper())


def test_put_changes_all_that_match(api: Api) -> None:
    """API sheet 9: both of two with the same key, and nobody else."""
    key = api.key()
    twins, other = [api.made(Nr=key), api.made(Nr=key)], api.made(City="Delft")
    assert api.client.put_profiles(api.database, Change((api.by_key(key),), {"City": "Ede"})) is None
    assert [api.client.profile(one).fields["City"] for one in (*twins, other)] == ["Ede", "Ede", "Delft"]


def test_put_without_a_match_does_nothing(api: Api) -> None:
    """Indistinguishable from an update."""
    key = api.key()
    assert api.client.put_profiles(api.database, Change((api.by_key(key),), {"City": "Ede"})) is None
    assert api.found(key) == []


def test_put_without_fields_is_refused(api: Api) -> None:
    """API sheet 6.1."""
    assert api.refused("PUT", f"database/{api.database.id}/profiles", {}) == "URL parameter fields is required"


@pytest.mark.parametrize(
    ("asked", "name"),
    [("Nosuchfield==x", "an unknown field"), ("Nr ==x", "a blank before the operator")],
)
def test_put_with_only_a_selector_that_is_not_understood(api: Api, learn: Learn, asked: str, name: str) -> None:
    """C1, trap 1: refused, or every profile is changed. In a database of our own; the client cannot build one."""
    api.alone()
    number = api.made(City="Delft")
    answer = put_many(api, asked, city="HIT")
    hit = api.client.profile(number).fields["City"] == "HIT"
    learn("C1", f"PUT with {name}", "changes all" if hit else f"{answer.status_code}, changes nothing",
          sandbox="changes all", possible=("400, changes nothing", "204, changes nothing", "200, changes nothing"))  # fmt: skip


def test_put_with_a_scalar_selector(api: Api, learn: Learn) -> None:
    """U9: `fields=Nr==x` without brackets."""
    api.alone()
    number = api.made(City="Delft")
    body = {"City": "HIT"} if api.version == "v1" else {"fields": {"City": "HIT"}}
    answer = api.raw("PUT", f"database/{api.database.id}/profiles", body, params=[("fields", f"Nr=={api.key()}")])
    hit = api.client.profile(number).fields["City"] == "HIT"
    learn("U9", "PUT with fields= without brackets", "changes all" if hit else f"{answer.status_code}, changes nothing",
          sandbox="changes all", possible=("400, changes nothing", "204, changes nothing"))  # fmt: skip


def test_put_with_async_and_create(api: Api, learn: Learn) -> None:
    """U11: whether the id of what was made is returned; it may take a moment on a real account."""
    key = api.key()
    answer = put_many(api, f"Nr=={key}", city="Ede", nr=key, create="1", **{"async": "1"})
    assert answer.status_code < 400
    learn("U11", "X-Created with async and create", "there" if "X-Created" in answer.headers else "absent",
          sandbox="absent", possible=("there",))  # fmt: skip


# Bodies in the wrong shape.


@pytest.mark.since("v2")
def test_a_flat_body_makes_an_empty_profile(api: Api) -> None:
    """Trap 4, C5: fields of v1 in the body of a later version are nobody's."""
    answer = api.raw("POST", f"database/{api.database.id}/profiles", {"Nr": api.key(), "City": "Delft"})
    number = int(answer.headers["X-Created"])
    assert api.client.profile(number).fields["Nr"] == ""
    assert api.client.delete_profile(number) is True


def test_an_unknown_field_is_dropped(api: Api, learn: Learn) -> None:
    """Trap 6, C1: or refused since 2021, if that was meant; the client does not send one."""
    answer = api.raw("PUT", f"profile/{api.made()}/fields", {"Nosuchfield": "x"})
    learn("C1", "an unknown field in a body", "dropped" if answer.status_code < 400 else "refused", sandbox="dropped",
          possible=("refused",))  # fmt: skip


def test_fields_have_their_names_in_any_case(api: Api) -> None:
    """API sheet 3.1: of two spellings the last wins."""
    number = api.made()
    api.raw("PUT", f"profile/{number}/fields", {"cITY": "Ede"})
    assert api.client.profile(number).fields["City"] == "Ede"


# Interests.


def test_interests_are_switched_by_name_and_the_others_stay(api: Api) -> None:
    """API sheet 9: POST with a map; this is what the pipeline relies on for consent."""
    number = api.made({"news": True, "offers": True})
    api.client.set_interests(number, {"offers": False})
    assert api.client.profile(number).interests == ("news",)
    api.client.set_interests(number, {"offers": True})
    assert sorted(api.client.profile(number).interests) == ["news", "offers"]


def test_put_of_interests_switches_the_others_off(api: Api) -> None:
    """API sheet 9: the complete new state."""
    number = api.made({"news": True})
    api.raw("PUT", f"profile/{number}/interests", ["offers"])
    assert api.client.profile(number).interests == ("offers",)


@pytest.mark.parametrize("form", ["list", "map"])
def test_interests_in_the_body_of_a_put(api: Api, learn: Learn, form: str) -> None:
    """U12: whether interests that are not named survive `PUT profile/$id`; the client never puts them there."""
    number = api.made({"news": True})
    asked = ["offers"] if form == "list" else {"offers": True}
    api.raw("PUT", f"profile/{number}", {"fields": {"City": "Ede"}, "interests": asked})
    on = api.client.profile(number).interests
    learn("U12", f"PUT profile, interests as a {form}", "adds" if "news" in on else "replaces", sandbox="replaces",
          possible=("adds",))  # fmt: skip
    assert "offers" in on


@pytest.mark.since("v2")
def test_a_profile_is_made_with_interests(api: Api) -> None:
    """In the body of the POST, on and off."""
    number = api.client.create_profile(api.database, {"Nr": api.key()}, {"news": True, "offers": False})
    assert api.client.profile(number).interests == ("news",)


def test_an_unknown_interest(api: Api, learn: Learn) -> None:
    """U13: ignored, made, or refused; the client and the job check names before."""
    number = api.made()
    answer = api.raw("POST", f"profile/{number}/interests", {"nosuch_interest": True})
    known = api.client.database_interests(api.database.id)
    seen = "refused" if answer.status_code >= 400 else "made" if "nosuch_interest" in known else "ignored"
    learn("U13", "an unknown interest", seen, sandbox="ignored", possible=("made", "refused"))


# Values: what becomes of them (API sheet 13).

COERCED = [
    ("City", " x ", " x "),
    ("City", "", ""),
    ("City", True, "1"),
    ("City", None, ""),
    ("City", 17, "17"),
    ("Email", "no address", "no address"),
    ("Tier", "gold", "gold"),
    ("Tier", "Gold", ""),
    ("Tier", "bronze", ""),
    ("Points", "   3 ", "3"),
    ("Points", "2.99", "2"),
    ("Points", "-2.99", "-2"),
    ("Points", "many", "0"),
    ("Points", "", "0"),
    ("Points", None, "0"),
    ("Points", True, "1"),
    ("Points", "007", "7"),
    ("Balance", "3.50", "3.5"),
    ("Balance", "3,50", "3"),
    ("Balance", "", "0"),
    ("Since", "2024-02-29", "2024-02-29"),
    ("Since", "2024-02-29 13:14:15", "2024-02-29"),
    ("Since", "no date", "0000-00-00"),
    ("Since", "", "0000-00-00"),
    ("Since", "2020-02-30", "2020-03-01"),
    ("Since", "03-09-1980", "1980-09-03"),
    ("Since", "03/09/1980", "1980-03-09"),
    ("Since", "2020-2", "2020-02-01"),
    ("Born", "", ""),
    ("Born", "no date", ""),
    ("Born", "0000-00-00", ""),
    ("Seen", "2024-02-29", "2024-02-29 00:00:00"),
    ("Seen", "2024-02-29T13:14:15.9", "2024-02-29 13:14:15"),
    ("Seen", "2024-01-01T12:00:00Z", "2024-01-01 13:00:00"),
    ("Seen", "", "0000-00-00 00:00:00"),
    ("Left_at", "", ""),
    ("Story", "x" * 300, "x" * 300),
]


@pytest.mark.parametrize(("name", "value", "stored"), COERCED)
def test_a_value_never_fails(api: Api, learn: Learn, name: str, value: object, stored: str) -> None:
    """Trap 7: it is bent into what its field can hold. Floats are compared by value."""
    found = api.stored(name, value)
    if name == "Balance":
        found = f"{float(found):g}"
    learn("S13", f"{api.database.fields[name].type} {value!r:.30}", f"{found!r:.40}", sandbox=f"{stored!r:.40}")


def test_a_single_letter_is_now(api: Api) -> None:
    """API sheet 13: a military time zone, so that a stray letter in a date becomes today."""
    assert api.stored("Since", "a") == api.raw("GET", f"profile/{api.made()}").json()["created"][:10]


@pytest.mark.parametrize("number", ["2147483647", "2147483648", "-2147483649", "9223372036854775807", "1e3"])
def test_the_range_of_integers(api: Api, learn: Learn, number: str) -> None:
    """U29: what a large one becomes; the pipeline sends none outside 64 bits and warns above 32."""
    learn("U29", f"integer {number}", api.stored("Points", number), sandbox="1000" if number == "1e3" else number)


@pytest.mark.parametrize("number", ["0612345678", "+31 6 1234 5678", "06-12345678"])
def test_phone_numbers(api: Api, learn: Learn, number: str) -> None:
    """U28: kept as they are, or put in a form; read-back does not compare them."""
    learn("U28", f"phone_gsm {number}", api.stored("Mobile", number), sandbox=number)


def test_a_text_that_is_too_long(api: Api, learn: Learn) -> None:
    """U30: cut, or refused; the pipeline rejects it before."""
    key = api.key()
    try:
        number = api.client.create_profile(api.database, {"Nr": key, "City": "Amsterdammer"})
        seen = f"cut to {len(api.client.profile(number).fields['City'])}"
    except RefusedError as error:
        seen = f"refused: {error.words}"
    learn("U30", "12 characters into a text of 10", seen, sandbox="cut to 10")


def test_hostile_texts_are_stored_as_they_are(api: Api) -> None:
    """Line breaks, quotes, markup, entities, a backslash: nothing is interpreted."""
    text = "one\ntwo\t'\"\\n <b>&amp;</b> %20+ {$x} \u20ac"
    assert api.stored("Story", text) == text


def test_a_selector_with_an_empty_value_hits_all_blanks(api: Api) -> None:
    """Trap 2: legal, and matches every record without one; a `Selector` refuses it."""
    number = api.made(Email="")
    answer = api.raw(
        "GET", f"database/{api.database.id}/profiles", params=[("fields[]", f"id=={number}"), ("fields[]", "Email==")]
    )
    assert [int(one["ID"]) for one in answer.json()["data"]] == [number]
    with pytest.raises(ValueError, match="an empty value"):
        Selector.equals(api.database.fields["Email"], "")


@pytest.mark.since("v2")
def test_several_profiles_are_deleted_at_once(api: Api) -> None:
    """C3: ids in a JSON body; the client deletes one by one."""
    made = [api.made(), api.made()]
    answer = api.raw("DELETE", f"database/{api.database.id}/profiles", {"profiles": made})
    assert answer.status_code < 300
    assert [api.client.profile(one).removed for one in made] == [True, True]
