"""Faults strike as they are scripted, on connections and on imports (docs/sandbox.md)."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import Any

import pytest
import requests

from pipeline.errors import JobError
from pipeline.sandbox import Sandbox
from pipeline.sandbox.faults import Faults, rules_of
from tests.support.api_caller import Client

ROWS = [{"CustNo": str(number)} for number in range(10)]


def hits(rule: dict[str, Any], requests_: int = 12) -> list[int]:
    """List which of so many equal requests a rule strikes, from 1."""
    faults = Faults(rules_of([rule]))
    struck = [faults.hit("GET", "/v4/profile/1").rule for _ in range(requests_)]
    return [number for number, rule_ in enumerate(struck, start=1) if rule_ is not None]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({}, list(range(1, 13))),
        ({"nth": 3}, [3]),
        ({"nth": [2, 5]}, [2, 5]),
        ({"every": 5}, [5, 10]),
        ({"every": 5, "times": 1}, [5]),
        ({"times": 2}, [1, 2]),
        ({"every": 5, "burst": 3}, [5, 6, 7, 10, 11, 12]),
        ({"nth": [2, 6], "burst": 2}, [2, 3, 6, 7]),
        ({"nth": 2, "burst": 99, "times": 4}, [2, 3, 4, 5]),
        ({"share": 0.0}, []),
        ({"share": 1.0}, list(range(1, 13))),
        ({"method": "post"}, []),
        ({"path": "*/profile/*"}, list(range(1, 13))),
        ({"path": "/v4/profile"}, []),
    ],
)
def test_a_rule_strikes_these_requests(rule: dict[str, Any], expected: list[int]) -> None:
    """Method and path choose, then nth, every, share and times."""
    assert hits({"kind": 503, **rule}) == expected


def test_a_share_is_repeatable_by_its_seed() -> None:
    """The same seed strikes the same requests, about as many as the share."""
    rule = {"kind": "503", "share": 0.3, "seed": 5}
    first = hits(rule, 1000)
    assert first == hits(rule, 1000)
    assert 250 < len(first) < 350


def test_of_two_rules_the_first_strikes() -> None:
    """One fault of the connection per request; the other rule is not used up."""
    faults = Faults(rules_of([{"kind": 503, "times": 1}, {"kind": 502, "times": 1}]))
    kinds = [hit.rule.kind if hit.rule else None for hit in (faults.hit("GET", "/v4/identity") for _ in range(3))]
    assert kinds == ["503", "502", None]
    assert faults.as_json()[1] == {"kind": "502", "times": 1, "seen": 3, "hits": 1}


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({}, "faults are a list of rules"),
        ([{"kind": "fire"}], "rule 1 kind"),
        ([{"kind": "cut"}, {"kind": "slow"}], "kind slow needs seconds"),
        ([{"kind": "cut", "when": 1}], "rule 1 when"),
        ([{"kind": "cut", "share": 2}], "rule 1 share"),
        ([{"kind": "cut", "done": True}], "kind cut takes no done"),
    ],
)
def test_a_wrong_rule_is_named(rules: Any, message: str) -> None:
    """The message names the rule and what is wrong with it."""
    with pytest.raises(JobError, match=message):
        rules_of(rules)


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_load_balancer_answers_with_html(sandbox: Sandbox, api: Client, status: int) -> None:
    """Nothing is done, the body is no JSON."""
    sandbox.set_faults([{"kind": status, "method": "POST", "path": "*/profiles"}])
    answer = api("POST", "database/1/profiles", {})
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "text/html")
    assert "Loadbalancer Error" in answer.text
    assert sandbox.contents("1")["profiles"] == []
    assert sandbox.journal()[-1]["fault"] == [str(status)]


@pytest.mark.parametrize("kind", [400, 429, 502, 503, 504, "html"])
@pytest.mark.parametrize("done", [False, True])
def test_a_wrong_answer_may_come_before_or_after_the_effect(
    sandbox: Sandbox, api: Client, kind: object, done: bool
) -> None:
    """With done: true the answer does not show what happened, as a gateway that gave up waiting."""
    sandbox.set_faults([{"kind": kind, "method": "POST", "path": "*/profiles", "done": done}])
    answer = api("POST", "database/1/profiles", {})
    assert (answer.status_code, "X-Created" in answer.headers) == (200 if kind == "html" else kind, False)
    assert len(sandbox.contents("1")["profiles"]) == int(done)
    assert sandbox.journal()[-1]["status"] == answer.status_code


def test_a_success_may_be_a_page(sandbox: Sandbox, api: Client) -> None:
    """POST imports answered with 200 and HTML: no import exists, the words are escaped."""
    sandbox.set_faults([{"kind": "html", "path": "*/imports", "times": 1, "message": "<Maintenance>"}])
    answer = api("POST", "imports", {"database": 1, "action": "add", "source": ROWS})
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html")
    assert "&lt;Maintenance&gt;" in answer.text
    assert sandbox.imports() == []
    assert posted(api) == "1"


@pytest.mark.parametrize(("method", "path", "body"), [
    ("GET", "identity", None), ("GET", "database/1", None), ("GET", "database/1/profiles", None),
    ("PUT", "profile/1", {"fields": {"City": "Delft"}}), ("PUT", "database/1/profiles", {"fields": {"City": "Delft"}}),
    ("DELETE", "profile/1", None), ("POST", "imports", {"database": 1, "action": "add", "source": ROWS}),
    ("POST", "profile/1/subprofiles/Orders", {"No": "1"}), ("POST", "profile/1/interests", ["news"]),
])  # fmt: skip
@pytest.mark.parametrize("kind", ["refuse", "empty", "cut"])
def test_every_request_can_lose_its_answer(
    sandbox: Sandbox, api: Client, kind: str, method: str, path: str, body: Any
) -> None:
    """Whatever it is: without an effect, or with it."""
    api.made("database/1/profiles", {"fields": {"CustNo": "1"}})
    before = sandbox.contents("1")
    sandbox.set_faults([{"kind": kind}])
    with pytest.raises(requests.ConnectionError):
        api(method, path, body, **({"fields[]": "CustNo==1"} if path.endswith("/profiles") else {}))
    assert sandbox.settle()
    assert (sandbox.contents("1") == before) == (kind != "cut" or method == "GET")


def test_429_tells_when_to_come_back(sandbox: Sandbox, api: Client) -> None:
    """In seconds or as an HTTP date."""
    sandbox.set_faults(
        [{"kind": 429, "retry_after": 7, "times": 1}, {"kind": 429, "retry_after": 7, "http_date": True}]
    )
    seconds, date = api("GET", "identity"), api("GET", "identity")
    assert (seconds.status_code, seconds.headers["Retry-After"]) == (429, "7")
    ahead = parsedate_to_datetime(date.headers["Retry-After"]) - parsedate_to_datetime(date.headers["date"])
    assert 6 <= ahead.total_seconds() <= 8


@pytest.mark.parametrize(("kind", "done"), [("refuse", 0), ("empty", 0), ("cut", 1)])
def test_a_connection_ends_without_an_answer(sandbox: Sandbox, api: Client, kind: str, done: int) -> None:
    """Before any work, or after it was done."""
    sandbox.set_faults([{"kind": kind, "method": "POST", "path": "*/profiles", "times": 1}])
    with pytest.raises(requests.ConnectionError):
        api("POST", "database/1/profiles", {})
    assert len(sandbox.contents("1")["profiles"]) == done
    assert sandbox.journal()[-1]["status"] is None
    assert api("POST", "database/1/profiles", {}).status_code == 201


def test_nobody_listens_for_a_while(sandbox: Sandbox) -> None:
    """With `for_s` the system itself refuses connections, and the sandbox can still be ended."""
    with Sandbox(faults=[{"kind": "refuse", "path": "*/identity", "for_s": 60}]) as lonely:
        client = Client(lonely)
        for expected in ("reset|closed|aborted", "Connection refused"):
            with pytest.raises(requests.ConnectionError, match=f"(?i){expected}"):
                client("GET", "identity")
        client.close()


def test_a_slow_answer_comes_after_the_work(sandbox: Sandbox, api: Client) -> None:
    """A client that stops waiting does not know what happened."""
    sandbox.set_faults([{"kind": "slow", "method": "POST", "path": "*/profiles", "seconds": 0.8}])
    with pytest.raises(requests.ReadTimeout):
        api.session.post(api.base + "database/1/profiles", json={}, timeout=0.5)
    assert len(sandbox.contents("1")["profiles"]) == 1


def test_a_jwt_can_expire_in_mid_run(sandbox: Sandbox, api: Client) -> None:
    """The request that is struck and all later ones need a new JWT."""
    sandbox.set_faults([{"kind": "expire", "path": "*/databases", "nth": 2}])
    assert api("GET", "databases").status_code == 200
    assert api.refused("GET", "databases") == "Invalid access token"
    assert api.refused("GET", "identity") == "Invalid access token"
    again = Client(sandbox)
    assert again("GET", "identity").status_code == 200
    again.close()


def posted(api: Client) -> str:
    """Post an import of ten rows."""
    return api.made("imports", {"database": 1, "action": "add", "source": ROWS})


def test_an_import_may_hang_and_others_pass(sandbox: Sandbox, api: Client) -> None:
    """It never moves, whatever time passes."""
    sandbox.set_faults([{"kind": "hang", "path": "*/imports", "times": 1}])
    first, second = posted(api), posted(api)
    assert sandbox.settle()
    sandbox.advance(100_000)
    assert sandbox.settle()
    api = Client(sandbox)
    stuck, fine = api.get(f"import/{first}"), api.get(f"import/{second}")
    api.close()
    assert (stuck["status"], stuck["processedLines"], stuck["lastrun"]) == ("importing", "0", False)
    assert fine["processedLines"] == "10"


def test_an_import_may_start_much_later(sandbox: Sandbox, api: Client) -> None:
    """After as many virtual seconds as in the rule, and after later imports."""
    sandbox.set_faults([{"kind": "delay", "seconds": 3600, "times": 1}])
    first = posted(api)
    posted(api)
    assert sandbox.settle()
    assert api.get(f"import/{first}")["lastrun"] is False
    assert [one["processed"] for one in sandbox.imports()] == [0, 10]
    sandbox.advance(3601)
    assert sandbox.settle()
    assert api.get(f"import/{first}")["processedLines"] == "10"


@pytest.mark.parametrize(("more", "rows", "finished"), [({}, 5, True), ({"after_rows": 3, "finish": False}, 3, False)])
def test_an_import_may_fail_half_way(
    sandbox: Sandbox, api: Client, more: dict[str, Any], rows: int, finished: bool
) -> None:
    """What came before stays; lastrun is set or not."""
    sandbox.set_faults([{"kind": "fail", "message": "Disk full", **more}])
    number = posted(api)
    assert sandbox.settle()
    status = api.get(f"import/{number}")
    assert (status["lasterror"], status["processedLines"], status["totallines"]) == ("Disk full", str(rows), "10")
    assert (status["lastrun"] is not False) == finished
    assert len(sandbox.contents("1")["profiles"]) == rows


def test_an_import_may_need_polls_to_look_final(sandbox: Sandbox, api: Client) -> None:
    """The counters grow with each poll; the N-th shows the end."""
    sandbox.set_faults([{"kind": "polls", "polls": 4}])
    number = posted(api)
    assert sandbox.settle()
    seen = [api.get(f"import/{number}") for _ in range(4)]
    assert [one["processedLines"] for one in seen] == ["2", "5", "7", "10"]
    assert [one["lastrun"] is False for one in seen] == [True, True, True, False]


def test_a_poll_may_show_no_counters(sandbox: Sandbox, api: Client) -> None:
    """`false` in place of the texts; the next poll is right."""
    sandbox.set_faults([{"kind": "false_counters", "times": 1}])
    number = posted(api)
    assert sandbox.settle()
    odd, right = api.get(f"import/{number}"), api.get(f"import/{number}")
    assert (odd["totallines"], odd["processedLines"], odd["lastrun"]) == (False, False, right["lastrun"])
    assert (right["totallines"], right["processedLines"]) == ("10", "10")


def test_counters_may_be_one_poll_behind_lastrun(sandbox: Sandbox, api: Client) -> None:
    """The poll that first shows the end has the counters of the poll before."""
    sandbox.set_faults([{"kind": "late_counters"}, {"kind": "delay", "seconds": 60}])
    number = posted(api)
    early = api.get(f"import/{number}")
    sandbox.advance(61)
    assert sandbox.settle()
    late, right = api.get(f"import/{number}"), api.get(f"import/{number}")
    assert [(one["processedLines"], one["lastrun"] is False) for one in (early, late, right)] == [
        ("0", True), ("0", False), ("10", False),
    ]  # fmt: skip


@pytest.mark.parametrize(("more", "shown"), [({}, "11"), ({"lines": -2}, "8")])
def test_a_poll_may_count_lines_too_many(sandbox: Sandbox, api: Client, more: dict[str, Any], shown: str) -> None:
    """As with a header counted as a row."""
    sandbox.set_faults([{"kind": "extra_lines", **more}])
    status = api.get(f"import/{posted(api)}")
    assert status["totallines"] == shown


@pytest.mark.parametrize("kind", [400, 503, "html"])
def test_a_poll_may_be_answered_wrongly_once(sandbox: Sandbox, api: Client, kind: object) -> None:
    """The import is not touched by it."""
    sandbox.set_faults([{"kind": kind, "path": "*/import/*", "times": 1, "message": "Try again"}])
    number = posted(api)
    assert sandbox.settle()
    odd = api("GET", f"import/{number}")
    assert odd.status_code == (200 if kind == "html" else kind)
    assert api.get(f"import/{number}")["processedLines"] == "10"


def test_a_lost_answer_of_an_import_leaves_it_running(sandbox: Sandbox, api: Client) -> None:
    """The worst case of all: no id, and the rows arrive an hour later."""
    sandbox.set_faults([{"kind": "cut", "path": "*/imports"}, {"kind": "delay", "seconds": 3600}])
    with pytest.raises(requests.ConnectionError):
        posted(api)
    assert sandbox.contents("1")["profiles"] == []
    sandbox.advance(3601)
    assert sandbox.settle()
    assert len(sandbox.contents("1")["profiles"]) == 10
    assert sandbox.journal()[-1]["created"] == ["1"]
