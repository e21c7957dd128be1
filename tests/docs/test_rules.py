"""docs/rules.md: all rules, in order, each with tests that exist."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator

import pytest

from pipeline.model.codes import CODES
from pipeline.run.request import GUARDS
from tests.docs.pages import DOCS, ROOT

TEXT = (DOCS / "rules.md").read_text(encoding="utf-8")
# Rule: everything below its heading, up to the next heading.
RULES = {int(number): text for number, text in re.findall(r"^### (\d+)\. .+?\n(.*?)(?=^##|\Z)", TEXT, re.M | re.S)}


def test_all_rules_are_there_in_order() -> None:
    """The numbers are the ones that code and messages use."""
    assert list(RULES) == sorted(RULES)
    assert set(range(1, 38)) <= set(RULES)


@pytest.mark.parametrize("number", RULES)
def test_each_rule_names_tests_that_exist(number: int) -> None:
    """A rule that is built is proved; one that is not says so plainly."""
    text = RULES[number]
    assert "\nTests: " in text
    words, _, named = text.partition("\nTests: ")
    assert len(words.strip()) > 80
    found = re.findall(r"`(tests/[\w/]+\.py)::((?:Test\w+::)?test_\w+)`", named)
    assert found or "not built yet" in named
    assert re.sub(r"`[^`]+`|[,\s]", "", named) == ("" if found else re.sub(r"\s", "", named))
    for file, name in found:
        assert name in set(named_in(ast.parse((ROOT / file).read_text(encoding="utf-8")))), f"{file}::{name}"


def named_in(tree: ast.Module | ast.ClassDef) -> Iterator[str]:
    """List the tests of a file, those of a class behind its name."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name
        if isinstance(node, ast.ClassDef) and isinstance(tree, ast.Module):
            yield from (f"{node.name}::{name}" for name in named_in(node))


def test_every_rule_has_a_home_in_the_code() -> None:
    """Whoever changes a rule finds the functions that keep it: at least one says its number."""
    said = Counter(
        number
        for path in (ROOT / "pipeline").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
        for number in rules_in(ast.get_docstring(node) or "")
    )
    assert set(RULES) <= set(said)


def rules_in(docstring: str) -> Iterator[int]:
    """List the rules that a docstring names: `data rule 7`, `data rules 1-3`, `data rules 25 d, 28 and 29`."""
    for numbers in re.findall(r"data rules? ([0-9]+(?: [a-d]\b|, | and |-|[0-9])*)", " ".join(docstring.split())):
        for first, last in re.findall(r"([0-9]+)(?:-([0-9]+))?", numbers):
            yield from range(int(first), int(last or first) + 1)


def test_every_guard_is_explained() -> None:
    """The tables of rule 35 list what --force takes."""
    assert sorted(re.findall(r"^\| `(\w+)`", RULES[35], re.MULTILINE)) == sorted(GUARDS)


def test_codes_that_are_named_exist() -> None:
    """A code in the text is one of the catalogue."""
    assert set(re.findall(r"\(`([a-z_]+)`\)", TEXT)) <= set(CODES)
