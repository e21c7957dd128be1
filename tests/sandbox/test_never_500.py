"""Whatever is asked, the sandbox answers as Copernica would: no 500, no traceback, no endless work."""

from __future__ import annotations

import time
from typing import Any

import pytest
import requests

from pipeline.sandbox import Sandbox
from tests.support.api_caller import Client

TWO = "\u00b2"
LONG = "9" * 25
DEEP = b'{"fields":' * 5000 + b"1" + b"}" * 5000


@pytest.mark.parametrize(
    "path",
    [f"{head}/{number}{tail}" for head in ("profile", "subprofile", "database", "collection", "interest", "import")
     for number in (TWO, LONG, "\u0661", "-1", "+1", " 1", "1.0", "%00") for tail in ("", "/fields")],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_an_odd_id_is_unknown(api: Client, method: str, path: str) -> None:
    """Digits are 0 to 9, and fit 64 bits."""
    assert api(method, path, None if method == "GET" else {}).status_code == 400


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("database/1/profiles", {"orderby": TWO}),
        ("database/1/profiles", {"orderby": LONG}),
        ("database/1/profiles", {"start": LONG, "limit": LONG}),
        ("database/1/profiles", {"limit": TWO}),
        ("database/1/profiles", {"start": "-" + LONG}),
        ("database/1/profiles", {"limit": "1e400"}),
        ("database/1/profiles", {"fields[]": f"id=={LONG}"}),
        ("database/1/profiles", {"fields[]": "id=~%1%1%1%1%1%1%1%1%1%1%"}),
        ("database/1/profiles", {"fields[]": "Points==" + "9" * 5000}),
        ("database/1/profiles", {"fields[]": "Balance==1e999"}),
        ("database/1/profiles", {"fields[]": "City==\0"}),
        ("database/1/profileids", {"start": LONG}),
        ("databases", {"start": LONG, "limit": "-" + LONG}),
        ("consumption", {"begin": "\0", "end": LONG}),
        ("database/1/profiles", {"fields" + "[a]" * 3000: "x"}),
        ("database/1/profiles", {"fields" + "[" * 10000: "x"}),
    ],
)
def test_an_odd_parameter_is_answered(api: Client, path: str, params: dict[str, str]) -> None:
    """With a page, if an empty one."""
    api.made("database/1/profiles", {"fields": {"CustNo": "1"}})
    began = time.perf_counter()
    assert api("GET", path, **params).status_code == 200
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize(
    "value",
    [
        "9" * 5000,
        "-" + "9" * 5000,
        "1e999",
        "-1e999",
        "." * 1000,
        [[[]]],
        {"a": {}},
        1e308,
        10**30,
        "\ud800",
        "\0",
        "\u0663",
        TWO,
    ],
)
@pytest.mark.parametrize("field", ["CustNo", "Tier", "Points", "Balance", "Born", "Since"])
def test_an_odd_value_is_stored(sandbox: Sandbox, api: Client, field: str, value: Any) -> None:
    """As something, by a single call and by an import."""
    assert api("POST", "database/1/profiles", {"fields": {field: value}}).status_code == 201
    status = api.imported([{field: value}], action="add")
    assert status["lasterror"] is False
    first, second = (one["fields"] for one in sandbox.contents("1")["profiles"])
    assert first == second


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "database/1/profiles"),
        ("PUT", "profile/1"),
        ("POST", "imports"),
        ("POST", "databases"),
        ("POST", "profile/1/interests"),
        ("DELETE", "database/1/profiles"),
        ("PUT", "subprofile/1"),
    ],
)
def test_json_that_is_nested_deeply_is_unreadable(sandbox: Sandbox, api: Client, method: str, path: str) -> None:
    """As for PHP; the journal can be read afterwards."""
    api.made("database/1/profiles", {})
    headers = {"Content-Type": "application/json"}
    answer = api.session.request(method, api.base + path, data=DEEP, headers=headers, timeout=10)
    assert answer.status_code < 500
    journal = requests.get(f"{sandbox.api_url}/_sandbox/journal?full=1", timeout=10)
    assert journal.status_code == 200


def test_a_parameter_that_is_nested_deeply_is_dropped(sandbox: Sandbox, api: Client) -> None:
    """As by PHP: 64 levels are kept, one more is not; the journal can be read afterwards."""
    for levels in (64, 65, 5000):
        api.session.post(api.base + "databases", data={"name" + "[a]" * levels: "x"}, timeout=10)
    bodies = [one["body"] for one in requests.get(f"{sandbox.api_url}/_sandbox/journal", timeout=10).json()[-3:]]
    assert [list(one) for one in bodies] == [["name"], [], []]


@pytest.mark.parametrize("path", ["faults", "switches", "clock"])
@pytest.mark.parametrize(
    "body", [DEEP, b"", b"[", b"\xff", b"null", b"[[]]", b'{"advance_s":{}}', b'{"now":[]}', b'{"a":1e999}']
)
def test_an_odd_control_call_is_refused(sandbox: Sandbox, path: str, body: bytes) -> None:
    """With a message; null is no rule."""
    answer = requests.put(f"{sandbox.api_url}/_sandbox/{path}", data=body, timeout=10)
    assert answer.status_code == (200 if (path, body) == ("faults", b"null") else 400)


@pytest.mark.parametrize(
    "wanted",
    [
        '{"advance_s": 1e12}', '{"advance_s": -1e12}', '{"advance_s": NaN}', '{"advance_s": Infinity}',
        '{"advance_s": 1e308}', '{"now": "0001-01-01 00:00:00"}', '{"now": "9999-12-31 23:59:59"}',
        '{"now": "2024-01-01 00:00:00", "advance_s": 1e12}', '{"now": "1969-12-31 00:00:00"}',
        '{"now": "2024-01-01 00:00:00", "advance_s": "x"}', '{"frozen": true, "advance_s": "x"}',
    ],
)  # fmt: skip
def test_a_clock_far_away_is_refused(sandbox: Sandbox, wanted: str) -> None:
    """And has not moved."""
    address = f"{sandbox.api_url}/_sandbox/clock"
    assert requests.put(address, data=wanted, timeout=10).status_code == 400
    clock = requests.get(address, timeout=10).json()
    assert (abs(clock["ahead_s"]) < 1, clock["frozen"]) == (True, False)
    client = Client(sandbox)
    assert client("GET", "identity").status_code == 200
    client.close()


@pytest.mark.parametrize("year", [1971, 8999])
def test_the_clock_may_be_far_enough(sandbox: Sandbox, year: int) -> None:
    """From 1970 to 9000 all works: tokens, dates, headers."""
    body = {"now": f"{year}-07-01 12:00:00"}
    assert requests.put(f"{sandbox.api_url}/_sandbox/clock", json=body, timeout=10).status_code == 200
    client = Client(sandbox)
    client.made("database/1/profiles", {"fields": {"Since": "+10 years"}})
    assert client.get("profile/1")["fields"]["Since"].startswith(str(year + 10))
    client.close()


def test_interests_that_are_gone_are_switched_off_quietly(sandbox: Sandbox, api: Client) -> None:
    """A profile may still have an interest that was deleted."""
    api.made("database/1/profiles", {"interests": ["news"]})
    assert api("DELETE", "interest/1").status_code == 204
    assert api("PUT", "profile/1/interests", ["offers"]).status_code == 204
    assert api.get("profile/1")["interests"] == ["offers"]
    assert sandbox.hazards() == []


@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded"])
def test_the_journal_shows_any_import(sandbox: Sandbox, api: Client, kind: str) -> None:
    """Of a lone surrogate, and of a form."""
    body = b'{"database":1,"action":"add","source":[{"City":"\\ud800"}]}'
    text = body if "json" in kind else b"database=1&action=add&source[0][City]=Ede"
    answer = api.session.post(api.base + "imports", data=text, headers={"Content-Type": kind}, timeout=10)
    assert answer.status_code == 201
    journal = requests.get(f"{sandbox.api_url}/_sandbox/journal?full=1", timeout=10).json()
    assert journal[-1]["body"] == (
        {"database": 1, "action": "add", "source": [{"City": "?"}]} if text is body else text.decode()
    )


def test_a_bug_stands_in_the_journal(sandbox: Sandbox, api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """With status 500, in the shape of all errors."""
    monkeypatch.setattr(sandbox.world.store.records, "get", None)
    answer = api("GET", "profile/1")
    assert answer.status_code == 500
    assert answer.json()["error"]["message"].startswith("sandbox bug: TypeError")
    assert sandbox.journal()[-1]["status"] == 500
