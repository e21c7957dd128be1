"""Remove profiles and subprofiles by the delete behaviour of their owner (edge: SQLite; API sheet 11.5, 14)."""

from __future__ import annotations

from datetime import datetime

from pipeline.sandbox.catalogue import Catalogue
from pipeline.sandbox.clock import STAMP
from pipeline.sandbox.hazards import Notes
from pipeline.sandbox.model import Database, Owner, Record
from pipeline.sandbox.records import Records
from pipeline.sandbox.values import coerce


class Remover:
    """Remove records at one time, the naive Amsterdam time `now`."""

    def __init__(self, catalogue: Catalogue, records: Records, now: datetime, notes: Notes) -> None:
        self._catalogue = catalogue
        self._records = records
        self._now = now
        self._notes = notes

    def remove(self, owner: Owner, record: Record, completely: bool = False) -> bool:
        """Remove a record; a profile takes its subprofiles along.

        Returns False when the delete behaviour does nothing or unsubscribes instead, which no answer ever shows.
        """
        if owner.delete_behaviour != "remove":
            self._notes.note("delete_did_nothing", f"{owner.name}: {owner.delete_behaviour}")
            if owner.delete_behaviour == "unsubscribe":
                self._unsubscribe(owner, record)
            return False
        self._take(owner, record, completely)
        return True

    def _take(self, owner: Owner, record: Record, completely: bool) -> None:
        if record.kind == "profile":
            self._cascade(record, completely)
        self._records.blank(owner, record)
        record.removed = self._now.strftime(STAMP)
        if completely:
            self._records.erase(record)
        else:
            self._records.save([record])

    def _cascade(self, profile: Record, completely: bool) -> None:
        collections = {one.id: one for one in self._catalogue.collections()}
        where = "profile = ?" if completely else "profile = ? AND removed = ''"
        for subprofile in list(self._records.many("subprofile", where, (profile.id,))):
            self._take(collections[subprofile.owner], subprofile, completely)

    def _unsubscribe(self, owner: Owner, record: Record) -> None:
        if not isinstance(owner, Database):
            return
        changes = {}
        for name, value in owner.unsubscribe.items():
            field = owner.field_named(name)
            if field is not None:
                changes[field.key] = coerce(field, value, self._now).text
        changed = self._records.change(owner, record, changes)
        if changed or record.interests:
            record.interests, record.modified = set(), self._now.strftime(STAMP)
            self._records.save([record])
