"""Find and read dumps behind URLs by fsspec: s3, gs, az, sftp, http and https (edge: the network).

Credentials come from the environment of each library. A file is read in ranges, so that no more than one is held; a range
that fails is asked for again once the file has proved to be the same (size, time stamp, ETag).
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from pipeline.errors import JobError, Problem
from pipeline.model.files import SourceFile

# The protocols, and the extra that installs what each needs.
EXTRAS = {"s3": "s3", "gs": "gs", "az": "az", "sftp": "sftp", "http": "http", "https": "http"}
_URL = re.compile(r"^([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
# A guess: large enough that the way to and fro costs little, small enough to be asked for again.
_RANGE_BYTES = 8 << 20
_TRIES = 4
# The errors of the libraries that are no OSError.
_FAILURES = (
    "aiohttp.ClientError",
    "azure.core.exceptions.AzureError",
    "botocore.exceptions.BotoCoreError",
    "botocore.exceptions.ClientError",
    "google.auth.exceptions.GoogleAuthError",
    "gcsfs.retry.HttpError",
    "paramiko.SSHException",
)
_WAIT_S = 1.0
# Where the libraries keep when a file was changed.
_TIMES = ("LastModified", "Last-Modified", "last_modified", "mtime", "updated")
_SECRET = re.compile(r"(?i)(?:^|[&;])[^=&;]*(?:sig|token|key|secret|password|credential)[^=&;]*=")


def is_url(name: str) -> bool:
    """Return whether a name of a dump is a URL."""
    return _URL.match(name) is not None


@dataclass(frozen=True)
class Version:
    """What proves that a remote file is the same: size in bytes (None where the server does not show it), time, tag."""

    size_bytes: int | None
    mtime_ns: int
    tag: str


class RemoteError(Exception):
    """Why a remote file cannot be read, without its content."""


def check_url(url: str) -> None:
    """Raise JobError for a protocol that is not read, and for a URL that holds a password or a signature."""
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    shown = f"{scheme}://{parts.hostname or ''}{parts.path}"
    if scheme not in EXTRAS:
        do = f"use one of {', '.join(f'{name}://' for name in EXTRAS)}"
        raise JobError(Problem(f"no dumps are read by {scheme}://", shown, do))
    if parts.password is not None or _SECRET.search(parts.query):
        do = "take it out: credentials come from the environment of the library"
        raise JobError(Problem("a URL with a password or a signature", shown, do))
    if scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise JobError(Problem("plain http is read from this machine only", shown, "use https"))


def failures() -> tuple[type[Exception], ...]:
    """Return the classes of error that the loaded libraries raise when a call fails."""
    found: list[type[Exception]] = [OSError, EOFError, ValueError]
    for name in _FAILURES:
        module, _, kind = name.rpartition(".")
        if module in sys.modules:
            found.append(getattr(sys.modules[module], kind))
    return tuple(found)


class Remote:
    """The file system behind a URL."""

    def __init__(self, url: str) -> None:
        check_url(url)
        scheme = urlsplit(url).scheme.lower()
        try:
            self._fs, self._path = _open(url)
        except ImportError as error:
            what = f"reading {scheme}:// needs {getattr(error, 'name', None) or 'a package'}, which is not installed"
            do = f"pip install 'copernica-import[{EXTRAS[scheme]}]'"
            raise JobError(Problem(what, url, do)) from None
        except failures() as error:
            raise RemoteError(_words(error)) from None
        self._url, self._scheme = url, scheme

    def names(self) -> list[str]:
        """List the URLs that the URL matches, itself where it is no glob; empty where there is none."""
        # In a web address a question mark begins the query.
        web = self._scheme in ("http", "https")
        if not any(mark in self._path for mark in ("*[" if web else "*?[")):
            return [self._url]
        if web:
            raise RemoteError("no globs: the protocol lists no files")
        found = self._asked(lambda: self._fs.glob(self._path))
        return [self._url_of(str(name)) for name in found]

    def version(self) -> Version:
        """Return what the server shows of the file now."""
        self._fs.invalidate_cache()
        facts: dict[str, Any] = self._asked(lambda: self._fs.info(self._path))
        if facts.get("type") == "directory":
            raise RemoteError("is a folder")
        tag = facts.get("ETag") or facts.get("etag") or facts.get("md5Hash") or facts.get("content_md5") or ""
        size = facts.get("size")
        return Version(None if size is None else int(size), _ns(facts), str(tag))

    def range(self, start: int, end: int) -> bytes:
        """Return the bytes from `start` up to `end`."""
        data: bytes = self._asked(lambda: self._part(start, end))
        return data

    def gives_ranges(self, size_bytes: int | None) -> bool:
        """Return whether parts of the file can be asked for: always but over http, where the server has to show it."""
        if self._scheme not in ("http", "https") or size_bytes is None:
            return size_bytes is not None
        try:
            return size_bytes < 2 or len(self._part(1, 2)) == 1
        except failures():
            return False

    def _part(self, start: int, end: int) -> bytes:
        if self._scheme not in ("http", "https"):
            data: bytes = self._fs.cat_file(self._path, start=start, end=end)
            return data
        # Opened so, an answer that is the whole file is refused before it is read.
        with self._fs.open(self._path, "rb", block_size=_RANGE_BYTES, cache_type="none") as file:
            file.seek(start)
            part: bytes = file.read(end - start)
            return part

    def whole(self) -> Any:
        """Return the file opened for reading from begin to end, for a server that gives no ranges."""
        return self._asked(lambda: self._fs.open(self._path, "rb", block_size=0))

    def _asked(self, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except failures() as error:
            raise RemoteError(_words(error)) from None

    def _url_of(self, name: str) -> str:
        if self._scheme == "sftp":
            return f"sftp://{urlsplit(self._url).netloc}{name if name.startswith('/') else '/' + name}"
        return name if is_url(name) else f"{self._scheme}://{name}"


class RemoteHandle:
    """Read a remote file from begin to end, as an open file; what is read is proved to be of one version."""

    def __init__(self, file: SourceFile, sleep: Callable[[float], None] = time.sleep) -> None:
        self._file = file
        self._remote = Remote(file.name)
        self._sleep = sleep
        self._before = self._remote.version()
        self._at = 0
        self._held = b""
        self._whole = None if self._remote.gives_ranges(self._before.size_bytes) else self._remote.whole()

    def read(self, count: int) -> bytes:
        """Return up to `count` bytes, none at the end."""
        if self._whole is not None:
            try:
                data: bytes = self._whole.read(count)
            except failures() as error:
                raise RemoteError(_words(error)) from None
            return data
        if not self._held and self._at < (self._before.size_bytes or 0):
            self._held = self._fetched()
            self._at += len(self._held)
        found, self._held = self._held[:count], self._held[count:]
        return found

    def _fetched(self) -> bytes:
        end = min(self._at + _RANGE_BYTES, self._before.size_bytes or 0)
        for attempt in range(1, _TRIES + 1):
            try:
                data = self._remote.range(self._at, end)
                if len(data) == end - self._at:
                    return data
                reason = f"{len(data):,} bytes came where {end - self._at:,} were asked for"
            except RemoteError as error:
                reason = str(error)
            if attempt == _TRIES:
                break
            self._sleep(_WAIT_S * 2 ** (attempt - 1))
            if self._remote.version() != self._before:
                raise RemoteError("changed while it was read")
        raise RemoteError(reason)

    def unchanged(self, bytes_read: int) -> bool:
        """Return whether the file is the one that was found, as it was then, and was read to its end."""
        file, before = self._file, self._before
        as_found = (file.size_bytes, file.mtime_ns) == (before.size_bytes or 0, before.mtime_ns)
        return as_found and self._remote.version() == before and before.size_bytes in (None, bytes_read)

    def close(self) -> None:
        """Close what is open."""
        if self._whole is not None:
            self._whole.close()


def _open(url: str) -> tuple[Any, str]:
    scheme = urlsplit(url).scheme.lower()
    if scheme == "sftp":
        return _sftp(url)
    url_to_fs = import_module("fsspec.core").url_to_fs
    options: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True}
    fs, path = url_to_fs(url.replace("az://", "abfs://", 1) if scheme == "az" else url, **options)
    return fs, str(path)


def _sftp(url: str) -> tuple[Any, str]:
    """Open a connection to a host whose key is known; fsspec by itself takes the key of anybody."""
    paramiko, sftp = import_module("paramiko"), import_module("fsspec.implementations.sftp")

    class Known(sftp.SFTPFileSystem):  # type: ignore[misc,name-defined]
        cachable = False

        def _connect(self) -> None:
            self.client = paramiko.SSHClient()
            self.client.load_system_host_keys()
            self.client.set_missing_host_key_policy(paramiko.RejectPolicy())
            self.client.connect(self.host, **self.ssh_kwargs)
            self.ftp = self.client.open_sftp()

    parts = urlsplit(url)
    options: dict[str, Any] = {"port": parts.port or 22, "timeout": 30}
    if parts.username:
        options["username"] = parts.username
    return Known(parts.hostname, **options), parts.path


def _ns(facts: dict[str, Any]) -> int:
    """Return when a file was changed, in nanoseconds; 0 where the server does not show it."""
    value = next((facts[name] for name in _TIMES if facts.get(name)), None)
    if isinstance(value, str):
        value = datetime.fromisoformat(value) if value[:4].isdigit() else parsedate_to_datetime(value)
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return int(aware.timestamp() * 1_000_000) * 1000
    return int(float(value) * 1_000_000_000) if value else 0


def _words(error: Exception) -> str:
    """Return why a call failed, in few words; an error of a library may quote what was asked, never what was answered."""
    if isinstance(error, FileNotFoundError):
        # Over http fsspec finds no file whatever went wrong; the reason stands behind it.
        cause = error.__cause__
        return _words(cause) if isinstance(cause, Exception) and cause is not error else "no file of that name"
    if (status := getattr(error, "status", None)) is not None:
        # Its own text holds the whole URL.
        return "no file of that name" if status == 404 else f"HTTP status {status} {getattr(error, 'message', '')}"
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:200] if text else type(error).__name__
