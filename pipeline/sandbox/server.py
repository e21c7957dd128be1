"""Run the sandbox on a port: in a thread for tests, or in front for the command (wiring: sockets, threads)."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn

from pipeline.errors import JobError, Problem
from pipeline.sandbox.app import make_app
from pipeline.sandbox.connections import Connections, protocol_for
from pipeline.sandbox.world import World

_LOOPBACK = ("127.0.0.1", "localhost")


class Server(uvicorn.Server):
    """Serve one world on a loopback socket that is bound at once. Raises JobError when the port cannot be had."""

    def __init__(self, world: World, host: str = "127.0.0.1", port: int = 0) -> None:
        self._socket = _bound(host, port)
        self.port: int = self._socket.getsockname()[1]
        self.ready = threading.Event()
        self.announce: Callable[[], None] = lambda: None
        self._connections = Connections()
        self._protocol = protocol_for(self._connections)
        config = uvicorn.Config(
            make_app(world, self._connections), http=self._protocol, ws="none", lifespan="off", log_config=None,
            log_level="critical", access_log=False, server_header=False, date_header=False, timeout_keep_alive=75,
            timeout_graceful_shutdown=1,
        )  # fmt: skip
        super().__init__(config)

    @property
    def url(self) -> str:
        """The address without a slash at its end."""
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End on SIGTERM and Ctrl-C as if asked to: the process exits with 0, not by the signal."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._stopped) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stopped(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 (the form of a handler)
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and release those who wait for it."""
        await super().startup(sockets)
        self._connections.serve(self.servers, self._factory)
        self.ready.set()
        self.announce()

    def _factory(self) -> asyncio.Protocol:
        return self._protocol(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)

    def serve_here(self, announce: Callable[[], None] = lambda: None) -> None:
        """Serve in this thread until `should_exit` or a signal; `announce` is called once it listens."""
        self.announce = announce
        try:
            self.run(sockets=[self._socket])
        finally:
            self._socket.close()


class ServerThread:
    """Run a server in a daemon thread; `stop` returns when it has ended."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._thread = threading.Thread(target=server.serve_here, name="sandbox-http", daemon=True)

    def start(self, timeout_s: float = 10.0) -> None:
        """Start, and wait until it listens. Raises RuntimeError when it does not."""
        self._thread.start()
        if not self._server.ready.wait(timeout_s):
            raise RuntimeError("the sandbox did not start to listen")

    def stop(self) -> None:
        """End the server and its thread."""
        self._server.should_exit = True
        self._thread.join()


def _bound(host: str, port: int) -> socket.socket:
    if host not in _LOOPBACK:
        raise JobError(Problem(f"the sandbox only listens on loopback, not on {host}", "--host", "use 127.0.0.1"))
    # With the protocol named, asyncio sends small answers at once (TCP_NODELAY).
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except (OSError, OverflowError) as error:
        listener.close()
        reason = error.strerror if isinstance(error, OSError) else "no port"
        raise JobError(Problem(f"port {port} cannot be used: {reason}", "--port", "name another, or 0")) from error
    return listener
