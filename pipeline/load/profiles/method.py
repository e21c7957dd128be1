"""Load rows profile by profile, with an answer for each row (wiring over the API client).

The rows of one profile go strictly in order, different profiles in parallel under the client's one pace. What each
action does stands in `profile_actions`.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from pipeline.copernica import ApiError, Client, Database, LostError, RefusedError
from pipeline.errors import ApiRefusedError, Problem
from pipeline.load.methods import ChunkLog
from pipeline.load.profiles.actions import Actions, Doing, SeveralMatchesError
from pipeline.load.profiles.canary import Canary
from pipeline.load.profiles.limits import Deletes, Limits, NoLimits
from pipeline.load.profiles.lookup import Lookup
from pipeline.load.profiles.progress import Course
from pipeline.load.profiles.rows import ProfileRow, RowReader
from pipeline.load.profiles.sending import Steps
from pipeline.model.chunk import Chunk
from pipeline.model.columns import Keys, Sets
from pipeline.model.outcome import Outcome
from pipeline.model.row_state import RowState
from pipeline.threads import Pool

# Characters of an API's message that are kept of a row.
MOST_MESSAGE_CHARS = 300


class Failed(Protocol):
    """Where the rows go that were not taken, in the staged layout; many threads may call it."""

    def write(self, row: Mapping[str, Any], code: str, column: str, message: str) -> None:
        """Take a row; `column` may be empty."""

    def withdraw(self, row: Mapping[str, Any]) -> None:
        """Let a row go that did not fail in the end, where it was taken before."""

    def settle(self) -> None:
        """Put on disk what was withdrawn or has failed again."""


@dataclass(frozen=True)
class ProfileSettings:
    """What all rows of a run share, in the words of the job; `workers` is how many profiles are in work at once."""

    run: str
    action: str
    keys: Keys
    sets: Sets
    ignore_empty_fields: bool
    on_several_matches: str = "fail"
    delete_target: str | None = None
    workers: int = 4

    @property
    def doing(self) -> Doing:
        """Give what the actions need of it."""
        return Doing(
            self.action,
            frozenset((*self.keys.profile, *(key for keys in self.keys.collections.values() for key in keys))),
            self.ignore_empty_fields,
            self.on_several_matches == "all",
            self.delete_target,
            bool(self.sets.collections),
        )


class Profiles:
    """The way of single profiles. It takes chunks of mixed sets (`_set` tells per row what it carries) and of one.

    `failed` is called from several threads for every row that the API refused, that has several matches or follows such
    a row. `stop` ends the work between two rows, as `limits` do. `counts` says what became of all rows so far; `moved` hears
    of each row that came to an end, from several threads.
    """

    name = "profiles"

    def __init__(
        self, client: Client, database: Database, settings: ProfileSettings, failed: Failed, stop: threading.Event
    ) -> None:
        self._client, self._database, self._settings, self._stop = client, database, settings, stop
        self._failed = failed
        self._doing = settings.doing
        self._reader = RowReader(settings.sets, settings.keys, ignore_empty=settings.ignore_empty_fields)
        self._lookup = Lookup(client, database, settings.keys, all_matches=self._doing.several_all)
        self._canary = Canary(client, database, settings.keys.profile)
        self._prepared = False
        self._proved = False
        self._halted: str | None = None
        self.counts: Counter[RowState] = Counter()
        self.limits: Limits = NoLimits()
        self._deletes = Deletes(lambda taken, noun, records: self.limits.deletes(taken, noun, records))
        self._unmatched: dict[int, int] = {}
        self.moved: Callable[[int], None] = lambda rows: None  # noqa: ARG005 - the shape of a bar's advance

    def go_on_from(self, unmatched: Mapping[int, int], deleted: Mapping[str, int]) -> None:
        """Take over what earlier processes of the run have counted: unmatched rows by chunk, deleted records by noun."""
        self._unmatched = dict(unmatched)
        self._deletes.go_on_from(deleted)

    def _unmatched_but(self, ordinal: int) -> int:
        return sum(count for at, count in self._unmatched.items() if at != ordinal)

    def prepare(self) -> None:
        """Prove that lookups can be trusted, before the first write (data rule 31); nothing for `add`, which looks nothing up.

        Raises ApiRefusedError where they cannot, or where the API does not answer.
        """
        if self._prepared:
            return
        try:
            proved = self._settings.action == "add" or self._canary.prove()
        except (ApiError, ValueError) as error:
            raise ApiRefusedError(
                Problem(
                    getattr(error, "message", str(error)),
                    where="the lookup by key before the first write",
                    do="nothing was sent on the per-profile way",
                )
            ) from None
        # Only a PUT with `create` can do harm in a database that is empty at the start: see `_work`.
        self._proved = proved or self._settings.action != "update or add"
        self._prepared = True

    def carry(self, chunk: Chunk, log: ChunkLog, *, last: bool) -> Outcome:  # noqa: ARG002 (no rebuild on this way)
        """Send the rows of a chunk, one by one, and say what became of them.

        Rows whose outcome is recorded are counted and not sent again; of those that may have been sent, the repeatable
        ones are looked up and sent again, others are unknown. A chunk that was stopped part way ends `submitted`: it is
        to be carried again. Ends `unsent` where nothing was written. `unmatched` is counted for `update` only.
        """
        log.sending(self._client.server_now().isoformat())
        try:
            self.prepare()
        except ApiRefusedError as error:
            self._halted = str(error)
        course = Course(chunk.ordinal, self._reader.groups(chunk.rows), log.rows, log.rows.entries())
        actions = Actions((self._client, self._database), self._doing, self._lookup, log.rows, self._deletes)
        self._work(course, actions)
        log.rows.flush()
        self._failed.settle()
        outcome = self._outcome(course, actions)
        self.counts += course.counts
        self._unmatched[chunk.ordinal] = course.counts[RowState.UNMATCHED]
        log.ended(outcome)
        return outcome

    def _work(self, course: Course, actions: Actions) -> None:
        """Work through the groups in parallel; one by one until lookups in a database that was empty are proved."""
        begun, count = 0, len(course.groups)
        while begun < count and not self._proved and self._halted is None:
            self._group(begun, course, actions)
            begun += 1
            self._prove_again(actions)
        with Pool(self._settings.workers, thread_name_prefix="profile") as pool:
            for _ in pool.map(lambda at: self._group(at, course, actions), range(begun, count)):
                pass

    def _prove_again(self, actions: Actions) -> None:
        """Repeat the canaries once a profile was made: with a dropped selector the next PUT would change that one."""
        if actions.created and self._halted is None:
            try:
                self._proved = self._canary.prove()
            except ApiError as error:
                self._halt(error.message)

    def _group(self, at: int, course: Course, actions: Actions) -> None:
        """Send the rows of one profile in order; after a failed one the others fail, after an unknown one they wait."""
        rows = course.groups[at]
        try:
            before: ProfileRow | None = None
            for row in rows:
                entry = course.entries.get(row.position)
                state = entry.state if entry else RowState.SENDING
                if entry and state is not RowState.SENDING:
                    course.count(row, state, entry.message)
                    if not state.failed:
                        self._failed.withdraw(row.cells)
                elif self._halted is not None or self._stop.is_set():
                    return
                elif before is not None:
                    state = self._follows(row, before, course)
                else:
                    course.open_window(at)
                    state = self._row(row, course, actions)
                if state in (RowState.UNKNOWN, RowState.SENDING):
                    return
                self.moved(1)
                if state is RowState.UNMATCHED and self._settings.action == "update":
                    self._halt_at(self.limits.unmatched(course.counts[state] + self._unmatched_but(course.ordinal)))
                if state.failed and before is None:
                    before = row
        except BaseException:
            self._halt("the run broke off")
            raise

    def _row(self, row: ProfileRow, course: Course, actions: Actions) -> RowState:
        """Send one row and record what became of it; SENDING where it is to be sent again."""
        try:
            state = actions.apply(row, self._steps(row, course))
        except SeveralMatchesError as error:
            column = self._settings.keys.profile[0] if self._settings.keys.profile else ""
            return self._fail(row, course, RowState.SEVERAL, ("several_matches", column, error.message))
        except RefusedError as error:
            return self._fail(row, course, RowState.FAILED, ("refused_by_api", "", error.message))
        except ValueError as error:
            return self._fail(row, course, RowState.FAILED, ("not_sendable", "", str(error)))
        except ApiError as error:
            if not isinstance(error, LostError):
                self._halt(error.message)
            if not error.maybe_sent:
                return RowState.SENDING
            course.end(row, state := RowState.UNKNOWN, _short(error.message))
            return state
        course.end(row, state)
        self._failed.withdraw(row.cells)
        return state

    def _steps(self, row: ProfileRow, course: Course) -> Steps:
        return Steps(course.log, row.position, course.entries.get(row.position), self._client.server_now)

    def _follows(self, row: ProfileRow, before: ProfileRow, course: Course) -> RowState:
        """Fail a row behind one of the same profile that failed: later values must not follow (data rule 23)."""
        message = f"not sent: the row in line {before.cells['_line']} of the same profile failed before it"
        return self._fail(row, course, RowState.FAILED, ("follows_failed", "", message))

    def _fail(self, row: ProfileRow, course: Course, state: RowState, why: tuple[str, str, str]) -> RowState:
        """Hand a row over before its outcome is recorded, so that none is missing from what was handed over."""
        code, column, message = why
        self._failed.write(row.cells, code, column, _short(message))
        course.end(row, state, _short(message))
        return state

    def _halt_at(self, limit: str) -> None:
        if limit:
            self._halt(limit)

    def _halt(self, message: str) -> None:
        """Send nothing more; the first reason stands."""
        if self._halted is None:
            self._halted = message

    def _outcome(self, course: Course, actions: Actions) -> Outcome:
        stopped = self._halted
        if stopped is None and self._stop.is_set() and course.unfinished:
            stopped = "interrupted"
        outcome = course.outcome(stopped, wrote=actions.wrote)
        unmatched = course.counts[RowState.UNMATCHED] if self._settings.action == "update" else 0
        return replace(outcome, unmatched=unmatched)


def _short(message: str) -> str:
    return message if len(message) <= MOST_MESSAGE_CHARS else message[: MOST_MESSAGE_CHARS - 1] + "…"
