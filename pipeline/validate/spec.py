"""Read what one column of a pandera schema means for parsing and sending (pure)."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandera.polars as pa
import polars as pl
from pandera.dtypes import DataType

from pipeline.errors import shown
from pipeline.fields import METADATA_KEY
from pipeline.model.columns import FieldSpec, Kind
from pipeline.model.rows import REJECT_KEYS, STAGED
from pipeline.validate.checks import allowed, longest

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
    """The target columns of a schema: `specs` in its order, and the pandera checks of each column.

    `path` is the module's file, `name` the model or schema in it, `reference` both as in the job file.
    """

    specs: tuple[FieldSpec, ...]
    path: Path
    name: str
    reference: str
    _checks: Mapping[str, tuple[pa.Check, ...]] = field(repr=False, compare=False)

    def spec(self, name: str) -> FieldSpec | None:
        """Return the spec of a target column, None for one that it does not have."""
        return next((spec for spec in self.specs if spec.name == name), None)

    def checks(self, name: str) -> tuple[pa.Check, ...]:
        """Return the checks of a target column in the order of the schema."""
        return self._checks.get(name, ())


def field_spec(name: Any, column: pa.Column, frame_dtype: DataType | None) -> tuple[FieldSpec | None, list[Complaint]]:
    """Read one column of a schema; without a usable type or name there is no FieldSpec."""
    complaints = list(_name_complaints(name))
    metadata: Mapping[str, Any] = (column.metadata or {}).get(METADATA_KEY, {})
    # pandera lets the type of the frame override those of its columns.
    kind, dtype = _natural(frame_dtype or column.dtype)
    if kind is None:
        do = "use str, int, float, datetime.date, datetime.datetime, bool or pl.Enum"
        complaints.append((f"the type {frame_dtype or column.dtype} has no meaning in Copernica", do))
    if kind is None or complaints:
        return None, complaints
    declared = metadata.get("kind", kind)
    if declared != kind and not (declared == "choice" and kind == "text"):
        do = f"annotate it as {_ANNOTATIONS[declared]}"
        return None, [(f"the field holds {declared}, but the column's type is {frame_dtype or column.dtype}", do)]
    spec = FieldSpec(
        name=name,
        kind=declared,
        dtype=dtype,
        nullable=column.nullable,
        required=column.required,
        max_length=_max_length(column, metadata),
        choices=_choices(column, dtype, metadata),
        yes_no=_yes_no(name, metadata) if declared == "yesno" else None,
        empty=metadata.get("empty"),
        exponents=bool(metadata.get("exponents", False)),
        function=str(metadata.get("function") or ""),
    )
    return spec, [*_kind_complaints(spec, metadata), *_empty_complaints(spec)]


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
    """Return the kind of a pandera type, and the polars type of the values that its checks see."""
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


def _max_length(column: pa.Column, metadata: Mapping[str, Any]) -> int | None:
    bounds = [bound for bound in (metadata.get("max_length"), *map(longest, column.checks)) if bound is not None]
    return min(bounds, default=None)


def _choices(column: pa.Column, dtype: pl.DataType, metadata: Mapping[str, Any]) -> tuple[str, ...]:
    if metadata.get("choices"):
        return tuple(metadata["choices"])
    if isinstance(dtype, pl.Enum):
        return tuple(dtype.categories)
    return next((options for options in map(allowed, column.checks) if options), ())


def _yes_no(name: str, metadata: Mapping[str, Any]) -> tuple[str, str] | None:
    texts = metadata.get("yes_no", ("Yes", "No") if name.startswith("interest.") else None)
    return None if texts is None else (texts[0], texts[1])


def _kind_complaints(spec: FieldSpec, metadata: Mapping[str, Any]) -> Iterator[Complaint]:
    if spec.interest is not None and spec.kind != "yesno":
        yield "an interest is on or off", "annotate it as bool"
    elif spec.interest is not None and spec.yes_no != ("Yes", "No"):
        yield "an interest is sent as Yes or No", "use Interest()"
    elif spec.interest is None and metadata.get("interest"):
        yield f"{spec.name} is no interest", f'write alias="interest.{spec.name}", or use YesNo()'
    elif spec.kind == "yesno" and spec.yes_no is None:
        do = 'name both: YesNo("yes", "no") of pipeline.fields, with the texts of the field in Copernica'
        yield "a bool does not name the texts that are sent for true and false", do
    texts = spec.yes_no or spec.choices
    if spec.kind in ("yesno", "choice") and texts:
        if any(not isinstance(text, str) or not text or text != text.rstrip() for text in texts):
            yield "a blank text, or one with blanks behind it, is never a member of a select", "remove the blanks"
        elif len(set(texts)) < len(texts):
            yield f"the texts {', '.join(map(shown, texts[:5]))} are not different", "name each once"
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
