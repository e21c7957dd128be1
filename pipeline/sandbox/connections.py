"""Track the TCP connections of the server: number them, cut one, stop listening for a while (edge: sockets)."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol


class Connections:
    """Number connections from 1 in the order they come, by the address of the client (`peer`).

    All but the constructor belongs on the event loop.
    """

    def __init__(self) -> None:
        self._open: dict[object, tuple[int, asyncio.BaseTransport]] = {}
        self._count = 0
        self._servers: list[asyncio.Server] = []
        self._factory: Any = None

    def opened(self, peer: object, transport: asyncio.BaseTransport) -> None:
        """Register a new connection."""
        self._count += 1
        self._open[peer] = (self._count, transport)

    def closed(self, peer: object) -> None:
        """Forget a connection."""
        self._open.pop(peer, None)

    def number(self, peer: object) -> int:
        """Return the number of the connection with this client address, 0 for an unknown one."""
        known = self._open.get(peer)
        return known[0] if known else 0

    def cut(self, peer: object) -> None:
        """End a connection at once, without an answer."""
        known = self._open.get(peer)
        if known and isinstance(known[1], asyncio.Transport):
            known[1].abort()

    def serve(self, servers: list[asyncio.Server], factory: Any) -> None:
        """Register what listens, and how to listen again."""
        self._servers, self._factory = servers, factory

    def close_for(self, seconds: float) -> None:
        """Stop listening for `seconds`: connections are refused by the system, as when a server is down."""
        if not self._servers:
            return
        listening = self._servers[0]
        address = listening.sockets[0].getsockname()
        listening.close()
        for _, transport in list(self._open.values()):
            transport.close()
        loop = asyncio.get_running_loop()
        self._task = loop.create_task(self._open_again(address, seconds))

    async def _open_again(self, address: tuple[str, int], seconds: float) -> None:
        await asyncio.sleep(seconds)
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        loop = asyncio.get_running_loop()
        self._servers[0] = await loop.create_server(self._factory, sock=listener, backlog=2048)


def protocol_for(connections: Connections) -> type[H11Protocol]:
    """Return the protocol class that registers its connections."""

    class Tracked(H11Protocol):
        """Serve one connection, known to all."""

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            connections.opened(self.client, transport)

        def connection_lost(self, exc: Exception | None) -> None:
            connections.closed(self.client)
            super().connection_lost(exc)

    return Tracked
