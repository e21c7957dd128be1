"""Read the token and the addresses of the API from the environment (edge: COPERNICA_TOKEN_FILE is read)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import JobError, Problem

# A token file larger than this is another file. A guess; tokens have some hundreds of characters at most.
_MOST_TOKEN_BYTES = 16_384


@dataclass(frozen=True, repr=False)
class Secret:
    """Hold a text that shows itself to nobody who does not ask by `reveal`."""

    _value: str

    def reveal(self) -> str:
        """Return the text itself, for the one place that puts it on the wire."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__


@dataclass(frozen=True)
class Environment:
    """The token and where to use it; `api_url` without a slash at its end, `auth_url` as it stands."""

    token: Secret
    api_url: str
    auth_url: str


def read_environment(environ: Mapping[str, str]) -> Environment:
    """Read COPERNICA_TOKEN (else COPERNICA_TOKEN_FILE), COPERNICA_API_URL and COPERNICA_AUTH_URL.

    Blanks around a token go; a variable that is empty is as good as absent; where both are set COPERNICA_TOKEN holds.
    Raises JobError with everything that is missing or wrong; no message shows a token or the secret part of a URL.
    """
    # Here and not at the top: it loads the whole client, which the log and a faulty job file do without.
    from pipeline.copernica.versions import API_URL, AUTH_URL

    problems: list[Problem] = []
    token = ""
    try:
        token = _token(environ)
    except JobError as error:
        problems += error.problems
    urls = {}
    for name, default in (("COPERNICA_API_URL", API_URL), ("COPERNICA_AUTH_URL", AUTH_URL)):
        urls[name] = environ.get(name, "").strip() or default
        problems += _url_problems(name, urls[name])
    if problems:
        raise JobError(*problems)
    return Environment(Secret(token), urls["COPERNICA_API_URL"].rstrip("/"), urls["COPERNICA_AUTH_URL"])


def known_secrets(environ: Mapping[str, str]) -> tuple[str, ...]:
    """List the secrets that no log may show; never raises."""
    try:
        return (_token(environ),)
    except JobError:
        return tuple(filter(None, [environ.get("COPERNICA_TOKEN", "").strip()]))


def _token(environ: Mapping[str, str]) -> str:
    token, where = environ.get("COPERNICA_TOKEN", "").strip(), "COPERNICA_TOKEN"
    path = environ.get("COPERNICA_TOKEN_FILE", "")
    if not token and not path:
        raise JobError(Problem("there is no token", where, "set COPERNICA_TOKEN, or COPERNICA_TOKEN_FILE to its file"))
    if not token:
        where = f"COPERNICA_TOKEN_FILE {path}"
        token = _token_in(Path(path), where)
    if not token.isascii() or not token.isprintable() or " " in token:
        raise JobError(Problem("the token holds blanks or characters that no token has", where, "copy it again, alone"))
    return token


def _token_in(path: Path, where: str) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_TOKEN_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "this is no path"
        raise JobError(Problem(f"the file of the token cannot be read: {reason}", where, "mend the path")) from None
    if len(raw) > _MOST_TOKEN_BYTES:
        raise JobError(Problem("the file is too long to be that of a token", where, "name the token's own file"))
    token = raw.decode("utf-8-sig", errors="replace").strip()
    if not token:
        raise JobError(Problem("the file of the token is empty", where, "put the token in it, alone"))
    return token


def _url_problems(name: str, url: str) -> list[Problem]:
    from pipeline.copernica.versions import API_URL, safe_url

    try:
        safe_url(url)
    except ValueError as error:
        return [Problem(str(error), name, f"write one such as {API_URL}; http is taken for this machine only")]
    return []
