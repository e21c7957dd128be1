"""Find out which columns and lists JSON dumps have, for a job file that is not written yet (wiring around the decoder)."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from pipeline.errors import InputError, Problem
from pipeline.extract.decoding import utf8_blocks
from pipeline.extract.files import known_format
from pipeline.extract.json.array import ArrayReader
from pipeline.extract.json.batch import JsonBatches
from pipeline.extract.json.ndjson import NdjsonReader
from pipeline.extract.json.text import Fault
from pipeline.extract.reading import Found, Task
from pipeline.extract.refusal import Refused, grouped
from pipeline.extract.stored import StoredFile
from pipeline.model.columns import Expected
from pipeline.model.files import SourceFile
from pipeline.model.job import Source
from pipeline.model.rows import OURS

# More keys than a table can have columns: keys that are data, such as ids.
_MOST_PATHS = 2_000


@dataclass
class Shape:
    """The columns of JSON dumps as paths, in the order in which they came; the lists of objects; what cannot be a column.

    `unfit` gives a reason for each path that no job can take (data rule 20).
    """

    columns: dict[str, None] = field(default_factory=dict)
    lists: dict[str, None] = field(default_factory=dict)
    unfit: dict[str, str] = field(default_factory=dict)

    def add(self, obj: dict[str, Any], prefix: str = "", *, inside: bool = False) -> None:
        """Take the keys of one object, and of the objects and lists in it."""
        for key, value in obj.items():
            path = prefix + key
            if isinstance(value, dict) and value:
                self.add(value, f"{path}.", inside=inside)
            elif isinstance(value, list) and value:
                self._list(path, value, inside=inside)
            elif not isinstance(value, dict | list):
                self.columns.setdefault(path)

    def _list(self, path: str, elements: list[Any], *, inside: bool) -> None:
        if inside:
            self.unfit.setdefault(path, "a list inside an element of a list")
        elif not all(isinstance(element, dict) for element in elements):
            self.unfit.setdefault(path, "a list whose elements are no objects")
        else:
            self.lists.setdefault(path)
            for element in elements:
                self.add(element, f"{path}.", inside=True)

    def settled(self) -> Shape:
        """Return the shape without columns that turned out to be above others: null in one record, an object in another."""
        above = {path[:at] for path in (*self.columns, *self.lists) for at, char in enumerate(path) if char == "."}
        gone = above | set(self.lists) | set(self.unfit)
        return Shape({path: None for path in self.columns if path not in gone}, self.lists, self.unfit)


class _Shapes(JsonBatches):
    """Take the shape of elements in place of their values."""

    def __init__(self, task: Task, found: Found, shape: Shape) -> None:
        super().__init__(task, found)
        self._shape = shape

    def add(self, value: Any, line: int, text: str, fault: Fault | None) -> None:  # noqa: ARG002 - of the base
        """Take one element."""
        self._counts.elements += 1
        if fault is None:
            self._shape.add({key: inner for key, inner in value.items() if key not in OURS})
        if len(self._shape.columns) > _MOST_PATHS:
            what = f"has more than {_MOST_PATHS:,} different keys, such as {next(reversed(self._shape.columns))!r}"
            raise Refused(Problem(what, self._task.file.name, "export a list of records, not a mapping by id"))


def shape_of(files: Iterable[SourceFile], source: Source) -> Shape:
    """Read JSON dumps as a whole and return their shape; raises InputError with the refusals of all files."""
    shape, problems = Shape(), list[Problem]()
    for file in files:
        try:
            with closing(StoredFile(file)) as stored:
                task, found = Task(file, source, Expected(())), Found()
                blocks = utf8_blocks(stored.blocks(), source.encoding, file.name)
                shapes = _Shapes(task, found, shape)
                array = known_format(file.name, source.format) == "json"
                reader = ArrayReader(task, found, blocks, shapes).read() if array else (
                    NdjsonReader(task, found, shapes).read(blocks))  # fmt: skip
                for _ in reader:
                    pass
                stored.finish()
        except Refused as refused:
            problems += refused.problems
    if problems:
        raise InputError(*grouped(problems))
    return shape.settled()
