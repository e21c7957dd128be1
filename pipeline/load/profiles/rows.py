"""Read staged rows as what the per-profile method sends: key, fields, interests, subprofiles, grouped by profile (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from pipeline.model.columns import Keys, Sets


@dataclass(frozen=True)
class SubprofileRow:
    """What a row has of one carried collection: its key's texts and what to write, by field name."""

    collection: str
    key: tuple[str, ...]
    fields: Mapping[str, str]


@dataclass(frozen=True)
class ProfileRow:
    """One staged row, ready for the wire.

    `position` is its `_seq`, `key` the canonical texts of the profile key in the order of the job, `fields` what to write
    to the profile (its key included), `interests` those that the row knows, `cells` the staged row itself.
    """

    position: int
    key: tuple[str, ...]
    fields: Mapping[str, str]
    interests: Mapping[str, bool]
    subprofiles: tuple[SubprofileRow, ...]
    cells: Mapping[str, Any]

    @property
    def key_hash(self) -> int:
        """Return the `_key` of the row: equal for keys that are maybe the same."""
        return int(self.cells["_key"])


@dataclass(frozen=True)
class _Shape:
    """Which columns rows of one set are sent with, by where they go (dotted ones with their field names)."""

    profile: tuple[str, ...]
    interests: tuple[str, ...]
    collections: tuple[tuple[str, tuple[str, ...], tuple[tuple[str, str], ...]], ...]


class RowReader:
    """Turn staged rows (with `_seq`) into `ProfileRow`s; `_set` is what a row carries (data rules 17, 18).

    With `ignore_empty` an empty cell is left out, else it is sent as "" (a text that the schema names for it is in the
    frame already). A null interest is always left out (data rule 33).
    """

    def __init__(self, sets: Sets, keys: Keys, *, ignore_empty: bool) -> None:
        self._sets, self._keys, self._ignore_empty = sets, keys, ignore_empty
        self._shapes: dict[int, _Shape] = {}

    def groups(self, rows: pl.DataFrame) -> list[list[ProfileRow]]:
        """Group rows by profile key (maybe the same, data rule 15), both in their order; each its own without a key."""
        groups: dict[tuple[str, int], list[ProfileRow]] = {}
        for cells in rows.iter_rows(named=True):
            row = self._row(cells)
            group = ("key", row.key_hash) if self._keys.profile else ("row", row.position)
            groups.setdefault(group, []).append(row)
        return list(groups.values())

    def _row(self, cells: Mapping[str, Any]) -> ProfileRow:
        carried = cells["_set"]
        shape = self._shapes.get(carried)
        if shape is None:
            shape = self._shapes[carried] = self._shape(carried)
        return ProfileRow(
            cells["_seq"],
            tuple(cells[name] or "" for name in self._keys.profile),
            self._written(cells, ((name, name) for name in shape.profile)),
            {name.partition(".")[2]: cells[name] == "Yes" for name in shape.interests if cells[name] is not None},
            tuple(
                SubprofileRow(name, tuple(cells[key] or "" for key in keys), self._written(cells, columns))
                for name, keys, columns in shape.collections
            ),
            cells,
        )

    def _written(self, cells: Mapping[str, Any], columns: Iterable[tuple[str, str]]) -> dict[str, str]:
        return {
            field: cells[column] or ""
            for column, field in columns
            if not (self._ignore_empty and (cells[column] or "") == "")
        }

    def _shape(self, carried: int) -> _Shape:
        columns = self._sets.columns_of(carried)
        return _Shape(
            tuple(name for name in columns if "." not in name),
            tuple(name for name in columns if name.startswith("interest.")),
            tuple(
                (
                    name,
                    tuple(self._keys.collections.get(name, ())),
                    tuple((column, column.partition(".")[2]) for column in columns if column.startswith(f"{name}.")),
                )
                for name in self._sets.collections_of(carried)
            ),
        )
