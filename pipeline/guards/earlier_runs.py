"""Ask the ledger what earlier runs of the job have done (edge: the ledger; data rule 35)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from pipeline.errors import Problem
from pipeline.guards.input import Dumps
from pipeline.log import get_logger
from pipeline.model.files import FileFacts, SourceFile
from pipeline.model.job import Job
from pipeline.state.folder import RunFolder
from pipeline.state.ledger import UNFINISHED, Ledger, RunRow
from pipeline.state.register import RunRegister

NS_PER_S = 1_000_000_000
# How many chunks of a run that is given up are named in the log.
MOST_PLACES = 20


def dumps_of(ledger: Ledger, job: Job, run: str, facts: Sequence[FileFacts], found: Sequence[SourceFile]) -> Dumps:
    """Return what the guards of the input compare; `found` are all dumps, those included that were confirmed before.

    Files in the state folder are those that earlier runs have set aside: they are no dumps, and are not measured.
    """
    row = ledger.run(run)
    if row is None:
        return Dumps()
    state_dir = ledger.state_dir.resolve()
    measured = [one for one in facts if not one.file.path.resolve().is_relative_to(state_dir)]
    if facts and not measured:
        return Dumps(limited=row.limit is not None)
    written = max((one.mtime_ns for one in found), default=None)
    return Dumps(
        limited=row.limit is not None,
        started_at=datetime.fromisoformat(row.started_at),
        newest=None if written is None else datetime.fromtimestamp(written / NS_PER_S, UTC),
        new=sum(ledger.loaded(job.job, one.sha256, confirmed=True) is None for one in measured),
        measured=measured,
        earlier=ledger.earlier_files(job.job) if job.guards.min_share_of_last is not None else (),
    )


def already_loaded(ledger: Ledger, register: RunRegister, job: Job, facts: Iterable[FileFacts]) -> Iterator[Problem]:
    """Refuse an `add` of a file whose content this job has sent before: every row would be there twice (data rule 35).

    Neither another way of packing it nor a new state folder makes it another one.
    """
    if job.target.action != "add":
        return
    for one in facts:
        run = register.loaded(one.content_sha256) or ledger.loaded(job.job, one.sha256, confirmed=False)
        if run is not None:
            what = f"run {run} has sent this content already, and an add would make all of its records a second time"
            do = "take the new dump; pass --force already_loaded if these records are to be there twice"
            yield Problem(what, one.file.name, do, "already_loaded")


def unfinished_run(ledger: Ledger, job: str, run: str) -> Iterator[Problem]:
    """Refuse to start while a run of this job has sent, or may have sent, something and is not finished."""
    for row in _unfinished(ledger, job, run):
        summary = (row.summary or {}).get("records", {})
        count = f", {summary['confirmed']:,} of {summary['accepted']:,} rows are confirmed" if summary else ""
        what = f"it has sent rows and is not finished ({row.state}{count}); once this run has sent newer ones it never can be"
        do = (
            f"copernica-import resume {row.id}; or pass --force unfinished_run, which closes it and lists in the log what"
            " it had not confirmed"
        )
        yield Problem(what, f"run {row.id}", do, "unfinished_run")


def close_unfinished(ledger: Ledger, job: str, run: str) -> None:
    """Give up what is unfinished, with a warning that lists what was not confirmed; call it when nothing else refuses."""
    for row in _unfinished(ledger, job, run):
        files = {position: file.name for position, (file, _) in enumerate(ledger.files(row.id))}
        chunks = ledger.open_chunks(row.id)
        places = [
            f"chunk {one.ordinal} ({one.state}, {one.rows} rows): {files[one.first[0]]} line {one.first[1]}"
            f" to {files[one.last[0]]} line {one.last[1]}"
            for one in chunks
        ]
        get_logger().warning(
            "run.closed",
            run=row.id,
            chunks_not_confirmed=len(chunks),
            places=places[:MOST_PLACES],
            rows_never_sent=None if row.accepted is None else row.accepted - ledger.rows_begun(row.id),
        )
        _give_up(ledger, row.id)


def close_overtaken(ledger: Ledger, run: str) -> None:
    """Give up earlier unfinished runs of the job that had sent nothing when this one, now done, sent its rows.

    Nobody can go on with them: older values must not go on top.
    """
    this = ledger.run(run)
    if this is None or not ledger.sent_anything(run):
        return
    for row in _unfinished(ledger, this.job, run, sent=False):
        if row.started_at < this.started_at:
            _give_up(ledger, row.id)


def _give_up(ledger: Ledger, run: str) -> None:
    """Close a run; its staged rows, customers' data, are of no use any more."""
    ledger.give_up(run)
    RunFolder(ledger.state_dir, run).drop_staged()


def _unfinished(ledger: Ledger, job: str, run: str, *, sent: bool = True) -> list[RunRow]:
    """List the other unfinished runs of a job: those that have sent something, or those that have not."""
    rows = (row for row in ledger.runs(job) if row.id != run and row.state in UNFINISHED)
    return [row for row in rows if ledger.sent_anything(row.id) is sent]
