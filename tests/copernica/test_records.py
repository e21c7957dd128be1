"""Profiles, subprofiles and identities are read in every shape that is known."""

from __future__ import annotations

import pytest

from pipeline.copernica.answers import read_row
from pipeline.copernica.failures import UnexpectedResponseError
from pipeline.copernica.records import (
    Identity,
    Profile,
    Subprofile,
    identity_of,
    names_of,
    profile_of,
    subprofile_of,
    values_of,
)

SAMPLE = {
    "ID": "501",
    "fields": {"Email": "b@x.test", "CustNo": "0"},
    "interests": ["news"],
    "database": "7",
    "secret": "0123456789abcdef0123456789ab",
    "created": "2024-01-02 03:04:05",
    "modified": "2024-01-05 06:07:08",
    "removed": False,
}


MADE, CHANGED = "2024-01-02 03:04:05", "2024-01-05 06:07:08"


def test_the_profile_of_the_sheet() -> None:
    """API sheet 23, list page."""
    assert profile_of(SAMPLE) == Profile(501, {"Email": "b@x.test", "CustNo": "0"}, ("news",), False, 7, MADE, CHANGED)


def test_a_removed_profile() -> None:
    """`removed` is a time then, and fields are blank (API sheet 14)."""
    row = SAMPLE | {"removed": "2024-02-03 04:05:06", "fields": {"Email": "", "CustNo": ""}}
    assert profile_of(row) == Profile(501, {"Email": "", "CustNo": ""}, ("news",), True, 7, MADE, CHANGED)


def test_a_profile_with_data_only() -> None:
    """`dataonly` leaves the rest out (API sheet 6.3)."""
    assert profile_of({"ID": "1", "fields": [], "interests": []}) == Profile(1, {}, (), False, None)


def test_a_subprofile() -> None:
    """Ids are texts."""
    row = {"ID": "9", "fields": {"No": "A1"}, "profile": "501", "collection": "3", "removed": False}
    assert subprofile_of(row) == Subprofile(9, {"No": "A1"}, 501, 3, False)


@pytest.mark.parametrize(
    "row", [{}, {"ID": "1"}, {"ID": "x", "fields": {}}, {"ID": "1", "fields": "x"}, {"ID": "1", "fields": ["x"]}]
)
def test_what_is_no_record_is_a_stranger(row: dict[str, object]) -> None:
    """Never a record without values."""
    with pytest.raises(UnexpectedResponseError, match="no profile"):
        read_row(profile_of, row, "profile")
    with pytest.raises(UnexpectedResponseError, match="no subprofile"):
        read_row(subprofile_of, row, "subprofile")


def test_values_are_texts() -> None:
    """Every value is a text on the wire (API sheet 4.3); others are taken as PHP would print them."""
    assert values_of({"a": "1", "b": 2, "c": None, "d": True, "e": False}) == {
        "a": "1",
        "b": "2",
        "c": "",
        "d": "1",
        "e": "",
    }


@pytest.mark.parametrize(
    ("interests", "names"),
    [
        (["news", "sport"], ("news", "sport")),
        ({"news": True, "sport": 0}, ("news",)),
        ([{"ID": "1", "name": "news"}], ("news",)),
        (None, ()),
    ],
)
def test_interests_that_are_on(interests: object, names: tuple[str, ...]) -> None:
    """Names, objects, or a map (API sheet 9)."""
    assert names_of(interests) == names


@pytest.mark.parametrize(
    "answer",
    [
        {"id": "34", "name": "Shop", "description": "d", "company": "c"},
        {"ID": 34, "name": "Shop", "description": "d", "company": "c", "usedBy": []},
        {"data": {"id": "34", "name": "Shop", "description": "d", "company": "c"}},
    ],
)
def test_an_identity_in_every_known_shape(answer: dict[str, object]) -> None:
    """`id` or `ID`, flat or wrapped (API sheet ⚠C13)."""
    assert identity_of(answer) == Identity("34", "Shop")


@pytest.mark.parametrize("answer", [{}, {"name": "x"}, {"id": ""}])
def test_an_identity_without_id_is_a_stranger(answer: dict[str, object]) -> None:
    """It could be compared with nothing."""
    with pytest.raises(UnexpectedResponseError, match="names no account"):
        identity_of(answer)


def test_records_do_not_show_their_values() -> None:
    """A record in a log would be a leak."""
    assert repr(profile_of(SAMPLE)) == "Profile(501)"
    assert repr(Subprofile(9, {"No": "A1"}, removed=True)) == "Subprofile(9, removed)"
