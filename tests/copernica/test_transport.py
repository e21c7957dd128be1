"""Every fault of the wire is told by its class, on real sockets."""

from __future__ import annotations

import gzip
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.copernica.answers import Failure, Fault
from pipeline.copernica.transport import Outgoing, Transport
from pipeline.copernica.wire import Connection, Response
from tests.copernica.server import CLOSE, RESET, SILENT, Reply, Script, Server, answer, in_turn
from tests.support.client import World

pytestmark = pytest.mark.usefixtures("sockets")

Serve = Callable[[Script], Server]


@pytest.fixture
def transport(world: World) -> Iterator[Transport]:
    made = Transport(world.clock)
    yield made
    made.close()


def outgoing(url: str, connection: Connection = Connection.POOLED, **change: object) -> Outgoing:
    values: dict[str, object] = {
        "method": "GET",
        "url": f"{url}/v3/x?access_token=secret-abc",
        "headers": {},
        "body": None,
        "connection": connection,
        "timeouts_s": (5.0, 5.0),
        "reads": True,
    }
    return Outgoing(**(values | change))  # type: ignore[arg-type]


def test_an_answer_is_taken_as_it_is(serve: Serve, transport: Transport) -> None:
    """Status, headers in lower case, body; a compressed one is unpacked."""
    body = gzip.compress(b'{"a":1}')
    server = serve(in_turn(answer(200, body, Content_Encoding="gzip", X_Created="5")))
    got = transport.send(outgoing(server.url))
    assert isinstance(got, Response)
    assert (got.status, got.headers["x-created"], got.body) == (200, "5", b'{"a":1}')


def test_a_redirect_is_not_followed(serve: Serve, transport: Transport) -> None:
    """It would be an extra call with the token in its URL (API sheet 1, trap 13)."""
    server = serve(in_turn(answer(303, Location="/profile/501?access_token=secret-abc")))
    got = transport.send(outgoing(server.url, method="PUT", body=b"{}"))
    assert got.status == 303
    assert len(server.seen) == 1


def test_no_cookie_is_kept(serve: Serve, transport: Transport) -> None:
    """One worker's answer does not change another's request."""
    server = serve(in_turn(answer(200, b"{}", Set_Cookie="a=b; Path=/")))
    transport.send(outgoing(server.url))
    transport.send(outgoing(server.url))
    assert "cookie" not in server.seen[1].headers


def test_a_body_arrives_whole_with_its_length(serve: Serve, transport: Transport) -> None:
    """Three million bytes, not chunked."""
    server = serve(in_turn(answer(201)))
    body = bytes(range(256)) * 12_000
    transport.send(outgoing(server.url, method="POST", body=body))
    assert server.seen[0].body == body
    assert server.seen[0].headers["content-length"] == str(len(body))
    assert "transfer-encoding" not in server.seen[0].headers


def test_nobody_listens(transport: Transport) -> None:
    """Connection refused: nothing was sent."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert transport.send(outgoing(f"http://127.0.0.1:{port}")) == Fault(
        Failure.NOT_SENT, "no connection: Connection refused"
    )


def test_the_host_has_no_name(transport: Transport, monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS failure: nothing was sent."""

    def unknown(*_: object, **__: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert transport.send(outgoing("https://api.invalid")) == Fault(
        Failure.NOT_SENT, "the name of the host is not known"
    )


def test_the_connection_takes_too_long(transport: Transport, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connect timeout: nothing was sent."""

    def slow(*_: object, **__: object) -> socket.socket:
        raise TimeoutError("timed out")

    monkeypatch.setattr("urllib3.util.connection.create_connection", slow)
    assert transport.send(outgoing("http://127.0.0.1:9")) == Fault(Failure.NOT_SENT, "no connection in time")


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (CLOSE, "the connection broke (RemoteDisconnected)"),
        (RESET, "the connection broke (ConnectionResetError)"),
        (b"nonsense\r\n\r\n", "the connection broke (BadStatusLine)"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", "the answer broke off"),
    ],
)
def test_the_answer_is_lost(serve: Serve, transport: Transport, reply: Reply, words: str) -> None:
    """Empty reply, reset after reading, garbage, half an answer: the outcome is not known."""
    server = serve(in_turn(reply))
    got = transport.send(outgoing(server.url, timeouts_s=(5.0, 0.2)))
    assert isinstance(got, Fault)
    assert got.failure is Failure.LOST
    assert got.words == words
    assert len(server.seen) == 1


def test_the_answer_takes_too_long(serve: Serve, transport: Transport) -> None:
    """Read timeout: the outcome is not known."""
    server = serve(in_turn(SILENT))
    assert transport.send(outgoing(server.url, timeouts_s=(5.0, 0.2))) == Fault(Failure.LOST, "no answer in time")


def test_half_a_body_is_enough_where_the_status_tells_all(serve: Serve, transport: Transport) -> None:
    """201 with its id came through; whatever breaks after that makes no outcome unknown."""
    server = serve(in_turn(b"HTTP/1.1 201 Created\r\nX-Created: 88\r\nContent-Length: 5\r\n\r\n{"))
    got = transport.send(outgoing(server.url, method="POST", body=b"{}", reads=False, timeouts_s=(5.0, 0.2)))
    assert isinstance(got, Response)
    assert (got.status, got.headers["x-created"], got.body) == (201, "88", b"")


def test_html_errors_are_answers(serve: Serve, transport: Transport) -> None:
    """A 503 of a load balancer is judged elsewhere."""
    server = serve(in_turn(answer(503, b"<h1>Loadbalancer Error</h1>")))
    got = transport.send(outgoing(server.url))
    assert isinstance(got, Response)
    assert (got.status, got.body) == (503, b"<h1>Loadbalancer Error</h1>")


def test_tls_breaks_before_anything_is_sent(serve: Serve, transport: Transport) -> None:
    """A server that hangs up in the handshake, or does not speak TLS at all."""
    for greeting in (b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"):
        with _greeter(greeting) as port:
            got = transport.send(outgoing(f"https://127.0.0.1:{port}"))
        assert got == Fault(Failure.NOT_SENT, "TLS could not be set up")


def test_tls_takes_too_long(transport: Transport) -> None:
    """A handshake that never ends has sent nothing, though it is a read that timed out."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        assert transport.send(outgoing(url, timeouts_s=(0.2, 5.0))) == Fault(
            Failure.NOT_SENT, "TLS could not be set up"
        )


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificate with openssl")
def test_a_certificate_that_is_not_trusted_is_final(transport: Transport, tmp_path: Path) -> None:
    """Nothing was sent, and trying again would not mend it."""
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with _greeter(b"", context) as port:
        got = transport.send(outgoing(f"https://localhost:{port}"))
    assert got == Fault(Failure.UNSENDABLE, "the certificate is not trusted")


def test_a_ca_bundle_that_is_not_there_is_final(transport: Transport, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment's CA settings hold, also wrong ones."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    got = transport.send(outgoing("https://127.0.0.1:9"))
    assert got == Fault(Failure.UNSENDABLE, "the CA bundle of the environment cannot be read")


def test_a_proxy_that_cannot_be_used_is_final(transport: Transport, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person has to mend the environment."""
    monkeypatch.setenv("https_proxy", "http://:80:80")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    got = transport.send(outgoing("https://api.invalid"))
    assert got == Fault(Failure.UNSENDABLE, "the URL of the API or of the proxy cannot be used")


def test_netrc_is_never_used(
    serve: Serve, transport: Transport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """requests would add its password to every request that has no `Authorization`."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password from-netrc\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HOME", str(tmp_path))
    server = serve(in_turn(answer(303, Location="/profile/1"), answer(200)))
    transport.send(outgoing(server.url))
    transport.send(outgoing(server.url, headers={"Authorization": "Bearer h.p.s"}))
    assert [seen.headers.get("authorization") for seen in server.seen] == [None, "Bearer h.p.s"]


def test_this_machine_is_not_reached_through_a_proxy(
    serve: Serve, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token in plain http would go to the proxy."""
    server, proxy = serve(in_turn(answer(200))), serve(in_turn(answer(500)))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy.url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert transport.send(outgoing(server.url)).status == 200
    assert proxy.seen == []


def test_the_proxy_of_the_environment_holds_and_its_refusal_means_not_sent(
    serve: Serve, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked for a tunnel; the request itself would go through it, encrypted."""
    proxy = serve(in_turn(answer(407)))
    monkeypatch.setenv("https_proxy", proxy.url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    got = transport.send(outgoing("https://api.invalid"))
    assert got == Fault(Failure.NOT_SENT, "the proxy made no connection")
    assert [(seen.method, seen.target) for seen in proxy.seen] == [("CONNECT", "api.invalid:443")]


def test_connections_are_kept(serve: Serve, transport: Transport) -> None:
    """One call after the other uses one connection, also after an error."""
    server = serve(in_turn(answer(200, b"{}"), answer(400, b"{}"), answer(201)))
    for method in ("GET", "PUT", "POST"):
        transport.send(outgoing(server.url, method=method))
    assert [seen.connection for seen in server.seen] == [1, 1, 1]


def test_an_import_always_gets_a_new_connection(serve: Serve, transport: Transport) -> None:
    """Data rule 30."""
    server = serve(in_turn(answer(200, b"{}")))
    transport.send(outgoing(server.url))
    transport.send(outgoing(server.url, Connection.FRESH))
    transport.send(outgoing(server.url, Connection.FRESH))
    transport.send(outgoing(server.url))
    assert [seen.connection for seen in server.seen] == [1, 2, 3, 3]


def test_a_create_gets_a_new_connection_when_the_last_answer_is_a_second_old(
    serve: Serve, transport: Transport, world: World
) -> None:
    """Data rule 30; what may be repeated stays on the old one."""
    server = serve(in_turn(answer(200, b"{}")))
    transport.send(outgoing(server.url, Connection.RECENT))
    world.now_s += 0.99
    transport.send(outgoing(server.url, Connection.RECENT))
    world.now_s += 1.0
    transport.send(outgoing(server.url, Connection.RECENT))
    world.now_s += 100.0
    transport.send(outgoing(server.url, Connection.POOLED))
    assert [seen.connection for seen in server.seen] == [1, 1, 2, 2]


def test_a_broken_connection_is_not_used_again(serve: Serve, transport: Transport) -> None:
    """The next call opens another."""
    server = serve(in_turn(RESET, answer(200, b"{}")))
    transport.send(outgoing(server.url))
    assert transport.send(outgoing(server.url)).status == 200
    assert [seen.connection for seen in server.seen] == [1, 2]


def test_as_many_connections_as_calls_at_one_time(serve: Serve, transport: Transport) -> None:
    """Eight workers, eight at most, and they are kept for the next eight."""
    together = threading.Barrier(8, timeout=10.0)

    def meet(_: object) -> bytes:
        together.wait()
        return answer(200, b"{}")

    server = serve(meet)
    for _ in range(2):
        workers = [threading.Thread(target=transport.send, args=(outgoing(server.url),)) for _ in range(8)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    assert len(server.seen) == 16
    assert server.connections == 8


class _greeter:
    """Accept one connection, speak TLS if there is a context, send a greeting and hang up."""

    def __init__(self, greeting: bytes, context: ssl.SSLContext | None = None) -> None:
        self.greeting, self.context = greeting, context
        self.listener = socket.create_server(("127.0.0.1", 0))

    def __enter__(self) -> int:
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        return int(self.listener.getsockname()[1])

    def run(self) -> None:
        try:
            connection, _ = self.listener.accept()
            with connection:
                if self.context is not None:
                    connection = self.context.wrap_socket(connection, server_side=True)
                connection.recv(65_536)
                connection.sendall(self.greeting)
        except OSError:
            pass

    def __exit__(self, *_: object) -> None:
        self.thread.join(10.0)
        self.listener.close()
