"""Propose the keys of the profile and of each collection, with how often they repeat or are blank (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import polars as pl

from pipeline.errors import JobError, Problem, shown
from pipeline.run.init.draft import Column, Draft
from pipeline.run.init.names import is_id_like
from pipeline.run.init.survey import Survey

# Kinds that make a key (data rules 14, 16), and what a name adds to one.
_KEY_KINDS = ("text", "integer", "email")
# Two columns are a key where this share of the rows differs in them.
_NEARLY_ALL = 0.95
_MOST_PAIRED = 6


def choose_keys(draft: Draft, survey: Survey, wanted: Sequence[str], job: str) -> None:
    """Set `draft.keys`: the columns that were asked for, else the likeliest ones; raises JobError where there are none."""
    asked = _asked(draft, wanted)
    profile = [column for column in draft.columns if column.collection is None]
    first = [column for column in asked if column.collection is None] or _profile_keys(profile, draft, survey, job)
    if not first:
        what = "no column can be the key of a profile: all are blank, too long, or no text"
        raise JobError(Problem(what, "key", "name the columns with --key COLUMN"))
    keys = [column.target for column in first]
    for name in dict.fromkeys(column.collection for column in draft.columns if column.collection):
        inner = [column for column in draft.columns if column.collection == name]
        mine = [column for column in asked if column.collection == name]
        if not mine:
            mine = [_collection_key(inner, first, survey, draft)]
        keys += [column.target for column in mine]
    draft.keys = tuple(keys)
    draft.key_notes += [_note(column) for column in first]


def _asked(draft: Draft, wanted: Sequence[str]) -> list[Column]:
    found, problems = [], []
    for name in wanted:
        column = next((one for one in draft.columns if name in (one.source, one.target)), None)
        if column is None and name in draft.ignored:
            problems.append(Problem(f"{shown(name)} cannot be a key: {draft.ignored[name]}", "--key", "name another"))
        elif column is None:
            there = ", ".join(one.source for one in draft.columns[:12])
            problems.append(Problem(f"there is no column {shown(name)} to be a key", "--key", f"there are {there}"))
        elif column.verdict.kind not in (*_KEY_KINDS, "phone", "choice", "date", "datetime"):
            problems.append(
                Problem(f"{name} holds {column.verdict.kind} values, which are no key", "--key", "name another")
            )
        else:
            found.append(column)
    if problems:
        raise JobError(*problems)
    return found


def _profile_keys(columns: Sequence[Column], draft: Draft, survey: Survey, job: str) -> list[Column]:
    fit = [column for column in columns if _can_be_key(column)]
    if not fit:
        return []
    ranked = sorted(fit, key=lambda column: -_score(column, columns, job))
    best = ranked[0]
    several_rows = any(column.collection for column in draft.columns)
    if several_rows or (best.facts.is_unique and not best.facts.blank):
        return [best]
    pair = next(_pairs(ranked, survey), None)
    if pair is not None and best.facts.share_distinct < _NEARLY_ALL:
        names = " and ".join(column.source for column in pair)
        draft.not_known.append(f"the key: no column is unique, {names} together nearly are; name others with --key")
        return sorted(pair, key=columns.index)
    draft.not_known.append(
        f"the key: {best.source} is the likeliest, though its values repeat or are blank; the last row of a key wins."
        " Name others with --key"
    )
    return [best]


def _can_be_key(column: Column) -> bool:
    facts = column.facts
    return column.verdict.kind in _KEY_KINDS and facts.good > 0 and facts.max_chars <= 255 and facts.blank < facts.rows


def _score(column: Column, columns: Sequence[Column], job: str) -> float:
    facts = column.facts
    rows = max(1, facts.rows)
    score = 60 * facts.share_distinct - 80 * (rows - facts.good) / rows
    score += 30 if is_id_like(column.source) else 15 if column.verdict.kind == "email" else 0
    # The key of customers.csv is rather CustomerID than OrderID.
    stem = job.lower().rstrip("s")
    score += 10 if len(stem) > 2 and stem in column.source.lower().replace("_", "") else 0
    score += 5 if column is columns[0] else 0
    score -= 30 if facts.max_chars > 50 else 0
    score -= 20 if facts.outer_blanks else 0
    return score


def _pairs(ranked: Sequence[Column], survey: Survey) -> Iterator[tuple[Column, Column]]:
    """Yield pairs of columns that nearly never repeat together, those with names of ids first."""
    few = [one for one in ranked if not one.facts.blank and (is_id_like(one.source) or one is ranked[0])]
    for pair in combinations(few[:_MOST_PAIRED], 2):
        rows = survey.head.select([column.source for column in pair])
        if rows.n_unique() >= _NEARLY_ALL * rows.height:
            yield pair


def _collection_key(columns: Sequence[Column], profile: Sequence[Column], survey: Survey, draft: Draft) -> Column:
    """Choose the column that identifies the rows of a profile in a collection."""
    fit = [column for column in columns if column.verdict.kind in _KEY_KINDS and column.facts.good] or list(columns)
    name = columns[0].collection
    head = survey.head
    carried = head.filter(pl.any_horizontal(pl.col(one.source).fill_null("") != "" for one in columns))
    owners = [one.source for one in profile]

    def worth(column: Column) -> tuple[float, float, int]:
        rows = carried.filter(pl.col(column.source).fill_null("") != "")
        alone = rows.select(*owners, column.source).n_unique() / max(1, carried.height)
        # The name of a key outweighs a few repeats.
        return round(alone, 3) + 0.25 * is_id_like(column.source), round(alone, 3), -columns.index(column)

    best = max(fit, key=worth)
    _, share, _ = worth(best)
    if share < 1 or not is_id_like(best.source):
        share_text = f"{share:.1%} of its rows differ in it within one profile"
        draft.not_known.append(f"the key of {name}: {best.source} is the likeliest ({share_text}); --key names another")
    return best


def _note(column: Column) -> str:
    facts = column.facts
    kept = facts.distinct
    sample = "" if kept.exact else f", measured on {kept.rows:,} of them"
    unique = "each value once" if facts.is_unique else f"{kept.distinct:,} different values in {kept.rows:,} records"
    empty = facts.rows - facts.good
    blank = f"; {empty:,} of {facts.rows:,} records have none and will be set aside" if empty else "; never blank"
    return f"{column.source}: {unique}{sample}{blank}"
