"""Bring one request to its end: pace, token, attempts, counting (edge: HTTP, the clock)."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from threading import Event, Lock
from urllib.parse import quote

from pipeline.copernica.answers import Failure, Fault, fault_in, shortened
from pipeline.copernica.auth import Exchange, QueryToken
from pipeline.copernica.failures import (
    ApiError,
    AuthError,
    BudgetSpentError,
    CallLimitError,
    LostError,
    NotSentError,
    RefusedError,
)
from pipeline.copernica.gate import RateGate
from pipeline.copernica.retry import Again, GiveUp, LookUp, Step, Tries, backoff_s, decide
from pipeline.copernica.transport import Outgoing, Transport
from pipeline.copernica.versions import Version
from pipeline.copernica.waiting import Budget, Outage, Waiter
from pipeline.copernica.wire import Connection, Kind, Request, Response, redact
from pipeline.copernica.words import public

USER_AGENT = "copernica-import"
# After these a request may have been carried out; after a 503, too: the table of retries has it looked up (sheet 18).
_MAYBE = frozenset({Failure.LOST, Failure.BUSY})


@dataclass(frozen=True)
class Options:
    """Limits of a client: seconds, calls, calls per second; None for no limit."""

    connect_s: float = 10.0
    read_s: float = 60.0
    import_read_s: float = 300.0
    retry_budget_s: float = 900.0
    max_calls: int | None = None
    max_calls_per_s: float | None = None


@dataclass(frozen=True)
class Call:
    """One attempt at the API host, for a log: no query, no body. `status` is None without an answer, `failure` with success."""

    method: str
    path: str
    attempt: int
    status: int | None
    failure: str | None
    seconds: float
    bytes_sent: int


@dataclass(frozen=True)
class Outside:
    """The outside world of a client, for tests and for who interrupts it.

    `clock` only rises, `now` is seconds since 1970, `random` returns 0 to 1. Without `sleep` a wait ends at once when
    `cancelled` is set. `on_call` is called after every attempt at the API host, in the thread that made it.
    """

    clock: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time
    random: Callable[[], float] = random.random
    sleep: Callable[[float], None] | None = None
    cancelled: Event | None = None
    on_call: Callable[[Call], None] | None = None


@dataclass
class Counters:
    """What went to the API host, retries and polls included, the exchange of the token not.

    `unlimited` of the `calls` do not count for `max_calls`.
    """

    calls: int = 0
    unlimited: int = 0
    writes: int = 0
    bytes_sent: int = 0
    max_calls: int | None = None
    limited: bool = False
    lock: Lock = field(default_factory=Lock, repr=False)

    @property
    def limited_calls(self) -> int:
        """Return how many calls count for the limit."""
        return self.calls - self.unlimited


@dataclass
class _Progress:
    """How far one request has come."""

    started_s: float
    attempt: int = 0
    renewed: bool = False
    maybe_sent: bool = False


class Caller:
    """Send requests of one version with one token, for up to some dozens of workers at a time."""

    def __init__(self, version: Version, urls: tuple[str, str], token: str, options: Options, outside: Outside) -> None:
        api_url, self._auth_url = urls
        self._base = f"{api_url}/{version.name}"
        self._options, self._outside = options, outside
        self._transport = Transport(outside.clock)
        self._gate = RateGate(options.max_calls_per_s)
        self._budget = Budget(options.retry_budget_s)
        self._outage = Outage()
        self._waiter = Waiter(outside.sleep, outside.cancelled)
        self._server_s: tuple[float, float] | None = None  # its latest time, and our clock then
        self._latest_s = float("-inf")
        self.names: frozenset[str] = frozenset()  # of fields and the like: messages may show them
        self._token = token
        self._credentials: Exchange | QueryToken = (
            Exchange(token, self._fetch_jwt, outside.now) if version.jwt else QueryToken(token)
        )
        self.counters = Counters(max_calls=options.max_calls)

    def __repr__(self) -> str:
        return f"Caller({self._base}, {self.counters.calls} calls)"

    def send(self, request: Request) -> Response:
        """Send until it succeeds; raises a leaf of `ApiError` (see there for `maybe_sent`)."""
        if request.kind is Kind.READ:
            return self._attempts(request, lambda attempt: self._once(request, attempt))
        self._wait_out(request)
        began = self._outage.begin()
        try:
            response = self._attempts(request, lambda attempt: self._once(request, attempt))
        except LostError:
            self._outage.lost(began)
            raise
        self._outage.over()
        return response

    def _wait_out(self, request: Request) -> None:
        """Wait before a change where the answers to several before it were lost, within the run's budget; see `Outage`."""
        lost = self._outage.in_a_row
        if lost < 2:
            return
        now_s, wait_s = self._outside.clock(), backoff_s(lost - 1, self._outside.random())
        if wait_s > self._budget.left_s(now_s):
            raise BudgetSpentError(
                f"{request.method} {request.path} was not sent: the answers to {lost} changes in a row were lost, and the"
                f" {self._budget.budget_s:g} s of waiting are over"
            )
        self._budget.spend(now_s, wait_s)
        self._waiter.wait(wait_s)

    def close(self) -> None:
        """Close the kept connections."""
        self._transport.close()

    def redacted(self, text: str) -> str:
        """Take tokens, and the query of every URL, out of the API's words, then shorten them."""
        return shortened(redact(text, self._credentials.secrets()))

    def limit_waiting(self, budget_s: float) -> None:
        """Set how long the run may wait for other attempts in all."""
        self._budget.budget_s = budget_s

    def server_now(self) -> datetime:
        """Return the time in UTC by the clock of the API host: its last `Date` and what has passed since, never backwards.

        As long as it has not answered with one it is our own clock.
        """
        known = self._server_s
        now_s = self._outside.now() if known is None else known[0] + self._outside.clock() - known[1]
        self._latest_s = max(self._latest_s, now_s)
        return datetime.fromtimestamp(self._latest_s, UTC)

    def _set_clock(self, response: Response) -> None:
        """Take the `Date` of an answer (RFC 9110 6.6.1); one that cannot be read changes nothing.

        It is cut to the second: one that is less than a second behind what is known adds nothing.
        """
        try:
            date_s = parsedate_to_datetime(response.headers.get("date", "")).timestamp()
        except ValueError:
            return
        now_s = self._outside.clock()
        known = self._server_s
        if known is None or not 0 <= known[0] + now_s - known[1] - date_s < 1:
            self._server_s = (date_s, now_s)

    def _attempts(self, request: Request, once: Callable[[int], tuple[Response | Fault, bool]]) -> Response:
        """Try until success; `once` returns the outcome of an attempt and whether the token can be renewed."""
        progress = _Progress(self._outside.clock())
        try:
            while True:
                progress.attempt += 1
                outcome, renewable = once(progress.attempt)
                if isinstance(outcome, Response):
                    self._gate.speed_up()
                    return outcome
                step = self._step(request, outcome, progress, renewable)
                if not isinstance(step, Again):
                    break
                self._waiter.wait(step.after_s)
        except ApiError as error:
            if progress.maybe_sent and not error.maybe_sent:
                raise error.after_a_change() from error.__cause__
            raise
        raise self._error(request, outcome, step, progress)

    def _step(self, request: Request, fault: Fault, progress: _Progress, renewable: bool) -> Step:
        """Take a fault into account and decide what follows."""
        now_s = self._outside.clock()
        if fault.failure in _MAYBE and request.kind is not Kind.READ:
            progress.maybe_sent = True
        if fault.failure in (Failure.THROTTLED, Failure.BUSY):
            self._gate.slow_down(now_s, fault.retry_after_s)
        tries = Tries(
            attempt=progress.attempt,
            elapsed_s=now_s - progress.started_s,
            left_s=self._budget.left_s(now_s),
            budget_s=self._budget.budget_s,
            draw=self._outside.random(),
            retry_after_s=fault.retry_after_s,
            renewed=progress.renewed or not renewable,
        )
        step = decide(request.kind, fault.failure, tries)
        if isinstance(step, Again):
            progress.renewed = progress.renewed or fault.failure is Failure.AUTH
            self._budget.spend(now_s, step.after_s)
        return step

    def _once(self, request: Request, attempt: int) -> tuple[Response | Fault, bool]:
        """Make one attempt at the API host."""
        self._share_silence(request)
        self._waiter.wait(self._gate.reserve(self._outside.clock()))
        added = self._credentials.headers()
        self._count(request, 1)
        started_s = self._outside.clock()
        outcome = self._transport.send(self._outgoing(request, added))
        seconds = self._outside.clock() - started_s
        if isinstance(outcome, Fault) and outcome.failure in (Failure.NOT_SENT, Failure.UNSENDABLE):
            self._count(request, -1)  # it never came to be a call
        status = outcome.status
        if isinstance(outcome, Response):
            self._set_clock(outcome)
            outcome = fault_in(request, outcome, self._outside.now()) or outcome
        if isinstance(outcome, Response) and request.kind not in (Kind.READ, Kind.IMPORT):
            with self.counters.lock:
                self.counters.writes += 1
        failure = outcome.failure.value if isinstance(outcome, Fault) else None
        if self._outside.on_call is not None:
            sent = len(request.body or b"")
            self._outside.on_call(Call(request.method, request.path, attempt, status, failure, seconds, sent))
        refused = isinstance(outcome, Fault) and outcome.failure is Failure.AUTH
        return outcome, refused and self._credentials.renew(added)

    def _share_silence(self, request: Request) -> None:
        """Charge the budget for the silence that another call's `Retry-After` asks for; raises BudgetSpentError."""
        now_s = self._outside.clock()
        held_s = self._gate.held_s(now_s)
        if held_s == 0.0:
            return
        if held_s > self._budget.left_s(now_s):
            what = f"{request.method} {request.path} was not sent: the API asks for {held_s:.0f} s of silence"
            raise BudgetSpentError(f"{what}, and {self._budget.budget_s:g} s of waiting are allowed in all")
        self._budget.spend(now_s, held_s)

    def _count(self, request: Request, step: int) -> None:
        """Count a call before it is made, so that the limit holds for all workers together."""
        with self.counters.lock:
            most = self.counters.max_calls
            if step > 0 and request.limited and most is not None and self.counters.limited_calls >= most:
                self.counters.limited = True
                raise CallLimitError(
                    f"the limit of {most} calls is reached: {request.method} {request.path} was not sent"
                )
            self.counters.calls += step
            self.counters.unlimited += 0 if request.limited else step
            self.counters.bytes_sent += step * len(request.body or b"")

    def _outgoing(self, request: Request, added: dict[str, str]) -> Outgoing:
        authorised = Request(request.method, request.path, request.query + self._credentials.query())
        headers = {"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": USER_AGENT, **added}
        if request.body is not None:
            headers["Content-Type"] = "application/json"
        read_s = self._options.import_read_s if request.kind is Kind.IMPORT else self._options.read_s
        return Outgoing(
            request.method,
            self._base + authorised.target,
            headers,
            request.body,
            request.connection,
            (self._options.connect_s, read_s),
            request.kind is Kind.READ,
        )

    def _fetch_jwt(self) -> bytes:
        """Exchange the token: POST with a form body to the URL as it stands (API sheet 2, ⚠C2); no call is counted."""
        exchange = Request("POST", "", kind=Kind.READ)
        headers = {"Content-Type": "application/x-www-form-urlencoded", "User-Agent": USER_AGENT}
        body = f"access_token={quote(self._token, safe='')}".encode()
        timeouts_s = (self._options.connect_s, self._options.read_s)
        outgoing = Outgoing("POST", self._auth_url, headers, body, Connection.POOLED, timeouts_s, reads=True)

        def once(attempt: int) -> tuple[Response | Fault, bool]:  # noqa: ARG001
            outcome = self._transport.send(outgoing)
            if isinstance(outcome, Response):
                outcome = fault_in(exchange, outcome, self._outside.now()) or outcome
            return outcome, False

        try:
            return self._attempts(exchange, once).body
        except RefusedError as error:
            message = f"the token could not be exchanged: {public(error.words, self.names)}"
            failed: ApiError = AuthError(message, status=error.status, words=error.words)
        except ApiError as error:
            failed = error
        raise failed.at_the_exchange()

    def _error(self, request: Request, fault: Fault, step: Step, progress: _Progress) -> ApiError:
        """Make the error of a request that failed for good; its message holds no foreign words (see `words.public`)."""
        error = self._error_of(request, fault, step, progress)
        error.repeatable = request.kind in (Kind.SAME_STATE, Kind.DELETE)
        return error

    def _error_of(self, request: Request, fault: Fault, step: Step, progress: _Progress) -> ApiError:
        attempts, maybe = progress.attempt, progress.maybe_sent
        words = self.redacted(fault.words) or "no words"
        shown = words if fault.status is None else public(words, self.names)
        what = f"{request.method} {request.path}" if request.path else "the exchange of the token"
        times = "" if attempts == 1 else f" (attempt {attempts})"
        status = fault.status
        if fault.failure is Failure.AUTH:
            return AuthError(
                f"{what}: the token is not accepted: {shown}", status=status, maybe_sent=maybe, words=words
            )
        if fault.failure is Failure.REFUSED:
            message = f"{what} was refused with {status}: {shown}"
            return RefusedError(message, words=words, status=status or 0, maybe_sent=maybe)
        because = f"{fault.failure.value}{f' ({status})' if status else ''}: {shown}{times}"
        spent = isinstance(step, GiveUp) and step.spent
        if spent:
            because = f"no success within {self._budget.budget_s:g} s of waiting; last {because}"
        if fault.failure in (Failure.NOT_SENT, Failure.UNSENDABLE) and not maybe:
            return NotSentError(f"{what}: {because}", status=status)
        if spent:
            return BudgetSpentError(f"{what}: {because}", status=status, maybe_sent=maybe)
        return LostError(
            f"{what}: outcome unknown; {because}", status=status, maybe_sent=maybe, look_up=isinstance(step, LookUp)
        )
