"""Name the values that pass between the stages: batches, checked batches, the row layout of staged data (pure).

Extract hands over `Batch`es, validate turns each into a `Checked` one, and everything behind it works on frames in the
staged layout: the target columns as canonical text (null where empty), then the columns named in `STAGED`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import polars as pl

# Trailing columns of a rejects file, in this order; ignored when such a file is read again (design of the rejects file).
REJECT_COLUMNS = ("_file", "_line", "_record", "_code", "_column", "_message", "_raw")
# The same for JSON sources, whose rows may be an element of a list of the object.
REJECT_KEYS = ("_file", "_line", "_record", "_element", "_code", "_column", "_message", "_raw")
# No dump has columns of these names: they are passed over wherever they stand (data rule 7).
OURS = frozenset(REJECT_KEYS)

# What follows the target columns in accepted and staged frames:
STAGED: Mapping[str, pl.DataType] = {
    "_file": pl.UInt32(),  # position of the file in the run's list, from 0
    "_line": pl.UInt64(),  # physical line on which the record starts, from 1; the header is line 1
    "_record": pl.UInt64(),  # position of the record (JSON: of the object) in its file, from 1, malformed ones included
    "_element": pl.UInt32(),  # JSON: position of the element in its list, from 1; null otherwise
    "_set": pl.UInt64(),  # which columns the row carries: see Sets (data rules 17, 18)
    "_key": pl.UInt64(),  # hash of the profile key under "maybe the same" (data rule 15); 0 where the job has no key
    "_full": pl.UInt64(),  # hash of the full key under "same" (data rules 3, 15)
}


@dataclass(frozen=True)
class SourceFile:
    """A dump file of the run: `path` to open, `name` as the operator wrote it (for messages), its size and mtime."""

    path: Path
    name: str
    index: int
    size_bytes: int
    mtime_ns: int


@dataclass(frozen=True)
class FileFacts:
    """What was found in one file: the digest of its stored bytes and the counts of data rule 2.

    `lines` is the physical lines of the decompressed file; for CSV and NDJSON it equals `record_lines + blank_lines +
    header_lines + skipped_lines`. `elements` counts objects (CSV: records), `records` the rows after lists are laid out.
    """

    file: SourceFile
    sha256: str
    lines: int
    record_lines: int
    blank_lines: int
    header_lines: int
    skipped_lines: int
    elements: int
    records: int


@dataclass(frozen=True)
class Expected:
    """The dump columns that a job knows; a JSON path such as `likes.news` is a column of that name.

    `required` must be in every CSV header; `optional` may be; `ignored` is passed over (for JSON with everything below
    it). Any other column or key refuses its file. With `track_absent` a missing JSON key is told apart from null (data
    rule 9).
    """

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    ignored: frozenset[str] = frozenset()
    track_absent: bool = False


@dataclass(frozen=True)
class Origin:
    """Where the rows of a JSON batch came from: the parsed objects, and per row which object and which list element.

    `object_of_row[i]` indexes `objects`; `list_of_row[i]` is the path of the list whose element the row is (None for a
    row without one). Numbers inside `objects` are instances of `JsonNumber`. `raw` gives the text of an object as it
    stood, as UTF-8 on one line, or None; only objects without lists and without keys of ours have one.
    """

    objects: Sequence[dict[str, Any]]
    object_of_row: Sequence[int]
    list_of_row: Sequence[str | None]
    raw: Callable[[int], bytes | None] = lambda _at: None


class JsonNumber(str):
    """The text of a JSON number as it stood in the file (data rule 8)."""

    __slots__ = ()


@dataclass(frozen=True)
class Batch:
    """Some records of one file, in file order.

    `frame`: the dump columns as text (CSV: all of the header, original values, never null; JSON: the known columns that
    occur, null for null and for missing), then `_line` UInt64, `_record` UInt64, `_element` UInt32.
    `malformed`: `_line` UInt64, `_record` UInt64, `_code` String, `_message` String, `_raw` String, one row per malformed
    record. `absent` (JSON with `track_absent` only): Boolean per dump column, True where the key was missing.
    `origin`: JSON only.
    """

    file: SourceFile
    frame: pl.DataFrame
    malformed: pl.DataFrame
    absent: pl.DataFrame | None = None
    origin: Origin | None = None


MALFORMED_SCHEMA: Mapping[str, pl.DataType] = {
    "_line": pl.UInt64(),
    "_record": pl.UInt64(),
    "_code": pl.String(),
    "_message": pl.String(),
    "_raw": pl.String(),
}

FAULTS_SCHEMA: Mapping[str, pl.DataType] = {
    "_row": pl.UInt32(),  # position in the batch's frame
    "_code": pl.String(),  # several faults of one row joined by " | ", key faults first, one fault per column
    "_column": pl.String(),  # the dump columns, in the same order
    "_message": pl.String(),
    "_by_target": pl.Boolean(),  # only the live field's length or choices refuse the row (data rule 12)
}


@dataclass(frozen=True)
class Checked:
    """A batch after validation: `accepted` in the staged layout and order of the batch, `faults` (FAULTS_SCHEMA) of the rest.

    Every row of the batch's frame is in exactly one of the two.
    """

    accepted: pl.DataFrame
    faults: pl.DataFrame


Kind = Literal["text", "integer", "decimal", "date", "datetime", "yesno", "choice"]


@dataclass(frozen=True)
class FieldSpec:
    """What the schema says of one target column, as far as parsing and sending need it (data rule 10).

    `dtype` is the natural polars type that pandera checks. `max_length` in characters. `choices` exact texts.
    `yes_no` the two texts sent for true and false. `empty` the text sent in place of an empty value, None for "" (data
    rule 11). `exponents` allows `1e5` in decimals.
    """

    name: str
    kind: Kind
    dtype: pl.DataType
    nullable: bool
    required: bool = True
    max_length: int | None = None
    choices: tuple[str, ...] = ()
    yes_no: tuple[str, str] | None = None
    empty: str | None = None
    exponents: bool = False

    @property
    def collection(self) -> str | None:
        """Give the collection of a dotted target, None for a profile field or an interest (data rule 20)."""
        head, dot, _ = self.name.partition(".")
        return head if dot and head != "interest" else None

    @property
    def interest(self) -> str | None:
        """Give the interest's name for `interest.NAME`, else None."""
        head, dot, tail = self.name.partition(".")
        return tail if dot and head == "interest" else None


@dataclass(frozen=True)
class LiveField:
    """What the live structure says of a target column: type, length in characters, choices of a select (else empty)."""

    type: str
    length: int | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sets:
    """Give meaning to the bits of `_set`: first one bit per collection, then one per interest column (data rules 17, 18).

    A set bit says that the row carries the collection, or that its interest is known. `columns_of` gives the target
    columns that rows of a set are sent with, in the one column order of the run.
    """

    columns: tuple[str, ...]
    collections: tuple[str, ...]
    interests: tuple[str, ...] = field(default=())

    def bit(self, name: str) -> int:
        """Give the bit of a collection, or of an interest column such as `interest.news`."""
        return 1 << (*self.collections, *self.interests).index(name)

    @property
    def all(self) -> int:
        """Give the set that carries everything."""
        return (1 << len(self.collections) + len(self.interests)) - 1

    def columns_of(self, carried: int) -> tuple[str, ...]:
        """List the columns that rows with this `_set` are sent with."""
        return tuple(column for column in self.columns if self._sends(column, carried))

    def collections_of(self, carried: int) -> tuple[str, ...]:
        """List the collections that rows with this `_set` carry."""
        return tuple(name for name in self.collections if carried & self.bit(name))

    def _sends(self, column: str, carried: int) -> bool:
        head, dot, _ = column.partition(".")
        if not dot:
            return True
        return bool(carried & self.bit(column if head == "interest" else head))


@dataclass(frozen=True)
class Keys:
    """The key fields of the job, told apart by level: of the profile, and per collection of its subprofiles.

    All are target columns (`CustomerID`, `Order.OrderID`), in the order of the job file.
    """

    profile: tuple[str, ...]
    collections: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, key_fields: Sequence[str]) -> Keys:
        """Tell the job's `key_fields` apart by level."""
        collections: dict[str, tuple[str, ...]] = {}
        for name in key_fields:
            collection, dot, _ = name.partition(".")
            if dot:
                collections[collection] = (*collections.get(collection, ()), name)
        return cls(tuple(name for name in key_fields if "." not in name), collections)

    def of_set(self, collections: Sequence[str]) -> tuple[str, ...]:
        """Give the key fields for rows that carry these collections, profile keys first (data rule 18)."""
        return (*self.profile, *(key for name in collections for key in self.collections.get(name, ())))


@dataclass(frozen=True, order=True)
class Lane:
    """The rows of one phase and one set of carried columns; lanes are sent in this order (data rules 18, 19)."""

    phase: int
    carried: int

    @property
    def folder_name(self) -> str:
        """Name the lane's folder so that names sort as lanes do."""
        return f"{self.phase:08d}-{self.carried:016x}"

    @classmethod
    def of_folder(cls, name: str) -> Lane:
        """Read a lane back from its folder's name."""
        phase, _, carried = name.partition("-")
        return cls(int(phase), int(carried, 16))
