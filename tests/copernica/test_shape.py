"""The house: one module speaks HTTP, pure ones have no outside world, nothing of the pipeline is known here."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "pipeline" / "copernica"
PURE = [
    "failures",
    "wire",
    "versions",
    "structure",
    "selector",
    "records",
    "imports",
    "endpoints",
    "answers",
    "retry",
    "paging",
]
OUTSIDE = {
    "requests",
    "urllib3",
    "socket",
    "ssl",
    "os",
    "io",
    "time",
    "random",
    "logging",
    "threading",
    "pathlib",
    "subprocess",
}


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


@pytest.mark.parametrize("name", PURE)
def test_pure_modules_have_no_outside_world(name: str) -> None:
    """No socket, clock, random, environment or log."""
    assert {one.split(".")[0] for one in imported(FOLDER / f"{name}.py")} & OUTSIDE == set()


def test_one_module_speaks_http() -> None:
    """So timeouts, redirects and redaction have one place."""
    speakers = [
        path.stem for path in FOLDER.glob("*.py") if {"requests", "urllib3"} & {n.split(".")[0] for n in imported(path)}
    ]
    assert speakers == ["transport"]


def test_the_client_knows_nothing_of_the_pipeline() -> None:
    """No files, no frames, no job, and no code of the sandbox."""
    for path in FOLDER.glob("*.py"):
        ours = {name for name in imported(path) if name.startswith("pipeline")}
        assert all(name.startswith("pipeline.copernica") for name in ours), path.name
        assert "polars" not in imported(path)
