"""Ask every guard that stands before the first send, and report all that refuse at once (wiring; data rule 35)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.copernica import ApiError, CallLimitError, CancelledError, Client, Database
from pipeline.errors import ApiRefusedError, InterruptedRunError, Problem
from pipeline.guards.duplicates import Doubles
from pipeline.guards.earlier_runs import already_loaded, close_unfinished, unfinished_run
from pipeline.guards.force import unforced
from pipeline.guards.keys import UniqueKeys, key_without_index
from pipeline.guards.record_counts import Survey
from pipeline.guards.runtime import Watch
from pipeline.guards.staged import Planned, StagedRows
from pipeline.guards.volume import max_calls, max_deletes
from pipeline.log import get_logger
from pipeline.model.columns import Keys, Sets
from pipeline.model.counts import Staged
from pipeline.model.files import FileFacts
from pipeline.model.job import Job
from pipeline.stage.lanes import Lanes
from pipeline.state.ledger import Ledger

# Where what the API answers before the first send belongs.
LOOK = "the look at the database before the first send"


@dataclass(frozen=True)
class Sending:
    """What is about to be sent: the run, its job, way and files, the folder of its staged rows, their counts and
    what their columns mean, and the guards that are forced."""

    run: str
    job: Job
    way: str
    files: tuple[FileFacts, ...]
    staged: Path
    counts: Staged
    sets: Sets
    forced: frozenset[str]

    @property
    def rows(self) -> StagedRows:
        """Give the staged rows."""
        return StagedRows(Lanes(self.staged / "lanes"), self.sets, Keys.of(self.job.target.key_fields))


def check_sending(sending: Sending, client: Client, database: Database, ledger: Ledger) -> Watch:
    """Refuse before anything is sent, or give the watch over what follows; sets the limit of calls.

    Raises ApiRefusedError with the problems of all guards that refuse and are not forced, InterruptedRunError when a wait
    was interrupted. A run that has sent something was asked then, and is not asked again. Unfinished runs of the job are
    closed where that is forced and nothing else refuses.
    """
    job = sending.job
    begun = ledger.sent_anything(sending.run)
    survey = Survey(client, database)
    watch = Watch(
        job, survey, sending.rows.planned(sending.counts, job.load.chunk_rows), sending.way, sending.forced, begun
    )
    client.limit_calls(None if "max_calls" in sending.forced else job.guards.max_calls)
    if job.guards.max_unmatched is not None and sending.way == "imports":
        get_logger().warning("guard.sees_nothing", guard="max_unmatched", reason="imports do not tell")
    if job.target.action == "delete" and sending.way == "imports" and job.guards.unique_keys != "all":
        reason = "an import deletes every record that has a key, and not every key is looked up (guards.unique_keys)"
        get_logger().warning("guard.sees_less", guard="max_deletes", reason=reason)
    if not begun:
        refusals: list[Problem] = []
        broken: list[Problem] = []
        try:
            refusals.extend(_refusals(sending, watch.planned, survey, ledger))
        except CancelledError as error:
            raise InterruptedRunError(Problem(error.message, LOOK, "nothing was sent")) from None
        except ApiError as error:
            limited = isinstance(error, CallLimitError)
            where, do = (
                ("guards.max_calls", "raise it, or pass --force max_calls") if limited else (LOOK, "nothing was sent")
            )
            broken.append(Problem(error.message, where, do))
        problems = (*unforced(refusals, sending.forced), *broken)
        if problems:
            raise ApiRefusedError(*problems)
        close_unfinished(ledger, job.job, sending.run)
    watch.limit_calls()
    return watch


def _refusals(sending: Sending, planned: Planned, survey: Survey, ledger: Ledger) -> Iterator[Problem]:
    """Ask the guards; that of the calls comes last, for asking costs some."""
    job = sending.job
    yield from unfinished_run(ledger, job.job, sending.run)
    yield from already_loaded(ledger, job, sending.files)
    if planned.rows == 0:
        return
    yield from max_deletes(job, planned, survey)
    yield from key_without_index(job, sending.rows, survey)
    seed = zlib.crc32(sending.run.encode())
    unique = UniqueKeys(job, sending.rows, survey, Doubles(sending.staged / "unique"), seed)
    yield from unique.check(sending.way, planned.profiles)
    yield from max_calls(job, planned, sending.way, survey.client.calls)
