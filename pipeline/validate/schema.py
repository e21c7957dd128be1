"""Load the pandera schema of a job from its path and refuse what would blame the wrong rows (edge: runs a module).

The way is: reference → module → pandera schema → one FieldSpec per column. Everything that is wrong with a schema is
reported in one JobError, before anything is read.
"""

from __future__ import annotations

import hashlib
import importlib.machinery
import inspect
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import Any

import pandera.polars as pa

from pipeline.errors import JobError, Problem, shown
from pipeline.model.columns import FieldSpec
from pipeline.validate.probe import Probe
from pipeline.validate.spec import TargetSchema, field_spec


def _load_strategies() -> None:
    """Load pandera's makers of test data without hypothesis: where it is installed that takes a tenth of a second."""
    known = "hypothesis" in sys.modules
    if not known:
        sys.modules["hypothesis"] = None  # type: ignore[assignment]
    try:
        import_module("pandera.strategies.base_strategies")
    finally:
        if not known:
            del sys.modules["hypothesis"]


_load_strategies()


def load_schema(reference: str, folder: Path) -> TargetSchema:
    """Load `PATH.py:NAME`, PATH relative to `folder`, and refuse what data rule 13 does not allow.

    Raises JobError with one problem when there is no such schema, and with all problems when it cannot be used:
    `unique`, frame-level checks, checks that give one value or look at other rows, parsers, `coerce`, `strict="filter"`
    and whatever else would change, drop or add data, column names and types that mean nothing to Copernica. `ordered` always
    holds: target columns are sent in the order of the schema.
    """
    path, name = _split(reference, folder)
    found = _find(_import(path, reference), name, reference)
    schema = _as_schema(found, reference)
    problems = list(_frame_problems(schema, reference))
    specs: list[FieldSpec] = []
    for column_name, column in schema.columns.items():
        where = f"{reference}, column {column_name}"
        spec, complaints = field_spec(column_name, column, schema.dtype)
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


# stdout belongs to the process: two threads that redirect it at one time would leave it redirected.
_LOADING = Lock()


def _import(path: Path, reference: str) -> ModuleType:
    """Run the module under a private name, its output on stderr (stdout is for data only)."""
    private = "_copernica_schema_" + hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]
    module = ModuleType(private)
    module.__file__ = str(path)
    # Models resolve their annotations through sys.modules.
    sys.modules[private] = module
    try:
        with _LOADING, redirect_stdout(sys.stderr):
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
        "parsers": (bool(schema.parsers), "they change values behind our back: set in the job file how cells are read"),
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
        "a default": (column.default is not None, "set empty= with a field of pipeline.fields, or use constants"),
        "drop_invalid_rows": (bool(column.drop_invalid_rows), "every record is accounted for: remove it"),
        "regex=True": (bool(column.regex), "a target column is one Copernica column: name each"),
        "parsers": (bool(column.parsers), "they change values behind our back: set in the job file how cells are read"),
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
        yield "ignore_na=False blames empty values", "set nullable=False for a column that may not be empty"


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
