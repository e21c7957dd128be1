"""Prepare a job for work: schema, link and files, everything that needs no network (wiring)."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.errors import InputError, JobError
from pipeline.extract import Extraction, grouped, look_for
from pipeline.model.columns import Kind, LiveField
from pipeline.model.files import SourceFile
from pipeline.model.job import Job, format_of
from pipeline.stage.settle import Rules
from pipeline.validate.batch import Validator
from pipeline.validate.checks import SchemaChecks
from pipeline.validate.fit import check_schema_for_job
from pipeline.validate.link import Link
from pipeline.validate.schema import load_schema
from pipeline.validate.spec import TargetSchema

# The name of a dump that comes by stdin.
STDIN = "-"


@dataclass(frozen=True)
class PreparedJob:
    """A job with its schema, the link from dump columns to target columns, and the files of this run."""

    job: Job
    schema: TargetSchema
    link: Link
    files: tuple[SourceFile, ...]

    @property
    def rules(self) -> Rules:
        """Return what settling and sending need to know of the job."""
        return Rules.of(self.job.target, self.link.sets)

    @property
    def kinds(self) -> dict[str, Kind]:
        """Return the kind of each column of the schema."""
        return {spec.name: spec.kind for spec in self.schema.specs}

    @property
    def rejects_suffix(self) -> str:
        """Return the extension of the rejects file: `.csv`, or `.ndjson` where any file is JSON, which holds both."""
        own = self.job.source.format
        formats = {own, *(format_of(file.name) for file in self.files)}
        return ".ndjson" if formats & {"json", "ndjson"} else ".csv"

    def extraction(self, limit: int | None = None, *, batch_rows: int = 100_000) -> Extraction:
        """Return a new reader of the files."""
        source, link = self.job.source, self.link
        return Extraction(
            self.files,
            source,
            link.expected,
            batch_rows=batch_rows,
            limit=limit,
            lists=link.lists,
            canonical=link.canonical,
        )

    def validator(self, live: Mapping[str, LiveField] | None) -> Validator:
        """Return a validator; `live` None means that no live structure is known (`validate`)."""
        checks = SchemaChecks(self.schema, self.link.columns)
        return Validator(self.job, self.link, self.schema.specs, checks, live)


def prepare(job: Job, files: Sequence[str] | None, spool: Path | None = None) -> PreparedJob:
    """Load the schema, link it to the job and find the files; `files` as written on the command line, or the job's own.

    Raises JobError for a schema that does not fit the job and InputError for files that cannot be read. With `files` None
    the plan is made without any (`check`). Where some are refused at first sight, the start of the others is read, too, so
    that all such files are named at once (data rule 7). `-` is stdin: it is copied into the folder `spool` first, or into a
    private one that goes with this process.
    """
    schema = load_schema(job.schema_path, job.folder)
    problems = check_schema_for_job(job, schema)
    if problems:
        raise JobError(*problems)
    link = Link.compile(job, schema.specs)
    if files is None:
        return PreparedJob(job, schema, link, ())
    wanted = list(files or job.source.files)
    stdin = _spooled(spool) if STDIN in wanted else None
    names = [str(stdin) if name == STDIN else name for name in wanted]
    found, problems = look_for(names, Path.cwd() if files else job.folder)
    found = tuple(replace(file, name=STDIN) if file.path == stdin else file for file in found)
    plan = PreparedJob(job, schema, link, found)
    if problems:
        raise InputError(*grouped((*problems, *plan.extraction(batch_rows=1).refusals_at_start())))
    return plan


def _spooled(folder: Path | None) -> Path:
    """Copy stdin into a private file, so that it can be read again by `resume`."""
    if folder is None:
        folder = Path(tempfile.mkdtemp(prefix="copernica-import-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / "stdin"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file, 1 << 20)
    return path
