"""Subprofiles: flat bodies, matched inside their profile."""

from __future__ import annotations

import pytest

from pipeline.copernica import Collection, Selector
from tests.behaviour.api import Api, Learn


def orders_of(api: Api) -> Collection:
    return api.database.collections["Orders"]


def test_the_life_of_a_subprofile(api: Api) -> None:
    """Made, listed, changed, read, removed; the profile stays."""
    profile = api.made()
    number = api.client.create_subprofile(profile, orders_of(api), {"Nr": "A1", "Total": "3.50"})
    (found,) = api.orders(profile)
    assert (found.id, found.fields["Nr"], float(found.fields["Total"]), found.profile) == (number, "A1", 3.5, profile)
    api.client.update_subprofile(number, {"Total": "4"})
    assert float(api.client.subprofile(number).fields["Total"]) == 4
    assert api.client.delete_subprofile(number) is True
    assert api.refused("DELETE", f"subprofile/{number}") == "This subprofile has already been removed"
    assert api.orders(profile) == []
    assert api.client.subprofile(number).removed is True
    assert api.client.profile(profile).removed is False


def test_a_wrapped_body_writes_nothing(api: Api) -> None:
    """Trap 5: subprofile bodies are flat in every version."""
    profile = api.made()
    answer = api.raw("POST", f"profile/{profile}/subprofiles/{orders_of(api).id}", {"fields": {"Nr": "A1"}})
    assert answer.status_code == 201
    assert [one.fields["Nr"] for one in api.orders(profile)] == [""]


def test_a_collection_has_its_name_here(api: Api) -> None:
    """API sheet 3.2: id or name, in any case; an unknown one is refused in words of its own."""
    profile = api.made()
    assert api.raw("POST", f"profile/{profile}/subprofiles/oRDERS", {"Nr": "A1"}).status_code == 201
    assert len(api.orders(profile)) == 1
    assert (
        api.refused("POST", f"profile/{profile}/subprofiles/nosuch", {"Nr": "A1"}) == "Subprofile could not be created"
    )
    assert "element 3 is missing" in api.refused("GET", f"profile/{profile}/subprofiles")


def test_the_list_of_one_profile(api: Api, learn: Learn) -> None:
    """C20: an array, or a list wrapper; the client takes both."""
    answer = api.raw("GET", f"profile/{api.made()}/subprofiles/{orders_of(api).id}").json()
    learn("C20", "GET profile/P/subprofiles/C", "array" if isinstance(answer, list) else "wrapper",
          sandbox="array" if api.version == "v1" else "wrapper", possible=("array", "wrapper"))  # fmt: skip


def test_subprofiles_of_a_collection_are_those_of_all_profiles(api: Api) -> None:
    """And are found by their fields, each with its profile."""
    key = api.key()[-18:]
    owners = [api.made(), api.made()]
    made = [api.client.create_subprofile(owner, orders_of(api), {"Nr": key}) for owner in owners]
    selector = Selector.equals(orders_of(api).fields["Nr"], key)
    found = list(api.client.collection_subprofiles(orders_of(api), selector))
    assert [(one.id, one.profile) for one in found] == list(zip(made, owners, strict=True))
    assert api.client.count_subprofiles(orders_of(api), selector) == 2


def test_removing_a_profile_removes_its_subprofiles(api: Api) -> None:
    """API sheet 14: they are in no list any more."""
    profile = api.made()
    number = api.client.create_subprofile(profile, orders_of(api), {"Nr": "A1"})
    api.client.delete_profile(profile)
    assert api.client.subprofile(number).removed is True


def test_a_subprofile_under_a_removed_profile(api: Api, learn: Learn) -> None:
    """API sheet 10: it was taken, though nobody can see it."""
    profile = api.made()
    api.client.delete_profile(profile)
    answer = api.raw("POST", f"profile/{profile}/subprofiles/{orders_of(api).id}", {"Nr": "A1"})
    learn(
        "C19", "POST of a subprofile under a removed profile", str(answer.status_code), sandbox="201", possible=("400",)
    )


@pytest.mark.since("v2")
def test_put_makes_one_and_then_changes_it(api: Api) -> None:
    """Within its profile: the same number under another profile stays."""
    profile, other = api.made(), api.made()
    api.client.create_subprofile(other, orders_of(api), {"Nr": "A1", "Total": "1"})
    for _ in range(2):
        path = f"profile/{profile}/subprofiles/{orders_of(api).id}"
        api.raw("PUT", path, {"Nr": "A1", "Total": "9"}, params=[("fields[]", "Nr==A1"), ("create", "1")])
    assert [(one.fields["Nr"], float(one.fields["Total"])) for one in api.orders(profile)] == [("A1", 9)]
    assert [float(one.fields["Total"]) for one in api.orders(other)] == [1]


@pytest.mark.since("v2")
def test_the_id_of_a_subprofile_that_a_put_made(api: Api, learn: Learn) -> None:
    """U5: whether `X-Created` comes, and with what status."""
    answer = api.raw("PUT", f"profile/{api.made()}/subprofiles/{orders_of(api).id}", {"Nr": "A1"},
                     params=[("fields[]", "Nr==A1"), ("create", "1")])  # fmt: skip
    there = "with" if "X-Created" in answer.headers else "without"
    learn("U5", "PUT that makes a subprofile", f"{answer.status_code} {there} X-Created",
          sandbox=f"{303 if api.version == 'v2' else 201} without X-Created")  # fmt: skip


@pytest.mark.since("v2")
def test_put_with_a_selector_that_is_not_understood(api: Api, learn: Learn) -> None:
    """API sheet 6.1: an error here already in 2020; at most the subprofiles of one profile are changed."""
    profile = api.made()
    api.client.create_subprofile(profile, orders_of(api), {"Nr": "A1"})
    answer = api.raw("PUT", f"profile/{profile}/subprofiles/{orders_of(api).id}", {"Total": "5"},
                     params=[("fields[]", "Nosuchfield==x")])  # fmt: skip
    learn("C1", "PUT of subprofiles with an unknown field", str(answer.status_code), sandbox="400", possible=("204",))


@pytest.mark.since("v3")
def test_the_body_of_a_put_to_a_collection(api: Api, learn: Learn) -> None:
    """C4: flat or wrapped; seen on one order whose number nobody else has. The client does not have the call."""
    key = api.key()[-18:]
    number = api.client.create_subprofile(api.made(), orders_of(api), {"Nr": key, "Total": "1"})
    totals = []
    for body in ({"Total": "5"}, {"fields": {"Total": "6"}}):
        api.raw("PUT", f"collection/{orders_of(api).id}/subprofiles", body, params=[("fields[]", f"Nr=={key}")])
        totals.append(float(api.client.subprofile(number).fields["Total"]))
    shapes = {(5, 5): "flat", (1, 6): "wrapped", (5, 6): "both"}
    learn("C4", "PUT collection/C/subprofiles", shapes.get((totals[0], totals[1]), "neither"), sandbox="flat",
          possible=("wrapped", "both"))  # fmt: skip
