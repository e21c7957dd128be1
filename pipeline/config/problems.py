"""Word what the models refuse: wrong values, missing keys, unknown keys and refused ones (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from pipeline.config.yaml import Fault, KeyPath, Node, written_path
from pipeline.errors import shown
from pipeline.model.job import (
    OF_READER,
    ColumnTarget,
    Engine,
    Guards,
    Http,
    Job,
    Load,
    Metrics,
    Notify,
    Poll,
    Source,
    State,
    Target,
)

# The mappings of the job file whose keys are fixed.
SECTIONS: Mapping[KeyPath, type[BaseModel]] = {
    (): Job,
    ("source",): Source,
    ("target",): Target,
    ("load",): Load,
    ("load", "poll"): Poll,
    ("http",): Http,
    ("guards",): Guards,
    ("engine",): Engine,
    ("notify",): Notify,
    ("metrics",): Metrics,
    ("state",): State,
}

# Keys without a default: a value that harms nothing (for checking the rest of a job that lacks one), and what to write.
REQUIRED: Mapping[KeyPath, tuple[Any, str]] = {
    ("job",): ("missing", "write `job: NAME`"),
    ("schema",): ("missing.py:Missing", "write `schema: ../schemas/FEED.py:NAME`"),
    ("source", "files"): (["missing"], "write `files: [../dumps/customers-*.csv]`"),
    ("target", "api"): ("v4", "write `api: v4`, or another version from v1 on"),
    ("target", "database"): ("missing", "write `database: NAME`, or its id"),
    ("target", "action"): ("add", "write `action:` with add, update, update or add, ignore or add, or delete"),
    ("target", "key_fields"): ([], "write `key_fields: [NAME]`; empty only for add without dotted columns"),
    ("target", "ignore_empty_fields"): (
        True,
        "write true to keep what is stored where a cell is empty, false to wipe it",
    ),
    ("target", "followups"): (False, "write false, or true to let follow-up automations send mail"),
    ("target", "rebuild"): (True, "write true to rebuild the selections afterwards, else false"),
    ("load", "mode"): ("imports", "write `mode:` with imports, profiles or auto"),
}

# Data rule 37: parameters of the API that we do not take, with the reason; compared without case, _ and -.
_REFUSED = {
    "removemissing": "removes everything that is not in one import, and a job is sent in several",
    "location": "lets Copernica fetch a file later, which may not be the one that was checked",
    "autostart": "could leave an import parked for ever: no call of the API starts it later",
    "async": "makes the API work on unseen, without a job id and without an error report",
    "name": "is the label of an import, which the pipeline sets so that each one can be found again",
}
_SECRETS = frozenset({"token", "accesstoken", "apitoken", "authtoken", "bearertoken", "password", "passwd", "secret"})


def faults_of(error: ValidationError, root: Node) -> list[Fault]:
    """Translate what pydantic found into faults at paths of the document, one per path."""
    found: dict[KeyPath, list[ErrorDetails]] = {}
    for detail in error.errors(include_url=False):
        found.setdefault(_path_in(root, detail), []).append(detail)
    # A list that lost its faulty items is called too short as well: only the items are named.
    inner = {path[:depth] for path in found for depth in range(len(path))}
    return [fault for path, details in found.items() if path not in inner for fault in _faults_at(path, details, root)]


def numbers_taken(error: ValidationError, root: Node) -> bool:
    """Take the plain numbers of the document as numbers where pydantic misses one; returns whether there were any."""
    details = error.errors(include_url=False)
    missed = {_path_in(root, detail) for detail in details if detail["type"] in ("int_type", "float_type")}
    return sum(list(root.walk(path))[-1][1].take_number() for path in missed) > 0


def _path_in(root: Node, detail: ErrorDetails) -> KeyPath:
    """Return the path of an error: only steps that exist in the document (unions and models add steps of their own)."""
    path, _ = list(root.walk(detail["loc"]))[-1]
    return (*path, detail["loc"][-1]) if detail["type"] == "missing" else path


def _faults_at(path: KeyPath, details: list[ErrorDetails], root: Node) -> Iterator[Fault]:
    kind = details[0]["type"]
    if kind == "missing":
        yield from _missing(path)
    elif kind == "extra_forbidden":
        yield unknown_key(path, root)
    else:
        node = list(root.walk(path))[-1][1]
        expected = " or ".join(dict.fromkeys(_expected(detail) for detail in details))
        do = f'put it in quotes: "{node.written}"' if _wants_quotes(details, node) else f"write {expected}"
        if len(path) == 2 and path[0] == "columns":
            do = "write the name of a Copernica column, or a group of keys with `to:`"
            do += ", and in quotes where it is digits" if isinstance(node.value, int) else ""
        yield Fault(path, f"{_found(node)} does not fit here", do)


def _missing(path: KeyPath) -> Iterator[Fault]:
    """Name a missing key, for a missing section each of its required keys."""
    within = [(key, advice) for key, (_, advice) in REQUIRED.items() if key[: len(path)] == path]
    for key, advice in within or [(path, f"write `{path[-1]}:` with the name of a Copernica column")]:
        yield Fault(key, f"{written_path(key)} is missing and has no default", advice)


def _found(node: Node) -> str:
    if isinstance(node.value, dict):
        return "a group of keys"
    if isinstance(node.value, list):
        return "a list" if node.value else "an empty list"
    return shown(node.written) if node.written else "an empty value"


def _wants_quotes(details: list[ErrorDetails], node: Node) -> bool:
    is_bar = node.value == "" and bool(node.written)
    is_text = any(detail["type"] == "string_type" for detail in details)
    return is_bar or (is_text and bool(node.written) and isinstance(node.value, bool | None))


# What belongs in place of a value, by pydantic's type of error; a test goes through every field of the models.
_EXPECTED = {
    "string_type": "a text",
    "string_too_short": "a text that is not empty",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "tuple_type": "a list such as [A, B]",
    "too_short": "a list of at least one",
    "dict_type": "a group of keys",
    "model_type": "a group of keys",
    "greater_than_equal": "a number from {ge:g} on",
    "greater_than": "a number above {gt:g}",
    "less_than_equal": "a number up to {le:g}",
    "value_error": "{error}",
}


def _expected(detail: ErrorDetails) -> str:
    context = detail.get("ctx", {})
    if detail["type"] == "literal_error":
        return re.sub(r"'([^']*)'", lambda text: "tab" if text[1] == r"\t" else text[1], str(context["expected"]))
    return _EXPECTED.get(detail["type"], "something else").format(**context)


def unknown_key(path: KeyPath, root: Node) -> Fault:
    """Refuse a key that no model knows: by name with the reason where it is an API parameter (data rule 37) or a secret."""
    name = str(path[-1])
    plain = _plain(name)
    if plain in _SECRETS:
        return Fault(path, f"{name}: a secret never stands in a job file", "set COPERNICA_TOKEN and remove it here")
    if plain in _REFUSED:
        advice = "remove it; the job's own name is `job:`" if plain == "name" else "remove it"
        return Fault(path, f"{name} is not taken: it {_REFUSED[plain]}", advice)
    return Fault(path, f"{name} is no key of {_section(path[:-1])}", _advice(path, root))


def _section(path: KeyPath) -> str:
    return f"`{written_path(path)}`" if path else "a job file"


def _advice(path: KeyPath, root: Node) -> str:
    section = path[:-1]
    known = keys_of(SECTIONS.get(section, ColumnTarget))
    name = _plain(str(path[-1]))
    near = get_close_matches(name, [_plain(key) for key in known], n=1, cutoff=0.7)
    if near:
        return f"did you mean {next(key for key in known if _plain(key) == near[0])}?"
    for other, model in SECTIONS.items():
        for key in keys_of(model):
            if _plain(key) == name:
                return f"{key} stands " + (f"under `{written_path(other)}:`" if other else "at the top")
    place = list(root.walk(path))[-1][1].place
    if section[:1] == ("columns",) and not place.line:
        return "a column with dots is quoted, and the shell must leave the quotes: --set 'columns.\"A.B\"=Target'"
    return "remove it; known here are " + ", ".join(known)


def keys_of(model: type[BaseModel]) -> list[str]:
    """List the keys that a mapping of the job file takes."""
    names = [field.alias or name for name, field in model.model_fields.items()]
    return [name for name in names if not (model is Job and name in OF_READER)]


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")
