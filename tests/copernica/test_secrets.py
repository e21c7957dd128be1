"""The token appears nowhere: in no version, under no fault, in no text that an error or a log can give."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable

import pytest

from pipeline.copernica import ApiError, Client, ImportRequest, RefusedError
from tests.copernica.server import CLOSE, RESET, SILENT, Reply, Script, Server, answer
from tests.support.client import TOKEN, jwt

pytestmark = pytest.mark.usefixtures("sockets")

URL = f"https://api.copernica.com/profile/1?access_token={TOKEN}"
FAULTS: dict[str, Reply] = {
    "close": CLOSE,
    "reset": RESET,
    "silent": SILENT,
    "half": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
    "garbage": b"nonsense secret-abc\r\n\r\n",
    "bad header": b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
    "bad encoding": answer(200, b"secret-abc", Content_Encoding="gzip"),
    "400 with token": answer(400, {"error": {"message": f"Invalid thing at {URL}: secret-abc"}}),
    "401 with token": answer(401, f"<p>token {TOKEN} unknown</p>".encode()),
    "503 html": answer(503, f"<a href='{URL}'>{URL}</a>".encode()),
    "429": answer(429, f"too many from {TOKEN}".encode()),
    "redirect": answer(301, Location=URL),
    "303": answer(303, Location=URL),
    "200 html": answer(200, f"<p>{URL}</p>".encode()),
    "200 list": answer(200, [TOKEN]),
}


def everything_about(error: BaseException) -> str:
    """Every text that an error can give, with what it was raised from, shown or not."""
    texts = []
    at: BaseException | None = error
    while at is not None:
        texts += [str(at), repr(at), repr(at.args), repr(vars(at)), *traceback.format_exception(at)]
        at = at.__cause__ or at.__context__
    return "\n".join(texts)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("version", ["v1", "v2", "v3", "v4"])
def test_no_fault_shows_the_token(
    serve: Callable[[Script], Server],
    connect: Callable[..., Client],
    caplog: pytest.LogCaptureFixture,
    version: str,
    fault: str,
) -> None:
    """Nor the JWT that was exchanged for it."""
    caplog.set_level(logging.DEBUG)
    token = jwt(mark="jwt-secret").encode()
    server = serve(lambda seen: answer(200, token) if seen.path == "/authenticate" else FAULTS[fault])
    client = connect(server.url, version, read_s=0.08, import_read_s=0.08, retry_budget_s=0.6)
    shown = [repr(client), repr(client.set_up), str(vars(client))]
    calls: list[Callable[[], object]] = [client.identity, lambda: client.structure("Customers")]
    calls.append(lambda: client.post_import(ImportRequest(7, "x", "add", (), True), b'[{"a":"b"}]'))
    for call in calls:
        with pytest.raises(ApiError) as caught:
            call()
        shown.append(everything_about(caught.value))
    shown += [record.getMessage() for record in caplog.records] + [caplog.text]
    for secret in (TOKEN, token.decode(), "jwt-secret"):
        assert secret not in "\n".join(shown)
    assert any(TOKEN in seen.target or "authorization" in seen.headers for seen in server.seen)


@pytest.mark.parametrize("fault", FAULTS)
def test_no_fault_of_the_exchange_shows_the_token(
    serve: Callable[[Script], Server], connect: Callable[..., Client], caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    """The exchange has the token in its body."""
    caplog.set_level(logging.DEBUG)
    server = serve(lambda _: FAULTS[fault])
    with pytest.raises(ApiError) as caught:
        connect(server.url, "v4", read_s=0.08, retry_budget_s=0.6).identity()
    assert TOKEN not in everything_about(caught.value) + caplog.text
    assert server.seen[0].body == b"access_token=secret-abc"


@pytest.mark.parametrize("version", ["v1", "v4"])
def test_nobody_listening_shows_no_token(
    version: str, caplog: pytest.LogCaptureFixture, connect: Callable[..., Client]
) -> None:
    """requests' own text of this error holds the whole URL."""
    caplog.set_level(logging.DEBUG)
    with pytest.raises(ApiError) as caught:
        connect("http://127.0.0.1:9", version, retry_budget_s=1.0).identity()
    assert TOKEN not in everything_about(caught.value) + caplog.text


def test_values_of_customers_are_not_logged_by_urllib3(
    serve: Callable[[Script], Server], connect: Callable[..., Client], caplog: pytest.LogCaptureFixture
) -> None:
    """It logs each URL at DEBUG; the query is taken out."""
    caplog.set_level(logging.DEBUG)
    server = serve(lambda _: answer(200, {"id": "34"}))
    connect(server.url, "v2").identity()
    assert '"GET /v2/identity?… HTTP/1.1" 200' in caplog.text


@pytest.mark.parametrize("token", ["", " ", "secret-abc\n", "secret abc", "geheim\u00e9"])
def test_what_cannot_be_a_token_is_refused_without_repeating_it(token: str) -> None:
    """A line break would make another header."""
    with pytest.raises(ValueError, match="the token is empty") as caught:
        Client(token)
    assert not token.strip() or token.strip() not in str(caught.value)


@pytest.mark.parametrize("before", range(170, 200, 5))
@pytest.mark.parametrize("version", ["v3", "v4"])
def test_no_part_of_a_secret_is_left_where_words_are_cut(
    serve: Callable[[Script], Server], connect: Callable[..., Client], version: str, before: int
) -> None:
    """Of an error and of an import's last error: secrets go first, then the words are shortened."""
    secret = jwt(mark="jwt-secret") if version == "v4" else TOKEN
    text = f"{'x' * before} {secret} {'y' * 5000}"
    status = {"ID": "88", "status": text, "totallines": "2", "processedLines": "1", "lasterror": text}
    answers = {"/authenticate": answer(200, secret.encode()), f"/{version}/import/88": answer(200, status)}
    server = serve(lambda seen: answers.get(seen.path, answer(400, {"error": {"message": text}})))
    client = connect(server.url, version)
    with pytest.raises(RefusedError) as caught:
        client.identity()
    found = client.import_status(88)
    for words in (caught.value.words, found.last_error, found.status):
        assert words is not None
        assert words == (f"{'x' * before} … {'y' * 5000}"[:199] + "…")
