"""Load the pandera schema of a job from its path and refuse what would blame the wrong rows (edge: runs a module).

The way is: reference → module → pandera schema → one FieldSpec per column. Everything that is wrong with a schema is
told in one JobError, before anything is read.
"""

from __future__ import annotations

import datetime
import hashlib
import importlib.machinery
import inspect
import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pandera.polars as pa
import polars as pl
from pandera.dtypes import DataType

from pipeline.errors import JobError, Problem, shown
from pipeline.records import REJECT_KEYS, STAGED, FieldSpec, Kind
from pipeline.validate.checks import Probe, allowed, longest

# A complaint about a column: what is wrong, and what to do about it.
Complaint = tuple[str, str]

_INTEGERS = (pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64)
_ANNOTATIONS: Mapping[Kind, str] = {
    "text": "str",
    "choice": "str",
    "integer": "int",
    "decimal": "float",
    "date": "datetime.date",
    "datetime": "datetime.datetime",
    "yesno": "bool",
}
# The form in which each type is sent (data rule 10); the zero dates are what Copernica stores for an empty cell.
_CANONICAL: Mapping[Kind, str] = {
    "integer": r"0|-?[1-9][0-9]*",
    "decimal": r"-?(0|[1-9][0-9]*)(\.[0-9]+)?",
    "date": r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
    "datetime": r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}",
}
_ZERO_DATES = ("0000-00-00", "0000-00-00 00:00:00")


@dataclass(frozen=True)
class TargetSchema:
    """What a schema says of the target columns: `specs` in its order, and the pandera checks of each column.

    `path` is the module's file, `name` the model or schema in it, `reference` both as the job file says them.
    """

    specs: tuple[FieldSpec, ...]
    path: Path
    name: str
    reference: str
    _checks: Mapping[str, tuple[pa.Check, ...]] = field(repr=False, compare=False)

    def spec(self, name: str) -> FieldSpec | None:
        """Give what the schema says of a target column, None for one that it does not have."""
        return next((spec for spec in self.specs if spec.name == name), None)

    def checks(self, name: str) -> tuple[pa.Check, ...]:
        """Give the checks of a target column in the order of the schema."""
        return self._checks.get(name, ())


def load_schema(reference: str, folder: Path) -> TargetSchema:
    """Load `PATH.py:NAME`, PATH relative to `folder`, and refuse what data rule 13 does not allow.

    Raises JobError with one problem when there is no such schema, and with all problems when it cannot be used:
    `unique`, frame-level checks, checks that give one value or look at other rows, parsers, `coerce`, `strict="filter"`
    and whatever else would change, drop or add data, column names and types that mean nothing to Copernica.
    """
    path, name = _split(reference, folder)
    found = _find(_import(path, reference), name, reference)
    schema = _as_schema(found, reference)
    problems = list(_frame_problems(schema, reference))
    specs: list[FieldSpec] = []
    for column_name, column in schema.columns.items():
        where = f"{reference}, column {column_name}"
        spec, complaints = _field_spec(column_name, column, schema.dtype)
        complaints += _column_problems(column)
        problems += [Problem(what, where, do) for what, do in complaints]
        if spec is not None:
            specs.append(spec)
    checks = {spec.name: tuple(schema.columns[spec.name].checks) for spec in specs}
    problems += _check_problems(specs, checks, reference)
    if problems:
        raise JobError(*problems)
    return TargetSchema(tuple(specs), path, name, reference, checks)


def _split(reference: str, folder: Path) -> tuple[Path, str]:
    file, colon, name = reference.rpartition(":")
    if not colon or not file or not name.strip():
        do = "write the file and the name in it, such as ../schemas/customers.py:Customers"
        raise JobError(Problem(f"{shown(reference, 80)} does not name a schema", "schema", do))
    path = folder / file
    if not path.is_file():
        do = "the path starts from the folder of the job file"
        raise JobError(Problem(f"there is no file {file}", f"schema: {reference}", do))
    return path, name


class _SourceOnly(importlib.machinery.SourceFileLoader):
    """Compile the file as it stands: a cached .pyc of the same second and size would be the schema before the edit."""

    def get_code(self, fullname: str) -> Any:  # noqa: ARG002 - the loader's signature
        """Compile without reading or writing a cache; also, no folder appears beside the user's schema."""
        return self.source_to_code(self.get_data(self.path), self.path)


def _import(path: Path, reference: str) -> ModuleType:
    """Run the module under a private name, its output on stderr (stdout is for data only)."""
    private = "_copernica_schema_" + hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]
    module = ModuleType(private)
    module.__file__ = str(path)
    # Models resolve their annotations through sys.modules.
    sys.modules[private] = module
    try:
        with redirect_stdout(sys.stderr):
            _SourceOnly(private, str(path)).exec_module(module)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the module is the user's code, and may raise anything
        raise JobError(_import_problem(error, path, reference)) from None
    return module


def _import_problem(error: BaseException, path: Path, reference: str) -> Problem:
    line = error.lineno if isinstance(error, SyntaxError) else None
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename == str(path):
            line = frame.lineno
    message = " ".join(str(error.msg if isinstance(error, SyntaxError) else error).split())
    place = f"{path.name}, line {line}" if line else path.name
    do = "mend the schema module; it needs pandera.polars, and imports no other file of its folder"
    return Problem(f"the module does not import: {type(error).__name__}: {message[:200]} ({place})", reference, do)


def _find(module: ModuleType, name: str, reference: str) -> Any:
    found = getattr(module, name, None)
    if found is not None:
        return found
    there = sorted(key for key, value in vars(module).items() if _is_ours(value) and value is not pa.DataFrameModel)
    do = f"it has {', '.join(there)}" if there else "it has no pandera polars schema at all"
    raise JobError(Problem(f"the module has no {name}", reference, do))


def _is_ours(value: Any) -> bool:
    is_model = inspect.isclass(value) and issubclass(value, pa.DataFrameModel)
    return is_model or isinstance(value, pa.DataFrameSchema)


def _as_schema(found: Any, reference: str) -> pa.DataFrameSchema:
    if isinstance(found, pa.DataFrameSchema):
        return found
    if not _is_ours(found):
        bases = inspect.getmro(found if inspect.isclass(found) else type(found))
        apis = [base.__module__.split(".")[2] for base in bases if base.__module__.startswith("pandera.api.")]
        is_what = f"a pandera schema for {apis[0]}" if apis and apis[0] != "polars" else f"a {type(found).__name__}"
        do = "import pandera.polars as pa, and write a pa.DataFrameModel or a pa.DataFrameSchema"
        raise JobError(Problem(f"this is {is_what}, not a pandera polars model or schema", reference, do))
    try:
        schema: pa.DataFrameSchema = found.to_schema()
    except Exception as error:  # noqa: BLE001 - pandera lets through whatever an annotation of the user raises
        message = " ".join(str(error).split())
        problem = f"pandera cannot build the schema: {type(error).__name__}: {message[:300]}"
        raise JobError(Problem(problem, reference, "mend the schema; parsers are not supported")) from None
    return schema


def _frame_problems(schema: pa.DataFrameSchema, reference: str) -> Iterator[Problem]:
    """Name what data rule 13 refuses of a schema as a whole."""
    refused = {
        "unique": (bool(schema.unique), "it sees one batch only; unique keys are a matter of key_fields"),
        "frame-level checks": (bool(schema.checks), "pandera blames the first row: check single columns"),
        "parsers": (bool(schema.parsers), "they change values behind our back: say in the job file how cells are read"),
        "coerce": (bool(schema.coerce), "values are parsed by the job's own words before pandera sees them: remove it"),
        'strict="filter"': (schema.strict == "filter", "columns would vanish: name them under ignore in the job file"),
        "drop_invalid_rows": (bool(schema.drop_invalid_rows), "every record is accounted for: remove it"),
        "add_missing_columns": (bool(schema.add_missing_columns), "use constants in the job file"),
        "an index": (schema.index is not None, "polars frames have none: make it a column"),
    }
    for what, (is_there, do) in refused.items():
        if is_there:
            yield Problem(f"the schema has {what}", reference, do)
    if not schema.columns:
        yield Problem("the schema has no columns", reference, "add a column for every Copernica column of the job")


def _column_problems(column: pa.Column) -> list[tuple[str, str]]:
    """Name what data rule 13 refuses of a column, checks apart."""
    refused = {
        "unique": (bool(column.unique), "it sees one batch only; unique keys are a matter of key_fields"),
        "coerce": (bool(column.coerce), "values are parsed by the job's own words before pandera sees them: remove it"),
        "a default": (column.default is not None, "say empty= with a field of pipeline.fields, or use constants"),
        "drop_invalid_rows": (bool(column.drop_invalid_rows), "every record is accounted for: remove it"),
        "regex=True": (bool(column.regex), "a target column is one Copernica column: name each"),
        "parsers": (bool(column.parsers), "they change values behind our back: say in the job file how cells are read"),
    }
    found = [(f"the column has {what}", do) for what, (is_there, do) in refused.items() if is_there]
    for check in column.checks:
        found += [(f"check {check.name}: {what}", do) for what, do in _option_problems(check, column)]
    return found


def _option_problems(check: pa.Check, column: pa.Column) -> Iterator[tuple[str, str]]:
    if check.raise_warning:
        yield "raise_warning only warns", "a value is accepted or rejected: remove the option or the check"
    if check.groupby is not None:
        yield "groupby looks at other rows", "check single values"
    if not check.ignore_na and column.nullable:
        yield "ignore_na=False blames empty values", "say nullable=False for a column that may not be empty"


def _check_problems(
    specs: list[FieldSpec], checks: Mapping[str, tuple[pa.Check, ...]], reference: str
) -> Iterator[Problem]:
    """Try every check on a few typed rows: only one that answers per row can be used (data rule 13)."""
    probe = Probe(specs)
    for spec in specs:
        for check in checks[spec.name]:
            complaint = probe.complaint(check, spec.name)
            if complaint is not None:
                yield Problem(complaint[0], f"{reference}, column {spec.name}", complaint[1])


def _field_spec(name: Any, column: pa.Column, frame_dtype: DataType | None) -> tuple[FieldSpec | None, list[Complaint]]:
    """Read one column of a schema; without a usable type or name there is no FieldSpec."""
    complaints = list(_name_complaints(name))
    # pandera lets the type of the frame override those of its columns.
    told: Mapping[str, Any] = (column.metadata or {}).get("copernica", {})
    kind, dtype = _natural(frame_dtype or column.dtype)
    if kind is None:
        do = "use str, int, float, datetime.date, datetime.datetime, bool or pl.Enum"
        complaints.append((f"the type {frame_dtype or column.dtype} has no meaning in Copernica", do))
    if kind is None or complaints:
        return None, complaints
    says = told.get("kind", kind)
    if says != kind and not (says == "choice" and kind == "text"):
        do = f"annotate it as {_ANNOTATIONS[says]}"
        return None, [(f"the field holds {says}, but the column's type is {frame_dtype or column.dtype}", do)]
    spec = FieldSpec(
        name=name,
        kind=says,
        dtype=dtype,
        nullable=column.nullable,
        required=column.required,
        max_length=_max_length(column, told),
        choices=_choices(column, dtype, told),
        yes_no=_yes_no(name, told) if says == "yesno" else None,
        empty=told.get("empty"),
        exponents=bool(told.get("exponents", False)),
    )
    return spec, [*_kind_complaints(spec, told), *_empty_complaints(spec)]


def _name_complaints(name: Any) -> Iterator[Complaint]:
    if not isinstance(name, str) or not name.strip():
        yield f"the column name {shown(name)} is no name", "name the Copernica column, or its alias"
    elif name != name.strip() or any(not part.strip() or part != part.strip() for part in name.split(".")):
        yield f"the column name {shown(name)} has a blank part or outer blanks", "write Field or Collection.Field"
    elif name.count(".") > 1:
        yield "the column name has more than one dot", "write Collection.Field or interest.NAME"
    elif name in STAGED or name in REJECT_KEYS or name == "*":
        yield f"the column name {name} is taken by the pipeline itself", "rename the field in Copernica"


def _natural(dtype: DataType | None) -> tuple[Kind | None, pl.DataType]:
    """Give the kind of a pandera type, and the polars type of the values that its checks see."""
    raw: Any = pl.String if dtype is None else getattr(dtype, "type", None)
    if raw in (pl.String, pl.Categorical):
        # Checks of categories work on text as well, and text needs no agreement between batches.
        return "text", pl.String()
    if raw == pl.Enum and isinstance(raw, pl.Enum):
        return "choice", raw
    if raw in _INTEGERS:
        return "integer", raw()
    if raw in (pl.Float32, pl.Float64):
        return "decimal", raw()
    if raw == pl.Decimal:
        # A Decimal without words is one without decimals to pandera, which nobody means.
        return "decimal", pl.Float64() if (raw.precision, raw.scale) == (28, 0) else raw
    if raw == pl.Date:
        return "date", pl.Date()
    if raw == pl.Datetime and raw.time_zone is None:
        # Nanoseconds would end in 2262, rule 10 in 9999.
        return "datetime", pl.Datetime("us")
    if raw == pl.Boolean:
        return "yesno", pl.Boolean()
    return None, pl.Null()


def _max_length(column: pa.Column, told: Mapping[str, Any]) -> int | None:
    bounds = [bound for bound in (told.get("max_length"), *map(longest, column.checks)) if bound is not None]
    return min(bounds, default=None)


def _choices(column: pa.Column, dtype: pl.DataType, told: Mapping[str, Any]) -> tuple[str, ...]:
    if told.get("choices"):
        return tuple(told["choices"])
    if isinstance(dtype, pl.Enum):
        return tuple(dtype.categories)
    return next((options for options in map(allowed, column.checks) if options), ())


def _yes_no(name: str, told: Mapping[str, Any]) -> tuple[str, str] | None:
    texts = told.get("yes_no", ("Yes", "No") if name.startswith("interest.") else None)
    return None if texts is None else (texts[0], texts[1])


def _kind_complaints(spec: FieldSpec, told: Mapping[str, Any]) -> Iterator[Complaint]:
    if spec.interest is not None and spec.kind != "yesno":
        yield "an interest is on or off", "annotate it as bool"
    elif spec.interest is not None and spec.yes_no != ("Yes", "No"):
        yield "an interest is sent as Yes or No", "use Interest()"
    elif spec.interest is None and told.get("interest"):
        yield f"{spec.name} is no interest", f'write alias="interest.{spec.name}", or use YesNo()'
    elif spec.kind == "yesno" and spec.yes_no is None:
        do = 'say both: YesNo("yes", "no") of pipeline.fields, with the texts of the field in Copernica'
        yield "a bool does not say which texts are sent for true and false", do
    texts = spec.yes_no or spec.choices
    if spec.kind in ("yesno", "choice") and texts:
        if any(not isinstance(text, str) or not text or text != text.rstrip() for text in texts):
            yield "a blank text, or one with blanks behind it, is never a member of a select", "remove the blanks"
        elif len(set(texts)) < len(texts):
            yield f"the texts {', '.join(map(shown, texts[:5]))} are not different", "say each once"
    elif spec.kind == "choice":
        yield "a choice without options", "name them: Choice('a', 'b')"


def _empty_complaints(spec: FieldSpec) -> Iterator[Complaint]:
    """Refuse a text for empty cells that is not in the form in which its type is sent (data rules 10, 11)."""
    empty = spec.empty
    if empty is None:
        return
    if not isinstance(empty, str):
        yield f"empty={empty!r} is no text", f'write it as it is to be sent, such as "{empty}"'
    elif not _is_canonical(spec, empty):
        form = (
            "one of " + ", ".join(spec.choices or spec.yes_no or ()) if spec.kind in ("choice", "yesno") else spec.kind
        )
        yield f"empty={shown(empty)} is not how a value of this type is sent", f"write it in canonical form ({form})"


def _is_canonical(spec: FieldSpec, text: str) -> bool:
    if spec.kind == "text":
        return spec.max_length is None or len(text) <= spec.max_length
    if spec.kind in ("choice", "yesno"):
        return text in (spec.yes_no or spec.choices)
    if re.fullmatch(_CANONICAL[spec.kind], text) is None:
        return False
    if spec.kind in ("integer", "decimal") or text in _ZERO_DATES:
        return True
    try:
        return datetime.datetime.fromisoformat(text).year >= 1000
    except ValueError:
        return False
