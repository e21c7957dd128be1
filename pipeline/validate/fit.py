"""Hold job and schema against each other, and both against the live structure (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from pipeline.errors import Problem, shown
from pipeline.model.columns import FieldSpec, Keys, Kind, LiveField
from pipeline.model.job import Job
from pipeline.validate.spec import TargetSchema

_PHONES = ("phone", "phone_fax", "phone_gsm")
_TEXTS = ("text", "email", *_PHONES, "select", "big")
# Data rule 14. A foreign_key is a number (API sheet 13), which the rule does not name.
_FITS: Mapping[Kind, tuple[str, ...]] = {
    "text": _TEXTS,
    "choice": _TEXTS,
    "integer": ("integer", "text", "foreign_key"),
    "decimal": ("float",),
    "date": ("date", "empty_date"),
    "datetime": ("datetime", "empty_datetime"),
    "yesno": ("interest", "select", "text", "integer"),
}
# Data rule 11: what such a field stores for an empty value.
_STORES_FOR_EMPTY = {"integer": "0", "float": "0", "date": "0000-00-00", "datetime": "0000-00-00 00:00:00"}
# Data rule 16: not indexable, not comparable, not ours.
_NEVER_A_KEY = ("big", "float", "foreign_key", "interest")


@dataclass(frozen=True)
class Fit:
    """What keeps a job from its database (`problems`), and what an operator should know (`warnings`)."""

    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


def fit(job: Job, schema: TargetSchema, columns: Sequence[str], live: Mapping[str, LiveField]) -> Fit:
    """Return whether the target `columns` of a job fit the live structure (data rules 11, 12, 14, 16).

    `live` maps every name that a column may have (`City`, `Order.Total`, `interest.news`) to its field. Problems refuse
    the run; warnings are about values that the schema lets through and the live field will not.
    """
    problems = [*_missing(columns, live), *_keys(job, columns, live)]
    warnings: list[Problem] = []
    for name in columns:
        spec, field = schema.spec(name), live.get(name)
        if spec is None or field is None:
            continue
        where = f"target column {name}"
        if not _types_fit(job, spec, field):
            problems.append(_misfit(job, spec, field))
            continue
        problems += [Problem(what, where, do) for what, do in (*_emptiness(job, spec, field), *_texts(spec, field))]
        warnings += [Problem(what, where, do) for what, do in _wider(spec, field)]
    return Fit(tuple(problems), tuple(warnings))


def check_schema_for_job(job: Job, schema: TargetSchema) -> tuple[Problem, ...]:
    """Name everything that is wrong between a job and its schema, without any network (exit 3).

    Unknown targets, keys and constants; columns that no dump column can reach; keys that cannot be keys; dotted columns
    without the keys that they need (data rules 16, 17, 34; API sheet 11.3).
    """
    return (
        *_unknown_names(job, schema),
        *_constants(job, schema),
        *_unreached(job, schema),
        *_impossible_keys(job, schema),
        *_dotted(job, schema),
    )


def _from_dump(job: Job, spec: FieldSpec) -> bool:
    """Return whether a dump column can reach a target: by a line under `columns`, or by an equal name."""
    if spec.name in job.constants:
        return False
    if any(target.to == spec.name for target in job.columns.values()):
        return True
    return spec.name not in job.columns and spec.name not in job.ignore


def _missing(columns: Iterable[str], live: Mapping[str, LiveField]) -> Iterator[Problem]:
    collections = {name.partition(".")[0] for name in live if "." in name}
    without: dict[str, list[str]] = {}
    for name in columns:
        head, dot, tail = name.partition(".")
        if name in live:
            continue
        if dot and head != "interest" and head not in collections:
            without.setdefault(head, []).append(tail)
        else:
            what = f"the database has no interest {tail}" if head == "interest" else "the database has no such field"
            yield Problem(what, f"target column {name}", _nearest(name, live))
    for collection, fields in without.items():
        do = _nearest(collection, collections, "collection")
        yield Problem(f"the database has no collection {collection}", f"target columns {', '.join(fields)}", do)


def _nearest(name: str, names: Iterable[str], kind: str = "field") -> str:
    """Advise the name that was probably meant: one that differs in case only, else a similar one."""
    known = sorted(names)
    same = [other for other in known if other.casefold() == name.casefold()]
    near = same or get_close_matches(name, known, n=1, cutoff=0.75)
    if near:
        return f"did you mean {near[0]}? case counts" if same else f"did you mean {near[0]}?"
    return f"make the {kind} in Copernica, or correct the schema and the job"


def _keys(job: Job, columns: Sequence[str], live: Mapping[str, LiveField]) -> Iterator[Problem]:
    """Refuse keys that no column gives, or whose type cannot be a key (data rule 16; API sheet 11.3)."""
    # Here and not at the top: processes that only read and check do without the client.
    from pipeline.copernica.selector import why_never

    for name in job.target.key_fields:
        if name not in columns:
            yield Problem(f"no column of the job gives the key {name}", "target.key_fields", "add it to the columns")
        elif name in live and live[name].type in _NEVER_A_KEY:
            what = f"the key {name} is of type {live[name].type}, which cannot be a key"
            yield Problem(what, "target.key_fields", "take a text or integer field, with an index")
        elif name in live and "." not in name and (never := why_never(name)):
            # Neither the guards nor a look at what arrived could find such a key (data rules 27, 28, 31).
            yield Problem(never, "target.key_fields", "take another key, or rename the field in Copernica")


def types_misfit(job: Job, spec: FieldSpec, field: LiveField) -> Problem | None:
    """Return why a column of the schema cannot go to a live field, None where it can (data rule 14)."""
    return None if _types_fit(job, spec, field) else _misfit(job, spec, field)


def _types_fit(job: Job, spec: FieldSpec, field: LiveField) -> bool:
    """Hold a schema type against a live type (data rule 14)."""
    if spec.kind == "integer" and field.type == "text":
        return spec.name not in job.target.key_fields
    return field.type in _FITS[spec.kind] and (spec.interest is not None) == (field.type == "interest")


def _misfit(job: Job, spec: FieldSpec, field: LiveField) -> Problem:
    where = f"target column {spec.name}"
    what = f"the schema has {spec.kind}, the field in Copernica is of type {field.type}"
    if spec.name in job.target.key_fields and field.type == "text":
        return Problem(
            f"{what}: as a key 007 and 7 would be the same to one and not to the other", where, "make it a str"
        )
    kinds = [kind for kind, types in _FITS.items() if field.type in types]
    do = f"make it {' or '.join(kinds)} in the schema" if kinds else "leave the field out, or change its type"
    return Problem(what, where, do)


def _emptiness(job: Job, spec: FieldSpec, field: LiveField) -> Iterator[tuple[str, str]]:
    """Refuse empty values for a field that cannot be empty, unless the schema has a text to send (data rule 11)."""
    target = job.target
    may_be_empty = spec.nullable and spec.name not in target.key_fields and not job.constants.get(spec.name)
    stored = _STORES_FOR_EMPTY.get(field.type)
    if stored and may_be_empty and spec.empty is None and not target.ignore_empty_fields and target.action != "delete":
        what = f"an empty value would be stored as {stored}: a field of type {field.type} cannot be empty"
        yield (
            what,
            f'set empty="{stored}" in the schema where that is meant, nullable=False, or ignore_empty_fields: true',
        )


def _texts(spec: FieldSpec, field: LiveField) -> Iterator[tuple[str, str]]:
    """Refuse texts of the schema itself that the live field would not keep: they would be sent with many rows."""
    texts = [*(spec.yes_no or ()), *([spec.empty] if spec.empty else [])]
    for text in texts:
        if field.type == "select" and text not in field.choices:
            yield f"{shown(text)} is no choice of the select", f"the choices are {_listed(field.choices)}"
        elif field.type == "integer" and re.fullmatch(r"0|-?[1-9][0-9]*", text) is None:
            yield f"{shown(text)} is no whole number, and the field is of type integer", 'write YesNo("1", "0")'
        elif field.length and field.type in _TEXTS and len(text) > field.length:
            yield f"{shown(text)} is longer than the field ({field.length} characters)", "shorten it"


def _wider(spec: FieldSpec, field: LiveField) -> Iterator[tuple[str, str]]:
    """Yield where the schema lets through what the live field does not (data rule 12); such rows will be rejects."""
    if field.type == "select" and spec.kind in ("text", "choice"):
        foreign = [choice for choice in spec.choices if choice not in field.choices]
        if not spec.choices:
            yield "the schema takes any text, the select only its choices", f"use Choice({_listed(field.choices)})"
        elif foreign:
            yield f"the schema allows {_listed(foreign)}, the select does not", "make the two lists equal"
    elif field.length and spec.kind in ("text", "choice") and field.type in _TEXTS:
        longest = spec.max_length if not spec.choices else max(map(len, spec.choices))
        if longest is None or longest > field.length:
            allowed = "text of any length" if longest is None else f"{longest} characters"
            yield f"the schema allows {allowed}, the field {field.length}", f"use Text({field.length})"


def _unknown_names(job: Job, schema: TargetSchema) -> Iterator[Problem]:
    names = [spec.name for spec in schema.specs]
    named = [(f"columns.{column}", target.to) for column, target in job.columns.items()]
    named += [(f"constants.{name}", name) for name in job.constants]
    named += [("target.key_fields", name) for name in job.target.key_fields]
    for where, name in named:
        if schema.spec(name) is None:
            do = _nearest(name, names)
            do = do if do.startswith("did") else f"add it to {schema.name}, or correct the name"
            yield Problem(f"the schema has no column {name}", where, do)


def _constants(job: Job, schema: TargetSchema) -> Iterator[Problem]:
    fed = {spec.collection for spec in schema.specs if _from_dump(job, spec)}
    targets = {target.to for target in job.columns.values()}
    for name, value in job.constants.items():
        spec, where = schema.spec(name), f"constants.{name}"
        if name in job.target.key_fields:
            yield Problem("a constant is never a key", where, "let a dump column go to it")
        if name in targets:
            yield Problem("a dump column goes to it too", where, "keep one of the two")
        if spec is None:
            continue
        if not value and not spec.nullable:
            yield Problem("the constant is empty, and the schema has nullable=False", where, "set a value")
        if spec.collection is not None and spec.collection not in fed:
            what = f"no dump column goes to {spec.collection}, so no row carries it and the constant is never sent"
            yield Problem(what, where, f"let a dump column go to {spec.collection}, or remove the constant")


def _unreached(job: Job, schema: TargetSchema) -> Iterator[Problem]:
    """Name columns that the schema requires although the dump column of their name is ignored or goes elsewhere."""
    for spec in schema.specs:
        if spec.required and spec.name not in job.constants and not _from_dump(job, spec):
            elsewhere = job.columns.get(spec.name)
            what = "the dump column of that name " + (f"goes to {elsewhere.to}" if elsewhere else "is ignored")
            do = "name the dump column that goes to it, or set required=False in the schema"
            yield Problem(f"nothing goes to the column {spec.name}: {what}", schema.reference, do)


def _impossible_keys(job: Job, schema: TargetSchema) -> Iterator[Problem]:
    """Refuse keys that are numbers with a fraction or interests, or that no dump column can reach (data rule 16)."""
    where = "target.key_fields"
    for name in job.target.key_fields:
        spec = schema.spec(name)
        if spec is None:
            continue
        if spec.kind == "decimal":
            yield Problem(f"the key {name} is a decimal, and equal decimals may differ", where, "take a str or an int")
        elif spec.interest is not None:
            yield Problem(f"the interest {name} is no key", where, "name fields, or Collection.Field")
        elif not spec.required and name not in job.constants and not _from_dump(job, spec):
            yield Problem(f"no dump column goes to the key {name}", where, "let a dump column go to it")


def _dotted(job: Job, schema: TargetSchema) -> Iterator[Problem]:
    """Refuse collections without the keys that identify the record (data rules 16, 34; API sheet 11.3)."""
    target, where = job.target, "target.key_fields"
    keys = Keys.of(target.key_fields)
    collections = dict.fromkeys(spec.collection for spec in schema.specs if spec.collection and _from_dump(job, spec))
    named = ", ".join(str(name) for name in collections)
    if not keys.profile and (collections or target.action != "add"):
        what = (
            f"rows for {named} do not name the profile that they belong to"
            if named
            else "no key of the profile is named"
        )
        yield Problem(what, where, "name the profile's key; only add without dotted columns goes without")
    if target.action == "delete" and target.delete_target == "profile" and collections:
        what = f"a delete of profiles takes no columns of collections, and the schema has some of {named}"
        yield Problem(what, where, "take a schema without them, ignore them, or set delete_target: subprofile")
    elif target.action == "delete" and target.delete_target == "subprofile" and not keys.collections:
        yield Problem("a delete of subprofiles needs a key of their collection", where, "add Collection.FIELD")
    elif target.action != "add":
        for name in collections:
            if name not in keys.collections:
                what = f"no key of the collection {name} is named, so each run would add its rows again"
                yield Problem(what, where, f"add {name}.FIELD to the keys; only add goes without")


def _listed(texts: Sequence[str]) -> str:
    first = ", ".join(shown(text, 20) for text in texts[:8])
    return first if len(texts) <= 8 else f"{first} … ({len(texts)} in all)"
