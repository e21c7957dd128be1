"""Send one request over HTTP and return its answer or its fault (edge: the one module that imports requests).

It works on requests' adapter, below its sessions: so there is no following of redirects, no `.netrc`, no cookies, and
no retry but ours. Proxies and CA bundles of the environment hold, except that a loopback address is never reached
through a proxy. No exception of requests leaves this module: their texts hold the URL, and the URL may hold the token.
"""

from __future__ import annotations

import io
import logging
import os
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from urllib3 import HTTPSConnectionPool
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import HTTPError, NameResolutionError, NewConnectionError

from pipeline.copernica.answers import Failure, Fault
from pipeline.copernica.versions import is_loopback
from pipeline.copernica.wire import Connection, Response

# Data rule 30: a kept connection whose last answer is older may have been dropped by the server meanwhile.
RECENT_S = 1.0


@dataclass(frozen=True, repr=False)
class Outgoing:
    """A request with everything secret in it: it exists between the caller and the socket, and is never printed."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes | None
    connection: Connection
    timeouts_s: tuple[float, float]  # connect, read (between two pieces of the answer)
    reads: bool  # the body of the answer is what is asked for; else its status and headers are enough


# A body goes out in pieces of this size, each within the timeout of a connection: a slow line must manage 26 kB/s.
PIECE_BYTES = 256 * 1024


@dataclass
class _Lane:
    """One kept connection (per host) and the time of its last answer."""

    adapter: HTTPAdapter
    answered_s: float = float("-inf")


class NoTlsError(NewConnectionError):
    """TLS could not be set up, so nothing was sent."""


class _Connecting(HTTPSConnection):
    """Mark what breaks while TLS is set up: the class of the error alone does not."""

    def connect(self) -> None:
        """Connect and set TLS up; raises NoTlsError where that fails."""
        try:
            super().connect()
        except HTTPError:
            raise
        except (ssl.SSLError, OSError) as error:
            raise NoTlsError(self, "TLS could not be set up") from error


class _Pool(HTTPSConnectionPool):
    ConnectionCls = _Connecting


class _Adapter(HTTPAdapter):
    """One connection for a host, directly or through a proxy, whose handshake has an error of its own."""

    def __init__(self) -> None:
        super().__init__(pool_connections=2, pool_maxsize=1, max_retries=0)
        self.init_poolmanager(2, 1, blocksize=PIECE_BYTES)

    def init_poolmanager(self, *words: Any, **named: Any) -> None:
        """Make the pools of direct connections."""
        super().init_poolmanager(*words, **named)
        self.poolmanager.pool_classes_by_scheme = {**self.poolmanager.pool_classes_by_scheme, "https": _Pool}

    def proxy_manager_for(self, proxy: str, **named: Any) -> Any:
        """Return the pools of the connections through a proxy."""
        manager = super().proxy_manager_for(proxy, **named)
        manager.pool_classes_by_scheme = {**manager.pool_classes_by_scheme, "https": _Pool}
        return manager


class Transport:
    """As many kept connections as there are calls at one time; the one that answered last is taken first."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._free: list[_Lane] = []
        self._lock = Lock()

    def send(self, outgoing: Outgoing) -> Response | Fault:
        """Send once; every failure of the wire is a value (API sheet 18)."""
        lane = self._lane(outgoing.connection)
        try:
            sent = _exchange(lane.adapter, outgoing)
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            sent = _fault_of(error)
        if isinstance(sent, Fault):
            lane.adapter.close()
            return sent
        lane.answered_s = self._clock()
        with self._lock:
            self._free.append(lane)
        return sent

    def close(self) -> None:
        """Close what is kept; the transport can still be used."""
        with self._lock:
            lanes, self._free = self._free, []
        for lane in lanes:
            lane.adapter.close()

    def _lane(self, wanted: Connection) -> _Lane:
        """Take a kept connection, or a new one where a request that may not be repeated needs it (data rule 30)."""
        with self._lock:
            lane = self._free.pop() if self._free else None
        if lane is None:
            return _Lane(_Adapter())
        old = self._clock() - lane.answered_s >= RECENT_S
        if wanted is Connection.FRESH or (wanted is Connection.RECENT and old):
            lane.adapter.close()
        return lane


def _exchange(adapter: HTTPAdapter, outgoing: Outgoing) -> Response | Fault:
    body = (
        None if outgoing.body is None else io.BytesIO(outgoing.body)
    )  # in pieces: a timeout bounds each, not the whole
    prepared = requests.Request(outgoing.method, outgoing.url, headers=outgoing.headers, data=body).prepare()
    local = is_loopback(urlsplit(outgoing.url).hostname or "")
    answer = adapter.send(
        prepared,
        stream=True,
        timeout=outgoing.timeouts_s,
        verify=os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True,
        proxies={} if local else get_environ_proxies(outgoing.url),
    )
    try:
        content = answer.content
    except (requests.RequestException, HTTPError, OSError):
        adapter.close()
        if outgoing.reads:
            return Fault(Failure.LOST, "the answer broke off", answer.status_code)
        content = b""
    return Response.of(answer.status_code, answer.headers.items(), content)


def _fault_of(error: Exception) -> Fault:
    """Classify what was raised, in words that hold nothing of the request."""
    chain = _chain(error)
    if any(isinstance(one, ssl.SSLCertVerificationError) for one in chain):
        return Fault(Failure.UNSENDABLE, "the certificate is not trusted")
    if any(isinstance(one, NameResolutionError) for one in chain):
        return Fault(Failure.NOT_SENT, "the name of the host is not known")
    if any(isinstance(one, requests.ConnectTimeout) for one in chain):
        return Fault(Failure.NOT_SENT, "no connection in time")
    if any(isinstance(one, requests.exceptions.ProxyError) for one in chain):
        return Fault(Failure.NOT_SENT, "the proxy made no connection")
    if any(isinstance(one, NoTlsError) for one in chain):
        return Fault(Failure.NOT_SENT, "TLS could not be set up")
    if any(isinstance(one, NewConnectionError) for one in chain):
        return Fault(Failure.NOT_SENT, "no connection" + _errno(chain))
    if any(isinstance(one, requests.Timeout | TimeoutError) for one in chain):
        return Fault(Failure.LOST, "no answer in time")
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema):
        return Fault(Failure.UNSENDABLE, "the URL of the API or of the proxy cannot be used")
    if isinstance(error, OSError) and not isinstance(error, requests.RequestException):
        return Fault(Failure.UNSENDABLE, "the CA bundle of the environment cannot be read")
    return Fault(Failure.LOST, f"the connection broke ({type(chain[-1]).__name__})")


def _chain(error: BaseException) -> list[BaseException]:
    chain: list[BaseException] = []
    at: BaseException | None = error
    while at is not None and at not in chain:
        chain.append(at)
        at = at.__cause__ or at.__context__
    return chain


def _errno(chain: list[BaseException]) -> str:
    number = next((one.errno for one in reversed(chain) if isinstance(one, OSError) and one.errno), None)
    return "" if number is None else f": {os.strerror(number)}"


class _NoQueries(logging.Filter):
    """urllib3 logs each URL at DEBUG; take the query, which holds the token and values of customers, out of it."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                re.sub(r"\?[^\s\"'<>]*", "?…", arg) if isinstance(arg, str) else arg for arg in record.args
            )
        return True


for _name in ("urllib3.connectionpool", "urllib3.util.retry"):
    logging.getLogger(_name).addFilter(_NoQueries())
