"""Measure every column of the dumps in one pass and in bounded memory (pure)."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import polars as pl

from pipeline.model.nulls import NULL_LIKE
from pipeline.run.init.kinds import Candidate, candidates
from pipeline.threads import side_by_side

# Candidates that read fewer than nine in ten values are out; this many values are tried first.
_MOST_BAD = 0.1
_TRIED_FIRST = 2_000
# Distinct values that are kept with their counts, to see a small vocabulary.
MOST_CHOICES = 24
# Distinct hashes that are kept per column: all values of a share of the hashes, so that repeats among them are all seen.
_MOST_HASHES = 20_000
_ALL = 1 << 64
# Rows from which pairs of columns are judged as keys.
HEAD_ROWS = 50_000
HEAD_BYTES = 32 << 20


@dataclass
class Distinct:
    """Count distinct values exactly as long as they are few, else by a fair share of them (those with low hashes)."""

    below: int = _ALL
    rows: int = 0
    _kept: list[pl.DataFrame] = field(default_factory=list)
    _held: int = 0

    def add(self, values: pl.Series) -> None:
        """Count values, none of which is null."""
        hashes = values.hash(seed=7)
        if self.below < _ALL:
            hashes = hashes.filter(hashes < self.below)
        frame = hashes.alias("hash").to_frame().group_by("hash").agg(pl.len().alias("count"))
        self.rows += hashes.len()
        self._kept.append(frame)
        self._held += frame.height
        if self._held > 4 * _MOST_HASHES:
            self._compact()

    def _compact(self) -> None:
        frame = pl.concat(self._kept).group_by("hash").agg(pl.col("count").sum())
        while frame.height > _MOST_HASHES:
            self.below //= 2
            frame = frame.filter(pl.col("hash") < self.below)
        self._kept, self._held, self.rows = [frame], frame.height, int(frame["count"].sum())

    @property
    def distinct(self) -> int:
        """Return how many distinct values were kept; `rows` are the rows that have one of them."""
        if len(self._kept) > 1:
            self._compact()
        return self._held

    @property
    def exact(self) -> bool:
        """Return whether every value was kept."""
        return self.below == _ALL


@dataclass
class Facts:
    """What was measured of one column; `good` are the cells that are neither empty nor like a null text."""

    name: str
    rows: int = 0
    blank: int = 0
    good: int = 0
    max_chars: int = 0
    outer_blanks: int = 0
    leading_zeros: int = 0
    point_zeros: int = 0
    nulls: Counter[str] = field(default_factory=Counter)
    choices: Counter[str] | None = field(default_factory=Counter)
    distinct: Distinct = field(default_factory=Distinct)
    bad: dict[int, int] | None = None

    @property
    def is_unique(self) -> bool:
        """Return whether no value stands twice."""
        return 0 < self.distinct.distinct == self.distinct.rows

    @property
    def share_distinct(self) -> float:
        """Return distinct values over rows with a value."""
        return self.distinct.distinct / max(1, self.distinct.rows)


class Survey:
    """Take the batches of the dumps, then list `facts` by column, in the order in which the columns came."""

    def __init__(self) -> None:
        self.facts: dict[str, Facts] = {}
        self.candidates = candidates()
        self.head: pl.DataFrame = pl.DataFrame()

    def expect(self, names: Sequence[str]) -> None:
        """Fix the order of the columns."""
        self.facts = {name: Facts(name) for name in names}

    def add(self, frame: pl.DataFrame, lists: Sequence[str] = ()) -> None:
        """Measure a batch of text columns.

        With `lists` the rows are those of nested objects, with `_record`: a column of the object is measured once per
        object, one of a list in the rows of that list.
        """
        if self.head.is_empty():
            rows = min(HEAD_ROWS, max(100, int(frame.height * HEAD_BYTES / max(1, frame.estimated_size()))))
            self.head = frame.head(rows).rechunk()
        work = [(self.facts.setdefault(name, Facts(name)), rows[name])
                for names, rows in _levels(frame, lists) for name in names]  # fmt: skip
        # Columns know nothing of each other.
        deque(side_by_side(lambda one: self._measure(*one), work), maxlen=0)

    def alive(self, facts: Facts) -> dict[Candidate, int]:
        """Return the candidates that read nearly all values of a column, with the count of those that they do not."""
        return {self.candidates[at]: bad for at, bad in (facts.bad or {}).items()}

    def _measure(self, facts: Facts, cells: pl.Series) -> None:
        facts.rows += cells.len()
        cells = cells.cast(pl.String) if cells.dtype != pl.String else cells
        sizes = cells.str.len_bytes()
        there = (sizes > 0).fill_null(False)
        if not there.all():
            cells, sizes = cells.filter(there), sizes.filter(there)
        facts.blank += there.len() - cells.len()
        if cells.is_empty():
            return
        cells, sizes = self._without_nulls(facts, cells, sizes)
        if cells.is_empty():
            return
        facts.good += cells.len()
        longest = sizes.max()
        if isinstance(longest, int) and longest > facts.max_chars:
            most = cells.str.len_chars().max()
            facts.max_chars = max(facts.max_chars, most if isinstance(most, int) else 0)
        stripped = cells.str.strip_chars()
        facts.outer_blanks += int((stripped.str.len_bytes() != sizes).sum())
        if facts.outer_blanks:
            cells = stripped.filter(stripped != "")
        self._count_values(facts, cells)
        self._try(facts, cells)

    def _without_nulls(self, facts: Facts, cells: pl.Series, sizes: pl.Series) -> tuple[pl.Series, pl.Series]:
        """Count the texts that look like a null, and leave them out of everything else."""
        like = NULL_LIKE.among(cells)
        if not like.any():
            return cells, sizes
        for text, count in cells.filter(like).value_counts().iter_rows():
            facts.nulls[text] += count
        return cells.filter(~like), sizes.filter(~like)

    def _count_values(self, facts: Facts, cells: pl.Series) -> None:
        # A column that has shown itself to repeat its values is no key; it costs no more.
        if facts.distinct.rows < 200_000 or facts.share_distinct > 0.5:
            facts.distinct.add(cells)
        if facts.choices is None:
            return
        if cells.head(1_000).n_unique() > MOST_CHOICES:
            facts.choices = None
            return
        counts = cells.value_counts()
        if counts.height + len(facts.choices) > 2 * MOST_CHOICES:
            facts.choices = None
            return
        facts.choices.update(dict(counts.iter_rows()))
        facts.choices = facts.choices if len(facts.choices) <= MOST_CHOICES else None

    def _try(self, facts: Facts, cells: pl.Series) -> None:
        """Count what each candidate does not read; one that fails too often is not tried again."""
        if facts.bad is None:
            facts.bad = dict.fromkeys(self._likely(facts.name, cells), 0)
        here: dict[int, int] = {}
        for at in list(facts.bad):
            candidate = self.candidates[at]
            implied = candidate.wider_than is not None and here.get(candidate.wider_than) == 0
            # Digits with leading zeros are no number whatever the rest is; reading them as one takes its time.
            implied = implied or (facts.leading_zeros > 0 and candidate.kind in ("integer", "decimal"))
            here[at] = 0 if implied else candidate.bad(cells)
            facts.bad[at] += here[at]
            if _fails(facts.bad[at], facts.good):
                del facts.bad[at]
        if not facts.point_zeros and any(self.candidates[at].kind == "integer" for at in facts.bad):
            facts.leading_zeros += int((cells.str.starts_with("0") & (cells.str.len_bytes() > 1)).sum())
            facts.point_zeros += int(cells.str.contains(r"\.0+$").sum())

    def _likely(self, name: str, cells: pl.Series) -> Iterator[int]:
        """Try the first values only, fewer before more; ISO dates leave no doubt about other forms."""
        few, more = cells.head(50), cells.head(_TRIED_FIRST)
        iso: set[str] = set()
        # Numbers of telephones, which would lose their plus as numbers, and take long to be read as such.
        dialled = any(one.named and re.search(one.named, name) for one in self.candidates) and _most_with_plus(few)
        for at, one in enumerate(self.candidates):
            if dialled and one.kind in ("integer", "decimal"):
                continue
            if (one.named and not re.search(one.named, name)) or (one.form and one.kind in iso):
                continue
            if _fails(one.bad(few), few.len()):
                continue
            bad = one.bad(more)
            if not _fails(bad, more.len()):
                if bad == 0 and one.kind in ("date", "datetime") and one.form is None:
                    iso |= {"date", "datetime"}
                yield at


def _most_with_plus(cells: pl.Series) -> bool:
    return 2 * int(cells.str.starts_with("+").sum()) > cells.len()


def _levels(frame: pl.DataFrame, lists: Sequence[str]) -> Iterator[tuple[list[str], pl.DataFrame]]:
    """Yield the columns of each level with the rows that hold its values once."""
    left = [name for name in frame.columns if name != "_record"]
    for path in lists:
        mine = [name for name in left if name.startswith(f"{path}.")]
        if mine:
            yield mine, frame.filter(pl.any_horizontal(pl.col(name).is_not_null() for name in mine))
        left = [name for name in left if name not in mine]
    if left:
        yield left, frame.filter((pl.col("_record") != pl.col("_record").shift()).fill_null(True)) if lists else frame


def _fails(bad: int, of: int) -> bool:
    return bad > max(2 if of > 4 else 0, _MOST_BAD * of)
