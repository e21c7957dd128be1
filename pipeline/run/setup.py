"""Show what the target lacks for a job, and make it: database, collections, fields, interests (wiring).

Nothing that is there is ever changed or removed: what does not fit is named, and then nothing is made at all.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from pipeline.config.environment import read_environment
from pipeline.copernica import ApiError, Client, Database, Identity
from pipeline.copernica.setup import NewField
from pipeline.errors import ApiRefusedError, Problem
from pipeline.guards.keys import without_index
from pipeline.model.columns import FieldSpec
from pipeline.model.job import Job
from pipeline.run.prepare import PreparedJob, prepare
from pipeline.run.target import account_of, connected, database_named, live_fields
from pipeline.validate.fit import types_misfit

# The longest text field (API sheet 13); longer texts go to a field of type big.
_MOST_TEXT = 255
# What a key of a schema without a length gets: big fields cannot be keys.
_KEY_TEXT = 100
# API sheet 13: what a name may be; `id` and `code` are refused in silence.
_FIELD = re.compile(r"(?!(?:id|code)$)[A-Za-z][A-Za-z0-9_]*", re.IGNORECASE)
_COLLECTION = re.compile(r"[A-Za-z_]+")
_DATES = {"date": ("date", "empty_date"), "datetime": ("datetime", "empty_datetime")}


@dataclass(frozen=True)
class Lack:
    """One thing that the target lacks: `kind` is database, collection, field or interest; `name` as a column is called."""

    kind: str
    name: str
    field: NewField | None = None

    @property
    def collection(self) -> str | None:
        """Return the collection of a field, None for one of the profile."""
        head, dot, _ = self.name.partition(".")
        return head if dot and self.kind == "field" else None

    def to_dict(self) -> dict[str, object]:
        """Return the entry of `--json`."""
        made = self.field
        choices = made.value.split("\n") if made and made.type == "select" and made.value else []
        return {
            "kind": self.kind,
            "name": self.name,
            "type": made.type if made else None,
            "length": made.length if made else None,
            "index": bool(made and made.index),
            "choices": choices,
        }


@dataclass(frozen=True)
class Setup:
    """What a job needs that its target lacks; `notes` are differences that setup leaves alone."""

    job: Job
    identity: Identity
    database: Database | None
    lacks: tuple[Lack, ...]
    notes: tuple[Problem, ...]


def set_up(job: Job, agree: Callable[[Setup], bool]) -> tuple[Setup, tuple[Lack, ...]]:
    """Find what the target lacks, ask `agree`, then make it; returns what was lacking and what was made.

    Raises JobError for a job that cannot run, ApiRefusedError for what cannot be made or does not fit.
    """
    plan = prepare(job, None)
    environment = read_environment(os.environ)
    with connected(job, environment) as client:
        identity = account_of(client, job)
        database = database_named(client, job.target.database)
        if database is None and job.target.database.isdigit():
            do = "a database that is to be made needs a name: write it in target.database"
            raise ApiRefusedError(Problem(f"there is no database {job.target.database}", "target.database", do))
        found = Setup(job, identity, database, tuple(_lacks(plan, database)), tuple(_notes(plan, database)))
        problems = (*_unfit(plan, database), *_unnamed(found.lacks))
        if problems:
            raise ApiRefusedError(*problems)
        made = _make(client, found) if found.lacks and agree(found) else ()
    return found, made


def _lacks(plan: PreparedJob, database: Database | None) -> Iterator[Lack]:
    if database is None:
        yield Lack("database", plan.job.target.database)
    live = {} if database is None else live_fields(database)
    there = set() if database is None else set(database.collections)
    for name in plan.link.columns:
        spec = plan.schema.spec(name)
        if name in live or spec is None:
            continue
        collection = spec.collection
        if collection is not None and collection not in there:
            there.add(collection)
            yield Lack("collection", collection)
        if spec.interest is not None:
            yield Lack("interest", name)
        else:
            yield Lack("field", name, _new_field(spec, is_key=name in plan.job.target.key_fields))


def _new_field(spec: FieldSpec, *, is_key: bool) -> NewField:
    """Return the field that fits a column of the schema; keys get an index."""
    field = NewField(spec.name.rpartition(".")[2], index=is_key)
    match spec.kind:
        case "choice":
            return replace(field, type="select", value="\n".join(spec.choices))
        case "yesno":
            return replace(field, type="select", value="\n".join(spec.yes_no or ()))
        case "integer" | "decimal":
            return replace(field, type="integer" if spec.kind == "integer" else "float", value="0")
        case "date" | "datetime":
            return replace(field, type=_DATES[spec.kind][spec.nullable])
    if spec.function in ("Email", "Phone") and not is_key:
        return replace(field, type=spec.function.lower())
    length = spec.max_length or (_KEY_TEXT if is_key else None)
    if length is None or length > _MOST_TEXT:
        return replace(field, type="text", length=_MOST_TEXT) if is_key else replace(field, type="big")
    return replace(field, type="text", length=length)


def _unfit(plan: PreparedJob, database: Database | None) -> Iterator[Problem]:
    """Name fields that are there with another type, or under another spelling: neither is changed."""
    if database is None:
        return
    live = live_fields(database)
    folded = {name.casefold(): name for name in (*live, *database.collections)}
    for name in plan.link.columns:
        spec = plan.schema.spec(name)
        if spec is None:
            continue
        if name in live:
            misfit = types_misfit(plan.job, spec, live[name])
            if misfit is not None:
                do = f"{misfit.do}; setup changes nothing that is there"
                yield Problem(misfit.what, misfit.where, do)
        elif name.casefold() in folded:
            spelled = folded[name.casefold()]
            what = f"the field is spelled {spelled} in Copernica, {name} in the schema"
            yield Problem(what, f"target column {name}", f"write {spelled} in job and schema")


def _unnamed(lacks: Sequence[Lack]) -> Iterator[Problem]:
    """Name what Copernica would refuse, or take for something else (API sheet 13)."""
    for lack in lacks:
        last = lack.name.rpartition(".")[2]
        pattern = _COLLECTION if lack.kind == "collection" else _FIELD
        if lack.kind in ("collection", "field") and not pattern.fullmatch(last):
            rule = (
                "letters and underscores"
                if lack.kind == "collection"
                else "letters, digits and underscores, a letter first"
            )
            what = f"Copernica takes no {lack.kind} called {last!r}"
            yield Problem(what, f"target column {lack.name}", f"take another name: {rule}; not id, code")


def _notes(plan: PreparedJob, database: Database | None) -> Iterator[Problem]:
    """Name what is there and narrower than the schema, or without an index: setup leaves it alone."""
    if database is None:
        return
    live = live_fields(database)
    for name in plan.link.columns:
        spec, field = plan.schema.spec(name), live.get(name)
        if spec is None or field is None:
            continue
        missing = [choice for choice in spec.choices if choice not in field.choices]
        if field.type == "select" and missing:
            what = f"the select lacks the choices {', '.join(missing[:8])}"
            yield Problem(what, f"target column {name}", "add them in Copernica: setup changes no field")
    for name in without_index(database, plan.job.target.key_fields):
        yield Problem(f"the key {name} has no index", "target.key_fields", "let it be indexed in Copernica")


def _make(client: Client, found: Setup) -> tuple[Lack, ...]:
    """Make what is lacking, in the order in which one thing needs another; raises ApiRefusedError where one fails."""
    number = 0 if found.database is None else found.database.id
    collections = {} if found.database is None else {name: it.id for name, it in found.database.collections.items()}
    made: list[Lack] = []
    for lack in found.lacks:
        try:
            match lack.kind:
                case "database":
                    number = client.set_up.database(lack.name)
                case "collection":
                    collections[lack.name] = client.set_up.collection(number, lack.name)
                case "interest":
                    client.set_up.interest(number, lack.name.partition(".")[2])
                case _ if lack.field is not None and lack.collection is not None:
                    client.set_up.collection_field(collections[lack.collection], lack.field)
                case _ if lack.field is not None:
                    client.set_up.field(number, lack.field)
        except ApiError as error:
            done = f"{len(made)} of {len(found.lacks)} were made before" if made else "nothing was made"
            where = f"{lack.kind} {lack.name}"
            do = f"{done}; run setup again: what is there by then is left alone"
            raise ApiRefusedError(Problem(error.message, where, do)) from None
        made.append(lack)
    return tuple(made)
