"""Work through the rows of an import, in order, each seeing what the earlier ones did (edge: SQLite; API sheet 11)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pipeline.sandbox.clock import STAMP
from pipeline.sandbox.hazards import Notes
from pipeline.sandbox.import_batch import Batch
from pipeline.sandbox.import_plan import CollectionColumns, ImportPlan
from pipeline.sandbox.model import Field, Owner, Record
from pipeline.sandbox.records import new_secret
from pipeline.sandbox.removal import Remover
from pipeline.sandbox.store import Store
from pipeline.sandbox.switches import Switches
from pipeline.sandbox.values import coerce, initial

# Values per column whose normal form is kept, so that a repeated choice or date is worked out once.
_MOST_KNOWN = 4096

Row = Mapping[str, Any]
Keys = list[tuple[Field, str]]


class RowError(Exception):
    """A row ends the import; the text becomes its lasterror."""


class RowWork:
    """Apply rows to the store, counting what happened; `touched` holds the ids that removeMissing will spare."""

    def __init__(self, plan: ImportPlan, store: Store, switches: Switches, notes: Notes) -> None:
        self.plan = plan
        self.counts: Counter[str] = Counter()
        self.touched: dict[str, set[int]] = {"profile": set(), "subprofile": set()}
        self._store = store
        self._switches = switches
        self._notes = notes
        self._row = 0
        self._known: defaultdict[str, dict[str, str]] = defaultdict(dict)

    def run(self, rows: list[dict[str, Any]], first: int, now: datetime) -> tuple[int, str]:
        """Apply `rows`, the first of which is row `first` of the import from 1 (inside `Store.writing`).

        Returns how many were applied and, when one of them ended the import, its lasterror.
        """
        self._now = now
        self._stamp = now.strftime(STAMP)
        self._batch = Batch(self._store.records)
        self._remover = Remover(self._store.catalogue, self._store.records, now, self._notes)
        owners: list[Owner] = [self.plan.database, *(one.collection for one in self.plan.collections)]
        self._initial = {(one.kind, one.id): {field.key: initial(field, now) for field in one.fields} for one in owners}
        act = self._delete if self.plan.action == "delete" else self._write
        error = ""
        for number, row in enumerate(rows, start=first):
            self._row = number
            try:
                act(row)
            except RowError as stop:
                error = str(stop)
                break
        self._batch.flush()
        return (self._row - first if error else len(rows)), error

    def finish(self, now: datetime) -> None:
        """Remove what no row touched, when removeMissing asks for it (inside `Store.writing`)."""
        if not self.plan.remove_missing:
            return
        remover = Remover(self._store.catalogue, self._store.records, now, self._notes)
        scope = self._switches["remove_missing"]
        owners: list[Owner] = [] if scope == "subprofiles" else [self.plan.database]
        if scope != "profiles":
            owners += [one.collection for one in self.plan.collections if one.columns]
        for owner in owners:
            for record in list(self._store.records.live(owner)):
                if record.id not in self.touched[owner.kind] and remover.remove(owner, record):
                    self.counts[f"{owner.kind}s_deleted"] += 1

    def _write(self, row: Row) -> None:
        action, database = self.plan.action, self.plan.database
        matches = [] if action == "add" else self._profiles(row)
        if matches is None:
            self.counts["profiles_skipped"] += 1
            return
        if not matches:
            if action == "update":
                self.counts["profiles_skipped"] += 1
                return
            profile = self._create(database, row, self.plan.fields)
            self._interests(profile, row)
            for one in self.plan.collections:
                self._subprofile(one, profile, row, new=True)
            return
        for profile in matches:
            self.touched["profile"].add(profile.id)
            if action == "ignore or add":
                self.counts["profiles_ignored"] += 1
            else:
                self._update(database, profile, row, self.plan.fields)
                self._interests(profile, row)
            for one in self.plan.collections:
                self._subprofile(one, profile, row, new=False)

    def _profiles(self, row: Row) -> list[Record] | None:
        """Find the profiles of a row by all profile keys; None when the row is to be skipped."""
        database = self.plan.database
        if not self.plan.keys:
            if self.plan.action in ("update", "delete") and self._switches["missing_keys"] == "all":
                return self._batch.everything(database)
            return []
        keys = self._keys(self.plan.keys, row)
        return None if keys is None else self._capped(self._batch.profiles(database, keys), "profiles")

    def _capped(self, found: list[Record], what: str) -> list[Record]:
        if len(found) < 2:
            return found
        self._notes.note("several_matches", f"row {self._row}: {len(found)} {what}")
        return found if self._switches["several_matches"] == "all" else found[:1]

    def _keys(self, keys: list[tuple[str, Field]], row: Row) -> Keys | None:
        """Normalise the key cells of a row; None when a blank one makes the row be skipped."""
        found = []
        for column, field in keys:
            raw = row[column] if column else ""
            # As in a selector, a text that is none of a select's choices matches nothing.
            compared_raw = field.type == "select" and isinstance(raw, str)
            text = str(raw) if compared_raw else coerce(field, raw, self._now).text
            if text == field.zero and str(raw if raw is not None else "").strip() == "":
                self._notes.note("import_blank_key", f"row {self._row}: {column or field.name}")
                if self._switches["blank_keys"] == "fail":
                    raise RowError(f"Row {self._row} has no value for key {column or field.name}")
                if self._switches["blank_keys"] == "skip":
                    return None
            found.append((field, text))
        return found

    def _subprofile(self, one: CollectionColumns, profile: Record, row: Row, new: bool) -> None:
        if not one.columns:
            return
        action, collection = self.plan.action, one.collection
        if not new and action == "ignore or add" and self._switches["ignore_or_add_subprofiles"] == "drop":
            self._notes.note("import_subprofile_dropped", f"row {self._row}: {collection.name}")
            self.counts["subprofiles_ignored"] += 1
            return
        matches = [] if action == "add" else self._matching(one, profile, row)
        if matches is None:
            self.counts["subprofiles_skipped"] += 1
            return
        for record in matches:
            self.touched["subprofile"].add(record.id)
            if action == "ignore or add":
                self.counts["subprofiles_ignored"] += 1
            else:
                self._update(collection, record, row, one.columns)
        if matches:
            return
        empty = all(row[column] in ("", None) for column, _ in one.columns)
        if action == "update" and self._switches["update_subprofiles"] == "skip":
            self.counts["subprofiles_skipped"] += 1
        elif not empty or self._switches["empty_subprofiles"] == "create":
            if empty:
                self._notes.note("import_empty_subprofile", f"row {self._row}: {collection.name}")
            self._create(collection, row, one.columns, profile.id)

    def _matching(self, one: CollectionColumns, profile: Record, row: Row) -> list[Record] | None:
        """Find the subprofiles of a row inside its profile by the keys of their collection."""
        collection = one.collection
        if not one.keys:
            overwrite = self._switches["dotted_without_key"] == "overwrite" or self.plan.action == "delete"
            return self._batch.subprofiles(collection, profile.id).all() if overwrite else []
        keys = self._keys(one.keys, row)
        if keys is None:
            return None
        return self._capped(self._batch.subprofiles(collection, profile.id).equal(keys), "subprofiles")

    def _cells(self, row: Row, columns: list[tuple[str, Field]]) -> dict[str, str]:
        cells = {}
        ignore_empty = self.plan.ignore_empty
        for column, field in columns:
            raw = row[column]
            if ignore_empty and (raw == "" or raw is None):
                continue
            known = self._known[field.key]
            text = known.get(raw) if type(raw) is str else None
            if text is None:
                text = self._coerced(field, column, raw, known)
            cells[field.key] = text
        return cells

    def _coerced(self, field: Field, column: str, raw: object, known: dict[str, str]) -> str:
        """Normalise a cell; what a canonical text becomes is kept in `known`, since it does not depend on the time."""
        text, hazard = coerce(field, raw, self._now)
        if hazard is None:
            if type(raw) is str and len(known) < _MOST_KNOWN:
                known[raw] = text
            return text
        self._notes.note(hazard, f"row {self._row}, {column}", raw)
        if hazard == "text_too_long" and self._switches["long_text"] == "fail":
            raise RowError(f"Row {self._row}: the value of {column} is too long")
        return text

    def _update(self, owner: Owner, record: Record, row: Row, columns: list[tuple[str, Field]]) -> None:
        if self._batch.change(owner, record, self._cells(row, columns)):
            record.modified = self._stamp
        self.counts[f"{owner.kind}s_updated"] += 1

    def _create(self, owner: Owner, row: Row, columns: list[tuple[str, Field]], profile: int = 0) -> Record:
        values = {**self._initial[owner.kind, owner.id], **self._cells(row, columns)}
        number = self._store.counters.next(owner.kind)
        record = Record(owner.kind, number, owner.id, new_secret(), self._stamp, self._stamp, profile)
        self._batch.add(owner, record, values)
        self.touched[owner.kind].add(number)
        self.counts[f"{owner.kind}s_created"] += 1
        return record

    def _interests(self, profile: Record, row: Row) -> None:
        before = set(profile.interests)
        for column, interest in self.plan.interests:
            cell = row[column]
            if self.plan.ignore_empty and (cell == "" or cell is None):
                continue
            text = str(cell).lower()
            if text not in ("yes", "no", "true", "false"):
                self._notes.note("interest_cell", f"row {self._row}, {column}", cell)
            if text in ("yes", "true"):
                profile.interests.add(interest.id)
            else:
                profile.interests.discard(interest.id)
        if profile.interests != before:
            profile.modified = self._stamp
            self._batch.touch(profile)

    def _delete(self, row: Row) -> None:
        profiles = self._profiles(row)
        if not profiles:
            self.counts["profiles_skipped"] += 1
            return
        for profile in profiles:
            if self.plan.delete_target == "profile":
                self._remove(self.plan.database, profile)
                continue
            self.touched["profile"].add(profile.id)
            for one in self._delete_collections():
                matches = self._matching(one, profile, row)
                if not matches:
                    self.counts["subprofiles_skipped"] += 1
                for record in matches or []:
                    self._remove(one.collection, record)

    def _delete_collections(self) -> list[CollectionColumns]:
        """List the collections that deleteTarget subprofile reaches: without any dotted column all of them."""
        return self.plan.collections or [CollectionColumns(one) for one in self.plan.database.collections]

    def _remove(self, owner: Owner, record: Record) -> None:
        done = self._remover.remove(owner, record)
        self._batch.forget()
        self.counts[f"{owner.kind}s_{'deleted' if done else 'ignored'}"] += 1
