"""Draft where each dump column goes and how it is read (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.model.columns import LiveField
from pipeline.run.init.judge import Verdict, file_decimal, judge, judge_for, null_texts
from pipeline.run.init.names import collection_name, field_name, match
from pipeline.run.init.survey import Facts, Survey

_INTERESTS = ("interest", "interests")


@dataclass(frozen=True)
class Column:
    """A dump column with its target, what it holds, the words that read it, and what was measured."""

    source: str
    target: str
    verdict: Verdict
    nulls: tuple[str, ...]
    facts: Facts
    live: bool = False

    @property
    def collection(self) -> str | None:
        """Return the collection of the target, None for a profile field or an interest."""
        head, dot, _ = self.target.partition(".")
        return head if dot and head != "interest" else None


@dataclass
class Draft:
    """The columns of a job file and a schema; `ignored` with the reason for each."""

    columns: list[Column] = field(default_factory=list)
    ignored: dict[str, str] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    key_notes: list[str] = field(default_factory=list)
    not_known: list[str] = field(default_factory=list)

    def of(self, target: str) -> Column | None:
        """Return the column that goes to a target."""
        return next((column for column in self.columns if column.target == target), None)


def draft(
    survey: Survey,
    lists: Sequence[str],
    unfit: Mapping[str, str],
    live: Mapping[str, LiveField] | None,
    keys: Sequence[str] = (),
) -> Draft:
    """Draft the columns of a survey; `live` None where the database is not known or new.

    `keys` are columns that are wanted also where the database has no field for them.
    """
    found = Draft(ignored={path: f"is {why}" for path, why in unfit.items()})
    decimal = file_decimal([survey.alive(facts) for facts in survey.facts.values()])
    matched = _to_live(survey, live, decimal) if live else {}
    taken = [target for target, _ in matched.values()]
    collections: dict[str, str] = {}
    for name, facts in survey.facts.items():
        if name in matched:
            target, verdict = matched[name]
        elif matched and name not in keys and not _is_needed(name, lists, matched):
            found.ignored[name] = "no field in Copernica is like it; take it out of here, and `setup` makes one"
            continue
        else:
            verdict = judge(facts, survey.alive(facts), decimal)
            target = _new_target(name, lists, collections, taken, verdict)
            taken.append(target)
        if target.startswith("interest.") and verdict.kind != "yesno":
            found.ignored[name] = "it goes to an interest, and its values are not yes and no"
            continue
        nulls = null_texts(facts, verdict)
        found.columns.append(Column(name, target, verdict, nulls, facts, name in matched))
    return found


def _to_live(survey: Survey, live: Mapping[str, LiveField], decimal: str) -> dict[str, tuple[str, Verdict]]:
    """Match columns with live fields whose type their values have."""
    found = {}
    for name, target in match(survey.facts, live).items():
        facts = survey.facts[name]
        verdict = judge_for(live[target], facts, survey.alive(facts), decimal)
        if verdict is not None:
            found[name] = (target, verdict)
    return found


def _is_needed(name: str, lists: Sequence[str], matched: Mapping[str, object]) -> bool:
    """Return whether a list has no matched column at all: then its collection is new as a whole."""
    mine = next((path for path in lists if name.startswith(f"{path}.")), None)
    return mine is not None and not any(one.startswith(f"{mine}.") for one in matched)


def _new_target(
    name: str, lists: Sequence[str], collections: dict[str, str], taken: Sequence[str], verdict: Verdict
) -> str:
    """Name a new target: a list's columns go to a collection, `interest.X` to an interest, the rest to the profile."""
    path = next((path for path in lists if name.startswith(f"{path}.")), None)
    head, _, rest = name.rpartition(".")
    if path is None and head.lower() in _INTERESTS and verdict.kind == "yesno":
        return f"interest.{field_name(rest)}"
    if path is None:
        return field_name(name, [one for one in taken if "." not in one])
    if path not in collections:
        collections[path] = collection_name(path, list(collections.values()))
    mine = collections[path]
    inner = name.removeprefix(f"{path}.")
    return f"{mine}.{field_name(inner, [one.partition('.')[2] for one in taken if one.startswith(f'{mine}.')])}"


def dotted_lists(names: Sequence[str]) -> tuple[str, ...]:
    """Return the collections of a CSV dump in the notation of imports: what stands before the one dot of its columns."""
    heads = [name.partition(".")[0] for name in names if name.count(".") == 1]
    return tuple(dict.fromkeys(head for head in heads if head.lower() not in _INTERESTS))
