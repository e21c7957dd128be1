"""Decide which scripted fault hits which request (edge: YAML file)."""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from pipeline.errors import JobError, Problem
from pipeline.sandbox.imports import Script
from pipeline.sandbox.yaml_file import read_yaml

Kind = Literal[
    "refuse", "400", "429", "502", "503", "504", "slow", "empty", "cut", "expire", "hang", "delay", "fail", "polls"
]
_INTERRUPTED = "The import was interrupted"
IMPORT_KINDS = frozenset({"hang", "delay", "fail", "polls"})


class Rule(BaseModel):
    """Describe one fault; docs/sandbox.md explains each key.

    `method` and `path` (a pattern with * and ?) choose requests; of these `nth` (one number or several, from 1),
    `every`, `share` with `seed` or all are hit, at most `times`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind
    method: str = "*"
    path: str = "*"
    nth: list[int] = []
    every: int = Field(default=1, ge=1)
    share: float | None = Field(default=None, ge=0, le=1)
    seed: int = 0
    times: int | None = Field(default=None, ge=0)
    retry_after: int | None = None
    http_date: bool = False
    seconds: float = Field(default=0, ge=0)
    for_s: float = Field(default=0, ge=0)
    after_rows: int | None = Field(default=None, ge=0)
    message: str | None = None
    finish: bool = True
    polls: int = Field(default=3, ge=0)

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
        return self


class Hit(BaseModel):
    """Carry what happens to one request: at most one fault of the connection, and a script for its import."""

    model_config = ConfigDict(frozen=True)

    rule: Rule | None = None
    imports: list[Rule] = []

    def script(self, rows: int) -> Script:
        """Give the script of an import of so many rows."""
        found: dict[str, Any] = {}
        for rule in self.imports:
            if rule.kind == "hang":
                found["hang"] = True
            elif rule.kind == "delay":
                found["delay_s"] = rule.seconds
            elif rule.kind == "polls":
                found["polls"] = rule.polls
            else:
                after = rows // 2 if rule.after_rows is None else rule.after_rows
                found |= {"fail_after": after, "message": rule.message or _INTERRUPTED, "finish": rule.finish}
        return Script(**found)

    def named(self) -> list[str]:
        """List the kinds, for the journal."""
        return [rule.kind for rule in ([self.rule] if self.rule else []) + self.imports]


class Faults:
    """Count requests per rule and say which faults hit; safe to call from several threads."""

    def __init__(self, rules: list[Rule]) -> None:
        self._lock = threading.Lock()
        self.set(rules)

    def set(self, rules: list[Rule]) -> None:
        """Put other rules in place; all counts start again."""
        with self._lock:
            self._rules = list(rules)
            self._seen = [0] * len(rules)
            self._hits = [0] * len(rules)
            self._random = [random.Random(rule.seed) for rule in rules]  # noqa: S311 (a repeatable script)

    def hit(self, method: str, path: str) -> Hit:
        """Count a request and give its faults; of several faults of the connection the first rule's happens."""
        chosen: Rule | None = None
        imports = []
        with self._lock:
            for number, rule in enumerate(self._rules):
                if not _meant(rule, method, path) or not self._strikes(number, rule):
                    continue
                if rule.kind in IMPORT_KINDS:
                    imports.append(rule)
                elif chosen is None:
                    chosen = rule
                else:
                    continue
                self._hits[number] += 1
        return Hit(rule=chosen, imports=imports)

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
        if rule.nth:
            return seen in rule.nth
        if rule.share is not None:
            return self._random[number].random() < rule.share
        return seen % rule.every == 0


def _meant(rule: Rule, method: str, path: str) -> bool:
    # What a fault does to an import can only be asked of the request that makes one.
    if rule.kind in IMPORT_KINDS and (method not in ("POST", "PUT") or not path.rstrip("/").endswith("/imports")):
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
