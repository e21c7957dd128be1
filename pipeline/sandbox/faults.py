"""Decide which scripted fault hits which request (edge: YAML file)."""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from pipeline.errors import JobError, Problem
from pipeline.sandbox.imports import Script, Shown
from pipeline.sandbox.yaml_file import read_yaml

Kind = Literal[
    "refuse", "400", "429", "502", "503", "504", "html", "slow", "empty", "cut", "expire",
    "hang", "delay", "fail", "polls", "false_counters", "late_counters", "extra_lines",
]  # fmt: skip
_INTERRUPTED = "The import was interrupted"
# Answers in place of the right one, with the HTTP status.
ANSWER_KINDS: dict[str, int] = {"400": 400, "429": 429, "502": 502, "503": 503, "504": 504, "html": 200}
IMPORT_KINDS = frozenset({"hang", "delay", "fail", "polls"})
POLL_KINDS = frozenset({"false_counters", "late_counters", "extra_lines"})


class Rule(BaseModel):
    """One fault; docs/sandbox.md explains each key.

    `method` and `path` (a pattern with * and ?) choose requests; of these `nth` (one number or several, from 1),
    `every`, `share` with `seed` or all are hit, each time together with the `burst` - 1 that follow, at most `times`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind
    method: str = "*"
    path: str = "*"
    nth: list[int] = []
    every: int = Field(default=1, ge=1)
    share: float | None = Field(default=None, ge=0, le=1)
    seed: int = 0
    burst: int = Field(default=1, ge=1)
    times: int | None = Field(default=None, ge=0)
    retry_after: int | None = None
    http_date: bool = False
    seconds: float = Field(default=0, ge=0)
    for_s: float = Field(default=0, ge=0)
    after_rows: int | None = Field(default=None, ge=0)
    message: str | None = None
    cell: str | None = None
    finish: bool = True
    polls: int = Field(default=3, ge=0)
    lines: int = 1
    done: bool = False

    @field_validator("kind", mode="before")
    @classmethod
    def _word(cls, kind: object) -> object:
        return str(kind) if isinstance(kind, int) else kind

    @field_validator("nth", mode="before")
    @classmethod
    def _several(cls, nth: object) -> object:
        return [nth] if isinstance(nth, int) else nth

    @model_validator(mode="after")
    def _timed(self) -> Rule:
        if self.kind in ("slow", "delay") and not self.seconds:
            raise ValueError(f"kind {self.kind} needs seconds")
        if self.done and self.kind not in ANSWER_KINDS:
            raise ValueError(f"kind {self.kind} takes no done; cut is a lost answer after the effect, empty before it")
        return self


@dataclass(frozen=True)
class Hit:
    """The faults of one request: at most one of the connection, and those of the import it creates or polls."""

    rule: Rule | None = None
    imports: tuple[Rule, ...] = ()

    def script(self, rows: Sequence[Mapping[str, Any]]) -> Script:
        """Return the script of an import of these rows."""
        found: dict[str, Any] = {}
        for rule in self.imports:
            if rule.kind == "hang":
                found["hang"] = True
            elif rule.kind == "delay":
                found["delay_s"] = rule.seconds
            elif rule.kind == "polls":
                found["polls"] = rule.polls
            elif (after := _fails_after(rule, rows)) is not None:
                found |= {"fail_after": after, "message": rule.message or _INTERRUPTED, "finish": rule.finish}
        return Script(**found)

    def shown(self) -> Shown:
        """Return how the answer to a poll differs from the truth."""
        kinds = {rule.kind for rule in self.imports}
        extra = sum(rule.lines for rule in self.imports if rule.kind == "extra_lines")
        return Shown("false_counters" in kinds, "late_counters" in kinds, extra)

    def named(self) -> list[str]:
        """List the kinds, for the journal."""
        return [rule.kind for rule in (*((self.rule,) if self.rule else ()), *self.imports)]


def _fails_after(rule: Rule, rows: Sequence[Mapping[str, Any]]) -> int | None:
    """Return after how many rows an import fails, None where no row has the cell that makes it fail."""
    if rule.cell is not None:
        return next((at for at, row in enumerate(rows) if rule.cell in row.values()), None)
    return len(rows) // 2 if rule.after_rows is None else rule.after_rows


class Faults:
    """Count requests per rule and choose the faults of each; safe to call from several threads."""

    def __init__(self, rules: list[Rule]) -> None:
        self._lock = threading.Lock()
        self.set(rules)

    def set(self, rules: list[Rule]) -> None:
        """Put other rules in place; all counts start again."""
        with self._lock:
            self._rules = list(rules)
            self._seen = [0] * len(rules)
            self._hits = [0] * len(rules)
            self._burst = [0] * len(rules)
            self._random = [random.Random(rule.seed) for rule in rules]  # noqa: S311 (a repeatable script)

    def hit(self, method: str, path: str) -> Hit:
        """Count a request and give its faults; of several faults of the connection the first rule's happens."""
        chosen: Rule | None = None
        imports = []
        with self._lock:
            for number, rule in enumerate(self._rules):
                if not _meant(rule, method, path) or not self._strikes(number, rule):
                    continue
                if rule.kind in IMPORT_KINDS | POLL_KINDS:
                    imports.append(rule)
                elif chosen is None:
                    chosen = rule
                else:
                    continue
                self._hits[number] += 1
        return Hit(chosen, tuple(imports))

    def as_json(self) -> list[dict[str, Any]]:
        """List the rules with the requests they saw and hit."""
        with self._lock:
            return [
                {**rule.model_dump(exclude_defaults=True), "seen": self._seen[number], "hits": self._hits[number]}
                for number, rule in enumerate(self._rules)
            ]

    def _strikes(self, number: int, rule: Rule) -> bool:
        self._seen[number] += 1
        seen = self._seen[number]
        if rule.times is not None and self._hits[number] >= rule.times:
            return False
        if self._burst[number]:
            self._burst[number] -= 1
            return True
        if rule.nth:
            struck = seen in rule.nth
        elif rule.share is not None:
            struck = self._random[number].random() < rule.share
        else:
            struck = seen % rule.every == 0
        self._burst[number] = rule.burst - 1 if struck else 0
        return struck


def _meant(rule: Rule, method: str, path: str) -> bool:
    # These kinds concern only the request that creates an import, or the one that polls it.
    if rule.kind in IMPORT_KINDS and (method not in ("POST", "PUT") or not path.rstrip("/").endswith("/imports")):
        return False
    if rule.kind in POLL_KINDS and (method != "GET" or "/import/" not in path):
        return False
    return fnmatchcase(method, rule.method.upper()) and fnmatchcase(path, rule.path)


def rules_of(content: object, where: str = "faults") -> list[Rule]:
    """Read rules from a list, or a mapping with the one key `faults`. Raises JobError with all problems."""
    if isinstance(content, Mapping) and set(content) == {"faults"}:
        content = content["faults"]
    if content is None:
        return []
    if not isinstance(content, list):
        raise JobError(Problem("faults are a list of rules", where, "see docs/sandbox.md"))
    rules, problems = [], []
    for number, one in enumerate(content, start=1):
        try:
            rules.append(Rule.model_validate(one))
        except ValidationError as error:
            for each in error.errors():
                place = ".".join(str(part) for part in each["loc"])
                problems.append(
                    Problem(
                        each["msg"].removeprefix("Value error, "),
                        f"{where}: rule {number} {place}".rstrip(),
                        "see docs/sandbox.md",
                    )
                )
    if problems:
        raise JobError(*problems)
    return rules


def read_faults(source: Path | str | list[dict[str, Any]] | None) -> list[Rule]:
    """Read rules from a YAML file, or take a list of them. Raises JobError with all problems."""
    if isinstance(source, (Path, str)):
        return rules_of(read_yaml(Path(source)), str(source))
    return rules_of(source)
