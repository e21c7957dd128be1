"""Gather JSON objects into batches: rows, malformed ones, and where each row came from (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from pipeline.errors import Problem, shown
from pipeline.extract.decoding import unmarked
from pipeline.extract.json_text import Fault
from pipeline.extract.malformed import malformed_frame
from pipeline.extract.nested import Laid, Layout, Row, lay_out
from pipeline.extract.reading import BATCH_BYTES, Batches, Found, Task
from pipeline.records import REJECT_KEYS, Batch, Origin

_OURS = frozenset(REJECT_KEYS)
_MOST_RAW_CHARS = 1 << 16
# Python objects take several times the text that they came from.
_BATCH_TEXT = BATCH_BYTES // 4
# A dump in which everything is unknown has one cause; more paths would only hide it.
_MOST_REFUSED_PATHS = 200


@dataclass(frozen=True)
class Element:
    """One element as it was decoded: `value`, the physical `line` on which it starts, its text in `text[start:end]`."""

    value: Any
    line: int
    text: str
    start: int
    end: int

    @property
    def raw(self) -> str:
        """Give the text, marks of undecodable bytes as `\\xNN`, cut after 64 Ki characters."""
        most = min(self.end, self.start + _MOST_RAW_CHARS)
        text = unmarked(self.text[self.start : most])
        return text if most == self.end else f"{text}… ({self.end - self.start:,} characters)"


@dataclass
class _Gathered:
    objects: list[dict[str, Any]] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    object_of_row: list[int] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    records: list[int] = field(default_factory=list)
    malformed: list[tuple[int, int, str, str, str]] = field(default_factory=list)
    chars: int = 0

    def __len__(self) -> int:
        return len(self.rows) + len(self.malformed)


class JsonBatches:
    """Take elements in file order and give batches; the rows of one object stay together.

    `full` turns true when the limit of rows is reached.
    """

    def __init__(self, task: Task, found: Found) -> None:
        self._task = task
        self._found = found
        self._layout = Layout.of(task.expected, task.lists)
        self._gathered = _Gathered()
        self._refused: set[str] = set()
        found.header = self._layout.columns

    @property
    def full(self) -> bool:
        """Say whether the rows of the limit are there."""
        return self._task.limit is not None and self._found.counts.records >= self._task.limit

    def add(self, element: Element, fault: Fault | None) -> Batches:
        """Take one element; gives the batch before it when that is full."""
        self._found.counts.elements += 1
        obj = element.value
        if fault is None and not _OURS.isdisjoint(obj):
            obj, fault = _without_ours(obj)
        laid = None
        if fault is None:
            laid, fault = self._lay_out(obj, element)
        if laid is None:
            yield from self._set_aside(element, fault or ("", ""))
        else:
            yield from self._put(obj, laid.rows, element)

    def set_aside(self, line: int, fault: Fault, raw: str) -> Batches:
        """Take a malformed element that could not be decoded."""
        self._found.counts.elements += 1
        yield from self._malformed(line, fault, raw)

    def rest(self) -> Batches:
        """Give the last batch."""
        if len(self._gathered):
            yield self._batch()

    def _lay_out(self, obj: dict[str, Any], element: Element) -> tuple[Laid | None, Fault | None]:
        try:
            laid = lay_out(obj, self._layout)
        except RecursionError:
            return None, ("too_deep", "nested more deeply than can be followed")
        if laid.unknown or laid.unfit:
            self._refuse(laid, element.line)
        if laid.double is not None:
            return None, ("duplicate_key", f"two keys give the column {shown(laid.double)}")
        return laid, None

    def _refuse(self, laid: Laid, line: int) -> None:
        where = f"{self._task.file.name}, line {line}, record {self._found.counts.elements}"
        for path in laid.unknown:
            what = f"key not known to the job: {shown(path, 80)}"
            self._refuse_path(path, Problem(what, where, "name it under columns or ignore"))
        for path, why in laid.unfit:
            do = "name it under ignore, or flatten it in the export"
            self._refuse_path(path, Problem(f"{shown(path, 80)} is {why}", where, do))

    def _refuse_path(self, path: str, problem: Problem) -> None:
        if path not in self._refused and len(self._refused) < _MOST_REFUSED_PATHS:
            self._refused.add(path)
            self._found.problems.append(problem)

    def _set_aside(self, element: Element, fault: Fault) -> Batches:
        raw = element.value["_raw"] if fault[0] == "unreadable_before" else element.raw
        yield from self._malformed(element.line, fault, raw)

    def _malformed(self, line: int, fault: Fault, raw: str) -> Batches:
        yield from self._room(1)
        self._found.counts.records += 1
        self._gathered.chars += len(raw)
        self._gathered.malformed.append((line, self._found.counts.elements, *fault, raw))

    def _put(self, obj: dict[str, Any], rows: list[Row], element: Element) -> Batches:
        if self._task.limit is not None:
            rows = rows[: self._task.limit - self._found.counts.records]
        yield from self._room(len(rows))
        gathered = self._gathered
        gathered.rows += rows
        gathered.object_of_row += [len(gathered.objects)] * len(rows)
        gathered.lines += [element.line] * len(rows)
        gathered.records += [self._found.counts.elements] * len(rows)
        gathered.objects.append(obj)
        gathered.chars += element.end - element.start
        self._found.counts.records += len(rows)

    def _room(self, rows: int) -> Batches:
        gathered = self._gathered
        if gathered and (len(gathered) + rows > self._task.batch_rows or gathered.chars >= _BATCH_TEXT):
            yield self._batch()

    def _batch(self) -> Batch:
        gathered, self._gathered = self._gathered, _Gathered()
        rows = gathered.rows
        columns = {
            name: pl.Series([row.values.get(name) for row in rows], dtype=pl.String) for name in self._layout.columns
        }
        places = {
            "_line": pl.Series(gathered.lines, dtype=pl.UInt64),
            "_record": pl.Series(gathered.records, dtype=pl.UInt64),
            "_element": pl.Series([row.element for row in rows], dtype=pl.UInt32),
        }
        return Batch(
            self._task.file,
            pl.DataFrame({**columns, **places}),
            malformed_frame(gathered.malformed),
            _absent(rows, self._layout) if self._layout.track_absent else None,
            Origin(gathered.objects, gathered.object_of_row, [row.of_list for row in rows]),
        )


def _absent(rows: list[Row], layout: Layout) -> pl.DataFrame:
    return pl.DataFrame(
        {name: pl.Series([name in row.absent for row in rows], dtype=pl.Boolean) for name in layout.columns}
    )


def _without_ours(obj: Mapping[str, Any]) -> tuple[dict[str, Any], Fault | None]:
    """Take the keys of a rejects file out; an object that holds nothing but its raw text is malformed again."""
    rest = {key: value for key, value in obj.items() if key not in _OURS}
    blank = all(value is None or value in ("", [], {}) for value in rest.values())
    if blank and _OURS.issubset(obj) and isinstance(obj["_raw"], str) and obj["_raw"]:
        return rest, ("unreadable_before", "still holds only the raw text of an element that could not be read")
    return rest, None
