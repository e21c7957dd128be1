"""docs/client.md is true: its program runs, and its tables are those of the code."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from pipeline.copernica import Options, failures
from pipeline.copernica.retry import RULES
from pipeline.copernica.versions import VERSIONS
from pipeline.copernica.wire import Kind

pytestmark = pytest.mark.usefixtures("sockets")

PAGE = Path(__file__).parents[2] / "docs" / "client.md"


def table(start: str) -> list[list[str]]:
    """The rows of the table whose first cell is `start`, without its rule."""
    lines = PAGE.read_text(encoding="utf-8").split("\n")
    first = next(n for n, line in enumerate(lines) if line.startswith(f"| {start} |" if start else "| | v1 "))
    rows = []
    for line in lines[first + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def test_the_program_of_the_page_runs() -> None:
    """All blocks, one after the other, against the local Copernica; asserts are in them."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 8
    names: dict[str, object] = {}
    exec(compile("\n".join(blocks), str(PAGE), "exec"), names)
    assert names["status"].processed == 2  # type: ignore[attr-defined]


def test_the_options_of_the_page() -> None:
    """Every option with its default."""
    said: dict[str, str] = {}
    for names, defaults, _ in table("`Options(...)`"):
        said |= dict(zip(re.findall(r"`(\w+)`", names), defaults.split(", "), strict=True))
    real = {field.name: "none" if field.default is None else f"{field.default:g}" for field in fields(Options)}
    assert said == real


def test_the_errors_of_the_page() -> None:
    """Every leaf."""
    leaves = {name for name, one in vars(failures).items() if isinstance(one, type) and issubclass(one, Exception)}
    assert {row[0].strip("`") for row in table("raised")} == leaves - {"ApiError"}


def test_the_retries_of_the_page() -> None:
    """Line by line."""
    lines = {
        "GET, exchange of the token": (Kind.READ,),
        "PUT of one record, its fields or interests": (Kind.SAME_STATE,),
        "PUT with a selector that the new values leave true": (Kind.UPDATE_MANY,),
        "PUT with a selector that the new values may break": (Kind.UPDATE_MOVING,),
        "PUT with `create`": (Kind.UPSERT,),
        "POST of a profile or subprofile": (Kind.CREATE,),
        "DELETE": (Kind.DELETE,),
        "POST imports": (Kind.IMPORT,),
        "set-up POST": (Kind.SET_UP,),
    }
    said = {row[0]: tuple(cell.split(";")[0] for cell in row[1:]) for row in table("request")}
    assert said.keys() == lines.keys()
    for line, kinds in lines.items():
        assert [RULES[kind] for kind in kinds] == [said[line]] * len(kinds)


def test_the_versions_of_the_page() -> None:
    """Rows per page, body, imports."""
    rows = {row[0]: row[1:] for row in table("")}
    versions = list(VERSIONS.values())
    assert rows["rows per page"] == [str(version.page_rows) for version in versions]
    assert rows["body that makes or changes profiles by selector"] == [
        "flat" if version.flat_profiles else "wrapped" for version in versions
    ]
    yes = {True: "yes", False: "no"}
    assert rows["`post_import`, `import_status`"] == [yes[version.has_imports] for version in versions]
