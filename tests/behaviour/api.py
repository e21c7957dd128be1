"""One version of the API at one place, with a scratch database in it that the suite makes itself."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest
import requests

from pipeline.copernica import (
    Client,
    Database,
    ImportRequest,
    ImportStatus,
    NewField,
    Profile,
    RefusedError,
    Selector,
    Subprofile,
)
from pipeline.sandbox import Sandbox

# All keys that the suite writes begin so; what has another key in the scratch database is somebody's.
MARK = "bt-"
FIELDS = (
    NewField("Nr", "text", length=50, index=True),
    NewField("Email", "email"),
    NewField("City", "text", length=10),
    NewField("Tier", "select", "gold\nsilver"),
    NewField("Points", "integer", "7"),
    NewField("Balance", "float", "0"),
    NewField("Born", "empty_date"),
    NewField("Since", "date"),
    NewField("Seen", "datetime"),
    NewField("Left_at", "empty_datetime"),
    NewField("Mobile", "phone_gsm"),
    NewField("Story", "big"),
)
COLLECTIONS = {
    "Orders": (NewField("Nr", "text", length=20), NewField("Total", "float", "0")),
    "Visits": (NewField("Page"),),
}
INTERESTS = ("news", "offers")
# Of a real import: between two looks, and for how long.
POLL_S, PATIENCE_S = 3.0, 600.0
TIMEOUT_S = 60.0


def account() -> tuple[str, str]:
    """Return token and database of the real account, empty where they are not set."""
    return os.environ.get("COPERNICA_LIVE_TOKEN", ""), os.environ.get("COPERNICA_LIVE_DATABASE", "")


Learn = Callable[..., str]


@dataclass(frozen=True)
class Place:
    """Where an API is; `sandbox` is None for a real account."""

    api_url: str
    auth_url: str
    token: str = field(repr=False)  # pytest shows arguments of what fails
    version: str
    database: str
    sandbox: Sandbox | None = None

    @property
    def live(self) -> bool:
        return self.sandbox is None


@dataclass
class Api:
    """What a test asks with: the client, and raw requests for what the client does not do."""

    place: Place
    client: Client
    database: Database
    run: str
    session: requests.Session = field(default_factory=requests.Session, repr=False)
    jwt: str = field(default="", repr=False)
    numbers: Iterable[int] = field(default_factory=count)

    @property
    def version(self) -> str:
        return self.place.version

    @property
    def sandbox(self) -> Sandbox | None:
        return self.place.sandbox

    def key(self) -> str:
        """Return a key that no other test and no other run has."""
        return f"{MARK}{self.run}-{next(iter(self.numbers))}"

    def by_key(self, key: str) -> Selector:
        return Selector.equals(self.database.fields["Nr"], key)

    def made(self, interests: Mapping[str, bool] | None = None, **fields: str) -> int:
        """Make a profile, with a key of its own unless one is given."""
        number = self.client.create_profile(self.database, {"Nr": self.key()} | fields)
        if interests:
            self.client.set_interests(number, interests)
        return number

    def found(self, key: str) -> list[Profile]:
        """Return the profiles with this key."""
        return list(self.client.profiles(self.database, self.by_key(key)))

    def one(self, key: str) -> Profile:
        """Return the one profile with this key."""
        (profile,) = self.found(key)
        return profile

    def orders(self, profile: int) -> list[Subprofile]:
        return list(self.client.subprofiles(profile, self.database.collections["Orders"]))

    def stored(self, name: str, value: object) -> str:
        """Write one value into a new profile and read what became of it."""
        key = self.key()
        body: object = {"Nr": key, name: value}
        answer = self.raw(
            "POST", f"database/{self.database.id}/profiles", body if self.version == "v1" else {"fields": body}
        )
        assert answer.status_code == 201, answer.text
        return self.one(key).fields[name]

    def raw(self, method: str, path: str, body: object = None, **words: Any) -> requests.Response:
        """Send one request unchanged; `params` is its query, `data` a body that is no JSON, `token` False sends none."""
        params = [*words.get("params", ())]
        headers = dict(words.get("headers", {}))
        if words.get("token", True):
            if self.version == "v4":
                headers.setdefault("Authorization", f"Bearer {self._jwt()}")
            else:
                params.append(("access_token", self.place.token))
        data = words.get("data", None if body is None else json.dumps(body))
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
        return self._send(
            method, f"{self.place.api_url}/{self.version}/{path}", params=params, data=data, headers=headers
        )

    def _send(self, method: str, url: str, **words: Any) -> requests.Response:
        """Send, and let no error of the library show what it was given: the token."""
        try:
            return self.session.request(method, url, allow_redirects=False, timeout=TIMEOUT_S, **words)
        except requests.RequestException as error:
            broken = type(error).__name__
        pytest.fail(f"{method} {url}: {broken}", pytrace=False)

    def refused(self, method: str, path: str, body: object = None, **words: Any) -> str:
        """Return the message of a request that is refused as the API refuses everything (API sheet 4.2)."""
        answer = self.raw(method, path, body, **words)
        assert answer.status_code == 400, answer.text
        return str(answer.json()["error"]["message"])

    def exchange(self, **words: Any) -> requests.Response:
        """Ask for a JWT."""
        return self._send("POST", self.place.auth_url, **({"data": {"access_token": self.place.token}} | words))

    def _jwt(self) -> str:
        self.jwt = self.jwt or self.exchange().text.strip()
        return self.jwt

    # Imports.

    def imported(
        self, action: str, keys: Sequence[str], rows: Sequence[Mapping[str, str]], **words: Any
    ) -> ImportStatus:
        """Import rows by the client and wait for the end."""
        wanted = ImportRequest(
            self.database.id, f"{MARK}{self.run}", action, tuple(keys), words.pop("ignore_empty", True), **words
        )
        try:
            number = self.client.post_import(wanted, json.dumps(list(rows)).encode())
        except RefusedError as error:
            if self.place.live:
                pytest.skip(f"this account takes no imports: {error.words}")
            raise
        return self.ended(number)

    def raw_import(self, source: object, keys: Sequence[str] = ("Nr",), **words: Any) -> requests.Response:
        """Post an import unchanged; those that are accepted are waited for by `ended`."""
        body: dict[str, Any] = {"database": self.database.id, "name": f"{MARK}{self.run}", "action": "update or add"}
        body |= {"keyFields": list(keys), "source": source} | words
        return self.raw("POST", "imports", {name: value for name, value in body.items() if value is not None})

    def outcome(self, source: object, keys: Sequence[str] = ("Nr",), **words: Any) -> str:
        """Post an import and return how it ended: `refused: ...`, `failed: ...`, or `done`."""
        answer = self.raw_import(source, keys, **words)
        if answer.status_code != 201:
            return f"refused: {answer.json()['error']['message']}"
        status = self.ended(int(answer.headers["X-Created"]))
        return "done" if status.last_error is None else f"failed: {status.last_error}"

    def ended(self, number: int) -> ImportStatus:
        """Wait until an import has ended."""
        if self.sandbox is not None:
            assert self.sandbox.settle()
            return self.client.import_status(number)
        until = time.monotonic() + PATIENCE_S
        status = self.client.import_status(number)
        while status.last_run is None and time.monotonic() < until:
            time.sleep(POLL_S)
            status = self.client.import_status(number)
        return status

    # The whole database.

    def alone(self) -> None:
        """Skip the test where the scratch database holds anything that is not ours: it would be hit as well."""
        if not all(map(ours, self.client.profiles(self.database))):
            pytest.skip("the scratch database holds profiles that this suite did not make")

    def cleared(self) -> None:
        """Remove all profiles of ours (one call for all of them, from v2 on)."""
        ids = [one.id for one in self.client.profiles(self.database) if ours(one)]
        if ids and self.version != "v1":
            assert self.raw("DELETE", f"database/{self.database.id}/profiles", {"profiles": ids}).status_code < 300
        else:
            for number in ids:
                self.client.delete_profile(number)


def ours(profile: Profile) -> bool:
    """Return whether the suite made a profile: those without a key come of bodies and columns that were not understood."""
    key = profile.fields.get("Nr", "").casefold()
    return not key or key.startswith(MARK)


def scratch(client: Client, name: str) -> Database:
    """Return the scratch database; whatever of it is missing is made."""
    try:
        database = client.structure(name)
    except RefusedError:
        client.set_up.database(name, "made and used by the tests of the import pipeline")
        database = client.structure(name)
    for one in FIELDS:
        if database.field(one.name) is None:
            client.set_up.field(database.id, one)
    for interest in INTERESTS:
        if database.interest(interest) is None:
            client.set_up.interest(database.id, interest, "mail")
    for collection, fields in COLLECTIONS.items():
        known = database.collection(collection)
        number = client.set_up.collection(database.id, collection) if known is None else known.id
        there = {} if known is None else known.fields
        for one in fields:
            if one.name not in there:
                client.set_up.collection_field(number, one)
    return client.structure(name)
