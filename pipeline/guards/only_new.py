"""Leave out the dump files that an earlier run has confirmed (wiring: reads the files; data rule 35)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pipeline.extract.stored import digest_of
from pipeline.log import get_logger
from pipeline.model.files import SourceFile
from pipeline.model.job import Job
from pipeline.state.ledger import Ledger


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
