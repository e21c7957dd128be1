"""Carry out what an action means for one row: the table of the per-profile method (edge: the API client; data rules 31-34).

| action | profile | subprofile, per carried collection |
|---|---|---|
| update or add | lookup; PUT by id, or PUT with `fields` and `create` | list; PUT by id or POST |
| update | lookup; PUT by id | list; PUT by id |
| add | POST; with collections only for the first row of a key | POST |
| ignore or add | lookup; POST when absent | list; POST when absent |
| delete | lookup; DELETE, when that is the target | list; DELETE, when that is the target |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pipeline.copernica import ApiError, Change, Client, Collection, Database, LostError
from pipeline.load.compare import different_fields
from pipeline.load.profiles.limits import Deletes
from pipeline.load.profiles.lookup import MOST_MATCHES, Known, Lookup, NotSendableError
from pipeline.load.profiles.rows import ProfileRow, SubprofileRow
from pipeline.load.profiles.sending import PresentError, Steps, send_or_find
from pipeline.model.columns import LiveField
from pipeline.model.job import Target
from pipeline.model.row_state import PROFILE, RowState
from pipeline.state.row_records import RowRecords


class SeveralMatchesError(Exception):
    """A key that is to have one record has several; the row fails with their ids (data rule 31)."""

    def __init__(self, noun: str, ids: tuple[int, ...]) -> None:
        named = ", ".join(str(number) for number in ids[:MOST_MATCHES])
        self.message = f"several {noun}s have this key: {named}{' and more' if len(ids) > MOST_MATCHES else ''}"
        super().__init__(self.message)


class Actions:
    """Carry out one row after another; rows of different profiles may be in work at one time.

    `apply` raises SeveralMatchesError, NotSendableError for a row that cannot be sent safely, and leaves of ApiError; a
    LostError, or any other with `maybe_sent` that is not `repeatable`, means that what became of the row is not known.
    """

    def __init__(
        self,
        client: Client,
        database: Database,
        target: Target,
        lookup: Lookup,
        log: RowRecords,
        deletes: Deletes,
        *,
        has_collections: bool,
    ) -> None:
        self._client, self._database, self._target = client, database, target
        self._lookup, self._log, self._deletes = lookup, log, deletes
        self._has_collections = has_collections
        self._several_all = target.on_several_matches == "all"
        self._keys = frozenset(target.key_fields)
        self._interests_apart = client.version == "v1"  # its POST of a profile has no place for them
        self._live = _types(database)
        self._posted_before = target.action == "add" and log.has_posted_profiles()
        self.created = False

    def apply(self, row: ProfileRow, steps: Steps) -> RowState:
        """Carry the action out for one row."""
        if self._target.action == "add":
            return self._add(row, steps)
        try:
            return self._delete(row) if self._target.action == "delete" else self._written(row, steps)
        except ApiError:
            self._lookup.forget(row.key)
            raise

    # update, update or add, ignore or add

    def _written(self, row: ProfileRow, steps: Steps) -> RowState:
        """Write a row; where a record of it came up behind a 503, take that for present and write the row once more."""
        try:
            return self._write(row, steps)
        except PresentError:
            self._lookup.forget(row.key)
        try:
            return self._write(row, steps)
        except ApiError as error:
            raise error.after_a_change() from error.__cause__

    def _write(self, row: ProfileRow, steps: Steps) -> RowState:
        made = steps.made(PROFILE)  # by an earlier process, for this very row
        ids = self._chosen(row.key) if made is None else (made,)
        if not ids:
            steps.require_certain(PROFILE)
        if not ids and self._target.action == "update":
            return RowState.UNMATCHED
        states = set()
        if not ids or made is not None:
            ids = (self._create(row, steps),)
            states.add(RowState.CREATED)
        elif self._target.action != "ignore or add":
            self._change(ids, row)
            states.add(RowState.UPDATED)
        states |= {self._subprofile(number, one, steps) for number in ids for one in row.subprofiles}
        ranked = (RowState.UNMATCHED, RowState.CREATED, RowState.UPDATED)
        return next((state for state in ranked if state in states), RowState.KEPT)

    def _chosen(self, key: tuple[str, ...]) -> tuple[int, ...]:
        """Look the profile up; raises SeveralMatchesError where there is more than one and the job does not take all."""
        return self._agreed("profile", self._lookup.profiles(key))

    def _agreed(self, noun: str, ids: tuple[int, ...]) -> tuple[int, ...]:
        if len(ids) > 1 and not self._several_all:
            raise SeveralMatchesError(noun, ids)
        return ids

    def _change(self, ids: tuple[int, ...], row: ProfileRow) -> None:
        if len(ids) == 1:
            self._client.update_profile(ids[0], row.fields)
        else:
            self._client.put_profiles(self._database, Change(self._lookup.selectors(row.key), row.fields))
        for number in ids:
            self._switch(number, row.interests)

    def _switch(self, profile_id: int, interests: Mapping[str, bool]) -> None:
        """Switch the interests that the row knows, by POST with an explicit map: others stay (data rule 33)."""
        if interests:
            self._client.set_interests(profile_id, interests)

    def _create(self, row: ProfileRow, steps: Steps) -> int:
        """Make the profile of a row; POST takes the interests along, PUT must not (data rule 33)."""
        if self._target.action != "update or add":
            return self._post_profile(row, steps, lambda: self._arrived(row))
        number, fresh = self._put_profile(row)
        self._remember(row.key, number, fresh=fresh)
        self._switch(number, row.interests)
        return number

    def _put_profile(self, row: ProfileRow) -> tuple[int, bool]:
        """PUT with `fields` and `create`, whose body writes its own key; returns the id, and whether the profile is new."""
        change = Change(self._lookup.selectors(row.key), row.fields, create=True)

        def look() -> tuple[int | None, bool] | None:
            number = self._arrived(row)
            return None if number is None else (number, False)

        number, fresh = send_or_find(
            lambda: (self._client.put_profiles(self._database, change), True), look, again=True
        )
        if number is not None:
            return number, fresh
        # Somebody made it since our lookup, or the answer does not name it.
        found = self._agreed("profile", tuple(profile.id for profile in self._lookup.look(row.key)))
        if not found:
            raise LostError("the profile was written, but is not found by its key")
        return found[0], False

    def _post_profile(self, row: ProfileRow, steps: Steps, look: Callable[[], int | None]) -> int:
        """POST the profile, unless an earlier process has done that for this row."""
        fields = row.fields or self._something()
        interests = None if self._interests_apart or not row.interests else row.interests

        fresh = False  # one that a look has found may have subprofiles

        def send() -> int:
            nonlocal fresh
            number = self._client.create_profile(self._database, fields, interests)
            fresh = True
            return number

        number = steps.made(PROFILE)
        if number is None:
            again = self._target.action != "add"
            number = steps.post(PROFILE, lambda: send_or_find(send, look, again=again))
        self._remember(row.key, number, fresh=fresh)
        if self._interests_apart:
            self._switch(number, row.interests)
        return number

    def _something(self) -> dict[str, str]:
        """Return a body for a profile for which the row has no value: an empty text in a field that starts with one."""
        for name, field in self._database.fields.items():
            if field.type in ("text", "email") and not field.default:
                return {name: ""}
        raise NotSendableError("the row has no value to make a profile of")

    def _remember(self, key: tuple[str, ...], number: int, *, fresh: bool) -> None:
        """Keep the id of a new profile, and of a fresh one that it has no subprofiles."""
        self.created = True
        if key:
            self._lookup.keep(key, (number,))
        for collection in self._database.collections.values() if fresh else ():
            self._lookup.keep_listed(number, collection, ())

    def _arrived(self, row: ProfileRow) -> int | None:
        """Return the id of a profile that was just to be made, where it is there as it was sent.

        Raises PresentError where its key, which was absent before, is there in another way now.
        """
        found = self._lookup.look(row.key)
        if len(found) == 1 and not self._differs(row.fields, found[0].fields):
            return found[0].id
        if found:
            raise PresentError
        return None

    def _differs(self, sent: Mapping[str, str], stored: Mapping[str, str], collection: str = "") -> list[str]:
        columns = {f"{collection}.{name}" if collection else name: text for name, text in sent.items()}
        ignore_empty = self._target.ignore_empty_fields
        return different_fields(columns, stored, self._live, ignore_empty=ignore_empty, keys=self._keys)

    # add

    def _add(self, row: ProfileRow, steps: Steps) -> RowState:
        """Make the records of the row; a POST whose answer was lost is never sent again (data rule 28)."""
        state = RowState.CREATED
        steps.require_certain(PROFILE)
        number = steps.made(PROFILE) or self._added_before(row)
        if number is None:
            number = self._post_profile(row, steps, lambda: None)
        elif not row.subprofiles:
            state = RowState.KEPT
        for one in row.subprofiles:
            kind = _kind(self._database.collections[one.collection], number)
            steps.require_certain(kind)
            if steps.made(kind) is None:
                self._post_subprofile(number, one, steps)
        return state

    def _added_before(self, row: ProfileRow) -> int | None:
        """Return the profile that an earlier row of this key made in this run, in this process or an earlier one.

        Without collections every row makes a profile.
        """
        if not self._has_collections:
            return None
        kept = self._lookup.kept(row.key)
        if kept is not None:
            return kept[0]
        if not (self._posted_before or self._lookup.forgot):
            return None
        made = self._log.made_among(PROFILE, [profile.id for profile in self._lookup.look(row.key, whole=True)])
        return min(made, default=None)

    # subprofiles

    def _subprofile(self, profile_id: int, row: SubprofileRow, steps: Steps) -> RowState:
        found = self._matching(profile_id, row)
        if found and self._target.action == "ignore or add":
            return RowState.KEPT
        for number in found:
            self._client.update_subprofile(number, row.fields)
        if found:
            return RowState.UPDATED
        if self._target.action == "update":
            return RowState.UNMATCHED
        self._post_subprofile(profile_id, row, steps)
        return RowState.CREATED

    def _matching(self, profile_id: int, row: SubprofileRow) -> tuple[int, ...]:
        collection = self._database.collections[row.collection]
        return self._agreed("subprofile", self._lookup.matching(profile_id, collection, row.key))

    def _post_subprofile(self, profile_id: int, row: SubprofileRow, steps: Steps) -> None:
        collection = self._database.collections[row.collection]
        kind = _kind(collection, profile_id)
        steps.require_certain(kind)

        def found() -> int | None:
            for one in self._lookup.new_subprofiles(profile_id, collection):
                same = self._lookup.has_key(one, collection, row.key)
                if same and not self._differs(row.fields, one.fields, row.collection):
                    return one.id
            if self._lookup.matching(profile_id, collection, row.key):
                raise PresentError
            return None

        def send() -> int:
            return self._client.create_subprofile(profile_id, collection, row.fields)

        again = self._target.action != "add"
        look = found if again else lambda: None
        number = steps.post(kind, lambda: send_or_find(send, look, again=again))
        self._lookup.added(profile_id, collection, Known(number, row.key))

    # delete

    def _delete(self, row: ProfileRow) -> RowState:
        """Delete the profile, or the subprofiles that the row names; one that is not there is no fault (data rule 34)."""
        ids = self._chosen(row.key)
        gone = []
        if self._target.delete_target == "profile":
            self._take(row, "profiles", len(ids))
            gone = [self._client.delete_profile(number) for number in ids]
            self._lookup.forget(row.key)
            self._lookup.keep(row.key, ())
        else:
            for profile_id in ids:
                gone += [self._delete_subprofile(profile_id, one, row) for one in row.subprofiles]
        return RowState.DELETED if any(gone) else RowState.UNMATCHED

    def _delete_subprofile(self, profile_id: int, one: SubprofileRow, row: ProfileRow) -> bool:
        gone, found = False, self._matching(profile_id, one)
        self._take(row, one.collection, len(found))
        for number in found:
            gone = self._client.delete_subprofile(number) or gone
            self._lookup.removed(profile_id, self._database.collections[one.collection], number)
        return gone

    def _take(self, row: ProfileRow, noun: str, records: int) -> None:
        """Count and record what is about to be deleted for a row (data rule 34)."""
        self._deletes.take(noun, records)
        if records:
            self._log.deleting(row.position, noun, records)


def _kind(collection: Collection, profile_id: int) -> str:
    """Name the POST of a subprofile in the ledger."""
    return f"subprofile of {profile_id} in collection {collection.id}"


def _types(database: Database) -> dict[str, LiveField]:
    """Return the type of every column, dotted ones for collections."""
    types = {name: LiveField(field.type) for name, field in database.fields.items()}
    for collection in database.collections.values():
        types |= {f"{collection.name}.{name}": LiveField(field.type) for name, field in collection.fields.items()}
    return types
