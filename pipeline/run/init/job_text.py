"""Write the job file of a draft (pure)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipeline.run.init.draft import Column, Draft
from pipeline.run.init.names import class_name

SCHEMA_LINE = "# yaml-language-server: $schema=job.schema.json"
_PLAIN = re.compile(r"[A-Za-z_./][A-Za-z0-9_./ @-]*[A-Za-z0-9_./]|[A-Za-z_]")
_WORDS = frozenset({"true", "false", "null"})
_READING = ("null_values", "decimal", "thousands", "dates", "true_values", "false_values", "fractions")


@dataclass(frozen=True)
class Input:
    """What was found of the dumps: the words of `source` with their evidence, and what is damaged.

    `files` as they are written in the job file; `set_aside` is the share of records that the job sets aside.
    """

    files: Sequence[str]
    source: Sequence[tuple[str, object, str]]
    records: int
    set_aside: float
    damage: Sequence[str]
    origin: str
    date: str


@dataclass(frozen=True)
class Goal:
    """Where the rows go: the database's name or id, and whether it is there already."""

    database: str
    api: str
    known: str


def job_text(draft: Draft, job: str, read: Input, goal: Goal) -> str:
    """Return a job file with the evidence behind each line; what could not be known is marked `decide`."""
    return "\n".join([
        SCHEMA_LINE,
        f"# Written by `copernica-import init` on {read.date} from {_comment(read.origin)}: {read.records:,} records.",
        "# Behind each line stands what it was taken from; lines with `decide` are safe choices that only you can make.",
        f"job: {_scalar(job)}",
        *_source(draft, read),
        *_columns(draft, _shared(draft)),
        *_ignored(draft),
        f"schema: {_scalar(f'{job}.py:{class_name(job)}')}",
        *_target(draft, goal),
        "load:",
        "  mode: auto                     # imports where they are right, else call by call",
        *_guards(read),
        "",
    ])  # fmt: skip


def _source(draft: Draft, read: Input) -> Iterator[str]:
    yield "source:"
    yield _line("files", list(read.files), "a pattern such as customers-*.csv takes each night's file", most=78)
    for name, value, why in read.source:
        yield _line(name, value, why)
    for name, value in _shared(draft).items():
        yield _line(name, value, _why(name))


def _why(name: str) -> str:
    return {
        "null_values": "these texts mean empty; without this line they would be sent",
        "decimal": "the decimal mark that the numbers have",
        "thousands": "the mark between thousands",
        "dates": "the form that the dates have",
    }.get(name, "as the values have it")


def _shared(draft: Draft) -> dict[str, object]:
    """Return the reading words that hold for every column that needs any: they stand in `source` once."""
    shared: dict[str, object] = {}
    nulls = sorted({text for column in draft.columns for text in column.nulls})
    if nulls:
        shared["null_values"] = [text for text in nulls if not _is_value(text, draft)]
    decimals = [column for column in draft.columns if column.verdict.kind == "decimal"]
    marks = {
        (column.verdict.reading.get("decimal", "."), column.verdict.reading.get("thousands")) for column in decimals
    }
    if len(marks) == 1:
        decimal, thousands = marks.pop()
        shared |= {} if decimal == "." else {"decimal": decimal}
        shared |= {} if thousands is None else {"thousands": thousands}
    dates = [column.verdict.reading.get("dates", ()) for column in draft.columns if column.verdict.reading.get("dates")]
    forms = list(dict.fromkeys(form for one in dates if isinstance(one, tuple) for form in one))
    if forms and not any(one != other and _clash(one, other) for one in forms for other in forms):
        shared["dates"] = forms
    return {name: value for name, value in shared.items() if value}


def _is_value(text: str, draft: Draft) -> bool:
    """Return whether a text means empty in one column and is a value in another."""
    return any(text in column.facts.nulls and text not in column.nulls for column in draft.columns)


def _clash(one: str, other: str) -> bool:
    """Return whether two date forms read the same text as different days."""
    return re.sub("[dm]", "x", one.replace("-", "")) == re.sub("[dm]", "x", other.replace("-", ""))


def _columns(draft: Draft, shared: Mapping[str, object]) -> Iterator[str]:
    lines = []
    for column in draft.columns:
        words = _own_words(column, shared)
        if not words and column.source == column.target:
            continue
        value = _scalar(column.target) if not words else _flow({"to": column.target, **words})
        lines.append(f"  {_scalar(column.source)}: {value}")
    if lines:
        yield "columns:                         # dump column: Copernica column; equal names need no line"
        yield from lines


def _own_words(column: Column, shared: Mapping[str, object]) -> dict[str, object]:
    """Return the reading words of a column that `source` does not have."""
    words = dict(column.verdict.reading)
    common = shared.get("null_values")
    known = common if isinstance(common, list) else []
    if any(text not in known for text in column.nulls):
        words["null_values"] = list(dict.fromkeys((*known, *column.nulls)))
    if column.facts.outer_blanks and column.verdict.kind not in ("text", "big"):
        words["trim"] = True
    forms = shared.get("dates")
    own = words.get("dates")
    if isinstance(forms, list) and isinstance(own, tuple) and set(own) <= set(forms):
        words.pop("dates")
    for name in ("decimal", "thousands"):
        if name in words and words[name] == shared.get(name):
            words.pop(name)
    return words


def _ignored(draft: Draft) -> Iterator[str]:
    if draft.ignored:
        yield "ignore:"
        for name, why in draft.ignored.items():
            yield f"  - {_scalar(name)}  # {_comment(why)}"


def _target(draft: Draft, goal: Goal) -> Iterator[str]:
    yield "target:"
    yield _line("api", goal.api, "")
    yield _line("database", goal.database, goal.known)
    yield _line("action", "update or add", "decide: add, update, update or add, ignore or add, delete")
    for note in draft.key_notes:
        yield f"  # {_comment(note)}"
    yield _line("key_fields", list(draft.keys), "")
    yield _line("ignore_empty_fields", True, "decide: false would wipe what is stored where a cell is empty")
    yield _line("followups", False, "decide: true lets follow-up automations send mail")
    yield _line("rebuild", True, "selections are built anew after the last import")


def _guards(read: Input) -> Iterator[str]:
    if read.set_aside > 0.01:
        percent = min(100, int(read.set_aside * 100 * 1.1) + 2)
        yield "guards:"
        for line in read.damage:
            yield f"  # {_comment(line)}"
        yield _line("max_rejects", f"{percent}%", "decide: lower it to 1% once the export is mended")


def _line(name: str, value: object, why: str, *, most: int = 0) -> str:
    text = f"  {name}: {_flow(value)}"
    return text if not why or (most and len(text) > most) else f"{text:<32} # {_comment(why)}"


def _flow(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_flow(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_flow(one) for one in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else _scalar(str(value))


def _scalar(text: str) -> str:
    """Write a text as YAML: bare where it cannot be taken for anything else."""
    if _PLAIN.fullmatch(text) and text not in _WORDS:
        return text
    return json.dumps(text, ensure_ascii=False)


def _comment(text: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]", " ", text)
