"""The pages that are taken from the program are up to date, and the documents lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline import __version__
from pipeline.cli import COMMANDS
from pipeline.model.codes import CODES, FAILED_CODES
from tests.docs.pages import DOCS, PAGES, ROOT

DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *DOCS.glob("*.md")])


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_page_is_what_the_program_says(path: Path) -> None:
    """Codes and help change in the code; `python -m tests.docs.pages` writes the pages again."""
    assert path.read_text(encoding="utf-8") == PAGES[path]()


def test_the_page_of_codes_has_every_code() -> None:
    """Each code stands there once."""
    found = re.findall(r"^\| `(\w+)` \|", (DOCS / "codes.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert found == [*CODES, *FAILED_CODES]


def test_the_page_of_commands_has_every_command() -> None:
    """Each command has its help."""
    text = (DOCS / "commands.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (\w+)$", text, re.MULTILINE) == list(COMMANDS)
    assert all(f"Usage: copernica-import {name} " in text for name in COMMANDS)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_files_and_headings_that_are_there(path: Path) -> None:
    """A relative link names a file of the repository, and its part behind # a heading of it."""
    text = path.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not link.startswith("http")]
    for link in links:
        name, _, heading = link.partition("#")
        target = path.parent / name if name else path
        assert target.is_file(), link
        if heading:
            headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert heading in {_anchor(one) for one in headings}, link


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_the_changelog_begins_with_the_version_that_is_built() -> None:
    """The newest one comes first."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (\S+)", text, re.MULTILINE)[0] == __version__
