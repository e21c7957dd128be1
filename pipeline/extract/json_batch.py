"""Gather JSON objects into batches: rows, malformed ones, and where each row came from (pure)."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from pipeline.errors import Problem, shown
from pipeline.extract.decoding import unmarked
from pipeline.extract.json_text import Fault
from pipeline.extract.malformed import malformed_frame
from pipeline.extract.nested import OURS, Laid, Layout, Row, lay_out
from pipeline.extract.reading import BATCH_BYTES, Found, Task
from pipeline.records import Batch, Origin

_MOST_RAW_CHARS = 1 << 16
_NOTHING: frozenset[str] = frozenset()
# Python objects take several times the text that they came from.
_BATCH_TEXT = BATCH_BYTES // 4
# A dump in which everything is unknown has one cause; more paths would only hide it.
_MOST_REFUSED_PATHS = 200


# Where an element stands: the physical line on which it starts, and its text in text[start:end]. A bare tuple, since one
# is made for every element.
Place = tuple[int, str, int, int]


def _raw(place: Place) -> str:
    r"""Give the text of an element, marks of undecodable bytes as `\xNN`, cut after 64 Ki characters."""
    _, text, start, end = place
    most = min(end, start + _MOST_RAW_CHARS)
    raw = unmarked(text[start:most])
    return raw if most == end else f"{raw}… ({end - start:,} characters)"


class _Gathered:
    """What is in the batch so far: lists of one entry per row, but for `objects` and `malformed`."""

    def __init__(self) -> None:
        self.values: list[Mapping[str, str | None]] = []
        self.lines: list[int] = []
        self.records: list[int] = []
        self.elements: list[int | None] = []
        self.lists: list[str | None] = []
        self.absent: list[frozenset[str]] = []
        self.object_of_row: list[int] = []
        self.objects: list[dict[str, Any]] = []
        self.malformed: list[tuple[int, int, str, str, str]] = []
        self.chars = 0

    def add_one(self, obj: dict[str, Any], line: int, record: int) -> None:
        """Add an object that is its own row."""
        self.object_of_row.append(len(self.objects))
        self.objects.append(obj)
        self.values.append(obj)
        self.lines.append(line)
        self.records.append(record)
        self.elements.append(None)
        self.lists.append(None)
        self.absent.append(_NOTHING)

    def add(self, obj: dict[str, Any], rows: Sequence[Row], line: int, record: int) -> None:
        """Add an object and its rows."""
        count = len(rows)
        self.lines += [line] * count
        self.records += [record] * count
        self.object_of_row += [len(self.objects)] * count
        for row in rows:
            self.values.append(row.values)
            self.elements.append(row.element)
            self.lists.append(row.of_list)
            self.absent.append(row.absent)
        self.objects.append(obj)


class JsonBatches:
    """Take elements in file order and make batches of them; the rows of one object stay together.

    Batches that are done wait in `ready`; `full` says that the rows of the limit are there.
    """

    def __init__(self, task: Task, found: Found) -> None:
        self._task = task
        self._limit = sys.maxsize if task.limit is None else task.limit
        self._counts = found.counts
        self._problems = found.problems
        self._layout = Layout.of(task.expected, task.lists)
        self._gathered = _Gathered()
        self._refused: set[str] = set()
        self.ready: list[Batch] = []
        found.header = self._layout.columns

    @property
    def full(self) -> bool:
        """Say whether the rows of the limit are there."""
        return self._counts.records >= self._limit

    def take(self) -> list[Batch]:
        """Take the batches that are done."""
        done, self.ready = self.ready, []
        return done

    def take_rest(self) -> list[Batch]:
        """Take the batches that are done and the one that was begun."""
        if self._gathered.values or self._gathered.malformed:
            self._end_batch()
        return self.take()

    def add(self, value: Any, place: Place, fault: Fault | None) -> None:
        """Take one element that was decoded, or that `fault` makes malformed."""
        counts = self._counts
        counts.elements += 1
        if fault is None and self._layout.is_one_row(value):
            self._make_room(1)
            self._gathered.add_one(value, place[0], counts.elements)
            self._gathered.chars += place[3] - place[2]
            counts.records += 1
            return
        raw = None
        if fault is None and not OURS.isdisjoint(value):
            value, raw, fault = _without_ours(value)
        laid = None
        if fault is None:
            laid, fault = self._lay_out(value, place[0])
        if fault is not None or laid is None:
            self._malformed(place[0], fault or ("", ""), raw or _raw(place))
        else:
            self._put(value, laid.rows, place)

    def set_aside(self, line: int, fault: Fault, raw: str) -> None:
        """Take an element that could not be decoded."""
        self._counts.elements += 1
        self._malformed(line, fault, raw)

    def _lay_out(self, obj: dict[str, Any], line: int) -> tuple[Laid | None, Fault | None]:
        try:
            laid = lay_out(obj, self._layout)
        except RecursionError:
            return None, ("too_deep", "nested more deeply than can be followed")
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
        self._gathered.chars += len(raw)
        self._gathered.malformed.append((line, self._counts.elements, *fault, raw))

    def _put(self, obj: dict[str, Any], rows: Sequence[Row], place: Place) -> None:
        left = self._limit - self._counts.records
        rows = rows if len(rows) <= left else rows[:left]
        self._make_room(len(rows))
        self._gathered.add(obj, rows, place[0], self._counts.elements)
        self._gathered.chars += place[3] - place[2]
        self._counts.records += len(rows)

    def _make_room(self, rows: int) -> None:
        gathered = self._gathered
        there = len(gathered.values) + len(gathered.malformed)
        if there and (there + rows > self._task.batch_rows or gathered.chars >= _BATCH_TEXT):
            self._end_batch()

    def _end_batch(self) -> None:
        gathered, self._gathered = self._gathered, _Gathered()
        columns = {
            name: pl.Series([values.get(name) for values in gathered.values], dtype=pl.String)
            for name in self._layout.columns
        }
        places = {
            "_line": pl.Series(gathered.lines, dtype=pl.UInt64),
            "_record": pl.Series(gathered.records, dtype=pl.UInt64),
            "_element": pl.Series(gathered.elements, dtype=pl.UInt32),
        }
        batch = Batch(
            self._task.file,
            pl.DataFrame({**columns, **places}),
            malformed_frame(gathered.malformed),
            _absent(gathered.absent, self._layout) if self._layout.track_absent else None,
            Origin(gathered.objects, gathered.object_of_row, gathered.lists),
        )
        self.ready.append(batch)


def _absent(missing: Sequence[frozenset[str]], layout: Layout) -> pl.DataFrame:
    return pl.DataFrame(
        {name: pl.Series([name in names for names in missing], dtype=pl.Boolean) for name in layout.columns}
    )


def _without_ours(obj: Mapping[str, Any]) -> tuple[dict[str, Any], str | None, Fault | None]:
    """Take the keys of a rejects file out; an object that holds nothing but its raw text is malformed again.

    Gives the object, the raw text of the one that is malformed, and its fault.
    """
    rest = {key: value for key, value in obj.items() if key not in OURS}
    raw = obj.get("_raw")
    blank = all(value is None or value in ("", [], {}) for value in rest.values())
    if blank and OURS.issubset(obj) and isinstance(raw, str) and raw:
        return rest, raw, ("unreadable_before", "still holds only the raw text of an element that could not be read")
    return rest, None, None
