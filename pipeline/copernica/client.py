"""The client of Copernica's REST API, v1 to v4: what can be asked, in the nouns of the API (edge: HTTP, by `calls`).

It knows no files, no frames and no job. Every method may raise a leaf of `failures.ApiError`; after any of them the
attribute `maybe_sent` is whether a change may have been carried out. ValueError means that the arguments would have
made Copernica do something else; nothing was sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from pipeline.copernica import endpoints, imports
from pipeline.copernica.answers import (
    created_id,
    is_already_removed,
    is_unknown_id,
    made,
    named_of,
    object_of,
    page_of,
    read_row,
)
from pipeline.copernica.calls import Caller, Options, Outside
from pipeline.copernica.endpoints import Change
from pipeline.copernica.failures import RefusedError, UnexpectedResponseError
from pipeline.copernica.imports import ImportRequest, ImportStatus
from pipeline.copernica.paging import by_id, by_offset
from pipeline.copernica.records import (
    Identity,
    Profile,
    Subprofile,
    identity_of,
    profile_of,
    subprofile_of,
)
from pipeline.copernica.selector import Selector
from pipeline.copernica.setup import SetUp
from pipeline.copernica.structure import Collection, Database, Field, Interest, by_name, field_of, interest_of
from pipeline.copernica.versions import API_URL, AUTH_URL, VERSIONS, safe_url
from pipeline.copernica.wire import Request
from pipeline.copernica.words import public

_R = TypeVar("_R", Profile, Subprofile)


class Client:
    """One account, one version of the API, one token; may be shared by up to some dozens of threads.

    `auth_url` is used as it stands, for v4 only. Raises ValueError for an unknown version, a URL to which no token may
    go (see `versions.safe_url`), and a token that cannot be one.
    """

    def __init__(
        self,
        token: str,
        version: str = "v4",
        api_url: str = API_URL,
        auth_url: str = AUTH_URL,
        options: Options | None = None,
        outside: Outside | None = None,
    ) -> None:
        if version not in VERSIONS:
            raise ValueError(f"no version of the API: {version!r}; it is one of {', '.join(VERSIONS)}")
        if not re.fullmatch(r"[\x21-\x7e]+", token):
            raise ValueError("the token is empty, or has blanks or characters that no token has")
        self._version = VERSIONS[version]
        safe_url(auth_url)
        self.api_url = safe_url(api_url)
        urls = (self.api_url, auth_url)
        self._caller = Caller(self._version, urls, token, options or Options(), outside or Outside())
        self._send = self._caller.send
        self.set_up = SetUp(self._version, self._send)

    def __repr__(self) -> str:
        return f"Client({self._version.name})"

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the kept connections."""
        self._caller.close()

    @property
    def version(self) -> str:
        """Return the version of the API, `v1` to `v4`."""
        return self._version.name

    @property
    def page_rows(self) -> int:
        """Return how many records a list gives with one call."""
        return self._version.page_rows

    @property
    def calls(self) -> int:
        """Count the requests that went to the API host, retries and polls included, the exchange of the token not."""
        return self._caller.counters.calls

    @property
    def writes(self) -> int:
        """Count the changing calls that were answered with success, POST imports aside."""
        return self._caller.counters.writes

    @property
    def bytes_sent(self) -> int:
        """Count the bytes of the bodies of all `calls`."""
        return self._caller.counters.bytes_sent

    @property
    def limit_reached(self) -> bool:
        """Return whether a call was not made because it would have been one too many (`limit_calls`)."""
        return self._caller.counters.limited

    @property
    def limited_calls(self) -> int:
        """Count the `calls` without those that ask how an import stands, which no limit holds back (data rule 35)."""
        return self._caller.counters.limited_calls

    def limit_calls(self, most: int | None) -> None:
        """Set how many `limited_calls` may go out in all, those that went included; None for no limit."""
        self._caller.counters.max_calls = most

    def limit_waiting(self, budget_s: float) -> None:
        """Set how long the run may wait for other attempts in all, in seconds."""
        self._caller.limit_waiting(budget_s)

    def server_now(self) -> datetime:
        """Return the time in UTC by the clock of the API host (its `Date` header), or ours as long as it has not answered."""
        return self._caller.server_now()

    def identity(self, *, limited: bool = True) -> Identity:
        """Read whose token it is (GET `identity`); without `limited` the call does not count for `limit_calls`."""
        return identity_of(object_of(self._send(replace(endpoints.get("identity"), limited=limited))))

    def database_id(self, database: str | int) -> int:
        """Find a database by its name (in any case), or by its id where it is all digits, with one call.

        Raises RefusedError where there is none, and UnexpectedResponseError where the answer is another one.
        """
        return self._named_database(database)[0]

    def structure(self, database: str | int) -> Database:
        """Read a database with all its fields, collections and interests as they are now.

        It is named as for `database_id`, which lists what is raised. Every list is read page by page, never from the copy
        inside another answer, which is cut (API sheet 5).
        """
        number, name = self._named_database(database)
        named = [named_of(row, "collection") for row in self._listed("database", number, "collections")]
        collections = [Collection(one, called, self.collection_fields(one)) for one, called in named]
        fields, interests = self.database_fields(number), self.database_interests(number)
        known = [name, *fields, *interests, *(one.name for one in collections)]
        known += [field for one in collections for field in one.fields]
        self._caller.names |= {word.lower() for called in known for word in re.findall("[A-Za-z]+", called)}
        return Database(number, name, fields, by_name(collections), interests)

    def public(self, words: str) -> str:
        """Return the words of the API without what they may quote: words of its vocabulary and names of the structure stay."""
        return public(words, self._caller.names)

    def _named_database(self, database: str | int) -> tuple[int, str]:
        wanted = str(database)
        number, name = named_of(object_of(self._send(endpoints.get("database", wanted))), "database")
        if wanted != str(number) if wanted.isdecimal() else wanted.casefold() != name.casefold():
            raise UnexpectedResponseError(f"asked for database {wanted!r}, got {name!r} ({number})")
        return number, name

    def database_fields(self, database_id: int) -> Mapping[str, Field]:
        """Read the fields of a database."""
        return by_name(read_row(field_of, row, "field") for row in self._listed("database", database_id, "fields"))

    def database_interests(self, database_id: int) -> Mapping[str, Interest]:
        """Read the interests of a database."""
        rows = self._listed("database", database_id, "interests")
        return by_name(read_row(interest_of, row, "interest") for row in rows)

    def collection_fields(self, collection_id: int) -> Mapping[str, Field]:
        """Read the fields of a collection."""
        return by_name(read_row(field_of, row, "field") for row in self._listed("collection", collection_id, "fields"))

    def post_import(self, wanted: ImportRequest, rows_json: bytes) -> int:
        """Start an import (v3 and v4) and return its id.

        `rows_json` is a JSON array of objects with the same keys in the same order. It goes out once, on a new
        connection; LostError (or any error with `maybe_sent`) means that it may run, now or in an hour.
        """
        self._version.require_imports()
        request = imports.post(wanted, rows_json)
        return made(request, self._send(request), "import")

    def import_status(self, import_id: int) -> ImportStatus:
        """Read the state of an import (v3 and v4); raises UnexpectedResponseError where it is another import."""
        self._version.require_imports()
        status = imports.status_of(object_of(self._send(replace(endpoints.get("import", import_id), limited=False))))
        if status.id != import_id:
            raise UnexpectedResponseError(f"asked for import {import_id}, got {status.id}")
        # The error of an import may repeat a URL with everything in it, and has no bound.
        error = None if status.last_error is None else self._caller.redacted(status.last_error)
        return replace(status, status=self._caller.redacted(status.status), last_error=error)

    def profiles(
        self, database: Database, *selectors: Selector, limit: int | None = None, data_only: bool = False
    ) -> Iterator[Profile]:
        """Yield the profiles that match all selectors, by id, at most `limit`; without a selector all of them.

        Removed ones are not among them. `data_only` makes it faster (v2 and later) and leaves out `database`. What
        comes must still be compared with what was asked for: see data rule 31.
        """
        request = self._data_only(endpoints.list_profiles(database, selectors), data_only)
        rows = by_id(self._send, request, self._version.page_rows, limit)
        return (read_row(profile_of, row, "profile") for row in rows)

    def count(self, database: Database, *selectors: Selector) -> int:
        """Count the profiles that match all selectors, with one call."""
        return self._total(endpoints.list_profiles(database, selectors))

    def profile(self, profile_id: int) -> Profile:
        """Read one profile, also a removed one; raises RefusedError for an unknown id, UnexpectedResponseError for another."""
        return self._one("profile", profile_id, profile_of)

    def create_profile(
        self, database: Database, fields: Mapping[str, str], interests: Mapping[str, bool] | None = None
    ) -> int:
        """Make a profile, whether there is one like it or not, and return its id; interests not in v1.

        Raises LostError with `look_up` where the answer was lost.
        """
        request = endpoints.create_profile(self._version, database, fields, interests)
        return made(request, self._send(request), "profile")

    def update_profile(self, profile_id: int, fields: Mapping[str, str]) -> None:
        """Change fields of one profile (PUT `profile/$id`). A removed profile is changed without effect."""
        self._send(endpoints.update("profile", profile_id, fields))

    def put_profiles(self, database: Database, change: Change) -> int | None:
        """Change **all** profiles that match; return the id where `create` made one, else None: changed, or none matched."""
        return created_id(self._send(endpoints.put_profiles(self._version, database, change)), "profile")

    def delete_profile(self, profile_id: int) -> bool:
        """Remove a profile with its subprofiles; False where it was removed before, or never was.

        The delete behaviour of the database may turn this into nothing (API sheet 11.5): read it back.
        """
        return self._delete("profile", profile_id)

    def set_interests(self, profile_id: int, switches: Mapping[str, bool]) -> None:
        """Switch these interests on or off and leave the others (POST with an explicit map, data rule 33)."""
        self._send(endpoints.switch_interests(profile_id, switches))

    def subprofiles(self, profile_id: int, collection: Collection) -> Iterator[Subprofile]:
        """Yield the subprofiles of one profile in one collection."""
        for row in self._listed("profile", profile_id, "subprofiles", collection.id):
            found = read_row(subprofile_of, row, "subprofile")
            if found.profile not in (None, profile_id):
                raise UnexpectedResponseError(
                    f"asked for subprofiles of profile {profile_id}, got one of {found.profile}"
                )
            yield found

    def collection_subprofiles(
        self, collection: Collection, *selectors: Selector, limit: int | None = None, data_only: bool = False
    ) -> Iterator[Subprofile]:
        """Yield the subprofiles of a collection that match all selectors, whosever they are, by id."""
        request = self._data_only(endpoints.list_collection(collection, selectors), data_only)
        rows = by_id(self._send, request, self._version.page_rows, limit)
        return (read_row(subprofile_of, row, "subprofile") for row in rows)

    def count_subprofiles(self, collection: Collection, *selectors: Selector) -> int:
        """Count the subprofiles of a collection that match all selectors, with one call."""
        return self._total(endpoints.list_collection(collection, selectors))

    def subprofile(self, subprofile_id: int) -> Subprofile:
        """Read one subprofile, also a removed one; raises as `profile`."""
        return self._one("subprofile", subprofile_id, subprofile_of)

    def create_subprofile(self, profile_id: int, collection: Collection, fields: Mapping[str, str]) -> int:
        """Make a subprofile and return its id; raises as `create_profile`."""
        request = endpoints.create_subprofile(profile_id, collection, fields)
        return made(request, self._send(request), "subprofile")

    def update_subprofile(self, subprofile_id: int, fields: Mapping[str, str]) -> None:
        """Change fields of one subprofile (PUT `subprofile/$id/fields`, the one form that every version has)."""
        self._send(endpoints.update_fields("subprofile", subprofile_id, fields))

    def delete_subprofile(self, subprofile_id: int) -> bool:
        """Remove a subprofile; its profile stays. Returns as `delete_profile`."""
        return self._delete("subprofile", subprofile_id)

    def _one(self, noun: str, number: int, read: Callable[[Mapping[str, Any]], _R]) -> _R:
        found = read_row(read, object_of(self._send(endpoints.get(noun, number))), noun)
        if found.id != number:
            raise UnexpectedResponseError(f"asked for {noun} {number}, got {found.id}")
        return found

    def _listed(self, *elements: str | int) -> Iterator[Mapping[str, Any]]:
        return by_offset(self._send, endpoints.get(*elements), self._version.page_rows)

    def _data_only(self, request: Request, wanted: bool) -> Request:
        if not (wanted and self._version.has_data_only):
            return request
        return Request(request.method, request.path, (*request.query, ("dataonly", "1")))

    def _total(self, request: Request) -> int:
        query = (*request.query, ("total", "true"), ("limit", "1"))
        total = page_of(self._send(Request(request.method, request.path, query))).total
        if total is None:
            raise UnexpectedResponseError(f"{request.path} was asked for its total and has none")
        return total

    def _delete(self, noun: str, number: int) -> bool:
        try:
            response = self._send(endpoints.delete(noun, number))
        except RefusedError as error:
            if is_already_removed(error.words) or is_unknown_id(error.words):
                return False
            raise
        return "x-deleted" in response.headers or response.status == 200
