"""Keep the objects of a JSON batch as bytes, and make Python objects only of those that are asked for (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, overload

from pipeline.extract.json.text import Decoder
from pipeline.model.rows import Origin


class Made(NamedTuple):
    """An object that Python decoded: the first of its rows in the batch, the list of each row, the object.

    `all_lists` are the lists of all of its rows, None where these are all of them.
    """

    row: int
    lists: list[str | None]
    object: dict[str, Any]
    all_lists: frozenset[str] | None = None


class KeptObjects(Sequence[dict[str, Any]]):
    """The objects of a batch in file order: `made` ones by position, the others as bytes of the row `row_of[position]`."""

    def __init__(
        self, raw: bytes, ends: Sequence[int], row_of: Sequence[int], made: Mapping[int, dict[str, Any]]
    ) -> None:
        self._raw = raw
        self._ends = ends
        self._row_of = row_of
        self._made = made
        self._decoder = Decoder()

    def __len__(self) -> int:
        return len(self._row_of)

    @overload
    def __getitem__(self, at: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, at: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, at: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        """Return the object at a position."""
        if isinstance(at, slice):
            return [self[position] for position in range(*at.indices(len(self)))]
        raw = self.raw(at)
        if raw is None:
            return self._made[at]
        value: dict[str, Any] = self._decoder.value(raw.decode())[0]
        return value

    def raw(self, at: int) -> bytes | None:
        """Return the text of a flat object as it stood, on one line; None for one that Python made."""
        row = self._row_of[at]
        return None if at in self._made else self._raw[self._ends[row - 1] if row else 0 : self._ends[row]]


def origin_of(raw: bytes, ends: bytes, made: Sequence[Made]) -> Origin:
    """Return where the rows of a batch came from; all rows but those of `made` objects are objects of their own."""
    ends_of_rows = memoryview(ends).cast("Q")
    rows = len(ends_of_rows)
    lists: list[str | None] = [None] * rows
    for one in made:
        lists[one.row : one.row + len(one.lists)] = one.lists
    if all(len(one.lists) == 1 for one in made):
        objects = KeptObjects(raw, ends_of_rows, range(rows), {one.row: one.object for one in made})
        return Origin(
            objects, range(rows), lists, objects.raw, {one.row: one.all_lists for one in made if one.all_lists}
        )
    object_of_row: list[int] = []
    row_of: list[int] = []
    by_position: dict[int, dict[str, Any]] = {}
    all_lists: dict[int, frozenset[str]] = {}
    for one in made:
        _add_flat(object_of_row, row_of, one.row)
        by_position[len(row_of)] = one.object
        if one.all_lists is not None:
            all_lists[len(row_of)] = one.all_lists
        object_of_row += [len(row_of)] * len(one.lists)
        row_of.append(one.row)
    _add_flat(object_of_row, row_of, rows)
    objects = KeptObjects(raw, ends_of_rows, row_of, by_position)
    return Origin(objects, object_of_row, lists, objects.raw, all_lists)


def _add_flat(object_of_row: list[int], row_of: list[int], until: int) -> None:
    """Add the rows up to `until` that are objects of their own."""
    rows = range(len(object_of_row), until)
    object_of_row += range(len(row_of), len(row_of) + len(rows))
    row_of += rows
