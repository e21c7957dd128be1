"""Dumps behind URLs: a real HTTP server, with and without ranges, and a real OpenSSH server for SFTP."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipeline.errors import InputError, JobError
from pipeline.extract import Extraction, find_files
from pipeline.extract.remote import check_url
from pipeline.model.columns import Expected
from tests.extract.reading import frame_of, source
from tests.support.places import ROOT

pytest.importorskip("fsspec")
pytestmark = pytest.mark.usefixtures("sockets")

AB = Expected(("a", "b"))
DATA = b"a,b\n" + b"".join(b"%d,x%d\n" % (number, number) for number in range(20_000))


class Site:
    """What the server has, and how it behaves: `ranges` or not, `cuts` answers that break off in the middle."""

    def __init__(self) -> None:
        self.data = DATA
        self.ranges, self.cuts, self.etag, self.modified = True, 0, "one", ""
        self.asked: list[str] = []


@pytest.fixture
def site() -> Iterator[tuple[Site, str]]:
    """Serve one file."""
    served = Site()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            return

        def _head(self) -> bytes:
            wanted = re.match(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
            if self.path == "/none.csv":
                self.send_error(404)
                return b""
            if self.path.endswith("status=403"):
                self.send_error(403)
                return b""
            data, status = served.data, 200
            if served.ranges and wanted:
                data, status = data[int(wanted[1]) : int(wanted[2]) + 1], 206
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("ETag", served.etag)
            if served.modified:
                self.send_header("Last-Modified", served.modified)
            if served.ranges:
                self.send_header("Accept-Ranges", "bytes")
            self.end_headers()
            return data

        def do_HEAD(self) -> None:
            self._head()

        def do_GET(self) -> None:
            served.asked.append(self.headers.get("Range", ""))
            data = self._head()
            if served.cuts:
                served.cuts -= 1
                self.wfile.write(data[: len(data) // 2])
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            with contextlib.suppress(OSError):
                self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield served, f"http://127.0.0.1:{server.server_port}/x.csv"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _read(url: str) -> list[tuple[str, str]]:
    files = find_files([url], Path("/"))
    batches = list(Extraction(files, source(), AB))
    return frame_of(batches).select("a", "b").rows()


@pytest.mark.parametrize("ranges", [True, False])
def test_a_dump_is_read_over_http(site: tuple[Site, str], ranges: bool):
    """In ranges where the server gives them, in one go where it does not."""
    served, url = site
    served.ranges = ranges
    rows = _read(url)
    assert (len(rows), rows[-1]) == (20_000, ("19999", "x19999"))


def test_a_read_that_is_cut_is_asked_for_again(site: tuple[Site, str]):
    """The file proves to be the same first; every row is there once."""
    served, url = site
    files = find_files([url], Path("/"))
    served.cuts = 1
    rows = frame_of(list(Extraction(files, source(), AB)))
    assert rows["a"].to_list() == [str(number) for number in range(20_000)]


def test_a_file_that_is_replaced_is_refused(site: tuple[Site, str]):
    """Another ETag at the end of the reading; also where a read was cut in between."""
    served, url = site
    for cuts in (0, 1):
        served.etag, served.cuts = "one", 0
        reading = iter(Extraction(find_files([url], Path("/")), source(), AB, batch_rows=10, block_bytes=1000))
        next(reading)
        served.etag, served.cuts = "two", cuts
        with pytest.raises(InputError, match="changed while it was read"):
            list(reading)


@pytest.mark.parametrize(
    ("place", "words"),
    [("http://127.0.0.1:9/x.csv", "Cannot connect to host"), ("{site}/x.csv?status=403", "HTTP status 403")],
)
def test_a_server_that_gives_nothing_is_no_missing_file(site: tuple[Site, str], place: str, words: str):
    """The reason is named: nobody listens, or the server refuses."""
    with pytest.raises(InputError) as caught:
        find_files([place.format(site=site[1].removesuffix("/x.csv"))], Path("/"))
    assert words in caught.value.problems[0].what
    assert "no file" not in caught.value.problems[0].what


def test_a_web_address_may_have_a_query(site: tuple[Site, str]):
    """Its question mark is no pattern."""
    (file,) = find_files([site[1] + "?day=21"], Path("/"))
    assert file.size_bytes == len(DATA)


def test_what_is_not_there_is_named(site: tuple[Site, str]):
    """With the URL, and what to do."""
    with pytest.raises(InputError) as caught:
        find_files([site[1].replace("x.csv", "none.csv")], Path("/"))
    (problem,) = caught.value.problems
    assert "none.csv" in problem.where
    assert "no file of that name" in problem.what


@pytest.mark.parametrize(
    "url",
    [
        "sftp://me:hunter2@host/x.csv",
        "https://host/x.csv?X-Amz-Signature=hunter2",
        "https://host/x.csv?sv=1&sig=hunter2",
        "ftp://host/hunter2",
        "http://example.com/x.csv",
    ],
)
def test_secrets_and_other_protocols_are_refused(url: str):
    """Before anything is asked, and without repeating the secret."""
    with pytest.raises(JobError) as caught:
        check_url(url)
    assert "hunter2" not in str(caught.value) or url.startswith("ftp:")


SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")


@pytest.fixture
def sftp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, str]]:
    """Start an OpenSSH server for this user, with keys of its own; its host key is known."""
    if SSHD is None:
        pytest.skip("no sshd: apt-get install openssh-server")
    pytest.importorskip("paramiko")
    home, port = tmp_path / "home", _free_port()
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    for key in (tmp_path / "host_key", home / ".ssh" / "id_ed25519"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    public = (home / ".ssh" / "id_ed25519.pub").read_text()
    (home / ".ssh" / "authorized_keys").write_text(public)
    host = " ".join((tmp_path / "host_key.pub").read_text().split()[:2])
    (home / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{port} {host}\n")
    Path("/run/sshd").mkdir(exist_ok=True)
    options = {
        "Port": port, "ListenAddress": "127.0.0.1", "HostKey": tmp_path / "host_key", "PidFile": tmp_path / "pid",
        "AuthorizedKeysFile": home / ".ssh" / "authorized_keys", "StrictModes": "no", "UsePAM": "no",
        "Subsystem": "sftp internal-sftp", "PasswordAuthentication": "no", "PermitRootLogin": "yes",
    }  # fmt: skip
    config = tmp_path / "sshd_config"
    config.write_text("".join(f"{name} {value}\n" for name, value in options.items()))
    plain = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}  # sshd is not ours to sanitize
    server = subprocess.Popen([SSHD, "-D", "-e", "-f", str(config)], stderr=subprocess.DEVNULL, env=plain)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    try:
        _wait_for(port)
        yield home, f"sftp://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _wait_for(port: int) -> None:
    """Connect until the server greets."""
    for _ in range(2000):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as one:
            if one.recv(4) == b"SSH-":
                return
    pytest.fail("sshd does not answer")


def _by_sftp(url: str, home: Path) -> str:
    """Read in a process of its own, whose home has the keys."""
    code = f"""
from pathlib import Path
from pipeline.errors import PipelineError
from pipeline.extract import Extraction, find_files
from pipeline.model.columns import Expected
from tests.extract.reading import frame_of, source
try:
    files = find_files([{url!r}], Path("/"))
    frame = frame_of(list(Extraction(files, source(), Expected(("a", "b")))))
    print([file.name.rpartition("/")[2] for file in files], frame.height, files[0].mtime_ns > 0)
except PipelineError as error:
    print(error)
"""
    environment = {**os.environ, "HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_dumps_are_listed_and_read_by_sftp(sftp: tuple[Path, str], tmp_path: Path):
    """A glob in natural order; keys and known hosts are those of the user."""
    home, base = sftp
    for name in ("d10.csv", "d2.csv"):
        (tmp_path / name).write_bytes(DATA)
    assert _by_sftp(f"{base}{tmp_path}/d*.csv", home) == "['d2.csv', 'd10.csv'] 40000 True"


def test_a_host_that_is_not_known_is_not_read(sftp: tuple[Path, str], tmp_path: Path):
    """Anybody could answer in its place; nor is a user whose key is not taken."""
    home, base = sftp
    (tmp_path / "x.csv").write_bytes(DATA)
    known = home / ".ssh" / "known_hosts"
    kept = known.read_text()
    known.write_text("")
    assert "not found in known_hosts" in _by_sftp(f"{base}{tmp_path}/x.csv", home)
    known.write_text(kept)
    (home / ".ssh" / "authorized_keys").write_text("")
    assert "cannot be read" in _by_sftp(f"{base}{tmp_path}/x.csv", home)


def test_the_time_stamp_of_an_http_server_counts(site: tuple[Site, str]):
    """Where it sends `Last-Modified` a dump has an age; without one it is as old as can be."""
    served, url = site
    (without,) = find_files([url], Path("/"))
    served.modified = "Thu, 19 Nov 2026 06:00:00 GMT"
    (found,) = find_files([url], Path("/"))
    assert (without.mtime_ns, found.mtime_ns) == (0, 1_795_068_000 * 10**9)
