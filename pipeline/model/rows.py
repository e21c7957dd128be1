"""Name the values that pass between the stages: batches, checked batches, the row layout of staged data (pure).

Extract hands over `Batch`es, validate turns each into a `Checked` one, and everything behind it works on frames in the
staged layout: the target columns as canonical text (null where empty), then the columns named in `STAGED`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from pipeline.model.files import SourceFile

# Trailing columns of a rejects file, in this order; ignored when such a file is read again (design of the rejects file).
REJECT_COLUMNS = ("_file", "_line", "_record", "_code", "_column", "_message", "_raw")
# The same for JSON sources, whose rows may be an element of a list of the object.
REJECT_KEYS = ("_file", "_line", "_record", "_element", "_code", "_column", "_message", "_raw")
# Further trailing columns, written only where a row has one: the place of a later row of the same key that was sent (data
# rule 40), and a mark of rows whose values are canonical text under target columns.
FOLLOWED_BY = "_followed_by"
CANONICAL = "_canonical"
# No dump has columns of these names: they are ignored wherever they are (data rule 7).
OURS = frozenset((*REJECT_KEYS, FOLLOWED_BY, CANONICAL))

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
class Origin:
    """Where the rows of a JSON batch came from: the parsed objects, and per row which object and which list element.

    `object_of_row[i]` indexes `objects`; `list_of_row[i]` is the path of the list whose element the row is (None for a
    row without one). Numbers inside `objects` are instances of `JsonNumber`. `raw` gives the text of an object as it
    stood, as UTF-8 on one line, or None; only objects without lists and without keys of ours have one. `all_lists` has the
    lists of an object some of whose rows stand in another batch.
    """

    objects: Sequence[dict[str, Any]]
    object_of_row: Sequence[int]
    list_of_row: Sequence[str | None]
    raw: Callable[[int], bytes | None] = lambda _at: None
    all_lists: Mapping[int, frozenset[str]] = field(default_factory=dict)

    def lists(self) -> dict[int, set[str]]:
        """Return the lists of each object that has rows of one, by the object's position."""
        lists: dict[int, set[str]] = defaultdict(set)
        for at, path in zip(self.object_of_row, self.list_of_row, strict=True):
            if path is not None:
                lists[at].add(path)
        for at, paths in self.all_lists.items():
            lists[at] |= paths
        return lists

    def only(self, rows: Sequence[int]) -> Origin:
        """Return the origin of some rows, which knows all lists of their objects and can be pickled."""
        lists = self.lists() if rows else {}
        kept = list(dict.fromkeys(self.object_of_row[row] for row in rows))
        raws = [self.raw(at) for at in kept]
        place = {at: new for new, at in enumerate(kept)}
        return Origin(
            [{} if raw is not None else self.objects[at] for at, raw in zip(kept, raws, strict=True)],
            [place[self.object_of_row[row]] for row in rows],
            [self.list_of_row[row] for row in rows],
            raws.__getitem__,
            {place[at]: frozenset(lists[at]) for at in kept if at in lists},
        )


class JsonNumber(str):
    """The text of a JSON number as it stood in the file (data rule 8)."""

    __slots__ = ()


@dataclass(frozen=True)
class Again:
    """What a file that we wrote, read again, shows of the rows of a batch.

    `canonical`: the values are canonical text under target columns (failed.csv, accepted rows), not original values.
    `followed_by` (String, one per row): the place of a later row of the same key that was sent, "" where there is none.
    """

    canonical: bool
    followed_by: pl.Series


@dataclass(frozen=True)
class Batch:
    """Some records of one file, in file order.

    `frame`: the dump columns, or the target columns where `again.canonical`, as text (CSV: all of the header, original
    values, never null; JSON: the known columns that occur, null for null and for missing), then `_line` UInt64, `_record`
    UInt64, `_element` UInt32. `malformed`: `_line` UInt64, `_record` UInt64, `_code` String, `_message` String, `_raw`
    String, one row per malformed record. `absent` (with `track_absent` only; JSON and files of ours): Boolean per dump
    column, True where the key or cell was missing. `origin`: JSON only. `again`: only for a file that we wrote.
    """

    file: SourceFile
    frame: pl.DataFrame
    malformed: pl.DataFrame
    absent: pl.DataFrame | None = None
    origin: Origin | None = None
    again: Again | None = None

    def only(self, rows: pl.Series) -> Batch:
        """Return the batch with some of its rows, by their positions, and all of its malformed records; without `absent`."""
        again = None if self.again is None else replace(self.again, followed_by=self.again.followed_by[rows])
        origin = None if self.origin is None else self.origin.only(rows.to_list())
        return Batch(self.file, self.frame[rows], self.malformed, None, origin, again)


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

    Every row of the batch's frame is in exactly one of the two. `rejected_keys` has the `_key` of each row of `faults`, null
    where the key is empty or the job has none.
    """

    accepted: pl.DataFrame
    faults: pl.DataFrame
    rejected_keys: pl.Series
