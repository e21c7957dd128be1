"""Conduct `init`: read sample dumps, meet the live structure, draft, try and write a job file and a schema (wiring)."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipeline.config.editor import editor_schema
from pipeline.config.environment import read_environment
from pipeline.config.read import read_job
from pipeline.copernica import Client, Database
from pipeline.errors import JobError, Problem, shown
from pipeline.extract import find_files
from pipeline.model.columns import LiveField
from pipeline.model.counts import Intake
from pipeline.model.job import check_job_name
from pipeline.report.progress import Reporter
from pipeline.report.rejects import RejectsWriter
from pipeline.run.engine.terms import Terms
from pipeline.run.init.draft import Draft, dotted_lists, draft
from pipeline.run.init.dumps import Dumps, read_dumps
from pipeline.run.init.job_text import Goal, Input, job_text
from pipeline.run.init.keys import choose_keys
from pipeline.run.init.names import field_name, job_name
from pipeline.run.init.schema_text import schema_text
from pipeline.run.intake import take_in
from pipeline.run.prepare import prepare
from pipeline.run.target import FIRST_WAIT_S, asked, database_named, live_fields

# Records that are validated with what was written, before it is kept.
_TRIED_ROWS = 50_000
EDITOR_SCHEMA = "job.schema.json"
API = "v4"


@dataclass(frozen=True)
class InitRequest:
    """What to write a job for: `files` as written, relative to the working folder; the rest None where init is to choose."""

    files: tuple[str, ...]
    job: str | None
    database: str | None
    keys: tuple[str, ...]
    out: Path
    force: bool


@dataclass(frozen=True)
class Written:
    """The files that were written, and what went into them; `not_known` are decisions that only a person can take."""

    job: str
    job_file: Path
    schema_file: Path
    draft: Draft
    dumps: Dumps
    set_aside: float
    damage: tuple[str, ...]
    database: str
    is_new: bool | None


def init(request: InitRequest, reporter: Reporter) -> Written:
    """Write a job file and a schema; nothing is written where something is refused.

    Raises InputError for files that no job could read, JobError for what stands in the way, ApiRefusedError where the
    account cannot be read.
    """
    name = _name(request)
    places = _places(request, name)
    files = find_files(request.files, Path.cwd())
    dumps = read_dumps(files, reporter)
    wanted = request.database or field_name(name.replace("-", "_"))
    database, live = _live(wanted, named=request.database is not None)
    found = draft(dumps.survey, dumps.lists or dotted_lists(dumps.columns), dumps.unfit, live, request.keys)
    choose_keys(found, dumps.survey, request.keys, name)
    target = wanted if database is None else str(database.id) if (request.database or "").isdigit() else database.name
    texts = _Texts(name, found, dumps, Goal(target, API, _known(database)))
    share, damage = _damage(dumps, _tried(texts, live, reporter))
    written = (texts.job(request.out, share, damage), texts.schema, json.dumps(editor_schema(), indent=1) + "\n")
    _write(dict(zip(places, written, strict=True)))
    is_new = None if not _has_token() else database is None
    return Written(name, places[0], places[1], found, dumps, share, damage, target, is_new)


def _name(request: InitRequest) -> str:
    """Return the job's name; raises JobError for one that cannot be."""
    name = request.job or job_name(request.files[0])
    try:
        return check_job_name(name)
    except ValueError as error:
        raise JobError(Problem(f"{shown(name)} is no name of a job", "--job", f"write {error}")) from None


def _places(request: InitRequest, name: str) -> tuple[Path, Path, Path]:
    """Return where the files go; raises JobError where one is there, or the name is none."""
    folder = request.out
    job, schema = folder / f"{name}.yaml", folder / f"{name}.py"
    there = [str(path) for path in (job, schema) if path.exists()]
    if there and not request.force:
        what = "there is a file already" if len(there) == 1 else "there are files already"
        raise JobError(Problem(what, ", ".join(there), "name the job with --job, or overwrite with --force"))
    if folder.exists() and not folder.is_dir():
        raise JobError(Problem("this is no folder", str(folder), "name a folder with --out"))
    return job, schema, folder / EDITOR_SCHEMA


def _has_token() -> bool:
    return bool(os.environ.get("COPERNICA_TOKEN") or os.environ.get("COPERNICA_TOKEN_FILE"))


def _live(wanted: str, *, named: bool) -> tuple[Database | None, Mapping[str, LiveField] | None]:
    """Read the live structure where there is a token; (None, None) without one, or where there is no such database."""
    if not _has_token():
        if named and wanted.isdigit():
            do = "set COPERNICA_TOKEN, or name the database"
            raise JobError(Problem(f"what database {wanted} holds is not known without a token", "--database", do))
        return None, None
    environment = read_environment(os.environ)
    with Client(environment.token.reveal(), API, environment.api_url, environment.auth_url) as client:
        client.limit_waiting(FIRST_WAIT_S)
        asked("the token", client.identity, "give the token the right to read the account")
        database = database_named(client, wanted)
    if database is None and named and wanted.isdigit():
        do = "see its id in Copernica; with a name `setup` makes a database"
        raise JobError(Problem(f"the account has no database {wanted}", "--database", do))
    return database, None if database is None else live_fields(database)


def _known(database: Database | None) -> str:
    if database is not None:
        return f"database {database.id}, whose fields were read"
    return (
        "there is none of that name: `setup` makes it" if _has_token() else "decide: its name or id; `setup` makes it"
    )


@dataclass(frozen=True)
class _Texts:
    """What the job file and the schema are made of."""

    name: str
    draft: Draft
    dumps: Dumps
    goal: Goal

    @property
    def schema(self) -> str:
        """Return the schema module."""
        return schema_text(self.draft, self.name, Path(self.dumps.files[0].name).name)

    def job(self, folder: Path, share: float = 0.0, damage: tuple[str, ...] = ()) -> str:
        """Return the job file for a folder."""
        return job_text(self.draft, self.name, _input(self.dumps, folder, share, damage), self.goal)


def _tried(texts: _Texts, live: Mapping[str, LiveField] | None, reporter: Reporter) -> Intake:
    """Validate the first records with what is about to be written: it must pass as it stands."""
    with tempfile.TemporaryDirectory(prefix="copernica-init-") as scratch:
        folder = Path(scratch)
        (folder / f"{texts.name}.py").write_text(texts.schema, encoding="utf-8")
        job_file = folder / f"{texts.name}.yaml"
        job_file.write_text(texts.job(folder), encoding="utf-8")
        plan = prepare(read_job(job_file), [str(file.path) for file in texts.dumps.files])
        with RejectsWriter(None) as rejects:
            return take_in(plan, live, rejects, lambda _batch, _rows: None, reporter, Terms(_TRIED_ROWS))


def _damage(dumps: Dumps, intake: Intake) -> tuple[float, tuple[str, ...]]:
    """Return the share of records that the job sets aside, and what they are."""
    malformed = sum(dumps.malformed.values())
    share = malformed / dumps.records + intake.rejected / max(1, intake.read)
    lines = []
    if malformed:
        causes = ", ".join(f"{count:,} {code}" for code, count in dumps.malformed.most_common())
        lines.append(f"{malformed:,} of {dumps.records:,} records are malformed: {causes}")
    if intake.rejected:
        which = f"{'first ' if intake.read >= _TRIED_ROWS else ''}{intake.read:,} records"
        causes = ", ".join(f"{one.count:,} {one.code} in {one.column}" for one in intake.set_aside if one.column)
        lines.append(f"{intake.rejected:,} of the {which} are rejected: {causes}")
    return min(1.0, share), tuple(lines)


def _input(dumps: Dumps, folder: Path, share: float, damage: tuple[str, ...]) -> Input:
    """Put the facts of the dumps into words for the job file in `folder`."""
    dialect = dumps.dialect
    source: list[tuple[str, object, str]] = [("format", dumps.format, "")]
    if dialect is not None:
        source.append(("delimiter", "tab" if dialect.delimiter == "\t" else dialect.delimiter, dialect.why))
        source += [] if dialect.quote == '"' else [("quote", dialect.quote, "it stands around values")]
        escape = "a backslash stands before quotes, delimiters or N"
        source += [] if dialect.escape is None else [("escape", dialect.escape, escape)]
        preamble = "lines before the header"
        source += [] if not dialect.skip_lines else [("skip_lines", dialect.skip_lines, preamble)]
        no_header = "decide: the first line is data already, so these names are ours"
        source += [] if dialect.header is not None else [("header", list(dumps.columns), no_header)]
    source.append(("encoding", dumps.encoding.name, dumps.encoding.why))
    names = [_named_from(folder, file.path) for file in dumps.files]
    origin = ", ".join(Path(file.name).name for file in dumps.files[:3]) + (" …" if len(dumps.files) > 3 else "")
    today = datetime.now(UTC).date().isoformat()
    return Input(names, source, dumps.records, share, damage, origin, today)


def _named_from(folder: Path, file: Path) -> str:
    """Return a dump's path from the job file's folder, or the absolute one where that is far away."""
    relative = os.path.relpath(file, folder.resolve())
    return str(file) if relative.startswith("../../../") else relative


def _write(contents: Mapping[Path, str]) -> None:
    """Write all files, each beside its place first, so that either all of them appear or none."""
    parts = {place: place.with_name(f"{place.name}.part") for place in contents}
    try:
        for place, text in contents.items():
            place.parent.mkdir(parents=True, exist_ok=True)
            parts[place].write_text(text, encoding="utf-8")
        for place, part in parts.items():
            part.replace(place)
    except OSError as error:
        for part in parts.values():
            part.unlink(missing_ok=True)
        what = f"the files cannot be written: {error.strerror}"
        raise JobError(Problem(what, str(next(iter(parts)).parent), "name another folder with --out")) from None
