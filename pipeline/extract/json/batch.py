"""Gather JSON objects into batches: rows, malformed ones, and where each row came from (pure)."""

from __future__ import annotations

import json
import sys
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any

import polars as pl

from pipeline.errors import Problem, shown
from pipeline.extract.decoding import unmarked, without_nul
from pipeline.extract.json.fallback import FULL
from pipeline.extract.json.kept import Made, origin_of
from pipeline.extract.json.nested import Laid, Layout, Row, lay_out
from pipeline.extract.json.text import Fault
from pipeline.extract.malformed import malformed_frame
from pipeline.extract.native import readers
from pipeline.extract.ours import is_canonical
from pipeline.extract.reading import BATCH_BYTES, Found, Task
from pipeline.extract.refusal import Refused
from pipeline.model.rows import FOLLOWED_BY, OURS, Again, Batch

if TYPE_CHECKING:
    from pipeline.extract.json import _json

MOST_RAW_CHARS = 1 << 16
# Python objects take several times the text that they came from.
_BATCH_TEXT = BATCH_BYTES // 4
# Rows that are made into Python lists at a time.
_SOME_ROWS = 1 << 12
# A dump in which everything is unknown has one cause; more paths would only hide it.
_MOST_REFUSED_PATHS = 200


def _raw(text: str) -> str:
    r"""Return the text of an element, marks of undecodable bytes and NUL as `\xNN`, cut after 64 Ki characters."""
    raw = without_nul(unmarked(text[:MOST_RAW_CHARS]))
    return raw if len(text) <= MOST_RAW_CHARS else f"{raw}… ({len(text):,} characters)"


@dataclass
class _Batch:
    """What Python made of the batch so far: objects with their rows, malformed elements, missing keys by column.

    `chars` counts the text of these; that of the flat objects is counted where they are read.
    """

    made: list[Made] = field(default_factory=list)
    malformed: list[tuple[int, int, str, str, str]] = field(default_factory=list)
    absent: dict[str, array[int]] = field(default_factory=dict)
    # The place of a later row, by row of the batch (files of ours).
    followed: dict[int, str] = field(default_factory=dict)
    chars: int = 0


class JsonBatches:
    """Take elements in file order and make batches of them; the rows of one object stay together.

    Flat objects are read by `lines` and `elements` without a Python object, all others come by `add` and `set_aside`.
    Batches that are done wait in `ready`; `full` means that the rows of the limit are there.
    """

    def __init__(self, task: Task, found: Found) -> None:
        self._task = task
        self._limit = sys.maxsize if task.limit is None else task.limit
        self._counts = found.counts
        self._problems = found.problems
        self._layout = Layout.of(task.expected, task.lists)
        self._rows = _flat_rows(self._layout, task)
        self._place_of = {name: at for at, name in enumerate(self._layout.columns)}
        # What a row costs beside its text is a view of 16 bytes per column.
        self._most_of_object = max(1, BATCH_BYTES // (16 * (len(self._layout.columns) + 1)))
        self._most_rows = min(task.batch_rows, self._most_of_object)
        self._batch = _Batch()
        self._refused: set[str] = set()
        self.ready: list[Batch] = []
        found.header = self._layout.columns

    @property
    def full(self) -> bool:
        """Return whether the rows of the limit are there."""
        return self._counts.records >= self._limit

    def lines(self, data: bytes, at: int) -> tuple[int, int]:
        """Read flat objects, one per line, from `at` on; gives why it stopped and where, as `_json.Rows.lines`."""
        counts = self._counts
        rows = self._rows.count
        event, at, line, record, _ = self._rows.lines(data, at, counts.lines + 1, counts.elements, *self._room())
        flat, lines = self._rows.count - rows, line - 1 - counts.lines
        counts.lines = line - 1
        counts.elements = record
        counts.records += flat
        counts.record_lines += flat
        counts.blank_lines += lines - flat
        if event == FULL and not self.full:
            self._end_batch()
        return event, at

    def elements(self, data: bytes, at: int, line: int) -> _json.Stand:
        """Read flat objects of an array from `at` on, which is on `line`; gives what `_json.Rows.elements` gives."""
        counts = self._counts
        stand = self._rows.elements(data, at, line, counts.elements, *self._room())
        counts.records += stand[3] - counts.elements
        counts.elements = stand[3]
        if stand[0] == FULL and not self.full:
            self._end_batch()
        return stand

    def _room(self) -> tuple[int, int]:
        """Return how many rows and bytes the batch may have that is being read."""
        rows = self._most_rows - len(self._batch.malformed)
        return min(rows, self._rows.count + self._limit - self._counts.records), _BATCH_TEXT - self._batch.chars

    def take(self) -> list[Batch]:
        """Take the batches that are done."""
        done, self.ready = self.ready, []
        return done

    def take_rest(self) -> list[Batch]:
        """Take the batches that are done and the one that was begun."""
        if self._rows.count or self._batch.malformed:
            self._end_batch()
        return self.take()

    def add(self, value: Any, line: int, text: str, fault: Fault | None) -> None:
        """Take one element that was decoded from `text`, which starts on `line`, or that `fault` makes malformed."""
        self._counts.elements += 1
        raw, followed = None, ""
        if fault is None and not OURS.isdisjoint(value):
            self._check_kind(value, line)
            followed = str(value.get(FOLLOWED_BY) or "")
            value, raw, fault = _without_ours(value)
        laid = None
        if fault is None:
            laid, fault = self._lay_out(value, line)
        if fault is not None or laid is None:
            self._malformed(line, fault or ("", ""), raw or _raw(text))
        else:
            self._put(value, laid.rows, line, followed)
            self._batch.chars += len(text)

    def _check_kind(self, obj: Mapping[str, Any], line: int) -> None:
        """Refuse a file of ours that holds rows of a dump and canonical ones: their keys may be the same."""
        if self._task.saved is not None and is_canonical(obj) != self._task.reads_canonical:
            where = f"{self._task.file.name}, line {line}"
            raise Refused(Problem("holds dump rows beside canonical ones", where, "run the two as files of their own"))

    def set_aside(self, line: int, fault: Fault, raw: str) -> None:
        """Take an element that could not be decoded."""
        self._counts.elements += 1
        self._malformed(line, fault, raw)

    def set_aside_long(self, line: int, fault: Fault, head: str, length: int) -> None:
        """Take an element of `length` bytes that was not decoded; `head` is how it begins, and may go on behind it."""
        begin = head[:MOST_RAW_CHARS].encode("utf-8", "surrogateescape")
        raw = without_nul(unmarked(begin[:length].decode("utf-8", "surrogateescape")))
        self.set_aside(line, fault, raw if length <= len(begin) else f"{raw}… ({length:,} bytes)")

    def _lay_out(self, obj: dict[str, Any], line: int) -> tuple[Laid | None, Fault | None]:
        laid = lay_out(obj, self._layout)
        if laid.unknown or laid.unfit:
            self._refuse(laid, line)
        if laid.double is not None:
            return None, ("duplicate_key", f"two keys give the column {shown(laid.double)}")
        return laid, None

    def _refuse(self, laid: Laid, line: int) -> None:
        where = f"{self._task.file.name}, line {line}, record {self._counts.elements}"
        for path in laid.unknown:
            what = f"key not known to the job: {shown(path, 80)}"
            self._refuse_path(path, Problem(what, where, "name it under columns or ignore"))
        for path, why in laid.unfit:
            do = "name it under ignore, or flatten it in the export"
            self._refuse_path(path, Problem(f"{shown(path, 80)} is {why}", where, do))

    def _refuse_path(self, path: str, problem: Problem) -> None:
        if path not in self._refused and len(self._refused) < _MOST_REFUSED_PATHS:
            self._refused.add(path)
            self._problems.append(problem)

    def _malformed(self, line: int, fault: Fault, raw: str) -> None:
        self._make_room(1)
        self._counts.records += 1
        self._batch.chars += len(raw)
        self._batch.malformed.append((line, self._counts.elements, *fault, raw))

    def _put(self, obj: dict[str, Any], rows: Sequence[Row], line: int, followed: str) -> None:
        """Put the rows of one object into one batch; where they are too many for memory, into several."""
        left = self._limit - self._counts.records
        rows = rows if len(rows) <= left else rows[:left]
        lists = None
        if len(rows) > self._most_of_object:
            lists = frozenset(row.of_list for row in rows if row.of_list is not None)
        for start in range(0, len(rows), self._most_of_object):
            self._put_some(Made(0, [], obj, lists), rows[start : start + self._most_of_object], line, followed)

    def _put_some(self, made: Made, rows: Sequence[Row], line: int, followed: str) -> None:
        self._make_room(len(rows))
        first, batch = self._rows.count, self._batch
        for start in range(0, len(rows), _SOME_ROWS):
            self._rows.put(self._values(rows[start : start + _SOME_ROWS]), line, self._counts.elements)
        batch.made.append(made._replace(row=first, lists=[row.of_list for row in rows]))
        at = first
        for absent, alike in groupby(rows, key=lambda row: row.absent):
            count = sum(1 for _ in alike)
            for name in absent:
                batch.absent.setdefault(name, array("I")).extend(range(at, at + count))
            at += count
        if followed:
            batch.followed.update(dict.fromkeys(range(first, first + len(rows)), followed))
        self._counts.records += len(rows)

    def _values(self, rows: Sequence[Row]) -> list[tuple[list[str | None], int]]:
        """Lay rows of one object out as lists; elements without values of their own share one list."""
        own = [rows[0].own.get(name) for name in self._layout.columns]
        values = []
        for row in rows:
            mine = own
            if row.inner:
                mine = own.copy()
                for name, value in row.inner.items():
                    mine[self._place_of[name]] = value
            values.append((mine, row.element or 0))
        return values

    def _make_room(self, rows: int) -> None:
        batch = self._batch
        there = self._rows.count + len(batch.malformed)
        if there and (there + rows > self._most_rows or batch.chars + self._rows.bytes >= _BATCH_TEXT):
            self._end_batch()

    def _end_batch(self) -> None:
        done, self._batch = self._batch, _Batch()
        table, raw, ends = self._rows.take()
        frame = pl.DataFrame(table)
        frame.columns = [*self._layout.columns, "_line", "_record", "_element"]
        batch = Batch(
            self._task.file,
            # 0 stands for the rows that are no element of a list.
            frame.with_columns(pl.when(pl.col("_element") > 0).then(pl.col("_element"))),
            malformed_frame(done.malformed),
            _absent(done.absent, self._layout, frame.height) if self._layout.track_absent else None,
            origin_of(raw, ends, done.made),
            self._again(done, frame.height),
        )
        self.ready.append(batch)

    def _again(self, done: _Batch, rows: int) -> Again | None:
        if self._task.saved is None:
            return None
        places = [done.followed.get(at, "") for at in range(rows)]
        return Again(self._task.reads_canonical, pl.Series(places, dtype=pl.String))


def _flat_rows(layout: Layout, task: Task) -> _json.Rows:
    """Begin the reading of flat objects; a key is known as it stands and as it is written in ASCII."""
    ignored = tuple(layout.ignored - OURS)
    rows: _json.Rows = readers("pipeline.extract.json._json", "pipeline.extract.json.fallback").Rows(
        columns=tuple(name.encode() for name in layout.columns),
        ignored=tuple(name.encode() for name in ignored),
        escaped=tuple(json.dumps(name)[1:-1].encode() for name in (*layout.columns, *ignored)),
        need_all=layout.track_absent,
        max_record_bytes=task.max_record_bytes,
    )
    return rows


def _absent(missing: Mapping[str, array[int]], layout: Layout, rows: int) -> pl.DataFrame:
    """Lay out which rows lack the key of which column; rows that were read as flat objects lack none."""
    at = pl.int_range(rows, dtype=pl.UInt32, eager=True)
    return pl.DataFrame(
        {name: at.is_in(pl.Series(missing.get(name, ()), dtype=pl.UInt32).implode()) for name in layout.columns}
    )


def _without_ours(obj: Mapping[str, Any]) -> tuple[dict[str, Any], str | None, Fault | None]:
    """Take the keys of a rejects file out; an object that holds nothing but its raw text is malformed again.

    Gives the object, the raw text of the one that is malformed, and its fault.
    """
    rest = {key: value for key, value in obj.items() if key not in OURS}
    raw = obj.get("_raw")
    blank = all(value is None or value in ("", [], {}) for value in rest.values())
    if blank and isinstance(raw, str) and raw:
        return rest, raw, ("unreadable_before", "still holds only the raw text of an element that could not be read")
    return rest, None, None
