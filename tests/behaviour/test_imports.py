"""Imports (v3 and v4): every action, how they are counted, and what cells become.

On a real account each import takes some seconds; one that is not approved for imports skips these tests.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.behaviour.api import Api, Learn

pytestmark = pytest.mark.since("v3")
ORDER = ("Nr", "Orders.Nr")


def city(api: Api, key: str) -> str:
    return api.one(key).fields["City"]


def numbers(api: Api, key: str) -> list[str]:
    """List the order numbers of the profile with this key."""
    return [one.fields["Nr"] for one in api.orders(api.one(key).id)]


# The answer, and the state of an import.


def test_an_import_is_accepted(api: Api, learn: Learn) -> None:
    """U14: status and headers of `POST imports`; the id is what everything else hangs on."""
    answer = api.raw_import([{"Nr": api.key(), "City": "Ede"}])
    names = [name for name in ("X-Created", "X-location", "Location") if name in answer.headers]
    learn("U14", "POST imports", f"{answer.status_code} {', '.join(names)}; body {answer.text[:60]!r}",
          sandbox="201 X-Created, X-location; body ''")  # fmt: skip
    assert api.ended(int(answer.headers["X-Created"])).last_error is None


def test_a_finished_import_is_counted(api: Api, learn: Learn) -> None:
    """API sheet 12: `lastrun` is set, the counters are equal to the rows, no error."""
    key = api.key()
    status = api.imported("update or add", ["Nr"], [{"Nr": f"{key}-{row}", "City": "Ede"} for row in range(3)])
    assert (status.total, status.processed, status.last_error) == (3, 3, None)
    assert status.last_run is not None
    learn("U27", "status of a finished import", status.status, sandbox="finished")


def test_how_an_import_is_spelled(api: Api, learn: Learn) -> None:
    """C16, C17: the words of `type`, the case of `processedLines`; and what an unknown id is answered."""
    answer = api.raw_import([{"Nr": api.key(), "City": "Ede"}])
    number = int(answer.headers["X-Created"])
    before = api.raw("GET", f"import/{number}").json()
    api.ended(number)
    learn("C16", "type of an import", str(before["type"]), sandbox="update or add", possible=("add or update",))
    learn("C17", "counter", next(key for key in before if key.lower() == "processedlines"), sandbox="processedLines",
          possible=("processedlines",))  # fmt: skip
    message = api.refused("GET", "import/999999999")
    learn("U14", "an unknown import", message, sandbox="No import with supplied ID")


# Actions (API sheet 11.2).


def test_add_makes_a_profile_per_row(api: Api) -> None:
    """Without a look: three rows of one key, of which one is there, are four profiles."""
    key = api.key()
    api.made(Nr=key)
    api.imported("add", [], [{"Nr": key, "City": name} for name in ("Ede", "Ede", "Urk")])
    assert [one.fields["City"] for one in api.found(key)] == ["", "Ede", "Ede", "Urk"]


def test_update_changes_and_never_makes(api: Api) -> None:
    """A key that is not there is skipped, and counted as processed all the same."""
    key, absent = api.key(), api.key()
    api.made(Nr=key, City="Delft", Points="3")
    status = api.imported("update", ["Nr"], [{"Nr": key, "City": "Ede"}, {"Nr": absent, "City": "Urk"}])
    assert (status.processed, status.last_error) == (2, None)
    assert (city(api, key), api.one(key).fields["Points"]) == ("Ede", "3")
    assert api.found(absent) == []


def test_update_or_add_changes_or_makes(api: Api) -> None:
    """Also in another case of the key, whose new spelling is stored; fields without a column get their default."""
    key, absent = api.key(), api.key()
    number = api.made(Nr=key, City="Delft")
    api.imported("update or add", ["Nr"], [{"Nr": key.upper(), "City": "Ede"}, {"Nr": absent, "City": "Urk"}])
    assert (api.one(key).id, api.one(key).fields["Nr"], city(api, key)) == (number, key.upper(), "Ede")
    assert (city(api, absent), api.one(absent).fields["Points"]) == ("Urk", "7")


def test_ignore_or_add_leaves_or_makes(api: Api) -> None:
    """What is there stays as it is."""
    key, absent = api.key(), api.key()
    api.made(Nr=key, City="Delft")
    api.imported("ignore or add", ["Nr"], [{"Nr": key, "City": "Ede"}, {"Nr": absent, "City": "Urk"}])
    assert (city(api, key), city(api, absent)) == ("Delft", "Urk")


def test_delete_removes_profiles(api: Api) -> None:
    """By the key; what is not there is skipped."""
    key, other = api.key(), api.key()
    number = api.made(Nr=key)
    api.made(Nr=other)
    status = api.imported("delete", ["Nr"], [{"Nr": key}, {"Nr": api.key()}], delete_target="profile")
    assert (status.processed, status.last_error) == (2, None)
    assert api.client.profile(number).removed is True
    assert len(api.found(other)) == 1


def test_delete_removes_single_subprofiles(api: Api) -> None:
    """By the keys of both; the profile and its other orders stay, and so does the same number of another profile."""
    key, other = api.key(), api.key()
    for owner in (key, other):
        profile = api.made(Nr=owner)
        for number in ("A1", "A2"):
            api.client.create_subprofile(profile, api.database.collections["Orders"], {"Nr": number})
    api.imported("delete", ORDER, [{"Nr": key, "Orders.Nr": "A1"}], delete_target="subprofile")
    assert (numbers(api, key), numbers(api, other)) == (["A2"], ["A1", "A2"])


def test_rows_see_what_earlier_rows_did(api: Api) -> None:
    """The first row makes the profile, the next ones find it; the last value counts, or with `ignore` the first."""
    key, kept = api.key(), api.key()
    rows = [{"City": name} for name in ("Ede", "Urk", "Goes")]
    api.imported("update or add", ["Nr"], [{"Nr": key, **row} for row in rows])
    api.imported("ignore or add", ["Nr"], [{"Nr": kept, **row} for row in rows])
    assert (city(api, key), city(api, kept)) == ("Goes", "Ede")


# Subprofiles.


def test_rows_of_one_profile_bring_its_subprofiles(api: Api) -> None:
    """One each; a second import changes them and makes the new one; the same number under another profile is another."""
    key, other = api.key(), api.key()
    rows = [
        {"Nr": owner, "Orders.Nr": number, "Orders.Total": "1"} for owner in (key, other) for number in ("A1", "A2")
    ]
    api.imported("update or add", ORDER, rows)
    again = [{"Nr": key, "Orders.Nr": number, "Orders.Total": "2"} for number in ("A2", "A3")]
    api.imported("update or add", ORDER, again)
    totals = [(one.fields["Nr"], float(one.fields["Total"])) for one in api.orders(api.one(key).id)]
    assert totals == [("A1", 1), ("A2", 2), ("A3", 2)]
    assert numbers(api, other) == ["A1", "A2"]


def test_update_of_subprofiles_that_are_not_there(api: Api, learn: Learn) -> None:
    """API sheet 11.2: skipped or made, under a profile that is there."""
    key = api.key()
    api.made(Nr=key)
    api.imported("update", ORDER, [{"Nr": key, "Orders.Nr": "A1", "Orders.Total": "1"}])
    learn("U18", "update, profile there, subprofile not", "made" if numbers(api, key) else "skipped", sandbox="skipped",
          possible=("made",))  # fmt: skip


def test_ignore_or_add_of_subprofiles_of_a_profile_that_is_there(api: Api, learn: Learn) -> None:
    """Data rule 25: dropped or added; why this action does not go by imports when it has columns of a collection."""
    key = api.key()
    api.made(Nr=key)
    assert api.outcome([{"Nr": key, "Orders.Nr": "A1"}], ORDER, action="ignore or add") == "done"
    learn("U18", "ignore or add, profile there, subprofile not", "added" if numbers(api, key) else "dropped",
          sandbox="dropped", possible=("added",))  # fmt: skip


def test_subprofiles_without_a_key_of_their_own(api: Api, learn: Learn) -> None:
    """U18: the same order twice without a dotted key; the job must name one."""
    key = api.key()
    rows = [{"Nr": key, "Orders.Nr": "A1"}]
    assert [api.outcome(rows, ["Nr"]) for _ in range(2)] == ["done", "done"]
    learn("U18", "dotted columns without a dotted key, twice", f"{len(numbers(api, key))} subprofiles",
          sandbox="2 subprofiles", possible=("1 subprofiles",))  # fmt: skip


def test_deleting_subprofiles_without_a_key_of_their_own(api: Api, learn: Learn) -> None:
    """U18: whether all subprofiles of the profile go; no request of ours asks for this."""
    key = api.key()
    api.imported("update or add", ORDER, [{"Nr": key, "Orders.Nr": number} for number in ("A1", "A2")])
    outcome = api.outcome([{"Nr": key}], ["Nr"], action="delete", deleteTarget="subprofile")
    left = len(numbers(api, key)) if api.found(key) else "no profile and no"
    learn("U18", "delete subprofiles without a dotted key", f"{outcome}, {left} subprofiles left",
          sandbox="done, 0 subprofiles left")  # fmt: skip


def test_a_row_without_values_for_a_collection(api: Api, learn: Learn) -> None:
    """U21: an empty subprofile, or none; such rows travel in an import of their own."""
    key = api.key()
    outcome = api.outcome([{"Nr": key, "Orders.Nr": "", "Orders.Total": ""}], ORDER, ignoreEmptyFields=True)
    seen = "an empty one is made" if api.found(key) and numbers(api, key) else "none is made"
    learn("U21", "empty cells of a collection", f"{outcome}, {seen}", sandbox="done, an empty one is made")


# Cells.


def test_blank_cells_are_kept_or_wiped(api: Api) -> None:
    """`ignoreEmptyFields`: true keeps what is stored, false writes the zero of the type."""
    key = api.key()
    api.made({"news": True}, Nr=key, City="Delft", Points="3")
    blank = [{"Nr": key, "City": "", "Points": "", "interest.news": ""}]
    api.imported("update or add", ["Nr"], blank)
    profile = api.one(key)
    assert (profile.fields["City"], profile.fields["Points"], profile.interests) == ("Delft", "3", ("news",))
    api.imported("update or add", ["Nr"], [{"Nr": key, "City": "", "Points": ""}], ignore_empty=False)
    assert (api.one(key).fields["City"], api.one(key).fields["Points"]) == ("", "0")


def test_interests_are_switched_by_yes_and_no(api: Api) -> None:
    """And those without a column stay."""
    key = api.key()
    api.made({"news": True}, Nr=key)
    api.imported("update or add", ["Nr"], [{"Nr": key, "interest.offers": "Yes"}])
    assert sorted(api.one(key).interests) == ["news", "offers"]
    api.imported("update or add", ["Nr"], [{"Nr": key, "interest.offers": "No"}])
    assert api.one(key).interests == ("news",)


@pytest.mark.parametrize(
    ("cell", "seen"),
    [
        ("true", "on"),
        ("false", "off"),
        ("yes", "on"),
        ("YES", "on"),
        ("1", "off"),
        ("0", "off"),
        ("", "off"),
        ("maybe", "off"),
    ],
)
def test_what_else_switches_an_interest(api: Api, learn: Learn, cell: str, seen: str) -> None:
    """U20: of one that is off (1, yes...) and of one that is on; blanks not ignored. The pipeline sends Yes and No only."""
    off, on = api.key(), api.key()
    api.made(Nr=off)
    api.made({"news": True}, Nr=on)
    rows = [{"Nr": key, "interest.news": cell} for key in (off, on)]
    assert api.outcome(rows, ignoreEmptyFields=False) == "done"
    states = ["on" if "news" in api.one(key).interests else "off" for key in (off, on)]
    answer = "leaves" if states == ["off", "on"] else states[0]
    learn("U20", f"interest cell {cell!r}", answer, sandbox=seen, possible=("on", "off", "leaves"))


CELLS = [
    ("Points", "2.99", "2"),
    ("Points", "many", "0"),
    ("Points", "007", "7"),
    ("Tier", "bronze", ""),
    ("Since", "2024-02-29", "2024-02-29"),
    ("Since", "no date", "0000-00-00"),
    ("Since", "2020-02-30", "2020-03-01"),
    ("Since", "03-09-1980", "1980-09-03"),
    ("Since", "03/09/1980", "1980-03-09"),
    ("Seen", "1-2-2024 3:04", "2024-02-01 03:04:00"),
    ("City", " x ", " x "),
    ("City", "Amsterdammer", "Amsterdamm"),
    ("City", "NULL", "NULL"),
    ("Mobile", "0612345678", "0612345678"),
]


def test_cells_become_what_values_become(api: Api, learn: Learn) -> None:
    """U24, U30: an import bends values as single writes do, dates too; one import for all, a row for each."""
    keys = [api.key() for _ in CELLS]
    blank = dict.fromkeys((name for name, _, _ in CELLS), "")
    rows = [{"Nr": key, **blank, name: cell} for key, (name, cell, _) in zip(keys, CELLS, strict=True)]
    assert api.imported("update or add", ["Nr"], rows).last_error is None
    for key, (name, cell, stored) in zip(keys, CELLS, strict=True):
        what = f"import cell {api.database.fields[name].type} {cell!r}"
        learn("U24", what, api.one(key).fields[name], sandbox=stored)


def test_hostile_texts_arrive_unchanged(api: Api, learn: Learn) -> None:
    """U22, U23: in an array nothing is quoted or split: emoji, quotes, separators, line breaks, a backslash."""
    texts = {
        "emoji": "\U0001f600 ok",
        "quotes": "'s \"x\" \\'",
        "separators": "a,b;c\td|e",
        "line breaks": "a\nb\r\nc",
        "markup": "<b>&amp;</b>",
    }
    keys = {name: api.key() for name in texts}
    api.imported("update or add", ["Nr"], [{"Nr": keys[name], "Story": text} for name, text in texts.items()])
    for name, text in texts.items():
        learn(
            "U23",
            f"{name} in an import",
            "kept" if api.one(keys[name]).fields["Story"] == text else "changed",
            sandbox="kept",
        )


# What a mistake does. The client and the job refuse all of these; each touches only what is ours.

MISTAKES: dict[str, tuple[Mapping[str, object], str]] = {
    "no database": ({"database": None}, "refused: No database with supplied ID"),
    "an unknown database": ({"database": 999_999_999}, "refused: No database with supplied ID"),
    "an unknown action": ({"action": "upsert"}, "refused"),
    "a row that is no object": ({"source": ["x"]}, "failed"),
    "a key that is no column": ({"keyFields": ["Email"], "action": "update"}, "done"),
    "a key that is no field": ({"keyFields": ["Nr", "Nosuch"]}, "done"),
    "a parameter that is none": ({"nonsense": True}, "done"),
    "the format of an array": ({"format": "json"}, "done"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_which_mistakes_are_refused_at_once(api: Api, learn: Learn, mistake: str) -> None:
    """U14: and which show in `lasterror` only, or nowhere."""
    words, seen = MISTAKES[mistake]
    source = words.get("source", [{"Nr": api.key(), "City": "Ede"}])
    outcome = api.outcome(source, **{name: word for name, word in words.items() if name != "source"})  # type: ignore[arg-type]
    learn("U14", mistake, outcome, sandbox=outcome if outcome.startswith(seen) else seen)


def test_rows_in_another_order_of_keys(api: Api, learn: Learn) -> None:
    """API sheet 11.4, U27: fails, or columns swap; and whether the row before it arrived."""
    first, second = api.key(), api.key()
    outcome = api.outcome([{"Nr": first, "City": "Ede"}, {"City": "Urk", "Nr": second}])
    arrived = [bool(api.found(first)), bool(api.found(second)) and city(api, second) == "Urk"]
    learn("U27", "rows in another order of keys", f"{outcome.partition(':')[0]}, arrived: {arrived}",
          sandbox="failed, arrived: [False, False]")  # fmt: skip


def test_a_column_that_nobody_knows(api: Api, learn: Learn) -> None:
    """U19: ignored, or the end of the import."""
    key = api.key()
    outcome = api.outcome([{"Nr": key, "Nosuchfield": "x", "City": "Ede"}])
    seen = "arrived" if api.found(key) else "did not arrive"
    learn("U19", "an unknown column", f"{outcome.partition(':')[0]}, the rest {seen}", sandbox="done, the rest arrived")


def test_columns_have_their_names_in_any_case(api: Api, learn: Learn) -> None:
    """API sheet 11.4: unproven; the pipeline sends the names as they are defined."""
    key = api.key()
    outcome = api.outcome([{"nr": key, "cITY": "Ede"}], ["nR"])
    seen = "taken" if api.found(key) else "not taken"
    learn("U19", "columns in another case", f"{outcome.partition(':')[0]}, {seen}", sandbox="done, not taken")


def test_several_matches_of_a_row(api: Api, learn: Learn) -> None:
    """U15: how many of two profiles with one key an update changes."""
    key = api.key()
    twins = [api.made(Nr=key), api.made(Nr=key)]
    api.imported("update", ["Nr"], [{"Nr": key, "City": "Ede"}])
    changed = [api.client.profile(one).fields["City"] for one in twins].count("Ede")
    learn("U15", "profiles changed of two that match", str(changed), sandbox="2", possible=("1",))


def test_a_match_by_id(api: Api, learn: Learn) -> None:
    """U33: `keyFields: ["id"]`; the sandbox takes it for no key at all, and hits everything."""
    api.alone()
    number = api.made(City="Delft")
    outcome = api.outcome([{"id": str(number), "City": "Ede"}], ["id"], action="update")
    changed = api.client.profile(number).fields["City"] == "Ede"
    learn("U33", "update by the id of the profile", f"{outcome.partition(':')[0]}, {'changed' if changed else 'unchanged'}",
          sandbox="done, changed")  # fmt: skip


CSV = {
    "commas": ("Nr,City\n{key},Ede\n", ","),
    "tabs": ("Nr\tCity\n{key}\tEde\n", "\t"),
    "semicolons": ("Nr;City\n{key};Ede\n", ";"),
    "double quotes": ('Nr,City\n{key},"Ede"\n', ","),
    "single quotes": ("Nr,City\n{key},'Ede'\n", ","),
    "a mark of byte order": ("\ufeffNr,City\n{key},Ede\n", ","),
    "CRLF": ("Nr,City\r\n{key},Ede\r\n", ","),
    "no line break at the end": ("Nr,City\n{key},Ede", ","),
}
# What is in the cell, and what the sandbox reads.
CELLS_OF_CSV = {
    "doubled quotes": ('"a""b"', "a"),
    "a separator in quotes": ('"a,b"', "a,b"),
    "a line break in quotes": ('"a\nb"', "a\nb"),
    "an apostrophe first": ("'s Hert", None),
    "an escaped apostrophe": ("\\'s Hert", "'s Hert"),
    "an apostrophe inside": ("d'Or", "d'Or"),
}


@pytest.mark.parametrize("form", CSV)
def test_forms_of_csv(api: Api, learn: Learn, form: str) -> None:
    """U22: a text as source; the pipeline sends arrays, which have none of these questions."""
    key = api.key()
    text, delimiter = CSV[form]
    outcome = api.outcome(text.format(key=key), format="csv", delimiter=delimiter)
    found = api.found(key)
    read = bool(found) and found[0].fields["City"] == "Ede"
    learn("U22", f"CSV with {form}", "read" if read else f"not read ({outcome[:60]})", sandbox="read")


@pytest.mark.parametrize("form", CELLS_OF_CSV)
def test_cells_of_csv(api: Api, learn: Learn, form: str) -> None:
    """U22: quoting and escaping."""
    key = api.key()
    cell, read = CELLS_OF_CSV[form]
    outcome = api.outcome(f"Nr,City\n{key},{cell}\n", format="csv", delimiter=",")
    found = api.found(key)
    seen = repr(found[0].fields["City"]) if found else outcome.partition(":")[0]
    learn("U22", f"CSV cell with {form}", seen, sandbox="failed" if read is None else repr(read))


# What hits the whole database: only where everything in it is ours.


def test_a_blank_key(api: Api, learn: Learn) -> None:
    """API sheet 11.2: matches every profile without one, is skipped, or fails. Blank keys are rejects for us."""
    api.alone()
    number = api.made(City="Delft", Email="")
    outcome = api.outcome([{"Email": "", "City": "Ede"}], ["Email"], action="update", ignoreEmptyFields=False)
    hit = api.client.profile(number).fields["City"] == "Ede"
    learn("U17", "a blank key", f"{outcome.partition(':')[0]}, {'hits all blanks' if hit else 'hits nothing'}",
          sandbox="done, hits all blanks")  # fmt: skip


@pytest.mark.parametrize("action", ["update", "delete"])
def test_an_action_that_matches_without_keys(api: Api, learn: Learn, action: str) -> None:
    """U17: hits everything, or nothing."""
    api.alone()
    number = api.made(City="Delft")
    rows = [{"City": "Ede"}]
    outcome = api.outcome(rows, [], action=action, **({"deleteTarget": "profile"} if action == "delete" else {}))
    profile = api.client.profile(number)
    hit = profile.removed or profile.fields["City"] == "Ede"
    learn("U17", f"{action} without keyFields", f"{outcome.partition(':')[0]}, {'hits all' if hit else 'hits nothing'}",
          sandbox="done, hits all")  # fmt: skip


@pytest.mark.parametrize("rows", ["profiles", "subprofiles"])
def test_remove_missing(api: Api, learn: Learn, rows: str) -> None:
    """U16: what goes that is not in the import: profiles, subprofiles of the profiles in it, or of all."""
    api.alone()
    inside, outside = api.key(), api.key()
    api.imported(
        "update or add",
        ORDER,
        [{"Nr": key, "Orders.Nr": number} for key in (inside, outside) for number in ("A1", "A2")],
    )
    dotted = rows == "subprofiles"
    source = [{"Nr": inside, **({"Orders.Nr": "A1"} if dotted else {"City": "Ede"})}]
    outcome = api.outcome(source, ORDER if dotted else ["Nr"], removeMissing=True)
    left = [numbers(api, key) if api.found(key) else "gone" for key in (inside, outside)]
    learn("U16", f"removeMissing with {rows}", f"{outcome.partition(':')[0]}; in it {left[0]}, not in it {left[1]}",
          sandbox=f"done; in it {['A1'] if dotted else ['A1', 'A2']}, not in it gone")  # fmt: skip


def test_an_empty_source(api: Api, learn: Learn) -> None:
    """U16: an import of nothing; without `removeMissing`, which might wipe the database."""
    outcome = api.outcome([])
    learn(
        "U16", "an empty source", outcome, sandbox=outcome if outcome.startswith(("done", "failed", "refused")) else ""
    )
