"""Everything in which v1, v2, v3 and v4 differ (pure; API sheet 2, 3.1, 4.1, 5, 8-12)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from pipeline.copernica.failures import UnsupportedError

API_URL = "https://api.copernica.com"
AUTH_URL = "https://authenticate.copernica.com"


@dataclass(frozen=True)
class Version:
    """One version of the API.

    `page_rows` is the most rows a list answers (API sheet 5). `flat_profiles`: POST and PUT `database/$id/profiles`
    take the fields themselves instead of `{fields, interests}` (sheet 3.1, ⚠C5); a wrong shape succeeds and writes
    nothing.
    """

    name: str
    jwt: bool = False
    flat_profiles: bool = False
    page_rows: int = 1000
    has_imports: bool = False
    has_data_only: bool = True

    def profile_body(self, fields: Mapping[str, str], interests: Mapping[str, bool] | None = None) -> object:
        """Return the body of POST and PUT `database/$id/profiles`; interests only where they are not None.

        Raises UnsupportedError for interests in v1, whose flat body has no place for them.
        """
        if not self.flat_profiles:
            return {"fields": dict(fields)} | ({} if interests is None else {"interests": dict(interests)})
        if interests:
            raise UnsupportedError("v1 takes no interests while it creates a profile; set them afterwards")
        return dict(fields)

    def require_imports(self) -> None:
        """Raise UnsupportedError where this version has no imports."""
        if not self.has_imports:
            raise UnsupportedError(f"{self.name} of the API has no imports")


VERSIONS: Mapping[str, Version] = {
    version.name: version
    for version in (
        Version("v1", flat_profiles=True, page_rows=100, has_data_only=False),
        Version("v2"),
        Version("v3", has_imports=True),
        Version("v4", has_imports=True, jwt=True),
    )
}


def is_success(method: str, status: int) -> bool:
    """Return whether a status means success, in any version (API sheet 4.1, ⚠C7).

    Reading answers 200. Writing answers 2xx, and 303 for a PUT in v1 and v2; it is taken in every version, since the
    documents and what was seen disagree. A redirect is never followed: it repeats the token.
    """
    if method == "GET":
        return status == 200
    return 200 <= status < 300 or status == 303


def safe_url(url: str) -> str:
    """Return `url` without a slash at its end, where a token may be sent to it.

    https anywhere, plain http only to this machine (127.0.0.0/8, ::1, localhost). Raises ValueError, whose text names the
    host at most, for anything else, and for a URL with user, query, fragment or blank.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("this is no URL") from None
    if "@" in parts.netloc:
        raise ValueError("a URL here has no user and no password")
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("this is no http URL")
    if re.search(r"[?#\s\x00-\x1f]", url):
        raise ValueError("a URL of the API has no ?, # or blank")
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError(f"plain http would show the token to everybody between here and {host}")
    return url.rstrip("/")


def is_loopback(host: str) -> bool:
    """Return whether a host name is this machine."""
    if host == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.is_loopback and getattr(address, "ipv4_mapped", None) is None
