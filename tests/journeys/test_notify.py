"""Somebody is told how a night went: by ping, by mail, and for Prometheus; and no night fails for that."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from pipeline import InputError, run_job
from tests.support.shop import Shop

SECRET = "5f3759df-secret"


@dataclass
class Pings:
    """A service for pings: what it was sent, as (path, text), and what it answers."""

    url: str = ""
    seen: list[tuple[str, str]] = field(default_factory=list)
    status: int = 200

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.seen]


@pytest.fixture
def pings() -> Iterator[Pings]:
    service = Pings()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            service.seen.append((self.path, self.rfile.read(length).decode()))
            self.send_response(service.status)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        service.url = f"http://127.0.0.1:{server.server_port}"
        yield service
        server.shutdown()


@pytest.fixture
def mails() -> Iterator[tuple[int, list[Message]]]:
    """A mail server on a free port."""
    seen: list[Message] = []

    class Handler:
        async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
            seen.append(message_from_bytes(envelope.content or b""))
            return "250 OK"

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(Handler(), hostname="127.0.0.1", port=port)
    controller.start()
    yield port, seen
    controller.stop()


@pytest.fixture
def pinged(shop: Shop, pings: Pings, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setenv("PING", f"{pings.url}/{SECRET}")
    shop.configure({f"notify.{event}": f"${{PING}}/{event}" for event in ("start", "success", "failure", "recovery")})
    shop.dump("1,Ede")
    return shop


def test_a_good_night_pings_start_and_success(pinged: Shop, pings: Pings):
    """As services expect that notice a night which never ran; the summary travels along."""
    ran = pinged.done()
    assert pings.paths == [f"/{SECRET}/start", f"/{SECRET}/success"]
    first, *rest = pings.seen[1][1].splitlines()
    assert first == f"shop: done (exit 0): 1 read, 1 accepted, 1 confirmed; run {ran.document['run']}"
    assert rest == ["All rows are confirmed.", f"report: {ran.document['report']}"]


def test_a_bad_night_pings_failure_and_the_next_good_one_recovery(pinged: Shop, pings: Pings):
    """Also where it was refused before it became a run: a dump that is missing, a token that is not set."""
    pinged.done()
    pinged.folder.joinpath("dump.csv").rename(pinged.folder / "away")
    assert pinged.run().exit_code == 4
    pinged.folder.joinpath("away").rename(pinged.folder / "dump.csv")
    assert pinged.call("run", pinged.job, COPERNICA_TOKEN="").exit_code == 3
    pings.seen.clear()
    pinged.done()
    pinged.done()
    assert [path.rpartition("/")[2] for path in pings.paths] == ["start", "success", "recovery", "start", "success"]
    assert "; the run before ended with exit 3" in pings.seen[2][1].splitlines()[0]


def test_the_failure_says_why(pinged: Shop, pings: Pings):
    """Problems with what to do, in the ping itself."""
    pinged.dump("1,Ede", ",Epe")
    assert pinged.run("guards.max_rejects=0").exit_code == 4
    path, text = pings.seen[-1]
    assert path.endswith("/failure")
    assert text.startswith("shop: refused (exit 4): 2 read, 1 rejected, 1 accepted")
    assert "1 of 2 records (50.0%) were set aside" in text


def test_an_applied_plan_is_announced_as_a_run(pinged: Shop, pings: Pings):
    """Its report has what was planned; a plan itself sends nothing and notifies nobody."""
    planned = pinged.call("plan", pinged.job)
    assert (planned.exit_code, pings.seen) == (0, [])
    assert "<h2>Plan</h2>" in Path(planned.document["report"]).read_text()
    assert pinged.ask("apply", planned.document["run"]).exit_code == 0
    assert [path.rpartition("/")[2] for path in pings.paths] == ["start", "success"]


def test_a_run_that_resume_finishes_is_a_recovery(pinged: Shop, pings: Pings):
    """The night was a failure; who finishes it in the morning need not explain."""
    pinged.sandbox.set_faults([{"kind": "503", "method": "POST", "path": "/v4/imports"}])
    stopped = pinged.run("http.retry_budget_s=0", "load.wait_s=0")
    assert (stopped.exit_code, stopped.document["open"]) == (6, True), stopped.stderr
    assert pings.paths[-1].endswith("/failure")
    pinged.sandbox.set_faults([])
    pings.seen.clear()
    pinged.sandbox.advance(3601)
    resumed = pinged.resume()
    assert resumed.exit_code == 0, resumed.stderr
    assert [path.rpartition("/")[2] for path in pings.paths] == ["start", "success", "recovery"]


def test_a_run_that_is_closed_by_decision_is_announced(pinged: Shop, pings: Pings):
    """It ends with rows that are not confirmed: a failure, with the file in which they stand."""
    pinged.sandbox.set_faults([{"kind": "503", "method": "POST", "path": "/v4/imports"}])
    assert pinged.run("http.retry_budget_s=0", "load.wait_s=0").document["open"] is True
    pings.seen.clear()
    (one,) = pinged.ask("runs").document["runs"]
    assert pinged.ask("close", one["run"]).exit_code == 6
    assert [path.rpartition("/")[2] for path in pings.paths] == ["start", "failure"]
    assert "open.csv" in pings.seen[-1][1]


def test_a_run_from_python_is_announced(pinged: Shop, pings: Pings, monkeypatch: pytest.MonkeyPatch):
    """A refusal, too, which is an exception there."""
    for name, value in pinged.environment().items():
        monkeypatch.setenv(name, value)
    assert run_job(pinged.job).exit_code == 0
    pinged.folder.joinpath("dump.csv").unlink()
    with pytest.raises(InputError):
        run_job(pinged.job)
    assert [path.rpartition("/")[2] for path in pings.paths] == ["start", "success", "start", "failure"]


def test_many_rejects_are_told_though_the_run_is_done(pinged: Shop, pings: Pings):
    """`notify.rejects_over` is lower than the guard that stops a run."""
    pinged.dump("1,Ede", ",Epe")
    ran = pinged.run("guards.max_rejects=1", "notify.rejects_over=0")
    assert ran.exit_code == 0
    assert [path.rpartition("/")[2] for path in pings.paths] == ["start", "failure", "success"]
    assert pings.seen[1][1].startswith("shop: 1 of 2 records were set aside\n")


@pytest.mark.parametrize("status", [404, 500, None])
def test_a_notification_that_fails_fails_no_run_and_is_reported(
    pinged: Shop, pings: Pings, status: int | None, monkeypatch
):
    """Refused or not reachable; neither the log nor the message shows the address, which holds a secret."""
    if status is None:
        monkeypatch.setenv("PING", f"http://127.0.0.1:1/{SECRET}")
    else:
        pings.status = status
    ran = pinged.done(words=("--quiet",))
    lines = ran.stderr.splitlines()
    reason = "ConnectionRefusedError" if status is None else f"it answered {status}"
    assert (
        lines[0]
        == f"warning: notify.start[0]: the ping could not be sent: {reason} (see that its service can be reached)"
    )
    assert len(lines) == 2
    log = (pinged.state / "runs" / ran.document["run"] / "log.ndjson").read_text()
    assert "notify.failed" in log
    assert not any(SECRET in text for text in (ran.stderr, ran.stdout, log))


def test_mail_goes_out_by_apprise(shop: Shop, mails: tuple[int, list[Message]], monkeypatch):
    """The subject is the one line, the body what to do."""
    port, seen = mails
    monkeypatch.setenv("MAIL", f"mailto://127.0.0.1:{port}?from=night@example.com&to=day@example.com&mode=insecure")
    shop.configure({"notify.failure": ["${MAIL}"], "guards.max_rejects": 0})
    shop.dump("1,Ede", ",Epe")
    assert shop.run().exit_code == 4
    (mail,) = seen
    assert mail["To"] == "day@example.com"
    assert str(mail["Subject"]).startswith("shop: refused (exit 4): 2 read, 1 rejected, 1 accepted")


@pytest.mark.parametrize(
    ("address", "what"),
    [
        ("nonsense", "this is no URL"),
        ("${NOT_SET}", "the environment has no NOT_SET"),
        ("https:///path", "this is no address"),
        ("slack://x", "apprise knows no such address of slack://"),
    ],
)
def test_check_finds_an_address_that_is_none(shop: Shop, address: str, what: str):
    """Exit 3, at its key; nobody is told anything."""
    shop.configure({"notify.failure": ["mailto://u:p@example.com", address]})
    shop.dump("1,Ede")
    ran = shop.call("check", shop.job)
    assert ran.exit_code == 3
    assert [(one["where"], one["what"]) for one in ran.document["errors"]] == [("notify.failure[1]", what)]


def test_metrics_are_read_by_the_official_parser(shop: Shop):
    """Runs, records by outcome, rejects by code, seconds, calls, last success; every job of the folder, whole."""
    from prometheus_client.parser import text_string_to_metric_families

    def values() -> dict[tuple[str, ...], float]:
        families = text_string_to_metric_families((shop.folder / "shop.prom").read_text())
        return {
            (sample.name.removeprefix("copernica_import_"), *sample.labels.values()): sample.value
            for family in families
            for sample in family.samples
        }

    shop.dump("1,Ede", "2,Epe", ",Elst")
    words = ("metrics.textfile=shop.prom", "guards.max_rejects=1")
    calls = shop.done(*words).document["api_calls"]
    shop.done(*words, "job=other")
    good = values()
    assert shop.run("metrics.textfile=shop.prom", "guards.max_rejects=0").exit_code == 4
    found = values()
    assert (good["records", "shop", "confirmed"], found["records", "shop", "confirmed"]) == (2, 0)
    assert (good["api_calls", "shop"], good["rejects", "key_blank", "Nr", "shop"]) == (calls, 1)
    assert (found["last_exit_code", "shop"], found["last_exit_code", "other"]) == (4, 0)
    assert found["last_success_timestamp_seconds", "shop"] == good["last_success_timestamp_seconds", "shop"]
    assert (found["runs", "shop", "done"], found["runs", "shop", "refused"], found["open_runs", "shop"]) == (1, 1, 0)
    assert (shop.folder / "shop.prom").stat().st_mode & 0o777 == 0o644


def test_a_place_for_metrics_that_is_none_is_found_by_check_and_fails_no_run(shop: Shop):
    """A missing folder, such as where the node exporter is not installed."""
    shop.dump("1,Ede")
    shop.configure({"metrics.textfile": "none/shop.prom"})
    found = shop.call("check", shop.job)
    assert (found.exit_code, found.document["errors"][0]["what"]) == (3, "metrics cannot be written there")
    ran = shop.done()
    assert "warning: metrics.textfile" in ran.stderr
