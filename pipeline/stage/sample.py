"""Choose the rows to read back after a load: half at random, half the riskiest (pure; data rule 27)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from pipeline.model.columns import Keys
from pipeline.stage.settle import Rules
from pipeline.validate.keys import maybe_same

ASTRAL = r"[\x{10000}-\x{10FFFF}]"


@dataclass(frozen=True)
class Expectation:
    """What the database must hold once all is sent.

    `profile` are the profile columns that all rows together leave (for `add` those of the last alone, or of the first: see
    `Rules.first_stands`), of all keys that are maybe the same as the sampled row's: per column the last value, with
    `ignore_empty_fields` the last that is not empty. `subprofiles` are pairs of a collection and what the rows of a full
    key leave there. Cells that nothing fills are None. `key` is their `_key`. Where the rows spell the key in several ways,
    not counting case, `apart` has the same of each: Copernica may have made one profile of them or several (data rule 15).
    """

    profile: dict[str, str | None]
    subprofiles: tuple[tuple[str, dict[str, str | None]], ...] = ()
    apart: tuple[Expectation, ...] = ()
    key: int = 0


@dataclass
class Sampler:
    """Collect candidates partition by partition, in memory that depends on the sample's size only.

    `size` keys in all. The random ones are the keys with the smallest hash under `seed` (the run id): half of the sample,
    and what the riskiest leave of the other half. Without `risky` all are random.
    """

    size: int
    seed: int
    rules: Rules
    risky: bool = True
    _random: list[tuple[int, Expectation]] = field(default_factory=list)
    _risky: dict[str, tuple[int, Expectation]] = field(default_factory=dict)

    def look(self, rows: pl.DataFrame, among: pl.Series | None = None) -> None:
        """Take candidates from a settled partition (staged layout, file order); all rows of a key are in it.

        `among` (Boolean) restricts the candidates to some rows; what they must leave is what all rows leave.
        """
        if not self.size or not self.rules.keys.profile:
            return
        candidates = rows if among is None else rows.filter(among)
        if candidates.is_empty():
            return
        ranks = candidates["_key"].hash(self.seed)
        # More than wanted, since rows of one key have one rank.
        for position in ranks.bottom_k(8 * self.size).unique().bottom_k(self.size).to_list():
            row = int(ranks.index_of(position) or 0)
            self._random.append((position, self._expectation(rows, candidates, row)))
        self._random = sorted(self._random, key=lambda pair: pair[0])[: self.size]
        for reason, row, weight in self._risks(candidates) if self.risky else ():
            if reason not in self._risky or weight > self._risky[reason][0]:
                self._risky[reason] = (weight, self._expectation(rows, candidates, row))

    def chosen(self) -> tuple[Expectation, ...]:
        """Return the sample: random ones first, no profile twice unless another of its subprofiles is looked at."""
        found: list[Expectation] = []
        few, drawn = (self.size + 1) // 2, [pair[1] for pair in self._random]
        for expectation in (*drawn[:few], *(pair[1] for pair in self._risky.values()), *drawn[few:]):
            if expectation not in found:
                found.append(expectation)
        return tuple(found[: self.size])

    def _risks(self, rows: pl.DataFrame) -> Sequence[tuple[str, int, int]]:
        """Name the riskiest rows: 4-byte characters, the longest text per column (and so the most extreme number), the
        last row of a superseded key."""
        risks: list[tuple[str, int, int]] = []
        if rows["_full"].n_unique() < rows.height:
            superseded = rows["_full"].is_duplicated() & rows["_full"].is_last_distinct()
            risks.append(("superseded", int(superseded.arg_max() or 0), 1))
        for name in self.rules.sets.columns:
            size = rows[name].str.len_bytes()
            longest = size.arg_max()
            if longest is None:
                continue
            if size.sum() != rows[name].str.len_chars().sum():
                astral = rows[name].str.contains(ASTRAL).fill_null(False)
                if astral.any():
                    risks.insert(0, ("4-byte characters", int(astral.arg_max() or 0), 1))
            risks.append((f"longest {name}", int(longest), int(size[longest])))
        return risks

    def _expectation(self, rows: pl.DataFrame, candidates: pl.DataFrame, row: int) -> Expectation:
        sampled = candidates.row(row, named=True)
        same_key = rows.filter(pl.col("_key") == sampled["_key"])
        carried = self.rules.sets.collections_of(sampled["_set"])
        only = {name: _loose(sampled, name, self.rules.keys) for name in carried}
        return expectation_of(same_key, self.rules, only)


def expectation_of(rows: pl.DataFrame, rules: Rules, only: Mapping[str, tuple[str, ...]] | None = None) -> Expectation:
    """Return what the rows of one profile key, in file order, must leave (data rules 27, 28, 42).

    `only` names the one subprofile per collection that matters, by its loose key; None means all that are carried.
    """
    named = rows.rows(named=True)
    spelled: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in named:
        spelled.setdefault(tuple((row[key] or "").casefold() for key in rules.keys.profile), []).append(row)
    each = spelled.values() if len(spelled) > 1 else ()
    apart = tuple(_of_one(of_spelling, rules, only) for of_spelling in each)
    return replace(_of_one(named, rules, only), apart=apart, key=named[0]["_key"])


def _of_one(rows: Sequence[dict[str, Any]], rules: Rules, only: Mapping[str, tuple[str, ...]] | None) -> Expectation:
    """Return what rows leave that go to one profile."""
    left: dict[tuple[str, tuple[str, ...]], dict[str, str | None]] = {}
    for row in rows:
        for name in rules.sets.collections_of(row["_set"]):
            key = _loose(row, name, rules.keys)
            if only is None or only.get(name) == key:
                columns = {column: row[column] for column in rules.sets.columns if column.startswith(f"{name}.")}
                left[name, key] = _folded((left.get((name, key), {}), columns), rules)
    profile = _folded(({name: row[name] for name in rules.sets.of_profile} for row in _made_by(rows, rules)), rules)
    subprofiles = tuple((name, _sent(columns, rules)) for (name, _), columns in left.items())
    return Expectation(_sent(profile, rules), subprofiles)


def _made_by(rows: Sequence[dict[str, Any]], rules: Rules) -> Sequence[dict[str, Any]]:
    """Return the rows that make one profile: of an `add` one of them, whose cells are its own."""
    if rules.action != "add":
        return rows
    return rows[:1] if rules.first_stands else rows[-1:]


def _sent(cells: dict[str, str | None], rules: Rules) -> dict[str, str | None]:
    """Leave out optional columns that the rows leave alone."""
    optional = rules.sets.optional
    return (
        {name: text for name, text in cells.items() if text is not None or name not in optional} if optional else cells
    )


def _folded(rows: Iterable[Mapping[str, str | None]], rules: Rules) -> dict[str, str | None]:
    """Return per column the last value, or the last that is not empty; a null interest is never sent (data rule 33)."""
    found: dict[str, str | None] = {}
    for row in rows:
        for name, text in row.items():
            keeps = rules.ignore_empty_fields or name.startswith("interest.")
            found[name] = found.get(name) if keeps and not text else text
    return found


def _loose(row: dict[str, str | None], collection: str, keys: Keys) -> tuple[str, ...]:
    """Return the key of a row's subprofile under "maybe the same" (data rule 15)."""
    return tuple(maybe_same(row[key] or "") for key in keys.collections.get(collection, ()))


def expectation_from(found: Mapping[str, Any]) -> Expectation:
    """Read an expectation back from JSON."""
    subprofiles = tuple((name, columns) for name, columns in found["subprofiles"])
    return Expectation(
        found["profile"], subprofiles, tuple(expectation_from(one) for one in found["apart"]), found["key"]
    )
