"""Name the columns of a job: what the dump has, what the schema and the live structure require, keys and sets (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Expected:
    """The dump columns that a job knows; a JSON path such as `likes.news` is a column of that name.

    `required` must be in every CSV header; `optional` may be; `ignored` is ignored there (for JSON with everything below
    it). Any other column or key refuses its file. With `track_absent` a missing JSON key is kept apart from null (data
    rule 9).
    """

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    ignored: frozenset[str] = frozenset()
    track_absent: bool = False


Kind = Literal["text", "integer", "decimal", "date", "datetime", "yesno", "choice"]


@dataclass(frozen=True)
class FieldSpec:
    """One target column of the schema, as far as parsing and sending need it (data rule 10).

    `dtype` is the natural polars type that pandera checks. `max_length` in characters. `choices` exact texts.
    `yes_no` the two texts sent for true and false. `empty` the text sent in place of an empty value, None for "" (data
    rule 11). `exponents` allows `1e5` in decimals. `function` is the field function that made it, "" for plain pandera.
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
    function: str = field(default="", compare=False)

    @property
    def collection(self) -> str | None:
        """Return the collection of a dotted target, None for a profile field or an interest (data rule 20)."""
        head, dot, _ = self.name.partition(".")
        return head if dot and head != "interest" else None

    @property
    def interest(self) -> str | None:
        """Return the interest's name for `interest.NAME`, else None."""
        head, dot, tail = self.name.partition(".")
        return tail if dot and head == "interest" else None


@dataclass(frozen=True)
class LiveField:
    """A target column in the live structure: type, length in characters, choices of a select (else empty)."""

    type: str
    length: int | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sets:
    """What the bits of `_set` mean: first one bit per collection, then one per interest column (data rules 17, 18).

    A set bit means that the row carries the collection, or that its interest is known. `columns_of` returns the target
    columns that rows of a set are sent with, in the one column order of the run. `optional` columns have a bit of their own,
    too: rows without it leave them alone, and null in one is no empty value (undo).
    """

    columns: tuple[str, ...]
    collections: tuple[str, ...]
    interests: tuple[str, ...] = field(default=())
    optional: tuple[str, ...] = field(default=())

    def bit(self, name: str) -> int:
        """Return the bit of a collection, of an interest column such as `interest.news`, or of an optional column."""
        return 1 << self._bits.index(name)

    @property
    def _bits(self) -> tuple[str, ...]:
        return (*self.collections, *self.interests, *self.optional)

    @property
    def of_profile(self) -> tuple[str, ...]:
        """Return the columns of the profile itself, its keys and interests included."""
        return tuple(name for name in self.columns if "." not in name or name.startswith("interest."))

    def of_collection(self, collection: str) -> tuple[str, ...]:
        """Return the columns of a collection."""
        return tuple(name for name in self.columns if name.startswith(f"{collection}."))

    @property
    def all(self) -> int:
        """Return the set that carries everything."""
        return (1 << len(self._bits)) - 1

    def columns_of(self, carried: int) -> tuple[str, ...]:
        """List the columns that rows with this `_set` are sent with."""
        return tuple(column for column in self.columns if self._sends(column, carried))

    def collections_of(self, carried: int) -> tuple[str, ...]:
        """List the collections that rows with this `_set` carry."""
        return tuple(name for name in self.collections if carried & self.bit(name))

    def _sends(self, column: str, carried: int) -> bool:
        head, dot, _ = column.partition(".")
        if column in self.optional and not carried & self.bit(column):
            return False
        if not dot:
            return True
        return bool(carried & self.bit(column if head == "interest" else head))


@dataclass(frozen=True)
class Keys:
    """The key fields of the job by level: of the profile, and per collection of its subprofiles.

    All are target columns (`CustomerID`, `Order.OrderID`), in the order of the job file.
    """

    profile: tuple[str, ...]
    collections: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, key_fields: Sequence[str]) -> Keys:
        """Split the job's `key_fields` by level."""
        collections: dict[str, tuple[str, ...]] = {}
        for name in key_fields:
            collection, dot, _ = name.partition(".")
            if dot:
                collections[collection] = (*collections.get(collection, ()), name)
        return cls(tuple(name for name in key_fields if "." not in name), collections)

    def of_set(self, collections: Sequence[str]) -> tuple[str, ...]:
        """Return the key fields for rows that carry these collections, profile keys first (data rule 18)."""
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
