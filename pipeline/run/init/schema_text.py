"""Write the schema module of a draft (pure)."""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Collection

from pipeline.run.init.draft import Column, Draft
from pipeline.run.init.names import class_name

_ANNOTATIONS = {
    "text": "str", "big": "str", "email": "str", "phone": "str", "choice": "str", "integer": "int", "decimal": "float",
    "date": "datetime.date", "datetime": "datetime.datetime", "yesno": "bool",
}  # fmt: skip
# Names that the module itself uses, or that pandera reads as something else.
_USED = frozenset({"fields", "pa", "datetime", "Config"})


def schema_text(draft: Draft, job: str, origin: str) -> str:
    """Return a Python module with one pandera model, one line per target column with its evidence."""
    lines = [
        f'"""What a record of the job {job} must hold; written by `copernica-import init` from {_doc(origin)}.',
        "",
        "Each line is a Copernica field: its name, its type, and behind # the dump column and what was seen in it. Edit it",
        "freely: docs/job-file.md lists the functions of `fields` with their arguments.",
        '"""',
        "",
        *(["import datetime", ""] if _has_dates(draft) else []),
        "import pandera.polars as pa",
        "",
        "from pipeline import fields",
        "",
        "",
        f"class {class_name(job)}(pa.DataFrameModel):",
        f'    """One row of {_doc(job)}, under the names of Copernica."""',
        "",
    ]
    used: set[str] = set(_USED)
    for column in draft.columns:
        attribute = _attribute(column.target, used)
        used.add(attribute)
        lines.append(_line(column, attribute, is_key=column.target in draft.keys))
    return "\n".join(lines) + "\n"


def _has_dates(draft: Draft) -> bool:
    return any(column.verdict.kind in ("date", "datetime") for column in draft.columns)


def _line(column: Column, attribute: str, *, is_key: bool) -> str:
    kind = column.verdict.kind
    words = _arguments(column)
    words += [] if is_key else ["nullable=True"]
    words += [] if attribute == column.target else [f"alias={json.dumps(column.target, ensure_ascii=False)}"]
    function = "YesNo" if kind == "yesno" and not column.target.startswith("interest.") else _FUNCTIONS[kind]
    made = f"fields.{function}({', '.join(words)})"
    origin = "" if column.source == column.target else f"{column.source}: "
    key = "key; " if is_key else ""
    return f"    {attribute}: {_ANNOTATIONS[kind]} = {made}  # {key}{_doc(origin)}{_doc(column.verdict.why)}"


_FUNCTIONS = {
    "text": "Text", "big": "Text", "email": "Email", "phone": "Phone", "choice": "Choice", "integer": "Integer",
    "decimal": "Decimal", "date": "Date", "datetime": "DateTime", "yesno": "Interest",
}  # fmt: skip


def _arguments(column: Column) -> list[str]:
    verdict = column.verdict
    if verdict.kind == "text":
        return [] if verdict.length is None else [str(verdict.length)]
    if verdict.kind == "choice":
        return [json.dumps(text, ensure_ascii=False) for text in verdict.choices]
    if verdict.kind == "yesno" and not column.target.startswith("interest."):
        return ['"Yes"', '"No"']
    return []


def _attribute(target: str, used: Collection[str]) -> str:
    """Return the target itself where it is a Python name that is free, else one made from it."""
    if target.isidentifier() and not keyword.iskeyword(target) and target not in used and not target.startswith("_"):
        return target
    name = re.sub(r"\W+", "_", target).strip("_").lower() or "column"
    name = name if name[0].isalpha() else f"c_{name}"
    while name in used or keyword.iskeyword(name):
        name += "_"
    return name


def _doc(text: str) -> str:
    """Keep a text of the dump from ending a comment or a docstring."""
    return re.sub(r'[\\"\x00-\x1f\x7f\u2028\u2029]', " ", text)
