"""Notify somebody of how a run began or ended: https addresses by a plain ping, others by apprise (edge: network).

A notification never fails a run: what goes wrong with one comes back as a problem. No message shows an address, which may
hold a secret.
"""

from __future__ import annotations

import logging
import re
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from importlib.util import find_spec
from typing import Any, Literal
from urllib.parse import urlsplit

from pipeline.errors import Problem
from pipeline.model.job import Job

Event = Literal["start", "success", "failure", "recovery"]
EVENTS: tuple[Event, ...] = ("start", "success", "failure", "recovery")

# A start must not hold a run up, whatever became of the service.
TIMEOUT_S = 10
# Services for pings keep the beginning of what is sent (healthchecks.io: 100 kB).
MOST_CHARS = 10_000

_VARIABLE = re.compile(r"\$\{(\w+)\}")
_EXTRA = "install the extra: pip install 'copernica-import[notify]'"


@dataclass(frozen=True)
class Message:
    """What is sent: one line, and the details under it."""

    title: str
    body: str = ""

    @property
    def text(self) -> str:
        """Return all of it, shortened."""
        return f"{self.title}\n{self.body}".strip()[:MOST_CHARS]


def notify(job: Job, event: Event, message: Message, environ: Mapping[str, str]) -> list[Problem]:
    """Send a message to every address of an event; returns one problem per address that could not be reached."""
    problems = []
    for where, written in _addresses(job, event):
        problem = _address_problem(where, written, environ) or _send(where, _expanded(written, environ), event, message)
        problems += [problem] if problem is not None else []
    return problems


def address_problems(job: Job, environ: Mapping[str, str]) -> Iterator[Problem]:
    """Name the addresses of a job that are none, need a variable that is not set, or an extra that is not installed."""
    for event in EVENTS:
        for where, written in _addresses(job, event):
            problem = _address_problem(where, written, environ)
            if problem is not None:
                yield problem


def _addresses(job: Job, event: Event) -> Iterator[tuple[str, str]]:
    for at, written in enumerate(getattr(job.notify, event)):
        yield f"notify.{event}[{at}]", written


def _address_problem(where: str, written: str, environ: Mapping[str, str]) -> Problem | None:
    if missing := [name for name in _VARIABLE.findall(written) if not environ.get(name)]:
        return Problem(f"the environment has no {', '.join(missing)}", where, "set it where the job runs")
    url = _expanded(written, environ)
    if _is_web(url):
        return None if urlsplit(url).hostname else Problem("this is no address", where, "write https://HOST/PATH")
    if "://" not in url:
        do = "write a URL, such as ${SLACK_URL}, mailto://… or https://…"
        return Problem("this is no URL", where, do)
    if find_spec("apprise") is None:
        return Problem(f"{_scheme(url)}:// addresses need apprise", where, _EXTRA)
    if _service(url) is None:
        do = "see https://github.com/caronc/apprise/wiki for the forms of addresses"
        return Problem(f"apprise knows no such address of {_scheme(url)}://", where, do)
    return None


def _expanded(written: str, environ: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda found: environ.get(found[1], ""), written).strip()


def _is_web(url: str) -> bool:
    return _scheme(url) in ("http", "https")


def _scheme(url: str) -> str:
    return url.partition("://")[0].lower()


def _send(where: str, url: str, event: Event, message: Message) -> Problem | None:
    if _is_web(url):
        return _ping(where, url, message)
    return None if _sent(url, event, message) else Problem("the notification could not be sent", where, _see(url))


def _see(url: str) -> str:
    return f"see that the {_scheme(url)}:// service can be reached and takes this address"


def _sent(url: str, event: Event, message: Message) -> bool:
    """Send a message by apprise; whatever a plug-in of its many raises, the run has ended already."""
    import apprise

    service = _service(url)
    kind = {"failure": "failure", "success": "success", "recovery": "success"}.get(event, "info")
    try:
        return service is not None and bool(
            service.notify(title=message.title[:200], body=message.text, notify_type=apprise.NotifyType(kind))
        )
    except Exception:  # noqa: BLE001 - others' code
        return False


def _service(url: str) -> Any:
    """Return what apprise sends by to an address, None where it knows no such one."""
    with warnings.catch_warnings():
        # It loads all of its plug-ins at the first use, and some of them what Python has given up.
        warnings.simplefilter("ignore")
        import apprise

        logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it would write addresses
        return apprise.Apprise.instantiate(url, suppress_exceptions=True)


def _ping(where: str, url: str, message: Message) -> Problem | None:
    """POST the message to an address, as services for pings take it."""
    request = urllib.request.Request(url, message.text.encode(), {"Content-Type": "text/plain; charset=utf-8"})  # noqa: S310 - http and https alone come here
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S):  # noqa: S310
            return None
    except urllib.error.HTTPError as error:
        reason = f"it answered {error.code}"
    except (OSError, HTTPException, ValueError) as error:
        reason = type(getattr(error, "reason", error)).__name__
    return Problem(f"the ping could not be sent: {reason}", where, "see that its service can be reached")
