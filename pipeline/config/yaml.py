"""Read YAML into a tree that knows the place of every key and value, and apply `--set` to it (pure).

Only true, false and null are special, in this spelling and without quotes; everything else is text, and a key is always
the text that stands there. A plain number is a text that can be taken as a number where one is expected. Anchors and `<<`
are taken; a key that stands twice is a fault.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode
from ruamel.yaml.nodes import Node as YamlNode

from pipeline.errors import JobError, Problem, shown

KeyPath = tuple[str | int, ...]

# Anchors can multiply: a file of more values than this, or nested deeper, is no job. Both are guesses.
_MOST_NODES = 20_000
_MOST_DEPTH = 20
# Brackets that may be open at once, those in texts and comments included: the time that reading takes grows with the
# square of their number and worse. A guess.
_MOST_OPEN = 200

_TAG = "tag:yaml.org,2002:"
_KNOWN_TAGS = frozenset(
    _TAG + name for name in ("str", "int", "float", "bool", "null", "timestamp", "merge", "value", "map", "seq")
)
_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
# Nothing at all, as in `account:`, is null, too.
_SPECIAL = {"true": True, "false": False, "null": None, "": None}
_PART = re.compile(r"""\"[^"]+"|'[^']+'|[^."'=]+""")
_SETTING = re.compile(rf"((?:{_PART.pattern})(?:\.(?:{_PART.pattern}))*)=(.*)", re.DOTALL)


class Place(NamedTuple):
    """Where something stands: line and column from 1 in a file, or the words of a `--set` (line 0)."""

    source: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source


class Fault(NamedTuple):
    """What is wrong at `path`; `about` are further paths that it rests on, so that it is not reported for faulty ones."""

    path: KeyPath
    what: str
    do: str
    about: tuple[KeyPath, ...] = ()
    place: Place | None = None


@dataclass
class Node:
    """A value with its place: a scalar (with the text as `written`), a list of nodes or a mapping of entries.

    `is_plain` means that a scalar is written without quotes and tag.
    """

    value: Any
    place: Place
    written: str = ""
    is_plain: bool = False
    # For an entry of a mapping: where its key stands.
    key_place: Place | None = None

    def plain(self) -> Any:
        """Return the value without places: scalars, lists and dicts."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def take_number(self) -> bool:
        """Make a plain number, which is a text until then, a number; False, and nothing is done, for all else."""
        number = _number(self.written) if self.is_plain and isinstance(self.value, str) else None
        if number is not None:
            self.value = number
        return number is not None

    def step(self, name: str | int) -> Node | None:
        """Return the entry of a mapping or the item of a list, None where there is none."""
        if isinstance(self.value, dict):
            return self.value.get(name)
        if isinstance(self.value, list) and isinstance(name, int) and 0 <= name < len(self.value):
            item: Node = self.value[name]
            return item
        return None

    def walk(self, path: KeyPath) -> Iterator[tuple[KeyPath, Node]]:
        """Go down `path` as far as it exists, this node first."""
        node: Node | None = self
        for depth in range(len(path) + 1):
            if node is None:
                return
            yield path[:depth], node
            node = node.step(path[depth]) if depth < len(path) else None


@dataclass
class _Reading:
    """One pass over composed YAML of a file or, without `lines`, of a `--set`."""

    source: str
    lines: bool
    faults: list[Fault] = field(default_factory=list)
    nodes: int = 0

    def place(self, node: YamlNode) -> Place:
        mark = node.start_mark
        return Place(self.source, mark.line + 1, mark.column + 1) if self.lines else Place(self.source)

    def tree(self, node: YamlNode, path: KeyPath) -> Node:
        self.nodes += 1
        place = self.place(node)
        if self.nodes > _MOST_NODES or len(path) > _MOST_DEPTH:
            what = "anchors multiply or hold themselves, or values are nested too deeply"
            raise JobError(Problem(what, str(place), "write the values out; a job has four levels at most"))
        if str(node.tag) not in _KNOWN_TAGS:
            self.faults.append(Fault(path, f"the tag {shown(node.tag)} is not supported", "remove it", place=place))
        if isinstance(node, MappingNode):
            return Node(self._mapping(node, path), place)
        if isinstance(node, SequenceNode):
            return Node([self.tree(item, (*path, at)) for at, item in enumerate(node.value)], place)
        style = getattr(node, "style", None)
        is_plain = style is None and str(node.tag) != _TAG + "str"
        value = _SPECIAL.get(node.value, node.value) if is_plain else node.value
        # A bar with no lines below it is an empty text; who wrote it meant the bar.
        written = "|" if style == "|" and not node.value else node.value
        return Node(value, place, written, is_plain)

    def _mapping(self, node: MappingNode, path: KeyPath) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        merged: list[YamlNode] = []
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                self.faults.append(Fault(path, "a key is a list or a mapping", "write a text", place=self.place(key)))
            elif str(key.tag) == _TAG + "merge":
                merged += value.value if isinstance(value, SequenceNode) else [value]
            elif key.value in entries:
                first = entries[key.value].key_place
                self.faults.append(_twice((*path, key.value), self.place(key), first))
            else:
                entries[key.value] = self.tree(value, (*path, key.value))
                entries[key.value].key_place = self.place(key)
        for other in merged:
            if isinstance(other, MappingNode):
                entries = self.tree(other, (*path, "<<")).value | entries
            else:
                self.faults.append(Fault(path, "<< takes a mapping", "name an anchor of one", place=self.place(other)))
        return entries


def _twice(path: KeyPath, place: Place, first: Place | None) -> Fault:
    line = f" and on line {first.line}" if first is not None and first.line else ""
    return Fault(path, f"the key stands twice, here{line}", "keep one of them", place=place)


def _number(text: str) -> int | float | None:
    # int() refuses thousands of digits; no setting has more than 18.
    if _INTEGER.fullmatch(text) and len(text) <= 18:
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else None


def _compose(text: str) -> YamlNode | None:
    """Compose one YAML document, None where it is empty.

    Raises ValueError with the reason, line and column (from 1, or 0 where unknown) for anything that is no YAML.
    """
    if _most_open(text) > _MOST_OPEN:
        raise ValueError("it is nested too deeply", 0, 0)
    try:
        node: YamlNode | None = YAML(typ="rt", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = error.problem or error.context
        raise ValueError(reason, *((0, 0) if mark is None else (mark.line + 1, mark.column + 1))) from None
    except RecursionError:
        raise ValueError("it is nested too deeply", 0, 0) from None
    except YAMLError:
        raise ValueError("it holds a character that YAML forbids", 0, 0) from None
    return node


def _most_open(text: str) -> int:
    """Count the brackets that are open at once at most, without a look at quotes and comments."""
    steps = (1 if bracket in "[{" else -1 for bracket in re.findall(r"[\[\]{}]", text))
    return max(accumulate(steps), default=0)


def read_document(text: str, name: str) -> tuple[Node, list[Fault]]:
    """Read the text of a job file called `name` into a tree, with what is wrong with its form.

    Raises JobError where there is no mapping to go on with: not YAML, empty, a list or a single value.
    """
    try:
        node = _compose(text)
    except ValueError as error:
        reason, line, column = error.args
        where = str(Place(name, line, column))
        raise JobError(Problem(f"this is no YAML: {reason}", where, "mend it; texts with : or # need quotes")) from None
    if node is None:
        raise JobError(Problem("the job file is empty", name, "write one, see the README"))
    if not isinstance(node, MappingNode):
        kind = "a list" if isinstance(node, SequenceNode) else "a single value"
        raise JobError(Problem(f"the job file is {kind}, not keys with values", name, "begin with `job: NAME`"))
    reading = _Reading(name, lines=True)
    return reading.tree(node, ()), reading.faults


def apply_settings(root: Node, settings: Sequence[str]) -> list[Fault]:
    """Put every `key.path=VALUE` into the tree, later ones over earlier ones; give what is wrong with them."""
    return [fault for setting in settings for fault in _apply(root, setting)]


def _apply(root: Node, setting: str) -> list[Fault]:
    match = _SETTING.fullmatch(setting)
    if match is None:
        advice = (
            "write --set key.path=VALUE; a part with dots is quoted: --set 'columns.\"Orders.OrderID\"=Order.OrderID'"
        )
        return [Fault((), f"{shown(setting)} names no key", advice, place=Place("--set"))]
    path = tuple(part[1:-1] if part[0] in "\"'" else part for part in _PART.findall(match[1]))
    place = Place(f"--set {written_path(path)}")
    if match[2].strip() == "|":  # to YAML the head of a text whose lines follow, and none can
        return _put(root, path, Node("|", place, "|", key_place=place))
    try:
        composed = _compose(match[2])
    except ValueError as error:
        return [Fault(path, f"the value is no YAML: {error.args[0]}", "put the value in quotes", place=place)]
    reading = _Reading(place.source, lines=False)
    value = Node(None, place) if composed is None else reading.tree(composed, path)
    value.key_place = place
    return reading.faults + _put(root, path, value)


def _put(root: Node, path: tuple[str, ...], value: Node) -> list[Fault]:
    node = root
    for depth, name in enumerate(path[:-1], start=1):
        below = node.value.get(name)
        if below is None or below.value is None:
            below = node.value[name] = Node({}, value.place, key_place=value.place)
        if not isinstance(below.value, dict):
            kind = "a list" if isinstance(below.value, list) else "a single value"
            advice = f"set {written_path(path[:depth])} as a whole"
            return [Fault(path, f"{written_path(path[:depth])} is {kind} and has no keys", advice, place=value.place)]
        node = below
    node.value[path[-1]] = value
    return []


def written_path(path: KeyPath) -> str:
    """Write a path as it is set: parts joined by dots, a part with a dot in quotes, list positions in brackets."""
    words = ""
    for part in path:
        if isinstance(part, int):
            words += f"[{part + 1}]"
        else:
            words += ("." if words else "") + (f'"{part}"' if "." in part or not part else part)
    return words
