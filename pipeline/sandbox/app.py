"""Serve API and control over HTTP: one Starlette application in front of one `World` (wiring: HTTP)."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, formatdate
from html import escape
from typing import Any
from urllib.parse import parse_qsl

from anyio import to_thread
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from pipeline.sandbox import control, dispatch, site
from pipeline.sandbox.answers import Answer, ApiError
from pipeline.sandbox.calls import BAD_DATA, Call
from pipeline.sandbox.connections import Connections
from pipeline.sandbox.faults import ANSWER_KINDS, Hit, Rule
from pipeline.sandbox.wire import Request, elements_of, nested
from pipeline.sandbox.world import World

_VERSION = re.compile(r"v([1-4])")
_REASON = {200: "OK", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout", 429: "Too Many Requests"}


class Gate:
    """Take each request: pages and control calls, else faults, then authentication or API; write the journal."""

    def __init__(self, world: World, connections: Connections) -> None:
        self._world = world
        self._connections = connections
        self._site = site.Site(world)

    async def handle(self, http: HttpRequest) -> Response:
        """Answer one request."""
        path = http.scope.get("raw_path", http.scope["path"].encode()).split(b"?")[0].decode("latin-1")
        elements = elements_of(path)
        if site.is_page(http.method, elements):
            asked = site.Asked(elements[1:], http.query_params, _base_url(http))
            return _sent(await to_thread.run_sync(self._site.answer, asked))
        if elements[:1] == ["_sandbox"]:
            wanted = control.Asked(dict(http.query_params), await http.body())
            return _sent(await to_thread.run_sync(control.answer, self._world, http.method, elements[1:], wanted))
        hit = self._world.faults.hit(http.method, path)
        request = _read(http, elements)
        entry = {**self._entry(http, path), "fault": hit.named()}
        # Written before the work, so that a request that is cut or still under way is in the journal too.
        self._world.journal.write(entry, request.notes)
        try:
            response = await self._faulted(http, request, hit, entry)
        except ClientDisconnect:
            return _sent(Answer(400))
        except Exception as failure:  # noqa: BLE001 (a bug must be answered, and be in the journal)
            entry["status"] = 500
            response = _bug(failure)
        if not isinstance(response, _Nothing) and self._world.switches["date_header"] != "absent":
            # Of the virtual clock by default: waiting by the time of the API host is tested without waiting.
            virtual = self._world.switches["date_header"] == "virtual"
            response.headers["Date"] = formatdate(self._world.clock.epoch_s() if virtual else None, usegmt=True)
        return response

    def _entry(self, http: HttpRequest, path: str) -> dict[str, Any]:
        version = _VERSION.match(path.lstrip("/"))
        return {
            "n": self._world.journal.next_number(), "at": self._world.clock.stamp(),
            "version": version[0] if version else "", "method": http.method, "path": path,
            "query": _redacted(http), "body": None, "status": None, "created": [],
            "connection": self._connections.number(http.scope.get("client")),
        }  # fmt: skip

    async def _faulted(self, http: HttpRequest, request: Request, hit: Hit, entry: dict[str, Any]) -> Response:
        """Let a fault of the connection happen before, instead of or after the work."""
        rule = hit.rule
        if rule is None:
            return _sent(await self._worked(http, request, hit, entry))
        if rule.kind in ("refuse", "empty"):
            if rule.kind == "empty":
                await http.body()
            if rule.for_s:
                self._connections.close_for(rule.for_s)
            return await self._cut(http)
        if rule.kind in ANSWER_KINDS:
            if rule.done:
                await self._worked(http, request, hit, entry)
            else:
                await http.body()
            answer = self._replaced(ANSWER_KINDS[rule.kind], rule)
            entry["status"] = answer.status
            return _sent(answer)
        if rule.kind == "expire":
            self._world.tokens.expire()
        answer = await self._worked(http, request, hit, entry)
        if rule.kind == "slow":
            await asyncio.sleep(rule.seconds)
        if rule.kind == "cut":
            entry["status"] = None
            return await self._cut(http)
        return _sent(answer)

    def _replaced(self, status: int, rule: Rule) -> Answer:
        """Return the answer that a fault puts in place of the right one: Copernica's error for 400, else a page."""
        if status == 400:
            return ApiError(rule.message or "Invalid request").answer()
        headers = [("Content-Type", "text/html")]
        if rule.retry_after is not None:
            # The client's clock is the real one, so the date is too.
            at = datetime.now(UTC) + timedelta(seconds=rule.retry_after)
            headers.append(
                ("Retry-After", format_datetime(at, usegmt=True) if rule.http_date else str(rule.retry_after))
            )
        title, words = "Loadbalancer Error", f"{status} {_REASON[status]}"
        if rule.kind == "html":
            title = words = rule.message or "Maintenance"
        page = f"<html><head><title>{escape(title)}</title></head><body><h1>{escape(words)}</h1></body></html>"
        return Answer(status, headers, page.encode())

    async def _cut(self, http: HttpRequest) -> Response:
        """End the TCP connection without an answer."""
        self._connections.cut(http.scope.get("client"))
        return _Nothing()

    async def _worked(self, http: HttpRequest, request: Request, hit: Hit, entry: dict[str, Any]) -> Answer:
        request.raw_body = await http.body()
        authorization = http.headers.get("authorization", "")
        answer = await to_thread.run_sync(self._work, request, hit, authorization, entry)
        entry["status"] = answer.status
        entry["created"] = [answer.created] if answer.created else []
        return answer

    def _work(self, request: Request, hit: Hit, authorization: str, entry: dict[str, Any]) -> Answer:
        """Do the work of a request, on a thread of its own."""
        if entry["path"].rstrip("/") == "/authenticate":
            return self._authenticate(request)
        request.number = entry["n"]
        call = Call(self._world, request, hit)
        try:
            self._parse(request)
            if request.method in ("POST", "PUT", "DELETE"):
                entry["body"] = control.summary(request)
            dispatch.authorise(call, authorization)
            with self._world.store.writing():
                self._world.store.count_call(self._world.clock.stamp()[:10])
            with self._world.store.writing():
                answer = dispatch.answer(call)
        except ApiError as error:
            answer = error.answer() if error.status != 204 else Answer(204)
        finally:
            if request.notes.as_list() or "imports" in request.elements:
                self._world.journal.watch(entry, request.notes)
        if "imports" in request.elements:
            self._world.imports.wake()
        return answer

    def _parse(self, request: Request) -> None:
        """Read query and body; a body that cannot be read counts as empty, or is an error by a switch (U4)."""
        try:
            request.parse(str(self._world.switches["other_content_types"]))
        except ValueError as error:
            unread = self._world.switches["unreadable_body"] == "error"
            if unread or "body_unreadable" not in request.notes:
                raise ApiError(BAD_DATA) from error

    def _authenticate(self, request: Request) -> Answer:
        """Exchange the token of a form body for a JWT, a bare text (API sheet 2, C2)."""
        form = request.content_type.split(";")[0].strip().lower() == "application/x-www-form-urlencoded"
        given = nested(request.raw_body.decode("utf-8", "replace"), request.notes).get("access_token") if form else None
        if request.method != "POST" or not self._world.tokens.is_token(given):
            return ApiError("Invalid access token").answer()
        return Answer(200, [("Content-Type", "text/plain; charset=utf-8")], self._world.tokens.issue().encode())


class _Nothing(Response):
    """Send nothing at all: the connection is gone."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 (ASGI)
        while (await receive())["type"] != "http.disconnect":
            pass


def _bug(failure: Exception) -> Response:
    return _sent(ApiError(f"sandbox bug: {failure!r}", 500).answer())


def _sent(answer: Answer) -> Response:
    response = Response(answer.body, answer.status)
    length = [] if answer.status in (204, 304) else [("Content-Length", str(len(answer.body)))]
    response.raw_headers = [(name.encode(), value.encode()) for name, value in [*answer.headers, *length]]
    return response


def _read(http: HttpRequest, elements: list[str]) -> Request:
    version = _VERSION.fullmatch(elements[0]) if elements else None
    # Without a version the API answers too; as version 1, by all that is known (API sheet 2).
    return Request(
        int(version[1]) if version else 1,
        http.method,
        elements[1:] if version else elements,
        http.scope["query_string"].decode("latin-1"),
        content_type=http.headers.get("content-type", ""),
        base_url=_base_url(http),
        versioned=version is not None,
    )


def _base_url(http: HttpRequest) -> str:
    return f"http://{http.headers.get('host', '127.0.0.1')}"


def _redacted(http: HttpRequest) -> list[list[str]]:
    text = http.scope["query_string"].decode("latin-1")
    pairs = parse_qsl(text, keep_blank_values=True, errors="replace")
    return [[name, "***" if name.startswith("access_token") else value] for name, value in pairs]


def make_app(world: World, connections: Connections) -> ASGIApp:
    """Make the application: every request of any method and path goes through the one gate."""
    gate = Gate(world, connections)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await gate.handle(HttpRequest(scope, receive))
        except Exception as failure:  # noqa: BLE001 (a bug in a page or control call must be answered, too)
            response = _bug(failure)
        await response(scope, receive, send)

    return app
