"""docs/rules.md: all rules, in order, each with tests that exist."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from pipeline.model.codes import CODES
from pipeline.run.request import GUARDS
from tests.docs.pages import DOCS, ROOT
from tests.docs.proofs import PROOFS

TEXT = (DOCS / "rules.md").read_text(encoding="utf-8")
# Rule: everything below its heading, up to the next heading.
RULES = {int(number): text for number, text in re.findall(r"^### (\d+)\. .+?\n(.*?)(?=^##|\Z)", TEXT, re.M | re.S)}


def test_all_rules_are_there_in_order() -> None:
    """The numbers are the ones that code and messages use."""
    assert list(RULES) == sorted(RULES)
    assert set(range(1, 47)) - {45} <= set(RULES)


@pytest.mark.parametrize("number", RULES)
def test_each_rule_is_explained_and_proved(number: int) -> None:
    """In words on the page, by tests that exist in tests/docs/proofs.py; one that is not built yet says so."""
    text = RULES[number]
    assert "Tests:" not in text, "list the tests of a rule in tests/docs/proofs.py"
    assert len(text.strip()) > 80
    assert PROOFS.get(number) or "not built yet" in text.lower()
    for name in PROOFS.get(number, ()):
        file, _, test = name.partition("::")
        assert test in set(named_in(ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8")))), name


def named_in(tree: ast.Module | ast.ClassDef) -> Iterator[str]:
    """List the tests of a file, those of a class behind its name."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name
        if isinstance(node, ast.ClassDef) and isinstance(tree, ast.Module):
            yield from (f"{node.name}::{name}" for name in named_in(node))


def test_every_guard_is_explained() -> None:
    """The tables of rule 35 list what --force takes."""
    assert sorted(re.findall(r"^\| `(\w+)`", RULES[35], re.MULTILINE)) == sorted(GUARDS)


def test_codes_that_are_named_exist() -> None:
    """A code in the text is one of the catalogue."""
    assert set(re.findall(r"\(`([a-z_]+)`\)", TEXT)) <= set(CODES)
