"""An import is asked for as the sheet says, and its state is read whatever the spelling."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pipeline.copernica.failures import UnexpectedResponseError
from pipeline.copernica.imports import ImportRequest, ImportStatus, post, status_of
from pipeline.copernica.wire import Connection, Kind

WANTED = ImportRequest(7, "run-2024-001", "update or add", ("CustNo", "Orders.No"), True, rebuild=True)
ROWS = (
    b'[{"CustNo":"17","interest.news":"Yes","Orders.No":"A1","Orders.Total":"3.50"},'
    b'{"CustNo":"17","interest.news":"Yes","Orders.No":"A2","Orders.Total":"9.00"}]'
)
STATUS = {
    "ID": "88",
    "name": "run-2024-001",
    "type": "update or add",
    "status": "free text",
    "totallines": "2",
    "processedLines": "2",
    "lastrun": "2024-01-02 03:05:00",
    "nextrun": False,
    "lasterror": False,
}


def test_the_import_of_the_sheet() -> None:
    """API sheet 23: the same bytes of rows, database as a number, flags as booleans, all of them said."""
    request = post(WANTED, ROWS)
    assert (request.method, request.target, request.kind, request.connection) == (
        "POST",
        "/imports",
        Kind.IMPORT,
        Connection.FRESH,
    )
    assert request.body == (
        b'{"database":7,"name":"run-2024-001","action":"update or add","keyFields":["CustNo","Orders.No"],'
        b'"ignoreEmptyFields":true,"removeMissing":false,"followups":false,"rebuild":true,"autostart":true,'
        b'"source":' + ROWS + b"}"
    )


def test_an_import_that_deletes_says_what() -> None:
    """`deleteTarget` is sent, and only then."""
    wanted = ImportRequest(7, "x", "delete", ("CustNo", "Orders.No"), False, "subprofile")
    body = json.loads(post(wanted, ROWS).body or b"")
    assert body["deleteTarget"] == "subprofile"
    assert "deleteTarget" not in json.loads(post(WANTED, ROWS).body or b"")


def test_add_needs_no_keys() -> None:
    """Then `keyFields` is left out."""
    assert b"keyFields" not in (post(ImportRequest(7, "x", "add", (), True), ROWS).body or b"")


def test_rows_are_not_parsed() -> None:
    """What stands between the brackets goes out as it is: numbers, escapes and blanks too."""
    rows = b' [ {"a" : "\\u00e9", "b": 1.10} ]\n'
    assert (post(WANTED, rows).body or b"").endswith(b'"source":[ {"a" : "\\u00e9", "b": 1.10} ]}')


@pytest.mark.parametrize("rows", [b"", b"[]", b"[ \n]", b"{}", b'{"a":[1]}', b'[{"a":1}', b"null"])
def test_what_is_no_array_of_rows_is_refused(rows: bytes) -> None:
    """An empty source may mean anything to the other side (API sheet 11.3)."""
    with pytest.raises(ValueError, match="JSON array with at least one row"):
        post(WANTED, rows)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"action": "upsert"}, "no action"),
        ({"name": " "}, "needs a name"),
        ({"key_fields": ()}, "needs a key field of the profile"),
        ({"key_fields": ("Orders.No",)}, "needs a key field of the profile"),
        ({"action": "delete"}, "delete needs it"),
        ({"delete_target": "profile"}, "belongs to delete"),
        ({"action": "delete", "delete_target": "database"}, "no target"),
        ({"action": "delete", "delete_target": "profile"}, "deleting profiles has none"),
        (
            {"action": "delete", "delete_target": "subprofile", "key_fields": ("CustNo",)},
            "needs a key field of the coll",
        ),
        ({"rebuild": "false"}, "True or False"),
        ({"followups": 1}, "True or False"),
        ({"ignore_empty_fields": None}, "True or False"),
    ],
)
def test_dangerous_combinations_are_refused(change: dict[str, object], message: str) -> None:
    """API sheet 11.3; a text such as "false" may be read as true (3.3)."""
    with pytest.raises(ValueError, match=message):
        replace(WANTED, **change)  # type: ignore[arg-type]


def test_the_status_of_the_sheet() -> None:
    """Counters are texts, `lastrun` is the end of the last run."""
    assert status_of(STATUS) == ImportStatus(88, "free text", 2, 2, "2024-01-02 03:05:00", None)


def test_keys_of_a_status_have_no_case() -> None:
    """The table spells `processedlines`, the example `processedLines` (API sheet ⚠C17)."""
    assert status_of({key.upper(): value for key, value in STATUS.items()}).processed == 2


@pytest.mark.parametrize("nothing", [False, None, "", "0000-00-00 00:00:00"])
def test_a_status_before_the_first_run(nothing: object) -> None:
    """Whatever stands for nothing is None."""
    status = status_of(STATUS | {"lastrun": nothing, "lasterror": nothing, "processedLines": 0})
    assert (status.last_run, status.last_error, status.processed) == (None, None, 0)


def test_an_error_is_a_text() -> None:
    """It is there as soon as it is no empty text."""
    assert status_of(STATUS | {"lasterror": " disk full "}).last_error == "disk full"


@pytest.mark.parametrize("key", ["ID", "totallines", "processedLines"])
def test_a_status_without_counters_is_a_stranger(key: str) -> None:
    """Nothing could be concluded from it."""
    with pytest.raises(UnexpectedResponseError, match="state of the import"):
        status_of({name: value for name, value in STATUS.items() if name != key})
