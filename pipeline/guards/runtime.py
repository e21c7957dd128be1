"""Watch the limits that can be passed while a run sends (edge: the API client's count; data rule 35)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pipeline.errors import ApiRefusedError, Problem
from pipeline.guards.force import unforced
from pipeline.guards.input import without_share
from pipeline.guards.sending import Sending
from pipeline.guards.volume import call_limit, max_calls, scattered
from pipeline.model.outcome import Stop, StopCode


class Watch:
    """The guards `max_unmatched`, `max_deletes` and `max_calls` while a run sends, unless they are forced.

    `begun` means that an earlier process has sent something of the run. `stopped` has what each guard stopped it for, once.
    """

    def __init__(self, sending: Sending, method: str, forced: frozenset[str], *, begun: bool) -> None:
        self._sending, self._method, self._forced, self._begun = sending, method, forced, begun
        self._there_at_first: dict[str, int] = {}
        self.stopped: dict[str, Problem] = {}

    def limit_calls(self) -> None:
        """Set the limit of calls: what the job sets holds for all of the run, the default for the calls to come.

        Reading back what became of lost imports has a limit of its own (data rule 29), beside the default.
        """
        client, job = self._sending.client, self._sending.job
        limit = job.guards.max_calls
        if limit is None:
            limit = client.limited_calls + call_limit(self._sending, self._method) + job.load.max_settle_calls
        client.limit_calls(None if "max_calls" in self._forced else limit)

    def per_profile(self) -> None:
        """Watch a run that has to go per profile instead, before its first send (data rule 25 c).

        Raises ApiRefusedError where that takes more calls than the job allows.
        """
        problems = unforced(max_calls(self._sending, "profiles"), self._forced)
        if problems:
            raise ApiRefusedError(*problems)
        self._method = "profiles"
        self.limit_calls()

    def unmatched(self, rows: int) -> Stop | None:
        """Return why nothing more may be sent once too many rows of an `update` found no record (data rule 35).

        A share is one of all accepted rows.
        """
        limit, of = self._sending.job.guards.max_unmatched, self._sending.staged.accepted
        if limit is None or limit.allows(rows, of) or without_share(limit, of, limited=self._sending.limited):
            return None
        what = f"{rows:,} of {of:,} rows found no record, the job allows {limit}"
        return self._stop("max_unmatched", what, "is it another database, or are keys written in another way?")

    def deletes(self, taken: Mapping[str, int], noun: str, records: int) -> Stop | None:
        """Return why these records may not be deleted, where keys have several (data rule 34); one each was allowed before.

        A count is one of all records, a share one of the profiles or of each collection, as before the first send.
        """
        limit = self._sending.job.guards.max_deletes
        if limit is None:
            return None
        count = records + (sum(taken.values()) if limit.count is not None else taken.get(noun, 0))
        if limit.count is not None:
            allowed = limit.allows(count, 0)
        else:
            planned = self._sending.deletes.get(noun, 0)
            allowed = count <= planned or limit.allows(count, self._there(noun, taken))
        if allowed:
            return None
        what = f"{count:,} records would be deleted, since some keys have several; the job allows {limit}"
        return self._stop("max_deletes", what, "see why a key has several")

    def _there(self, noun: str, taken: Mapping[str, int]) -> int:
        """Count the records of a noun when the run began: the guard has, or an earlier process has deleted some since."""
        if noun not in self._there_at_first:
            by_profile = self._sending.job.target.delete_target == "profile"
            there = self._sending.profiles_there if by_profile else self._sending.subprofiles_there(noun)
            self._there_at_first[noun] = there + (taken.get(noun, 0) if self._begun else 0)
        return self._there_at_first[noun]

    def _stop(self, guard: str, what: str, question: str) -> Stop | None:
        if guard in self._forced:
            return None
        do = f"{question} if all is as it should be, run again with --force {guard}"
        self.stopped.setdefault(guard, Problem(what, f"guards.{guard}", do, guard))
        return Stop(StopCode.GUARD, what, guard)

    def problems(self) -> Iterator[Problem]:
        """Yield the guards that stopped the run, with what to do."""
        yield from self.stopped.values()
        client = self._sending.client
        if client.limit_reached:
            calls, why = client.limited_calls, scattered(self._sending, self._method)
            what = f"{calls:,} calls were made and no more may be{why}"
            do = "see why it needed so many; resume has a count of its own, or raise guards.max_calls"
            yield Problem(what, "guards.max_calls", do, "max_calls")
