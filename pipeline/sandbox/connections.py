"""Track the TCP connections of the server: number them, cut one, stop listening for a while (edge: sockets)."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

Peer = tuple[str, int]


class Connections:
    """Number connections from 1 in the order they come; all but the constructor belongs on the event loop."""

    def __init__(self) -> None:
        self._open: dict[Peer, tuple[int, asyncio.BaseTransport]] = {}
        self._count = 0
        self._servers: list[asyncio.Server] = []
        self._factory: Any = None

    def opened(self, peer: Peer, transport: asyncio.BaseTransport) -> None:
        """Register a new connection."""
        self._count += 1
        self._open[peer] = (self._count, transport)

    def closed(self, peer: Peer) -> None:
        """Forget a connection."""
        self._open.pop(peer, None)

    def number(self, peer: object) -> int:
        """Return the number of the connection with this client address, 0 for an unknown one."""
        return self._open[(str(peer[0]), int(peer[1]))][0] if _known(peer, self._open) else 0  # type: ignore[index]

    def cut(self, peer: object) -> None:
        """End a connection at once, without an answer."""
        if _known(peer, self._open):
            transport = self._open[(str(peer[0]), int(peer[1]))][1]  # type: ignore[index]
            if isinstance(transport, asyncio.Transport):
                transport.abort()

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


def _known(peer: object, known: dict[Peer, tuple[int, asyncio.BaseTransport]]) -> bool:
    return isinstance(peer, (tuple, list)) and len(peer) == 2 and (str(peer[0]), int(peer[1])) in known


def protocol_for(connections: Connections) -> type[H11Protocol]:
    """Return the protocol class that registers its connections."""

    class Tracked(H11Protocol):
        """Serve one connection, known to all."""

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            if self.client:
                connections.opened((str(self.client[0]), int(self.client[1])), transport)

        def connection_lost(self, exc: Exception | None) -> None:
            if self.client:
                connections.closed((str(self.client[0]), int(self.client[1])))
            super().connection_lost(exc)

    return Tracked
