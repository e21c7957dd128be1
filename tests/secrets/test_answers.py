"""What the API says may quote a customer: its words are in failed.csv and the private ledger, and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest

from pipeline.sandbox import Sandbox
from tests.copernica.server import Seen, Server, in_turn
from tests.secrets.test_values import holds_none
from tests.support.journey import words_of
from tests.support.traces import PRIVATE, Makes, Traces

QUOTE = f"The address {PRIVATE} of profile Jane Doe-Secret is wrong"
# Names of what an answer says in words.
WORDS = ("message", "lasterror", "error", "description", "company")
# What the client reads and depends on in an answer's head; everything else that is in it is ours.
KEPT = ("date", "x-created", "content-type", "retry-after", "location")

Plant = Callable[[Seen, Any], Any]


def in_words(seen: Seen, document: Any) -> Any:
    """Quote the customer in whatever is said in words, also in what no answer has."""
    if not isinstance(document, dict):
        return document
    said = {name: QUOTE for name, value in document.items() if name in WORDS and isinstance(value, str) and value}
    if seen.path.endswith("/identity"):
        said = {"name": QUOTE, "company": QUOTE}
    return {"note": PRIVATE, **document, **said}


def in_polls(seen: Seen, document: Any) -> Any:
    """Quote the customer where a counter or a time is expected, now and then."""
    if "/import/" in seen.path and seen.method == "GET" and isinstance(document, dict):
        return {**document, "processed": PRIVATE, "lastrun": PRIVATE, "lasterror": QUOTE}
    return document


def in_records(_seen: Seen, document: Any) -> Any:
    """Let every record that is read have another customer's address, and times that are none."""
    if isinstance(document, dict) and isinstance(document.get("data"), list):
        return {**document, "data": [in_records(_seen, one) for one in document["data"]]}
    if isinstance(document, dict) and isinstance(document.get("fields"), dict):
        fields = {name: PRIVATE if name in ("Email", "Remark") else text for name, text in document["fields"].items()}
        return {**document, "fields": fields, "modified": PRIVATE}
    return document


def as_page(seen: Seen, document: Any) -> Any:
    """Answer with a page that quotes the customer in place of every second poll and read."""
    return f"<html><title>{QUOTE}</title></html>" if seen.method == "GET" and seen.connection % 2 else document


PLANTS: dict[str, Plant] = {"words": in_words, "polls": in_polls, "records": in_records, "pages": as_page}


def planting(sandbox: Sandbox, plant: Plant) -> Callable[[Seen], bytes]:
    """Return the script of a server that passes everything on to the sandbox, and quotes a customer in its answers."""

    def forwarded(seen: Seen) -> bytes:
        base = urlsplit(sandbox.auth_url if "authenticate" in seen.path else sandbox.api_url)
        with closing(HTTPConnection(str(base.hostname), base.port)) as connection:
            connection.request(seen.method, seen.target, seen.body, seen.headers)
            answer = connection.getresponse()
            content = answer.read()
        if content:
            planted = content if "authenticate" in seen.path else plant(seen, json.loads(content))
            content = planted if isinstance(planted, bytes) else json.dumps(planted).encode()
            content = planted.encode() if isinstance(planted, str) else content
        lines = [f"HTTP/1.1 {answer.status} {QUOTE}", f"Content-Length: {len(content)}", f"Set-Cookie: who={PRIVATE}"]
        lines += [f"{name}: {value}" for name, value in answer.getheaders() if name.lower() in KEPT]
        lines += [f"X-Customer: {QUOTE}", f"Server: {PRIVATE}"]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + content

    return forwarded


def said(traces: Traces) -> str:
    """Return what all commands said and what every file says, but those in which the API's words may stand."""
    private = ("failed.csv", "ledger.sqlite", "ledger.sqlite-wal", "staged")
    files = [text for path, text in traces.files().items() if not {*private} & {*path.parts}]
    return "\n".join(traces.said) + b"\n".join(files).decode("utf-8", "replace")


@pytest.fixture
def service() -> Iterator[Server]:
    """A service that is notified."""
    server = Server(in_turn(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
    yield server
    server.close()


FAULTS: dict[str, list[dict[str, Any]]] = {
    "none": [],
    "fail": [{"kind": "fail", "message": QUOTE}],
    "400": [{"kind": "400", "message": QUOTE, "method": "P*", "path": "/v*", "nth": list(range(2, 99))}],
    "403": [{"kind": "400", "message": QUOTE, "method": "GET", "path": "*/identity", "nth": list(range(2, 99))}],
}
CASES = [
    (plant, mode, fault)
    for plant, faults in {"words": FAULTS, "polls": ("none",), "records": ("none",), "pages": ("none", "fail")}.items()
    for mode in ("imports", "profiles", "auto")
    for fault in faults
    if mode != "auto" or fault == "fail"
]


@pytest.mark.parametrize(("plant", "mode", "fault"), CASES)
@pytest.mark.provokes("delete")
def test_what_the_api_says_of_a_customer_is_kept_private(
    shop: Makes, service: Server, monkeypatch: pytest.MonkeyPatch, plant: str, mode: str, fault: str
) -> None:
    """Neither shown nor logged, mailed, notified, measured or reported, by any command of a night and its morning."""
    traces, job = shop(mode=mode)
    monkeypatch.setenv("PING", service.url)
    traces.here.sandbox.set_faults(FAULTS[fault])
    server = Server(planting(traces.here.sandbox, PLANTS[plant]))
    monkeypatch.setattr(traces.here, "environment", lambda **more: environment_of(traces, server) | more)
    words = words_of(["notify.failure=${PING}/bad", "notify.success=${PING}/good", "metrics.textfile=night.prom"])
    try:
        assert traces.call("check", job) in (0, 3, 5)
        assert traces.said.pop(0).count(PRIVATE) <= 1  # the account's own name is shown there, and nowhere else
        assert traces.call("run", job, *words, "--quiet") in (0, 5, 6)
        run = next((traces.state / "runs").iterdir()).name
        for asked in (
            ["status", run],
            ["runs"],
            ["report", run],
            ["resume", run],
            ["close", run],
            ["explain", job, "C1"],
        ):
            folder = [] if asked[0] == "explain" else ["--state-dir", traces.state]
            assert traces.call(*asked, *folder, "--json") != 1
    finally:
        server.close()
    told = [one.body.decode() for one in service.seen] + [(traces.here.folder / "night.prom").read_text()]
    assert len(told) > 1
    for text in (said(traces), *told):
        holds_none(text, PRIVATE, "very-private", "Doe-Secret")


def environment_of(traces: Traces, server: Server) -> dict[str, str]:
    """Return the environment that names the server in place of the sandbox."""
    return type(traces.here).environment(traces.here) | {
        "COPERNICA_API_URL": server.url,
        "COPERNICA_AUTH_URL": f"{server.url}/authenticate",
    }
