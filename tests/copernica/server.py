"""A scripted HTTP server on raw sockets: it can also break off, stay silent and reset, as no framework can."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

CLOSE = "close"  # read the request, close without an answer
RESET = "reset"  # read the request, reset the connection
SILENT = "silent"  # read the request, never answer


@dataclass(frozen=True)
class Seen:
    """One request as it arrived; `connection` counts the connections from 1."""

    connection: int
    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> list[tuple[str, str]]:
        return [
            (unquote(name), value) for name, value in parse_qsl(urlsplit(self.target).query, keep_blank_values=True)
        ]

    @property
    def json(self) -> object:
        return json.loads(self.body)


def answer(status: int, body: object = b"", **headers: str) -> bytes:
    """Spell an answer; a body that is no bytes is sent as JSON, `_` in header names stands for `-`."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(content)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


Reply = bytes | str
Script = Callable[[Seen], Reply]


class Server:
    """Answer every request with what `script` gives for it; `seen` keeps them in order."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.seen: list[Seen] = []
        self.connections = 0
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        for one in (self._listener, *self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection, self.connections), daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        try:
            stream = connection.makefile("rb")
            while line := stream.readline():
                method, target, _ = line.decode().split(" ", 2)
                headers = {}
                while (header := stream.readline().decode().strip()) != "":
                    name, _, value = header.partition(":")
                    headers[name.lower()] = value.strip()
                seen = Seen(number, method, target, headers, stream.read(int(headers.get("content-length", 0))))
                self.seen.append(seen)
                reply = self.script(seen)
                if isinstance(reply, bytes):
                    connection.sendall(reply)
                    continue
                if reply == SILENT:
                    stream.read()  # until the client goes
                if reply == RESET:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                stream.close()
                connection.close()
                return
        except (OSError, ValueError):
            pass


def in_turn(*replies: Reply) -> Script:
    """Return these replies one after the other, the last one for ever."""
    left = list(replies)
    return lambda seen: left.pop(0) if len(left) > 1 else left[0]
