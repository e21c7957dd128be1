"""One call of the client per kind of request, and what can be seen of it in the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pipeline.copernica import Change, Client, Database, ImportRequest, NewField, Selector
from pipeline.copernica.wire import Kind
from pipeline.sandbox import Sandbox


@dataclass
class Stand:
    """A database with one profile (Nr 17, City Delft) and one order, and the client that asks."""

    sandbox: Sandbox
    client: Client
    database: Database
    profile: int

    def change(self, city: str = "Ede", **words: Any) -> Change:
        """Select Nr 17 and write its city."""
        selector = Selector.equals(self.database.fields["Nr"], words.pop("nr", "17"))
        return Change((selector,), {"Nr": selector.value, "City": city}, **words)

    def moving(self) -> None:
        """Change the value that is selected by: done twice it finds nothing any more."""
        selector = Selector.equals(self.database.fields["City"], "Delft")
        self.client.put_profiles(self.database, Change((selector,), {"City": "Ede"}))

    def cities(self) -> list[str]:
        """List the cities of all profiles."""
        return [one["fields"]["City"] for one in self.sandbox.contents("Shop")["profiles"]]

    def profiles(self) -> int:
        """Count the profiles."""
        return len(self.cities())

    def orders(self) -> int:
        """Count the orders of the profile."""
        (first, *_) = self.sandbox.contents("Shop")["profiles"]
        return len(first["subprofiles"]["Order"])

    def fields(self) -> int:
        """Count the fields of the database."""
        return len(self.sandbox.world.store.catalogue.database("Shop").fields)  # type: ignore[union-attr]


@dataclass(frozen=True)
class Request:
    """A call, the request that it makes, and how often its work was done, as far as it can be seen."""

    kind: Kind
    method: str
    path: str
    call: Callable[[Stand], object]
    done: Callable[[Stand], int]

    def sent(self, stand: Stand) -> int:
        """Count its requests in the journal."""
        start, _, end = self.path.partition("*")
        return sum(
            1
            for entry in stand.sandbox.journal()
            if entry["method"] == self.method and entry["path"].startswith(start) and entry["path"].endswith(end)
        )


def _moved(stand: Stand) -> int:
    return stand.cities().count("Ede")


REQUESTS: dict[str, Request] = {
    "read": Request(Kind.READ, "GET", "/v4/identity", lambda at: at.client.identity(), lambda at: 1),
    "update profile": Request(
        Kind.SAME_STATE, "PUT", "/v4/profile/*",
        lambda at: at.client.update_profile(at.profile, {"City": "Ede"}), _moved,
    ),
    "switch interests": Request(
        Kind.SAME_STATE, "POST", "/v4/profile/*/interests",
        lambda at: at.client.set_interests(at.profile, {"news": True}),
        lambda at: len(at.sandbox.contents("Shop")["profiles"][0]["interests"]),
    ),
    "update many": Request(
        Kind.UPDATE_MANY, "PUT", "/v4/database/*/profiles",
        lambda at: at.client.put_profiles(at.database, at.change()), _moved,
    ),
    "update moving": Request(Kind.UPDATE_MOVING, "PUT", "/v4/database/*/profiles", Stand.moving, _moved),
    "upsert": Request(
        Kind.UPSERT, "PUT", "/v4/database/*/profiles",
        lambda at: at.client.put_profiles(at.database, at.change(nr="18", create=True)), lambda at: at.profiles() - 1,
    ),
    "create profile": Request(
        Kind.CREATE, "POST", "/v4/database/*/profiles",
        lambda at: at.client.create_profile(at.database, {"Nr": "18"}), lambda at: at.profiles() - 1,
    ),
    "create subprofile": Request(
        Kind.CREATE, "POST", "/v4/profile/*/subprofiles/1",
        lambda at: at.client.create_subprofile(at.profile, at.database.collections["Order"], {"No": "A"}), Stand.orders,
    ),
    "delete": Request(
        Kind.DELETE, "DELETE", "/v4/profile/*",
        lambda at: at.client.delete_profile(at.profile), lambda at: 1 - at.profiles(),
    ),
    "import": Request(
        Kind.IMPORT, "POST", "/v4/imports",
        lambda at: at.client.post_import(
            ImportRequest(at.database.id, "run/000001", "add", (), True), b'[{"Nr":"18"}]'
        ),
        lambda at: at.profiles() - 1 if at.sandbox.settle() else -1,
    ),
    "set-up": Request(
        Kind.SET_UP, "POST", "/v4/database/*/fields",
        lambda at: at.client.set_up.field(at.database.id, NewField("Extra")), lambda at: at.fields() - 3,
    ),
    "token": Request(Kind.READ, "POST", "/authenticate", lambda at: at.client.identity(), lambda at: 1),
}  # fmt: skip
