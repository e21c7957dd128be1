"""Ask the ledger what earlier runs of the job have done (edge: the ledger, the dump files; data rule 35)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from pipeline.errors import Problem
from pipeline.extract.stored import digest_of
from pipeline.guards.input import Dumps
from pipeline.log import get_logger
from pipeline.model.files import FileFacts, SourceFile
from pipeline.model.job import Job
from pipeline.state.ledger import Ledger
from pipeline.state.register import RunRegister

NS_PER_S = 1_000_000_000


def only_new(job: Job, files: Sequence[SourceFile], ledger: Ledger) -> tuple[SourceFile, ...]:
    """Return the files without those whose content this job has confirmed, where `source.only_new` is true.

    The content decides, not the name. What is left is numbered anew. Raises InputError for a file that cannot be read.
    """
    if not job.source.only_new:
        return tuple(files)
    kept: list[SourceFile] = []
    for file in files:
        run = ledger.loaded(job.job, digest_of(file), confirmed=True)
        if run is None:
            kept.append(replace(file, index=len(kept)))
        else:
            get_logger().info("file.skipped", file=file.name, confirmed_by=run)
    return tuple(kept)


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

    Neither another way of packing it nor a new state folder makes it another one, nor does standing twice among the files
    of one run, such as a dump beside its packed copy.
    """
    if job.target.action != "add":
        return
    here: dict[str, FileFacts] = {}
    for one in facts:
        twin = here.setdefault(one.content_sha256 or one.sha256, one)
        if twin is not one and one.records:
            what = f"{twin.file.name} has the same content, and an add would make all of its records a second time"
            do = "take one of the two; pass --force already_loaded if these records are to be there twice"
            yield Problem(what, one.file.name, do, "already_loaded")
            continue
        run = register.loaded(one.content_sha256) or ledger.loaded(job.job, one.sha256, confirmed=False)
        if run is not None:
            what = f"run {run} has sent this content already, and an add would make all of its records a second time"
            do = "take the new dump; pass --force already_loaded if these records are to be there twice"
            yield Problem(what, one.file.name, do, "already_loaded")
