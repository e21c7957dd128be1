"""Read the body of POST imports: what the columns are, which rows, and every trap in it (pure; API sheet 11)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.sandbox.answers import ApiError
from pipeline.sandbox.hazards import Notes
from pipeline.sandbox.import_csv import DELIMITERS, CsvError, Dialect, rows_of_csv
from pipeline.sandbox.model import Collection, Database, Field, Interest
from pipeline.sandbox.php import boolean
from pipeline.sandbox.switches import Switches
from pipeline.sandbox.wire import loads

ACTIONS = ("add", "update", "update or add", "ignore or add", "delete")
_PARAMETERS = frozenset({
    "database", "name", "action", "keyFields", "source", "location", "format", "delimiter", "ignoreEmptyFields",
    "removeMissing", "deleteTarget", "followups", "rebuild", "autostart",
})  # fmt: skip


@dataclass
class CollectionColumns:
    """The columns of one collection, and which of its fields are keys (with their column, "" when absent)."""

    collection: Collection
    columns: list[tuple[str, Field]] = field(default_factory=list)
    keys: list[tuple[str, Field]] = field(default_factory=list)


@dataclass
class ImportPlan:
    """One import, ready to be worked on; `error` becomes its lasterror before any row is touched."""

    database: Database
    name: str = ""
    action: str = "add"
    delete_target: str = "profile"
    ignore_empty: bool = False
    remove_missing: bool = False
    followups: bool = False
    rebuild: bool = False
    autostart: bool = True
    error: str = ""
    rows: list[dict[str, Any]] = field(default_factory=list)
    columns: tuple[str, ...] = ()
    fields: list[tuple[str, Field]] = field(default_factory=list)
    interests: list[tuple[str, Interest]] = field(default_factory=list)
    keys: list[tuple[str, Field]] = field(default_factory=list)
    collections: list[CollectionColumns] = field(default_factory=list)


def plan_import(body: Mapping[str, Any], database: Database, switches: Switches, notes: Notes) -> ImportPlan:
    """Read the parameters, rows, columns and keys. Raises ApiError for an action that does not exist."""
    for name in body:
        if name not in _PARAMETERS:
            notes.note("import_unknown_parameter", name)
    plan = ImportPlan(database, name=str(body.get("name") or ""))
    _read_action(body, plan, notes)
    plan.ignore_empty = _flag(body, "ignoreEmptyFields", False, notes)
    plan.remove_missing = _flag(body, "removeMissing", False, notes)
    plan.followups = _flag(body, "followups", False, notes)
    plan.rebuild = _flag(body, "rebuild", False, notes)
    plan.autostart = _flag(body, "autostart", True, notes)
    if plan.remove_missing:
        notes.note("import_remove_missing")
    if not plan.autostart:
        notes.note("import_parked")
    _read_rows(body, plan, switches, notes)
    _order(plan, switches, notes)
    _read_columns(plan, switches, notes)
    _read_keys(body, plan, switches, notes)
    _weigh(plan, notes)
    return plan


def _read_action(body: Mapping[str, Any], plan: ImportPlan, notes: Notes) -> None:
    action = body.get("action")
    if action is None:
        notes.note("import_missing_action")
    elif action not in ACTIONS:
        raise ApiError("Invalid data provided")
    else:
        plan.action = action
    target = body.get("deleteTarget")
    if plan.action == "delete" and target not in ("profile", "subprofile"):
        notes.note("import_delete_without_target")
    plan.delete_target = "subprofile" if target == "subprofile" else "profile"


def _flag(body: Mapping[str, Any], name: str, default: bool, notes: Notes) -> bool:
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        notes.note("boolean_as_text", name, value)
    return boolean(value)


def _read_rows(body: Mapping[str, Any], plan: ImportPlan, switches: Switches, notes: Notes) -> None:
    source = body.get("source")
    if (source is None) == (body.get("location") is None):
        notes.note("import_source_unclear", "source and location")
    if source is None and body.get("location") is not None:
        plan.error = "The file could not be downloaded"
        return
    if isinstance(source, str):
        source = _rows_of_text(source, body, plan, switches, notes)
    if isinstance(source, dict):
        source = list(source.values())
    rows = source if isinstance(source, list) else []
    if not rows:
        notes.note("import_source_unclear", "no rows")
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            notes.note("import_row_not_an_object", f"row {number}")
            plan.error = plan.error or f"Row {number} is not valid"
    plan.rows = rows
    plan.columns = tuple(rows[0]) if rows and not plan.error else ()


def _rows_of_text(source: str, body: Mapping[str, Any], plan: ImportPlan, switches: Switches, notes: Notes) -> object:
    try:
        if body.get("format") == "json":
            return loads(source.encode(), notes)
        return rows_of_csv(source, _dialect(body.get("delimiter"), switches, notes), notes)
    except (ValueError, CsvError) as error:
        plan.error = f"The source could not be read: {error}"
        return []


def _dialect(delimiter: object, switches: Switches, notes: Notes) -> Dialect:
    if delimiter not in DELIMITERS:
        notes.note("import_csv_delimiter", "delimiter", delimiter)
        if switches["csv_without_delimiter"] == "fail":
            raise CsvError("no delimiter")
    return Dialect(
        str(delimiter or ","), switches["csv_doubled_quotes"] == "quote", switches["csv_short_rows"] == "fail"
    )


def _order(plan: ImportPlan, switches: Switches, notes: Notes) -> None:
    """Require the same keys in the same order of every row, or assign by position (API sheet 11.4)."""
    columns = plan.columns
    wrong = [number for number, row in enumerate(plan.rows) if tuple(row) != columns] if not plan.error else []
    if not wrong:
        return
    notes.note("import_row_order", f"row {wrong[0] + 1}", times=len(wrong))
    if switches["row_order"] == "refuse":
        plan.error = f"Row {wrong[0] + 1} does not have the same keys in the same order as the first row"
        return
    for number in wrong:
        values = [*plan.rows[number].values(), *[""] * len(columns)]
        plan.rows[number] = dict(zip(columns, values, strict=False))


def _read_columns(plan: ImportPlan, switches: Switches, notes: Notes) -> None:
    for column in plan.columns:
        if _place(plan, column):
            continue
        head, _, tail = column.partition(".")
        notes.note("unknown_interest" if head == "interest" and tail else "import_unknown_column", column)
        if switches["unknown_columns"] == "fail":
            plan.error = plan.error or f"Unknown column {column}"


def _place(plan: ImportPlan, column: str) -> bool:
    """Assign a column to the field or interest of exactly its spelling; return whether there is one."""
    head, dot, tail = column.partition(".")
    if not dot:
        known = _exact(plan.database.fields, column)
        if known is not None:
            plan.fields.append((column, known))
        return known is not None
    if head == "interest":
        interest = next((one for one in plan.database.interests if one.name == tail), None)
        if interest is not None:
            plan.interests.append((column, interest))
        return interest is not None
    collection = next((one for one in plan.database.collections if one.name == head), None)
    known = _exact(collection.fields, tail) if collection else None
    if collection is None or known is None:
        return False
    _columns_of(plan, collection).columns.append((column, known))
    return True


def _exact(fields: list[Field], name: str) -> Field | None:
    return next((one for one in fields if one.name == name), None)


def _columns_of(plan: ImportPlan, collection: Collection) -> CollectionColumns:
    for one in plan.collections:
        if one.collection is collection:
            return one
    plan.collections.append(CollectionColumns(collection))
    return plan.collections[-1]


def _key_names(wanted: object, switches: Switches, notes: Notes) -> list[str]:
    """Read keyFields: PHP takes the values of a map (as a form sends a list), nobody knows what becomes of a text."""
    if wanted is not None and not isinstance(wanted, list):
        notes.note("import_keys_no_list", "keyFields", wanted)
    if isinstance(wanted, Mapping):
        wanted = list(wanted.values())
    if isinstance(wanted, str) and switches["key_fields_text"] == "key":
        wanted = [wanted]
    return [str(one) for one in wanted] if isinstance(wanted, list) else []


def _read_keys(body: Mapping[str, Any], plan: ImportPlan, switches: Switches, notes: Notes) -> None:
    for name in _key_names(body.get("keyFields"), switches, notes):
        head, dot, tail = name.partition(".")
        column = name if name in plan.columns else ""
        collection = next((one for one in plan.database.collections if one.name == head), None) if dot else None
        known = _exact(collection.fields, tail) if collection else None if dot else _exact(plan.database.fields, name)
        if known is None:
            notes.note("import_unknown_key", name)
            continue
        if not column and plan.rows:
            notes.note("import_key_column_missing", name)
        if collection is None:
            plan.keys.append((column, known))
        else:
            _columns_of(plan, collection).keys.append((column, known))


def _weigh(plan: ImportPlan, notes: Notes) -> None:
    """Note the combinations that API sheet 11.3 warns of."""
    if plan.action != "add" and not plan.keys:
        notes.note("import_missing_keys", plan.action)
    dotted = [one for one in plan.collections if one.columns]
    if dotted and not plan.keys and plan.action != "add":
        notes.note("import_dotted_without_profile_key", dotted[0].columns[0][0])
    for one in dotted:
        if not one.keys and plan.action in ("update", "update or add", "ignore or add"):
            notes.note("import_dotted_without_key", one.collection.name)
    if plan.action == "delete" and plan.delete_target == "subprofile" and not any(one.keys for one in plan.collections):
        notes.note("import_delete_without_subprofile_key")
