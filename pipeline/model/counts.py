"""Count what becomes of the rows while they are read, staged and read back (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pipeline.errors import AccountingError, Problem
from pipeline.model.files import FileFacts

if TYPE_CHECKING:
    import polars as pl

Place = tuple[int, int]
"""File position in the run's list (from 0) and physical line (from 1)."""


# How many places of profile conflicts are named.
MOST_PLACES = 5


@dataclass(frozen=True)
class Settled:
    """A partition as it will be sent: `rows` in file order with `_phase` UInt32, and what was counted on the way.

    `conflict_places` names the first rows of some profile keys in conflict.
    """

    rows: pl.DataFrame
    collapsed: int
    superseded: int
    conflicts: int
    conflict_places: tuple[Place, ...]


@dataclass
class Staged:
    """What settling the partitions found, over the whole run (data rules 3, 21)."""

    accepted: int = 0
    collapsed: int = 0
    superseded: int = 0
    conflicts: int = 0
    conflict_places: tuple[Place, ...] = ()
    profiles: int = 0
    carrying: dict[str, int] = field(default_factory=dict)

    def add(self, settled: Settled) -> None:
        """Add one partition."""
        self.count(settled.rows)
        self.collapsed += settled.collapsed
        self.superseded += settled.superseded
        self.conflicts += settled.conflicts
        self.conflict_places = (*self.conflict_places, *settled.conflict_places)[:MOST_PLACES]

    def count(self, rows: pl.DataFrame) -> None:
        """Count rows, those of a profile key together.

        `profiles` counts distinct profile keys (maybe the same; without a key every row is one), `carrying` the rows of
        each set of carried columns, by the set in decimal digits.
        """
        self.accepted += rows.height
        keys = rows["_key"]
        self.profiles += int((keys != keys.shift()).sum()) + 1 if keys.len() and keys[0] else keys.len()
        for carried, count in rows["_set"].value_counts().iter_rows():
            self.carrying[str(carried)] = self.carrying.get(str(carried), 0) + count


class Rebuild(StrEnum):
    """What became of the rebuilding of selections (data rule 24)."""

    DONE = "done"
    NOT_NEEDED = "not needed"
    NOT_POSSIBLE = "not possible"
    NOT_DONE = "not done"


@dataclass(frozen=True)
class SetAside:
    """The rejects of one code in one column of the dump, over all files; a record with several faults counts in each.

    `column` is empty for records that could not be split. `places` are (file, line) of the first of them, `masked` the
    shapes of some of their values: every letter as x, every digit as 9.
    """

    code: str
    column: str
    count: int
    places: tuple[tuple[str, int], ...] = ()
    masked: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the entry of `set_aside` in the run summary."""
        file, line = self.places[0] if self.places else (None, None)
        example = {"file": file, "line": line}
        return {"code": self.code, "column": self.column, "count": self.count, "example": example}


@dataclass
class Intake:
    """What was counted while the input was read, each where it happened (data rules 1, 2).

    `read` comes from the extractor's own counts per file, the others from the rows that went by.
    """

    malformed: int = 0
    rejected: int = 0
    rejected_by_target: int = 0
    valid: int = 0
    facts: tuple[FileFacts, ...] = ()
    rejected_keys: list[int] = field(default_factory=list)
    set_aside: tuple[SetAside, ...] = ()
    # What the rejects seem to be: a form of dates, another encoding.
    hints: tuple[Problem, ...] = ()

    @property
    def read(self) -> int:
        """Return the rows read, malformed ones included; a row is what an element of a list is laid out to (data rule 1)."""
        return sum(facts.records for facts in self.facts)

    def check(self) -> None:
        """Compare the sums; one that is off is a bug and stops the run before anything is sent."""
        if self.read != self.malformed + self.rejected + self.valid:
            what = f"{self.malformed} malformed, {self.rejected} rejected and {self.valid} valid ones were counted"
            do = "nothing was sent; please report this with the run's log"
            raise AccountingError(Problem(f"{self.read} records were read, but {what}", do=do))


@dataclass(frozen=True)
class Verified:
    """What reading back showed; `places` names what differs: the columns, never the values.

    `changed` are records that somebody else has modified since; they count as equal. `drifted` are unchanged records that
    are not as they were confirmed.
    """

    checked: int = 0
    equal: int = 0
    different: int = 0
    places: tuple[str, ...] = ()
    changed: int = 0
    drifted: int = 0

    def __add__(self, other: Verified) -> Verified:
        """Return what both showed."""
        return Verified(
            self.checked + other.checked,
            self.equal + other.equal,
            self.different + other.different,
            (*self.places, *other.places),
            self.changed + other.changed,
            self.drifted + other.drifted,
        )
