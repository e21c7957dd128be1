"""Answer like Copernica's API v4 and count rows, for next to no CPU (edge: sockets; a process of its own).

It keeps nothing: a body is received into a buffer, the name of the first column is counted in it, and every import is
final when it is asked for. Blocking sockets, a thread per connection. The first line on stdout is the port; the process
ends when its stdin does. Shapes of the answers: API sheet 2, 4, 5, 7, 8, 11 and 12.

Control: `GET /_counts` gives what was counted as JSON, `POST /_reset` sets it to zero.
"""

from __future__ import annotations

import base64
import json
import os
import re
import socket
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

# In every row exactly once; with the colon, so that the list of key fields does not count.
ROW_MARK = b'"CustomerID":'

_HEAD_BYTES = 65_536
_DAY_S = 86_400
_Json = Any


@dataclass
class Counts:
    """What came since the last reset; `cpu_s` is the sink's own, since it started."""

    requests: int = 0
    imports: int = 0
    rows: int = 0
    body_bytes: int = 0
    cpu_s: float = 0.0


@dataclass
class Sink:
    """The account: one database with one collection, and the imports since the start by id."""

    counts: Counts = field(default_factory=Counts)
    imports: dict[int, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, method: str, path: str, body: bytearray, length: int) -> tuple[int, dict[str, str], _Json]:
        """Return status, headers and the JSON of the answer (None for an empty body) to the first `length` bytes of `body`."""
        elements = [part for part in path.split("?")[0].split("/") if part]
        if elements == ["authenticate"] and method == "POST":
            return 200, {}, _jwt()
        if elements == ["_counts"]:
            return 200, {}, asdict(self.counts) | {"cpu_s": time.process_time()}
        if elements == ["_reset"]:
            with self.lock:
                self.counts = Counts()
            return 200, {}, {}
        if elements and re.fullmatch("v[1-4]", elements[0]):
            elements = elements[1:]
        if elements == ["imports"] and method == "POST":
            return self._started(body, length)
        found = self._found(elements) if method == "GET" else None
        self._count(0, 0)
        return (200, {}, found) if found is not None else (400, {}, {"error": {"message": "Invalid method"}})

    def _started(self, body: bytearray, length: int) -> tuple[int, dict[str, str], _Json]:
        rows = body.count(ROW_MARK, 0, length)
        number = self._count(length, rows)
        return 201, {"X-Created": str(number), "X-location": f"https://localhost/v4/import/{number}"}, None

    def _count(self, body_bytes: int, rows: int) -> int:
        with self.lock:
            self.counts.requests += 1
            if body_bytes:
                self.counts.imports += 1
                self.counts.rows += rows
                self.counts.body_bytes += body_bytes
                self.imports[len(self.imports) + 1] = rows
            return len(self.imports)

    def _found(self, elements: Sequence[str]) -> _Json:
        if len(elements) == 2 and elements[0] == "import" and int(elements[1]) in self.imports:
            return _status(int(elements[1]), self.imports[int(elements[1])])
        found = ANSWERS.get("/".join(elements).lower())
        if elements and elements[-1] in ("profiles", "subprofiles"):
            # It may well hold as many records as rows came, and says so where it is asked for their number.
            found = {**(found or _list()), "total": sum(self.imports.values())}
        return found


def _status(number: int, rows: int) -> _Json:
    return {
        "ID": str(number),
        "name": "import",
        "type": "update or add",
        "status": "finished",
        "totallines": str(rows),
        "processedLines": str(rows),
        "lastrun": "2024-01-02 03:05:00",
        "nextrun": False,
        "lasterror": False,
    }


def _jwt() -> str:
    """Write a token that is shaped like one and lives a day."""
    parts = ({"alg": "none"}, {"exp": int(time.time()) + _DAY_S})
    return (
        ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + ".c2ln"
    )


def _list(*rows: _Json) -> _Json:
    return {"start": 0, "limit": 100, "count": len(rows), "data": list(rows), "total": len(rows)}


def _field(number: int, name: str, kind: str, **more: _Json) -> _Json:
    common = {"value": "", "displayed": True, "ordered": False, "length": "50", "textlines": "1", "hidden": False}
    return {"ID": str(number), "name": name, "type": kind, **common, "index": False, **more}


_FIELDS = _list(
    _field(1, "CustomerID", "text", length="20", index=True),
    _field(2, "Email", "email"),
    _field(3, "City", "text"),
    _field(4, "Birthday", "empty_date"),
    _field(5, "Points", "integer", value="0"),
)
_ORDER_FIELDS = _list(
    _field(1, "OrderID", "text", length="20", index=True),
    _field(2, "Total", "float", value="0"),
    _field(3, "Placed", "empty_datetime"),
    _field(4, "Status", "select", value="open\r\npaid\r\nshipped"),
)
_INTENTIONS = {"email": False, "sms": False, "fax": False, "pdf": False}
_COLLECTIONS = _list({"ID": "1", "name": "Order", "database": "1", "fields": _ORDER_FIELDS, "intentions": _INTENTIONS})
_DATABASE = {
    "ID": "1",
    "name": "Bench",
    "description": "counts",
    "archived": False,
    "created": "2024-01-02 03:04:05",
    "fields": _FIELDS,
    "interests": _list(),
    "collections": _COLLECTIONS,
    "intentions": _INTENTIONS,
}
_OF_THE_DATABASE = {
    "": _DATABASE,
    "/fields": _FIELDS,
    "/interests": _list(),
    "/collections": _COLLECTIONS,
    "/profiles": _list(),
    "/profileids": [],
}
# By path in lower case, below the version.
ANSWERS: dict[str, _Json] = {
    "identity": {"id": "34", "name": "Bench", "description": "a sink", "company": "Bench"},
    **{f"database/{name}{rest}": answer for name in ("1", "bench") for rest, answer in _OF_THE_DATABASE.items()},
    "collection/1": _COLLECTIONS["data"][0],
    "collection/1/fields": _ORDER_FIELDS,
    "collection/1/subprofiles": _list(),
}


class Connection:
    """One connection: requests one after the other until the other side has enough."""

    def __init__(self, sink: Sink, peer: socket.socket) -> None:
        self._sink, self._peer = sink, peer
        self._buffer = bytearray(_HEAD_BYTES)
        self._filled = 0

    def serve(self) -> None:
        """Answer until the connection ends."""
        self._peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._peer:
            try:
                while self._one():
                    pass
            except ConnectionError:
                return

    def _one(self) -> bool:
        head_end = self._receive_head()
        if head_end < 0:
            return False
        first, *lines = bytes(self._buffer[:head_end]).decode("latin-1").split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        method, path, _ = first.split(" ", 2)
        if "transfer-encoding" in headers:
            self._send(411, {}, {"error": {"message": "send a Content-Length"}})
            return False
        length = int(headers.get("content-length", "0"))
        if headers.get("expect", "").lower() == "100-continue":
            self._peer.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._receive_body(head_end + 4, length)
        self._send(*self._sink.answer(method, path, self._buffer, length))
        self._filled = 0
        return headers.get("connection", "").lower() != "close"

    def _receive_head(self) -> int:
        """Receive until the blank line; give where it starts, or -1 at the end of the connection."""
        while (end := self._buffer.find(b"\r\n\r\n", 0, self._filled)) < 0:
            with memoryview(self._buffer) as view:
                got = self._peer.recv_into(view[self._filled : _HEAD_BYTES])
            if not got:
                return -1
            self._filled += got
        return end

    def _receive_body(self, start: int, length: int) -> None:
        """Receive the body to the front of the buffer."""
        rest = bytes(self._buffer[start : self._filled])
        if len(self._buffer) < length:
            self._buffer = bytearray(length)
        self._buffer[: len(rest)] = rest
        at = len(rest)
        with memoryview(self._buffer) as view:
            while at < length:
                got = self._peer.recv_into(view[at:length])
                if not got:
                    raise ConnectionError("the body broke off")
                at += got

    def _send(self, status: int, headers: dict[str, str], answer: _Json) -> None:
        body = b"" if answer is None else answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
        reason = {200: "OK", 201: "Created", 400: "Bad Request", 411: "Length Required"}[status]
        head = [f"HTTP/1.1 {status} {reason}", f"Content-Length: {len(body)}"]
        if answer is not None:
            head.append("Content-Type: application/json")
        head += [f"{name}: {value}" for name, value in headers.items()]
        self._peer.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + body)


def main() -> None:
    """Serve on a free port of the loopback address until stdin ends."""
    sink = Sink()
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        print(server.getsockname()[1], flush=True)
        threading.Thread(target=_end_with_stdin, daemon=True).start()
        while True:
            peer, _ = server.accept()
            threading.Thread(target=Connection(sink, peer).serve, daemon=True).start()


def _end_with_stdin() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
