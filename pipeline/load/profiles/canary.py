"""Prove, before anything is written, that Copernica honours a selector on each profile key field (edge: the API client).

A selector that is dropped in silence makes a PUT with `fields` change every profile (API sheet 1, 6.1).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from datetime import date, timedelta

from pipeline.copernica import Client, Database, Field, Profile, Selector, UnexpectedResponseError
from pipeline.load.profiles.lookup import select
from pipeline.validate.keys import maybe_same

# Profiles that are read to find one whose key can be selected by.
MOST_SEEN = 100


def absent_value(field: Field, draw: int) -> str | None:
    """Make a value of the field's type that no record has, from a random number (60 bits are enough).

    Other than in a text a clash is possible; it does no harm, since what a lookup gives is compared. A select has its
    choices only, the first of which must do; None where it has none. Digits for a phone, which may be rewritten.
    """
    if field.type == "integer":
        return str(-100_000_000 - draw % 2_000_000_000)
    if field.type in ("date", "empty_date", "datetime", "empty_datetime"):
        day = (date(1000, 1, 1) + timedelta(days=draw % 73_000)).isoformat()
        return f"{day} 00:00:00" if field.type.endswith("datetime") else day
    if field.type == "select":
        return next(iter(field.choices), None)
    if field.type.startswith("phone"):
        return f"999{draw % 10**12:012d}"
    return f"canary{draw:015x}"


class Canary:
    """Ask for what is not there and for what is, per profile key field (data rule 31)."""

    def __init__(
        self,
        client: Client,
        database: Database,
        keys: Sequence[str],
        draw: Callable[[], int] = lambda: secrets.randbits(60),
    ) -> None:
        self._client, self._database, self._draw = client, database, draw
        self._fields = [database.fields[name] for name in keys]

    def prove(self) -> bool:
        """Return whether all is proved: False while the database is empty, since then a dropped selector cannot be seen.

        Raises UnexpectedResponseError where a lookup gives a record that it should not, NotSendableError for a field that
        cannot be selected by, and other leaves of ApiError.
        """
        for field in self._fields:
            self._ask(field, absent_value(field, self._draw()))
        page = list(self._client.profiles(self._database, limit=MOST_SEEN, data_only=True))
        for field in self._fields:
            self._ask(field, _selectable(field, page))
        return bool(page)

    def _ask(self, field: Field, value: str | None) -> None:
        if value is None:
            return
        selectors = select((field.name,), (value,), {field.name: field})
        for profile in self._client.profiles(self._database, *selectors, limit=MOST_SEEN, data_only=True):
            if maybe_same(profile.fields.get(field.name, "")) != maybe_same(value):
                raise UnexpectedResponseError(
                    f"a lookup by {field.name} gave profile {profile.id}, whose {field.name} is another:"
                    " Copernica does not honour the selector"
                )


def _selectable(field: Field, page: Sequence[Profile]) -> str | None:
    for profile in page:
        value = profile.fields.get(field.name, "")
        try:
            Selector.equals(field, value)
        except ValueError:
            continue
        return value
    return None
