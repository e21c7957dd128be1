"""Load rows profile by profile, with an answer for each row (wiring over the API client).

The rows of one profile go strictly in order, different profiles in parallel under the client's one pace. What each
action does stands in `actions`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl

from pipeline.copernica import ApiError, Client, Database, LostError, RefusedError
from pipeline.errors import shortened
from pipeline.load.imports import stop_of
from pipeline.load.profiles.actions import Actions, SeveralMatchesError
from pipeline.load.profiles.canary import Canary
from pipeline.load.profiles.limits import Deletes, Limits
from pipeline.load.profiles.lookup import Lookup, NotSendableError
from pipeline.load.profiles.progress import ChunkProgress
from pipeline.load.profiles.rows import ProfileRow, RowReader
from pipeline.load.profiles.sending import Steps
from pipeline.model.job import Job
from pipeline.model.outcome import Stop, StopCode, StoppedError
from pipeline.model.row_state import RowState, Why
from pipeline.stage.settle import Rules
from pipeline.state.row_records import RowRecords
from pipeline.threads import Pool

# Characters of an API's message that are kept of a row.
MOST_MESSAGE_CHARS = 300


@dataclass(frozen=True)
class Past:
    """What earlier processes of the run have counted: unmatched rows by chunk, deleted records by noun."""

    unmatched: Mapping[int, int]
    deleted: Mapping[str, int]


@dataclass(frozen=True)
class Tried:
    """How far the rows of a chunk came; `rest` are without an outcome, `stop` is why nothing more can be sent."""

    confirmed: int
    failed: int
    unknown: int
    rest: int
    unmatched: int
    message: str
    stop: Stop | None


class Profiles:
    """The method of single profiles. It takes chunks of mixed sets (`_set` is what a row carries) and of one.

    `interrupted` ends the work between two rows, as `limits` do; `moved` is called with each number of rows that came to an
    end, from several threads.
    """

    def __init__(
        self,
        client: Client,
        database: Database,
        job: Job,
        rules: Rules,
        past: Past,
        limits: Limits,
        interrupted: threading.Event,
        moved: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._client, self._database, self._target = client, database, job.target
        self._workers, self._interrupted, self._limits, self._moved = job.load.workers, interrupted, limits, moved
        self._reader = RowReader(rules.sets, rules.keys, ignore_empty=rules.ignore_empty_fields)
        self._keys, self._has_collections = rules.keys.profile, bool(rules.sets.collections)
        every = job.target.on_several_matches == "all"
        self._lookup = Lookup(client, database, rules.keys, all_matches=every)
        self._canary = Canary(client, database, rules.keys.profile)
        self._prepared = self._proved = False
        self._stop: Stop | None = None
        self._unmatched = dict(past.unmatched)
        self._deletes = Deletes(limits, past.deleted)

    def prepare(self) -> None:
        """Prove that lookups can be trusted, before the first write (data rule 31); nothing for `add`, which looks nothing up.

        Raises StoppedError where they cannot, or where the API does not answer.
        """
        if self._prepared:
            return
        try:
            proved = self._target.action == "add" or self._canary.prove()
        except NotSendableError as error:
            raise StoppedError(Stop(StopCode.UNTRUSTED, error.message)) from None
        except ApiError as error:
            raise StoppedError(stop_of(error)) from None
        # Only a PUT with `create` can do harm in a database that is empty at the start: see `_work`.
        self._proved = proved or self._target.action != "update or add"
        self._prepared = True

    def forget(self) -> None:
        """Forget what was looked up: an import is about to change it."""
        self._lookup.forget_all()

    def send(self, ordinal: int, rows: pl.DataFrame, log: RowRecords, blocked: frozenset[int]) -> Tried:
        """Send the rows of a chunk, one by one; those whose `_key` is `blocked` are left.

        Rows whose outcome is recorded are counted and not sent again; of those that may have been sent, the repeatable
        ones are looked up and sent again, others are unknown. `unmatched` is counted for `update` only.
        """
        self._stop = None
        progress = ChunkProgress(self._reader.groups(rows), log, log.entries())
        actions = Actions(
            self._client, self._database, self._target, self._lookup, log, self._deletes,
            has_collections=self._has_collections,
        )  # fmt: skip
        self._work(ordinal, progress, actions, blocked)
        log.flush()
        stop, counts = self._stop, progress.counts
        unknown = counts[RowState.UNKNOWN]
        rest = rows.height - progress.confirmed - progress.failed - unknown - counts[RowState.ASIDE]
        if stop is None and rest and self._interrupted.is_set():
            stop = Stop(StopCode.INTERRUPTED, "interrupted")
        unmatched = counts[RowState.UNMATCHED] if self._target.action == "update" else 0
        self._unmatched[ordinal] = unmatched
        message = "" if stop is None else stop.message
        if not message and progress.confirmed < rows.height:
            message = f"{progress.failed} rows failed, {unknown} are unknown, {rest} were not sent"
            message += f"; first {progress.first_trouble}" if progress.first_trouble else ""
        return Tried(progress.confirmed, progress.failed, unknown, rest, unmatched, message, stop)

    def _work(self, ordinal: int, progress: ChunkProgress, actions: Actions, blocked: frozenset[int]) -> None:
        """Work through the groups in parallel; one by one until lookups in a database that was empty are proved."""
        open_ones = [at for at, group in enumerate(progress.groups) if group[0].key_hash not in blocked]
        begun = 0
        while begun < len(open_ones) and not self._proved and self._stop is None:
            self._group(open_ones[begun], ordinal, progress, actions)
            begun += 1
            self._prove_again(actions)
        with Pool(self._workers, thread_name_prefix="profile") as pool:
            for _ in pool.map(lambda at: self._group(at, ordinal, progress, actions), open_ones[begun:]):
                pass

    def _prove_again(self, actions: Actions) -> None:
        """Repeat the canaries once a profile was made: with a dropped selector the next PUT would change that one."""
        if actions.created and self._stop is None:
            try:
                self._proved = self._canary.prove()
            except ApiError as error:
                self._halt(stop_of(error))

    def _group(self, at: int, ordinal: int, progress: ChunkProgress, actions: Actions) -> None:
        """Send the rows of one profile in order; those behind one whose outcome is unknown wait (data rule 23)."""
        try:
            for row in progress.groups[at]:
                entry = progress.entries.get(row.position)
                state = entry.state if entry else RowState.SENDING
                if entry and state is not RowState.SENDING:
                    progress.count(row, state)
                elif self._stop is not None or self._interrupted.is_set():
                    return
                else:
                    progress.open_window(at)
                    state = self._row(row, progress, actions)
                if state is RowState.SENDING or (state is RowState.UNKNOWN and not self._goes_on):
                    return
                self._moved(1)
                if state is RowState.UNMATCHED and self._target.action == "update":
                    others = sum(count for chunk, count in self._unmatched.items() if chunk != ordinal)
                    self._halt(self._limits.unmatched(progress.counts[state] + others))
        except BaseException:
            self._halt(Stop(StopCode.INTERRUPTED, "the run broke off"))
            raise

    @property
    def _goes_on(self) -> bool:
        """Return whether rows behind one whose outcome is unknown may go: those of an `add` make profiles of their own."""
        return self._target.action == "add" and not self._has_collections

    def _row(self, row: ProfileRow, progress: ChunkProgress, actions: Actions) -> RowState:
        """Send one row and record what became of it; SENDING where it is to be sent again."""
        state, why = RowState.FAILED, Why("not_sendable")
        try:
            state = actions.apply(row, Steps(progress.log, row.position, progress.entries.get(row.position)))
        except StoppedError as error:
            self._halt(error.stop)
            return RowState.SENDING
        except SeveralMatchesError as error:
            state = RowState.SEVERAL
            why = Why(
                "several_matches", self._keys[0] if self._keys else "", shortened(error.message, MOST_MESSAGE_CHARS)
            )
        except NotSendableError as error:
            why = Why("not_sendable", "", shortened(error.message, MOST_MESSAGE_CHARS))
        except RefusedError as error:
            why = Why("refused_by_api", "", shortened(error.words, MOST_MESSAGE_CHARS))
        except ApiError as error:
            if not isinstance(error, LostError):
                self._halt(stop_of(error))
            if error.repeatable or not error.maybe_sent:
                return RowState.SENDING
            state, why = RowState.UNKNOWN, Why("answer_lost", "", shortened(error.message, MOST_MESSAGE_CHARS))
        progress.end(row, state, None if state.confirmed else why)
        return state

    def _halt(self, stop: Stop | None) -> None:
        """Send nothing more; the first reason stands."""
        if self._stop is None:
            self._stop = stop
