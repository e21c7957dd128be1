"""Count what the database holds, each count at most once (edge: the API client)."""

from __future__ import annotations

from functools import cached_property

from pipeline.copernica import Client, Database


class Survey:
    """The live database as the guards see it: `client`, `database`, and counts that cost one call each when asked for."""

    def __init__(self, client: Client, database: Database) -> None:
        self.client, self.database = client, database
        self._subprofiles: dict[str, int] = {}

    @cached_property
    def profiles(self) -> int:
        """Count the profiles."""
        return self.client.count(self.database)

    def subprofiles(self, collection: str) -> int:
        """Count the subprofiles of a collection, whosever they are."""
        if collection not in self._subprofiles:
            self._subprofiles[collection] = self.client.count_subprofiles(self.database.collections[collection])
        return self._subprofiles[collection]
