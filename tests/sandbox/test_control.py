"""The control calls under /_sandbox/: journal, hazards, faults, switches, clock, contents, reset."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
import requests

from pipeline.sandbox import Sandbox
from tests.support.api_caller import Client


def control(sandbox: Sandbox, method: str, path: str, body: Any = None, **params: str) -> requests.Response:
    """Make a control call."""
    return requests.request(method, f"{sandbox.api_url}/_sandbox/{path}", json=body, params=params, timeout=10)


def test_the_journal_tells_each_request(sandbox: Sandbox, api: Client) -> None:
    """Number, version, method, path, query, body of changing requests, status, created ids, hazards."""
    api.made("database/1/profiles", {"fields": {"Points": "x"}})
    api.get("database/1/profiles", limit="5")
    exchange, made, listed = control(sandbox, "GET", "journal").json()
    assert (exchange["version"], exchange["path"], exchange["body"], exchange["status"]) == (
        "",
        "/authenticate",
        None,
        200,
    )
    assert len(made.pop("at")) == 19
    assert made["n"] == exchange["n"] + 1
    assert {name: made[name] for name in ("version", "method", "path", "query", "body", "status", "created")} == {
        "version": "v4", "method": "POST", "path": "/v4/database/1/profiles", "query": [],
        "body": {"fields": {"Points": "x"}}, "status": 201, "created": ["1"],
    }  # fmt: skip
    assert made["hazards"] == [
        {"code": "value_not_canonical", "what": "a number or date in another notation was bent into one",
         "detail": "Points: 'x'", "times": 1},
    ]  # fmt: skip
    assert (listed["query"], listed["body"], listed["hazards"]) == ([["limit", "5"]], None, [])
    assert control(sandbox, "GET", "hazards").json() == [
        {"n": made["n"], "method": "POST", "path": "/v4/database/1/profiles", **made["hazards"][0]}
    ]
    assert control(sandbox, "DELETE", "journal").status_code == 204
    assert (sandbox.journal(), sandbox.hazards()) == ([], [])


def test_the_journal_sums_imports_up(sandbox: Sandbox, api: Client) -> None:
    """Rows, columns and bytes instead of the source; with full=1 the whole body."""
    body = {"database": 1, "action": "add", "name": "r1", "source": [{"City": "x"}, {"City": "y" * 11}]}
    api.made("imports", body)
    assert sandbox.settle()
    entry = control(sandbox, "GET", "journal").json()[-1]
    assert entry["body"] == {
        "database": 1, "action": "add", "name": "r1", "source_rows": 2, "source_columns": ["City"],
        "source_bytes": len(requests.Request("POST", "http://x", json=body).prepare().body or b""),
    }  # fmt: skip
    assert [(one["code"], one["detail"]) for one in entry["hazards"]] == [
        ("text_too_long", "row 2, City: 'yyyyyyyyyyy'")
    ]
    assert control(sandbox, "GET", "journal", full="1").json()[-1]["body"] == body


def test_each_connection_has_a_number(sandbox: Sandbox, api: Client) -> None:
    """A session stays on one, another session comes on another."""
    api.get("identity")
    api.get("identity")
    other = Client(sandbox)
    other.get("identity")
    other.close()
    first, *rest = [entry["connection"] for entry in sandbox.journal()]
    assert rest == [first, first, first + 1, first + 1]


def test_control_calls_are_not_journalled(sandbox: Sandbox) -> None:
    """Nor do faults hit them."""
    sandbox.set_faults([{"kind": 503}])
    assert control(sandbox, "GET", "clock").status_code == 200
    assert sandbox.journal() == []


def test_faults_are_read_and_put(sandbox: Sandbox, api: Client) -> None:
    """With how many requests each rule saw and hit."""
    rules = [{"kind": 503, "path": "*/identity", "nth": 2}]
    assert control(sandbox, "PUT", "faults", rules).status_code == 200
    assert [api("GET", "identity").status_code for _ in range(3)] == [200, 503, 200]
    assert control(sandbox, "GET", "faults").json() == [
        {"kind": "503", "path": "*/identity", "nth": [2], "seen": 3, "hits": 1}
    ]
    refused = control(sandbox, "PUT", "faults", [{"kind": "fire"}])
    assert refused.status_code == 400
    assert "rule 1 kind" in refused.json()["error"]["problems"][0]


def test_switches_are_read_and_put(sandbox: Sandbox) -> None:
    """The rest keeps its value; a wrong name or value is refused with all that is allowed."""
    before = control(sandbox, "GET", "switches").json()
    after = control(sandbox, "PUT", "switches", {"several_matches": "first"}).json()
    assert after == {**before, "several_matches": "first"}
    refused = control(sandbox, "PUT", "switches", {"several_matches": "none", "nope": 1, "lookups_drop": "x"})
    assert refused.status_code == 400
    problems = refused.json()["error"]["problems"]
    assert problems[0] == "switches: switch several_matches cannot be 'none' (one of all, first)"
    assert problems[1].startswith("switches: there is no switch 'nope' (one of ")
    assert problems[2] == "switches: lookups_drop takes a list of field names, not 'x'"


def test_the_clock_is_advanced_set_and_frozen(sandbox: Sandbox, api: Client) -> None:
    """Created and modified follow it."""
    body = {"now": "2024-07-01 12:00:00", "advance_s": 3600, "frozen": True}
    clock = control(sandbox, "PUT", "clock", body).json()
    assert (clock["now"], clock["utc"], clock["frozen"]) == ("2024-07-01 13:00:00", "2024-07-01T11:00:00+00:00", True)
    again = Client(sandbox)
    again.made("database/1/profiles", {"fields": {"Since": "now"}})
    profile = again.get("profile/1")
    again.close()
    assert (profile["created"], profile["fields"]["Since"]) == ("2024-07-01 13:00:00", "2024-07-01 13:00:00")
    assert control(sandbox, "PUT", "clock", {"ahead": 1}).status_code == 400
    assert control(sandbox, "PUT", "clock", {"now": "noon"}).status_code == 400


@pytest.mark.parametrize("switch", ["virtual", "real", "absent"])
def test_the_date_header_follows_the_virtual_clock(sandbox: Sandbox, api: Client, switch: str) -> None:
    """So do `created` and `modified`; a switch chooses the real clock, or no header."""
    sandbox.set_switches({"date_header": switch})
    sandbox.set_clock(datetime(2031, 7, 1, 12, 0, 0), frozen=True)
    client = Client(sandbox)
    date = client("GET", "identity").headers.get("Date")
    if switch == "absent":
        assert date is None
    else:
        assert (date == "Tue, 01 Jul 2031 10:00:00 GMT") == (switch == "virtual")
    client.made("database/1/profiles", {"fields": {"City": "Delft"}})
    sandbox.advance(90)
    client("PUT", "profile/1", {"fields": {"City": "Delft"}})
    assert client.get("profile/1")["modified"] == "2031-07-01 12:00:00"
    client("PUT", "profile/1", {"fields": {"City": "Breda"}})
    sandbox.advance(90)
    assert client.get("profile/1")["modified"] == "2031-07-01 12:01:30"
    client.close()


def test_contents_shows_what_is_there_by_id(sandbox: Sandbox, api: Client) -> None:
    """Profiles with fields, interests and subprofiles; nothing that was removed."""
    for _ in range(3):
        api.made("database/2/profiles", {"fields": {"Label": "x"}})
    api("DELETE", "profile/2")
    expected = [{"ID": number, "fields": {"Label": "x"}, "interests": [], "subprofiles": {}} for number in ("1", "3")]
    assert control(sandbox, "GET", "contents/other").json() == {"profiles": expected}
    assert control(sandbox, "GET", "contents/2").json() == {"profiles": expected}
    assert control(sandbox, "GET", "contents/9").status_code == 404
    with pytest.raises(KeyError):
        sandbox.contents("nope")


def test_imports_are_reported_from_the_inside(sandbox: Sandbox, api: Client) -> None:
    """What no answer of the API shows: counts per kind, options, columns."""
    api.imported([{"CustNo": "1"}], action="add", name="r1", rebuild=True)
    report = control(sandbox, "GET", "imports").json()[0]
    assert len(report.pop("lastrun")) == 19
    none = {"created": 0, "updated": 0, "ignored": 0, "deleted": 0, "skipped": 0}
    assert report == {
        "id": 1, "database": 1, "name": "r1", "action": "add", "state": "finished", "rows": 1, "processed": 1,
        "lasterror": "", "rebuild": True, "followups": False, "remove_missing": False, "ignore_empty_fields": False,
        "columns": ["CustNo"], "profiles": {**none, "created": 1}, "subprofiles": none,
    }  # fmt: skip


def test_reset_goes_back_to_the_start(sandbox: Sandbox, api: Client) -> None:
    """No data, no journal, no faults, the first switches and structure, ids from 1."""
    api.made("database/1/profiles", {})
    api.made("databases", {"name": "More"})
    api.imported([{"CustNo": "1"}], action="add")
    sandbox.set_switches({"several_matches": "first"})
    sandbox.set_faults([{"kind": 503}])
    sandbox.advance(1000)
    assert control(sandbox, "POST", "reset").status_code == 204
    assert (sandbox.journal(), sandbox.imports(), sandbox.contents("Customers")["profiles"]) == ([], [], [])
    assert [one["name"] for one in api.get("databases")["data"]] == ["Customers", "Other"]
    assert api.made("database/1/profiles", {}) == "1"
    assert control(sandbox, "GET", "switches").json()["several_matches"] == "all"


@pytest.mark.parametrize(("method", "path"), [("GET", "nope"), ("POST", "journal"), ("GET", ""), ("GET", "clock/x")])
def test_an_unknown_control_call_is_not_found(sandbox: Sandbox, method: str, path: str) -> None:
    """With a hint where to read."""
    answer = control(sandbox, method, path)
    assert (answer.status_code, "docs/sandbox.md" in answer.text) == (404, True)
