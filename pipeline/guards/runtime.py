"""Watch the limits that can be passed while a run loads (edge: the API client's count; data rule 35)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from pipeline.errors import ApiRefusedError, Problem
from pipeline.guards.force import unforced
from pipeline.guards.record_counts import Survey
from pipeline.guards.staged import Planned
from pipeline.guards.volume import call_limit, max_calls, scattered, spare_calls
from pipeline.load.load_report import LoadReport
from pipeline.model.job import Job


@dataclass(frozen=True)
class Watch:
    """The guards `max_unmatched`, `max_deletes` and `max_calls` while it goes, unless they are forced.

    `begun` by an earlier process. `said` has every reason that was given to stop, with its guard.
    """

    job: Job
    survey: Survey
    planned: Planned
    way: str
    forced: frozenset[str]
    begun: bool = False
    said: list[tuple[str, str]] = field(default_factory=list)
    bases: dict[str, int] = field(default_factory=dict)

    def limit_calls(self) -> None:
        """Set the limit of calls: what the job says holds for all of the run, what is reckoned for the calls to come."""
        said = self.job.guards.max_calls
        spare = spare_calls(self.job, self.planned, self.way, begun=self.begun)
        reckoned = self.survey.client.calls + call_limit(self.job, self.planned, self.way) + spare
        limit = said if said is not None else reckoned
        self.survey.client.limit_calls(None if "max_calls" in self.forced else limit)

    def per_profile(self) -> Watch:
        """Give the watch for a run that has to go per profile, before its first send (data rule 25 c).

        Raises ApiRefusedError where that takes more calls than the job allows.
        """
        watch = replace(self, way="profiles")
        problems = unforced(max_calls(self.job, self.planned, watch.way, self.survey.client.calls), self.forced)
        if problems:
            raise ApiRefusedError(*problems)
        watch.limit_calls()
        return watch

    def halt(self, report: LoadReport) -> str:
        """Say why nothing more may be sent; asked after every chunk."""
        return self.unmatched(report.unmatched or 0)

    def unmatched(self, rows: int) -> str:
        """Say that too many rows of an `update` found no record (data rule 35). A share is one of all accepted rows."""
        limit = self.job.guards.max_unmatched
        if limit is None or "max_unmatched" in self.forced or limit.allows(rows, self.planned.rows):
            return ""
        return self._said(
            "max_unmatched", f"{rows:,} of {self.planned.rows:,} rows found no record, the job allows {limit}"
        )

    def deletes(self, taken: Mapping[str, int], noun: str, records: int) -> str:
        """Say that too many records would be deleted, where keys have several (data rule 34); one each was allowed before.

        A count is one of all records, a share one of the profiles or of each collection, as before the first send.
        """
        limit = self.job.guards.max_deletes
        if limit is None or "max_deletes" in self.forced:
            return ""
        count = records + (sum(taken.values()) if limit.count is not None else taken.get(noun, 0))
        if limit.count is not None:
            allowed = limit.allows(count, 0)
        else:
            planned = self.planned.deletes(self.job.target.delete_target).get(noun, 0)
            allowed = count <= planned or limit.allows(count, self._there_at_first(noun, taken))
        if allowed:
            return ""
        what = f"{count:,} records would be deleted, since some keys have several; the job allows {limit}"
        return self._said("max_deletes", what)

    def _there_at_first(self, noun: str, taken: Mapping[str, int]) -> int:
        """Count the records of a noun when the run began: the guard has, or an earlier process has deleted some since."""
        if noun not in self.bases:
            by_target = self.job.target.delete_target == "profile"
            there = self.survey.profiles if by_target else self.survey.subprofiles(noun)
            self.bases[noun] = there + (taken.get(noun, 0) if self.begun else 0)
        return self.bases[noun]

    def _said(self, guard: str, what: str) -> str:
        self.said.append((guard, what))
        return what

    def problems(self, report: LoadReport) -> Iterator[Problem]:
        """Name the guards that stopped the run, and what to do."""
        if halt := self.halt(report):
            again = "run again with --force max_unmatched --force unfinished_run"
            do = f"is it another database, or are keys written in another way? if all is as it should be, {again}"
            yield Problem(halt, "guards.max_unmatched", do, "max_unmatched")
        for what in [what for guard, what in self.said if guard == "max_deletes"][:1]:
            again = "run again with --force max_deletes --force unfinished_run"
            do = f"see why a key has several; if all of them are to go, {again}"
            yield Problem(what, "guards.max_deletes", do, "max_deletes")
        yield from self.spent()

    def spent(self) -> Iterator[Problem]:
        """Say that no more calls may be made, where that stopped something."""
        if self.survey.client.limit_reached:
            what = f"{self.survey.client.calls:,} calls were made and no more may be{scattered(self.planned, self.way)}"
            do = "see why it needed so many; resume goes on with a count of its own, or raise guards.max_calls"
            yield Problem(what, "guards.max_calls", do, "max_calls")
