"""Dumps in an object store: a real S3 server (moto in server mode), spoken to over real HTTP by s3fs."""

from __future__ import annotations

import gzip
import re
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import requests

from pipeline.errors import InputError
from pipeline.extract import Extraction, find_files
from pipeline.model.columns import Expected
from tests.extract.reading import frame_of, source
from tests.support.shop import Shop

# Found, not imported: whoever only collects the tests does not wait for them.
MISSING = [name for name in ("boto3", "s3fs", "moto") if find_spec(name) is None]
pytestmark = [
    pytest.mark.usefixtures("sockets"),
    pytest.mark.skipif(MISSING != [], reason="needs the extra s3, moto[s3], flask and flask-cors"),
]

AB = Expected(("a", "b"))
KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET = "not-a-secret-of-anybody"


@cache
def long_dump() -> bytes:
    """Return more than two of the ranges that are asked for."""
    return b"a,b\n" + b"".join(b"%07d,%s\n" % (number, b"x" * 80) for number in range(200_000))


@dataclass
class Proxy:
    """Pass TCP on to a server; the next `cuts` answers break off behind so many bytes."""

    port: int
    cuts: int = 0
    after_bytes: int = 1 << 20
    seen: int = 0
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))

    def serve(self) -> None:
        """Accept until the listener is closed."""
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.port))
                threading.Thread(target=self._pass, args=(client, server, False), daemon=True).start()
                threading.Thread(target=self._pass, args=(server, client, True), daemon=True).start()

    def _pass(self, source: socket.socket, to: socket.socket, answers: bool) -> None:
        count = 0
        with suppress(OSError):
            while data := source.recv(1 << 16):
                count += len(data)
                if answers and self.cuts and count > self.after_bytes:
                    self.cuts -= 1
                    self.seen += 1
                    break
                to.sendall(data)
        for one in (source, to):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


@dataclass
class Store:
    """A server with the bucket `dumps`, behind a proxy."""

    address: str
    proxy: Proxy
    client: Any

    def put(self, name: str, data: bytes) -> None:
        """Put an object."""
        self.client.put_object(Bucket="dumps", Key=name, Body=data)


@pytest.fixture(scope="module")
def server(sockets: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start the server."""
    words = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    # Its log goes to a file: nobody would read a pipe.
    log = tmp_path_factory.mktemp("moto") / "log"
    with log.open("wb") as to, subprocess.Popen(words, stdout=to, stderr=to) as process:
        address = None
        while address is None and process.poll() is None:
            address = re.search(r"Running on (http://127.0.0.1:\d+)", log.read_text())
            select.select([], [], [], 0.05)
        assert address is not None, log.read_text()
        yield address[1]
        process.kill()


@pytest.fixture
def store(server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Store]:
    """Empty the server, and name it in the environment as the AWS tools do."""
    requests.post(f"{server}/moto-api/reset", timeout=10).raise_for_status()
    proxy = Proxy(int(server.rpartition(":")[2]))
    thread = threading.Thread(target=proxy.serve, daemon=True)
    thread.start()
    for name, value in {
        "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{proxy.listener.getsockname()[1]}", "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(tmp_path / "none"), "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    import boto3

    client = boto3.client("s3", endpoint_url=server)
    client.create_bucket(Bucket="dumps")
    yield Store(server, proxy, client)
    client.close()
    proxy.listener.close()


def _names(pattern: str) -> list[str]:
    return [file.name for file in find_files([pattern], Path("/"))]


def test_a_glob_lists_objects_in_natural_order(store: Store) -> None:
    for name in ("in/d10.csv", "in/d2.csv", "in/other.txt", "out/d1.csv"):
        store.put(name, b"a,b\n1,2\n")
    assert _names("s3://dumps/in/d*.csv") == ["s3://dumps/in/d2.csv", "s3://dumps/in/d10.csv"]
    with pytest.raises(InputError, match="no file of that name"):
        _names("s3://dumps/in/none*.csv")


def test_an_object_is_streamed_in_ranges(store: Store) -> None:
    """Its digest is that of the bytes in the store; packed ones are unpacked on the way."""
    store.put("long.csv", long_dump())
    store.put("packed.csv.gz", gzip.compress(b"a,b\n1,2\n", mtime=0))
    files = find_files(["s3://dumps/long.csv", "s3://dumps/packed.csv.gz"], Path("/"))
    extraction = Extraction(files, source(), AB)
    rows = frame_of(list(extraction))
    assert (rows.height, rows["a"][-2:].to_list()) == (200_001, ["0199999", "1"])
    assert [facts.records for facts in extraction.facts] == [200_000, 1]


def test_a_read_that_is_cut_in_the_middle_is_asked_for_again(store: Store) -> None:
    """Every row is there once, whoever asked again: s3fs or we."""
    store.put("long.csv", long_dump())
    files = find_files(["s3://dumps/long.csv"], Path("/"))
    store.proxy.cuts = 2
    rows = frame_of(list(Extraction(files, source(), AB)))
    assert store.proxy.seen == 2
    assert rows["a"].to_list() == [f"{number:07d}" for number in range(200_000)]


def test_an_object_that_is_replaced_while_it_is_read_is_refused(store: Store) -> None:
    """Of the same size: the ETag shows it."""
    store.put("long.csv", long_dump())
    files = find_files(["s3://dumps/long.csv"], Path("/"))
    batches = iter(Extraction(files, source(), AB, batch_rows=1000))
    next(batches)
    store.put("long.csv", long_dump()[:-2] + b"y\n")
    with pytest.raises(InputError, match="changed while it was read"):
        list(batches)


def test_wrong_credentials_are_named_without_them(store: Store) -> None:
    """The server asks for credentials from now on, and knows none."""
    store.put("x.csv", b"a,b\n1,2\n")
    requests.post(f"{store.address}/moto-api/reset-auth", data=b"0", timeout=10).raise_for_status()
    try:
        with pytest.raises(InputError) as caught:
            find_files(["s3://dumps/x.csv"], Path("/"))
    finally:
        requests.post(f"{store.address}/moto-api/reset-auth", data=b"Infinity", timeout=10)
    (problem,) = caught.value.problems
    assert problem.what.startswith("cannot be read: ")
    assert "your credentials may read it" in problem.do
    assert KEY not in str(problem)
    assert SECRET not in str(problem)


def test_no_credentials_are_an_error_in_words(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(InputError, match="cannot be read: NoCredentialsError"):
        _names("s3://dumps/d*.csv")


def test_guards_of_new_and_old_files_hold_for_objects(store: Store, shop: Shop) -> None:
    """By the time stamp of the object, and the content that was confirmed."""
    store.put("d1.csv", b"Nr,City\n1,Ede\n")
    settings = (
        "source.files=['s3://dumps/d*.csv']",
        "source.only_new=true",
        "guards.min_new_files=1",
        "guards.max_age=1h",
    )
    assert shop.done(*settings).records["confirmed"] == 1
    shop.refused("min_new_files", 4, *settings)
    store.put("d2.csv", b"Nr,City\n2,Urk\n")
    ran = shop.done(*settings)
    assert [one["path"] for one in ran.document["files"]] == ["s3://dumps/d2.csv"]
    time_stamp = store.client.head_object(Bucket="dumps", Key="d2.csv")["LastModified"]
    assert abs(time_stamp.timestamp() - time.time()) < 600
    shop.refused("max_age", 4, "source.files=['s3://dumps/d1.csv']", "guards.max_age=0s")
