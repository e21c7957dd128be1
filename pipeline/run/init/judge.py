"""Judge what a column holds from what was measured of it (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from pipeline.model.columns import LiveField
from pipeline.model.nulls import NULL_LIKE
from pipeline.run.init.kinds import PLAIN, Candidate
from pipeline.run.init.names import is_id_like
from pipeline.run.init.survey import Facts

# Of numbers one value in a hundred may be damage, of dates, whose form is plain, one in ten.
_MOST_BAD = {"integer": 0.01, "decimal": 0.01, "date": 0.1, "datetime": 0.1, "yesno": 0.02, "email": 0.05, "phone": 0.1}
# From so many values on two odd ones are damage, too.
_ENOUGH = 20
# Lengths of text fields; the next night may bring a text twice as long.
_LENGTHS = (20, 50, 100, 150, 255)
# A small vocabulary is a choice where each value stands often.
_CHOICES = 8
_LEAST_EACH = 5
# The schema kinds that a live field takes (data rule 14), most fitting first.
_KINDS_OF = {
    "integer": ("integer",), "float": ("decimal",), "date": ("date",), "empty_date": ("date",),
    "datetime": ("datetime", "date"), "empty_datetime": ("datetime", "date"), "foreign_key": ("integer",),
    "interest": ("yesno",), "email": ("email", "text"), "phone": ("phone", "text"), "phone_fax": ("phone", "text"),
    "phone_gsm": ("phone", "text"),
}  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """What a column holds: `kind` as in the schema (email, phone and big beside the kinds of a FieldSpec), with evidence.

    `reading` names the words of the job file beside the defaults; `bad` counts values that are not of the kind.
    """

    kind: str
    why: str
    reading: Mapping[str, object] = field(default_factory=dict)
    bad: int = 0
    length: int | None = None
    choices: tuple[str, ...] = ()
    sure: bool = True


def file_decimal(every: Sequence[Mapping[Candidate, int]]) -> str:
    """Return the decimal mark that most columns of a file show."""
    marks: Counter[str] = Counter()
    for alive in every:
        if not any(one.kind == "integer" and bad == 0 for one, bad in alive.items()):
            good = [one for one, bad in alive.items() if one.kind == "decimal" and bad == 0]
            marks.update(
                {one.reading.decimal for one in good} if len({one.reading.decimal for one in good}) == 1 else ()
            )
    return "," if marks[","] > marks["."] else "."


def judge(facts: Facts, alive: Mapping[Candidate, int], decimal: str) -> Verdict:
    """Judge a column by its values alone."""
    if not facts.good:
        return Verdict("text", f"empty in all records ({facts.rows:,})", sure=False)
    found = {kind: _best(alive, kind, decimal) for kind in _MOST_BAD}
    for kind in ("yesno", "datetime", "date", "email", "integer", "decimal", "phone"):
        best = found[kind]
        if best is None or not _holds(kind, best[1], facts.good):
            continue
        if kind == "integer" and (verdict := _number_or_name(facts, best[1])):
            return verdict
        if kind == "date" and best[0].form == "%Y%m%d" and is_id_like(facts.name):
            continue
        return _verdict(facts, *best, alive)
    return _text(facts)


def judge_for(field: LiveField, facts: Facts, alive: Mapping[Candidate, int], decimal: str) -> Verdict | None:
    """Judge a column that goes to a live field; None where its values are not of the field's type."""
    if field.type == "select":
        foreign = None if facts.choices is None else sum(
            count for text, count in facts.choices.items() if text not in field.choices)  # fmt: skip
        if facts.good and (foreign is None or foreign > facts.good * 0.5):
            return None
        why = "the select's own choices" + (f"; {foreign:,} values are none of them" if foreign else "")
        return Verdict("choice", why, choices=field.choices, bad=foreign or 0)
    if field.type in ("text", "big"):
        return Verdict("text" if field.length or field.type == "text" else "big", _texts(facts), length=field.length)
    for kind in _KINDS_OF.get(field.type, ()):
        best = _best(alive, kind, decimal)
        if kind == "text":
            return Verdict("text", _texts(facts), length=field.length)
        if best is not None or not facts.good:
            verdict = _verdict(facts, *best, alive) if best else Verdict(kind, "no values")
            as_datetime = kind == "date" and "date" not in field.type.split("_")
            return replace(verdict, kind="datetime", sure=True) if as_datetime else verdict
    return None


def null_texts(facts: Facts, verdict: Verdict) -> tuple[str, ...]:
    """Return the texts that mean empty in a column: the sure ones, and doubtful ones where they could be no value."""
    typed = verdict.kind not in ("text", "big")
    often = {text for text, count in facts.nulls.items() if count >= 3 and count >= 0.01 * facts.rows}
    return tuple(sorted(text for text in facts.nulls if text in NULL_LIKE.sure or typed or text in often))


def _best(alive: Mapping[Candidate, int], kind: str, decimal: str) -> tuple[Candidate, int] | None:
    """Choose among the candidates of a kind: fewest bad values, then the file's own decimal mark, then their order."""
    fitting = [(bad, one.reading.decimal != decimal, at, one)
               for at, (one, bad) in enumerate(alive.items()) if one.kind == kind]  # fmt: skip
    if not fitting:
        return None
    bad, _, _, best = min(fitting, key=lambda entry: entry[:3])
    return best, bad


def _holds(kind: str, bad: int, good: int) -> bool:
    return bad <= _MOST_BAD[kind] * good or (bad <= 2 and good >= _ENOUGH)


def _number_or_name(facts: Facts, bad: int) -> Verdict | None:
    """Return text for digits that are a name and no number: leading zeros, names of ids, more digits than a number keeps."""
    if facts.point_zeros:
        return None
    if facts.leading_zeros:
        return _text(facts, f"digits with leading zeros ({facts.leading_zeros:,}), so no number")
    if facts.max_chars > 15 or (is_id_like(facts.name) and facts.max_chars > 1):
        return _text(facts, "digits that name something, so no number")
    if bad and is_id_like(facts.name):
        return _text(facts)
    return None


def _verdict(facts: Facts, best: Candidate, bad: int, alive: Mapping[Candidate, int]) -> Verdict:
    """Put a candidate into words for job, schema and reader."""
    reading = {name: value for name, value in best.reading if value != getattr(PLAIN, name)}
    why, sure = f"all {facts.good:,} values", True
    if bad:
        why, sure = f"{facts.good - bad:,} of {facts.good:,} values; {bad:,} are not", False
    rivals = [one for one, worse in alive.items() if one.kind == best.kind and worse == bad and one is not best]
    if best.form and any(_swapped(best.form, one.form or "") for one in rivals):
        why, sure = f"{why}; day and month could be the other way round", False
    return Verdict(best.kind, why + _empties(facts), reading, bad, sure=sure)


def _swapped(one: str, other: str) -> bool:
    day, month = one.find("d"), one.find("m")
    return bool(other) and (day < month) != (other.find("d") < other.find("m")) and month >= 0 and other.find("m") >= 0


def _text(facts: Facts, why: str = "") -> Verdict:
    choices = facts.choices
    if choices and not why and _is_vocabulary(facts, choices):
        words = f"only {len(choices)} texts in {facts.good:,} values: add others here and in Copernica"
        return Verdict("choice", words, choices=tuple(choices), sure=False)
    longest = facts.max_chars
    length = next((size for size in _LENGTHS if size >= longest * 2), 255 if longest <= 255 else None)
    return Verdict("text" if length else "big", why or _texts(facts), length=length)


def _texts(facts: Facts) -> str:
    return f"at most {facts.max_chars:,} characters{_empties(facts)}"


def _empties(facts: Facts) -> str:
    blank = f", {facts.blank:,} blank" if facts.blank else ""
    return blank + "".join(f", {count:,} {text!r}" for text, count in facts.nulls.most_common(3))


def _is_vocabulary(facts: Facts, choices: Counter[str]) -> bool:
    named = ("status", "type", "tier", "gender", "geslacht", "level", "soort", "kind", "segment")
    return (
        any(word in facts.name.lower() for word in named)
        and 2 <= len(choices) <= _CHOICES
        and min(choices.values()) >= _LEAST_EACH
        and all(text == text.strip() for text in choices)
    )
