"""The catalogue of reject codes holds what the source uses, and nothing else."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from pipeline.model.codes import CODES

PIPELINE = Path(__file__).parents[2] / "pipeline"
NAME = re.compile("[a-z]+(_[a-z]+)*")


def texts_of(node: ast.AST) -> Iterator[str]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
            yield inner.value


def aliases(call: ast.Call) -> str | None:
    if not isinstance(call.func, ast.Attribute) or call.func.attr != "alias":
        return None
    return next((text for argument in call.args for text in texts_of(argument)), None)


def given_as_codes(tree: ast.AST) -> Iterator[str]:
    """Texts that stand where a code does: as `code=`, aliased as a code, or assigned to one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg in ("code", "beyond_code"):
            yield from texts_of(node.value)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and aliases(node) in ("code", "_code"):
            yield from texts_of(node.func.value)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_bad":
            yield from (text for argument in node.args[1:2] for text in texts_of(argument))
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [target.id for target in targets if isinstance(target, ast.Name)]
            if any(name in ("code", "beyond_code", "CSV_CODES") for name in names) and node.value is not None:
                yield from texts_of(node.value)


def trees() -> Iterator[ast.AST]:
    for folder in ("extract", "validate"):
        for path in sorted((PIPELINE / folder).rglob("*.py")):
            yield ast.parse(path.read_text())


# What stands in expressions of codes besides: names of columns.
COLUMNS = {"code", "_code", "beyond", "_message", "text", "chars", "value"}


def test_every_code_of_the_source_is_in_the_catalogue():
    """A reject whose code nobody explains is of no help."""
    used = {text for tree in trees() for text in given_as_codes(tree) if NAME.fullmatch(text)} - COLUMNS
    assert {"key_blank", "out_of_range", "blank_value", "field_count", "too_long"} <= used
    assert sorted(used - set(CODES)) == []


def test_every_code_of_the_catalogue_is_used():
    """The catalogue explains nothing that does not happen."""
    used = {text for tree in trees() for text in texts_of(tree)}
    assert sorted(set(CODES) - used) == []


def test_every_code_is_explained():
    """Title, explanation and advice are there, and no title stands twice."""
    assert all(code.title and code.explanation.endswith(".") and code.advice.endswith(".") for code in CODES.values())
    assert len({code.title for code in CODES.values()}) == len(CODES)
    assert all(NAME.fullmatch(name) for name in CODES)
