"""Read an answer: success or which fault, the id of what was made, JSON, pages (pure; API sheet 4, 5)."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Any, TypeVar

from pipeline.copernica.failures import LostError, UnexpectedResponseError
from pipeline.copernica.structure import whole
from pipeline.copernica.versions import is_success
from pipeline.copernica.wire import Kind, Request, Response

R = TypeVar("R")


class Failure(Enum):
    """Why a request did not succeed."""

    NOT_SENT = "not sent"  # no connection, no name, no TLS: nothing arrived
    UNSENDABLE = "cannot be sent"  # certificate, CA bundle, proxy or URL are wrong: trying again does not mend it
    LOST = "lost"  # timeout, reset, empty or broken answer, 5xx: the outcome is not known
    BUSY = "busy"  # 503
    THROTTLED = "throttled"  # 429: certainly not carried out
    AUTH = "auth"  # 401, 403, or 400 with `Invalid access token`
    REFUSED = "refused"  # any other answer that is no success


@dataclass(frozen=True)
class Fault:
    """One failed attempt. `words` are those of the API or of the class of failure, redacted and shortened later."""

    failure: Failure
    words: str
    status: int | None = None
    retry_after_s: float | None = None


@dataclass(frozen=True)
class Page:
    """One page of a list. `limit` and `total` are as the answer has them, or None."""

    rows: tuple[Mapping[str, Any], ...]
    limit: int | None = None
    total: int | None = None


def fault_in(request: Request, response: Response, now_s: float) -> Fault | None:
    """Return what is wrong with an answer, None where it is a success.

    `now_s` is the time in seconds since 1970, for a `Retry-After` that is a date. A status of 408 or 5xx (but 503) says
    nothing about the outcome (API sheet 18).
    """
    status = response.status
    if is_success(request.method, status):
        if is_page_of_html(response):
            # Something between us and the API answered (data rule 28): whether the request arrived is not known.
            return Fault(Failure.LOST, "answered with a page of HTML, which the API never sends", status)
        return None
    words = words_of(response)
    wait_s = retry_after_s(response.headers.get("retry-after"), now_s)
    if status == 429:
        return Fault(Failure.THROTTLED, words, status, wait_s)
    if status == 503:
        return Fault(Failure.BUSY, words, status, wait_s)
    if status >= 500 or status == 408:
        return Fault(Failure.LOST, words, status, wait_s)
    if status in (401, 403) or (status == 400 and is_token_refusal(shortened(words))):
        return Fault(Failure.AUTH, words, status)
    return Fault(Failure.REFUSED, words, status)


def is_page_of_html(response: Response) -> bool:
    """Return whether the body is HTML, by its content type or by how it begins."""
    kind = response.headers.get("content-type", "").lower()
    return bool(response.body.strip()) and (
        kind.startswith(("text/html", "application/xhtml")) or response.body.lstrip()[:1] == b"<"
    )


def is_token_refusal(words: str) -> bool:
    """Recognise `Invalid access token` (API sheet 4.2: texts are not documented, so match loosely)."""
    lowered = words.lower()
    return "access token" in lowered and "invalid" in lowered


def is_unknown_id(words: str) -> bool:
    """Recognise `No ... with supplied ID` of a database, collection, profile or subprofile (API sheet 4.2)."""
    return re.search(r"\bno \w+ with (the )?(supplied|given) id\b", words, re.IGNORECASE) is not None


def is_already_removed(words: str) -> bool:
    """Recognise the answer to a second DELETE (API sheet 4.2)."""
    return "already been removed" in words.lower()


def words_of(response: Response, most_bytes: int = 20_000) -> str:
    """Return the message of an error: of the JSON, else the text of the HTML page or body; on one line.

    It may hold secrets: take them out before it is shortened. Of a longer body the word that is cut through goes.
    """
    text = response.body[:most_bytes].decode("utf-8", "replace")
    whole_words = None if len(response.body) <= most_bytes else -1
    try:
        answer = json.loads(text)
        error = answer["error"]
        text = str(error["message"] if isinstance(error, Mapping) else error)
    except (ValueError, KeyError, TypeError, RecursionError):
        text = re.sub(r"(?is)<(script|style|head)\b.*?</\1\s*>|<[^>]*>", " ", text)
        text = " ".join(html.unescape(text).split()[:whole_words])
    return " ".join(text.split())


def shortened(words: str, most_chars: int = 200) -> str:
    """Shorten the API's words; take secrets out before, since of one that is cut the first part would stay."""
    return words if len(words) <= most_chars else words[: most_chars - 1] + "…"


def retry_after_s(header: str | None, now_s: float) -> float | None:
    """Read `Retry-After`, seconds or an HTTP date; None where it is absent or unreadable, never below 0."""
    if header is None:
        return None
    text = header.strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]+)?", text):
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now_s)


def created_id(response: Response, noun: str) -> int | None:
    """Return the id of the `noun` (profile, import, field...) that was made, or None.

    `X-Created` first, else the end of `X-location` or `Location` where it is `noun/ID` (API sheet 4.1: a PUT of v1 and
    v2 repeats the URL of the request, which may end in another id). The version in such a URL is not looked at, and its
    query, which may hold the token, is thrown away.
    """
    nouns = ("import", "imports") if noun == "import" else (noun,)
    created = response.headers.get("x-created", "").strip()
    if re.fullmatch(r"[0-9]{1,18}", created):
        return int(created)
    for name in ("x-location", "location"):
        elements = response.headers.get(name, "").split("?")[0].rstrip("/").split("/")
        if len(elements) > 1 and re.fullmatch(r"[0-9]{1,18}", elements[-1]) and elements[-2] in nouns:
            return int(elements[-1])
    return None


def made(request: Request, response: Response, noun: str) -> int:
    """Return the id of what a POST made; raises LostError where the success names none: it must not go out again."""
    number = created_id(response, noun)
    if number is None:
        what = f"{request.method} {request.path} was answered with {response.status}, but without the id of the {noun}"
        raise LostError(what, status=response.status, look_up=request.kind is not Kind.IMPORT)
    return number


def json_of(response: Response) -> Any:
    """Read the JSON of an answer; raises UnexpectedResponseError where it is none."""
    try:
        return json.loads(response.body)
    except (ValueError, RecursionError):
        unexpected = UnexpectedResponseError("the answer is no JSON", status=response.status)
    raise unexpected  # outside: the error of json holds the whole answer


def object_of(response: Response) -> Mapping[str, Any]:
    """Read an answer that is one JSON object; raises UnexpectedResponseError."""
    answer = json_of(response)
    if not isinstance(answer, dict):
        raise UnexpectedResponseError("the answer is no JSON object", status=response.status)
    return answer


def read_row(read: Callable[[Mapping[str, Any]], R], row: Mapping[str, Any], noun: str) -> R:
    """Read one object of a list as a `noun`; raises UnexpectedResponseError where it is none."""
    try:
        return read(row)
    except (KeyError, TypeError, ValueError):
        raise UnexpectedResponseError(f"the answer holds something that is no {noun}") from None


def named_of(row: Mapping[str, Any], noun: str) -> tuple[int, str]:
    """Read id and name of a `noun`; raises UnexpectedResponseError where there are none."""
    return read_row(lambda found: (whole(found["ID"]), str(found["name"])), row, noun)


def page_of(response: Response) -> Page:
    """Read a page: the list wrapper, or a bare array (API sheet 5, ⚠C20); raises UnexpectedResponseError."""
    answer = json_of(response)
    wrapper: Mapping[str, Any] = answer if isinstance(answer, dict) else {}
    rows = wrapper.get("data") if isinstance(answer, dict) else answer
    if isinstance(rows, dict):  # a list with gaps may come as an object
        rows = list(rows.values())
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UnexpectedResponseError("the answer is no list", status=response.status)
    return Page(tuple(rows), _count(wrapper.get("limit")), _count(wrapper.get("total")))


def _count(value: object) -> int | None:
    try:
        return whole(value)
    except ValueError:
        return None
